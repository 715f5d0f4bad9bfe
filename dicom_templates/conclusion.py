"""The result in a few sentences, for whoever reads nothing else: the first words of the report."""

from __future__ import annotations

from collections.abc import Iterator

from dicom_templates import codes, wording
from dicom_templates.figures import IN_SENTENCES, ORDER, changes, find, shown, signed, written
from dicom_templates.identity import PHANTOM, phantom_trained
from pipelines.contract import Code, Exam, Findings, MaskOrigin, Quantity, Score, TimePoint


def conclusion(findings: Findings) -> str:
    """What was compared, how the tumour changed, what is predicted, and whether the systems agree.

    It begins with what these numbers must not be used for.
    """
    flags = f"RESEARCH USE ONLY, {PHANTOM}." if phantom_trained(findings) else "RESEARCH USE ONLY."
    parts = [flags, _compared(findings), _predicted(findings), _agreement(findings), _stated(findings)]
    return " ".join(part for part in parts if part)


def prediction_words(score: Score) -> str:
    """One prediction among others: what of, how probable, and whether the number can be relied on."""
    outside = "" if score.envelope.inside else ", OUTSIDE the training envelope"
    refer = ", REFER to a reader" if score.possible is not None and score.possible.refer else ""
    return f"{codes.outcome(score.outcome).words} {wording.interval_words(score)}{outside}{refer}"


def _compared(findings: Findings) -> str:
    numbers = ", ".join(_numbers(findings))
    measured = f"{numbers}{_outlines(findings)}" if numbers else "no tumour outline, so nothing was measured"
    baseline, restaging = findings.case.baseline, findings.case.restaging
    if baseline is None or restaging is None:
        return f"{wording.exam_words(findings.case.exams[-1])} alone: {measured}."
    return f"{wording.exam_words(restaging)} compared with {_before(baseline, restaging)}: {measured}."


def _outlines(findings: Findings) -> str:
    """Whose outlines the numbers come from: a model's that nobody has checked is worth other numbers."""
    origins = {exam.mask.origin for exam in findings.case.exams if exam.mask is not None}
    words = {
        frozenset({MaskOrigin.READER}): "in a reader's outline",
        frozenset({MaskOrigin.MODEL}): "in a model's outline that no reader has checked",
    }
    return f", {words.get(frozenset(origins), 'one outline by a reader, one by a model that no reader has checked')}"


def _before(baseline: Exam, restaging: Exam) -> str:
    words = wording.exam_words(baseline)
    days = (restaging.files.study_date - baseline.files.study_date).days
    return f"{words[0].lower()}{words[1:]}, {days} days before"


def _numbers(findings: Findings) -> Iterator[str]:
    """Each quantity: from what to what, or the one value there is."""
    compared = {change.quantity: change.value for change in changes(findings)}
    for quantity in ORDER:
        words = _course(findings, quantity)
        if words:
            change = compared.get(quantity)
            yield f"{IN_SENTENCES[quantity]} {words}{'' if change is None else f' ({signed(change)})'}"


def _course(findings: Findings, quantity: Quantity) -> str:
    before = find(findings, quantity, TimePoint.BASELINE)
    after = find(findings, quantity, TimePoint.RESTAGING)
    if before is not None and after is not None:
        return f"from {written(before)} to {shown(after)}"
    one = after or before
    if one is None:
        return ""
    return shown(one) if len(findings.case.exams) == 1 else f"{shown(one)} at {one.time_point} alone"


def _predicted(findings: Findings) -> str:
    if not findings.scores:
        return "No predicted number."
    return f"Predicted: {'; '.join(prediction_words(score) for score in wording.in_reading_order(findings.scores))}."


def _agreement(findings: Findings) -> str:
    against = [one for one in findings.warnings if one.code is Code.SYSTEMS_DISAGREE]
    if against:
        return f"THE SYSTEMS DISAGREE about {'; '.join(one.subject for one in against)}."
    return "No contradiction between these predictions." if len(findings.scores) > 1 else ""


def _stated(findings: Findings) -> str:
    """How many refusals and warnings a reader should look for below."""
    warnings = [one for one in findings.warnings if one.code is not Code.SYSTEMS_DISAGREE]
    counts = [_count(len(findings.refusals), "refusal"), _count(len(warnings), "warning")]
    words = " and ".join(count for count in counts if count)
    return f"{words[0].upper()}{words[1:]} below." if words else ""


def _count(number: int, noun: str) -> str:
    return "" if not number else f"{number} {noun}{'s' if number > 1 else ''}"
