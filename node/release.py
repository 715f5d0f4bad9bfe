"""What may leave the node: numbers of phantom-trained models stay here unless the configuration lets them out."""

from __future__ import annotations

from dataclasses import replace

from pipelines.contract import Case, Code, Exam, Findings, Mask, MaskOrigin, Statement

WITHHELD = "made by a model trained on synthetic patients; [results] phantom_scores = true would send it"


def releasable(findings: Findings, phantom_scores: bool) -> Findings:
    """The findings without any predicted number of a phantom-trained model, and with a statement for each left out.

    A reader's own mask and the measurements in it are no prediction: they stay. So does everything that a model
    trained on patients made.
    """
    if phantom_scores:
        return findings
    held = [exam for exam in findings.case.exams if _phantom_mask(exam.mask)]
    times = {exam.files.time_point for exam in held}
    statements = [
        Statement(
            Code.SCORES_WITHHELD, f"{time} tumour mask", f"the automatic mask and its measurements were {WITHHELD}"
        )
        for time in sorted(times)
    ]
    statements += [
        Statement(Code.SCORES_WITHHELD, score.model.system, f"the score was {WITHHELD}")
        for score in findings.scores
        if score.model.phantom_trained
    ]
    return replace(
        findings,
        case=Case(_without_mask(findings.case.baseline), _without_mask(findings.case.restaging)),
        measurements=tuple(
            one for one in findings.measurements if not (one.origin is MaskOrigin.MODEL and one.time_point in times)
        ),
        scores=tuple(score for score in findings.scores if not score.model.phantom_trained),
        refusals=findings.refusals + tuple(statements),
    )


def _phantom_mask(mask: Mask | None) -> bool:
    """A model's mask without its model's name could be anybody's: it is held back too."""
    if mask is None or mask.origin is not MaskOrigin.MODEL:
        return False
    return mask.model is None or mask.model.phantom_trained


def _without_mask(exam: Exam | None) -> Exam | None:
    return replace(exam, mask=None) if exam is not None and _phantom_mask(exam.mask) else exam
