"""What may leave the node: what phantom-trained models made stays here unless the configuration lets it out."""

from __future__ import annotations

from dataclasses import replace

from pipelines.agreement import disagreements
from pipelines.contract import Case, Code, Exam, Findings, Mask, MaskOrigin, Score, Statement

OF_TUMOUR = (Code.COVERAGE_INCOMPLETE, Code.GAS_SUSPECTED)
MEASURED = ("DWI coverage", "CE-T1 coverage", "DWI gas score")
"""What the quality gate states and measures of the tumour's surroundings: it tells of the mask."""
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
    looked = times | {exam.files.time_point for exam in findings.case.exams if _phantom_mask(exam.bed)}
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
    # Why there is no number tells of the mask, and so does what the quality gate found in it.
    in_masks = {(code, f"{time} ADC in the mask") for time in times for code in Code}
    in_masks |= {(Code.TUMOUR_BED_USED, f"{time} tumour mask") for time in looked}
    in_masks |= {(code, f"{time} {name}") for time in looked for code in OF_TUMOUR for name in ("DWI", "CE-T1", "T2")}
    measured = {f"{time} {name}" for time in looked for name in MEASURED}
    scores = tuple(score for score in findings.scores if not score.model.phantom_trained)
    return replace(
        findings,
        case=_case(findings.case),
        measurements=tuple(
            one for one in findings.measurements if not (one.origin is MaskOrigin.MODEL and one.time_point in times)
        ),
        scores=scores,
        refusals=tuple(one for one in findings.refusals if (one.code, one.subject) not in in_masks) + tuple(statements),
        warnings=tuple(one for one in _warnings(findings, scores) if (one.code, one.subject) not in in_masks),
        parameters=tuple(pair for pair in findings.parameters if pair[0] not in measured),
    )


def _warnings(findings: Findings, scores: tuple[Score, ...]) -> tuple[Statement, ...]:
    """The warnings; what is said of disagreeing scores names their numbers, so it is said anew of those that leave."""
    others = tuple(one for one in findings.warnings if one.code is not Code.SYSTEMS_DISAGREE)
    return others + disagreements(scores)


def _phantom_mask(mask: Mask | None) -> bool:
    """A model's mask without its model's name could be anybody's: it is held back too."""
    if mask is None or mask.origin is not MaskOrigin.MODEL:
        return False
    return mask.model is None or mask.model.phantom_trained


def _case(case: Case) -> Case:
    """The case without what phantom-trained models drew, nor the baseline's tumour carried over from such a mask."""
    return replace(case, baseline=_released(case.baseline), restaging=_released(case.restaging))


def _released(exam: Exam | None) -> Exam | None:
    """The exam without what a phantom-trained model drew or looked at."""
    if exam is None:
        return None
    hidden, hidden_bed = _phantom_mask(exam.mask), _phantom_mask(exam.bed)
    return replace(
        exam,
        mask=None if hidden else exam.mask,
        bed=None if hidden_bed else exam.bed,
        parameters=tuple(pair for pair in exam.parameters if not ((hidden or hidden_bed) and pair[0] in MEASURED)),
        structures=tuple(one for one in exam.structures if one.model is None or not one.model.phantom_trained),
        maps=tuple(one for one in exam.maps if one.model is None or not one.model.phantom_trained),
    )
