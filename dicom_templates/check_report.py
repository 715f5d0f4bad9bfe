"""The report against the findings: its numbers, its references, its flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from dicom_templates import codes, tree, wording
from dicom_templates.errors import ResultUnfit
from dicom_templates.figures import changes, percent, rounded
from dicom_templates.sources import used_series
from pipelines.contract import Findings, TimePoint

#: (group, code, scheme) of a number; a group is a time point's protocol identifier, or a system and its outcome.
NumberKey = tuple[str, str, str]
_GROUPS = {TimePoint.BASELINE: "PRE-NAT", TimePoint.RESTAGING: "POST-NAT"}


def check_report(report: Dataset, findings: Findings, segmentations: Mapping[TimePoint, Dataset]) -> None:
    """Raises ResultUnfit naming the first number, reference or flag that is not what the findings say."""
    flags = (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag)
    if flags != ("COMPLETE", "UNVERIFIED", "PRELIMINARY"):
        raise ResultUnfit(f"SR: flags are {flags}; only a person may verify or finalise")
    _check_numbers(report, findings, segmentations)
    _check_references(report, findings, segmentations)
    _check_sentences(report, findings)


def expected_numbers(findings: Findings, reported: frozenset[TimePoint]) -> dict[NumberKey, float]:
    """Every number that the report must hold. ``reported``: the time points that have a SEG."""
    numbers: dict[NumberKey, float] = {}
    for one in findings.measurements:
        if one.time_point in reported:
            numbers[(_GROUPS[one.time_point], *tree.key(codes.QUANTITIES[one.quantity]))] = rounded(one)
    if TimePoint.RESTAGING in reported:
        for change in changes(findings):
            if change.value is not None:
                name = codes.CHANGES[change.quantity].concept
                numbers[(_GROUPS[TimePoint.RESTAGING], *tree.key(name))] = change.value
    for score in findings.scores:
        outcome = codes.outcome(score.outcome)
        group = f"{score.model.system}: {outcome.words}"
        numbers[(group, *tree.key(outcome.probability.concept))] = percent(score.probability)
        numbers[(group, *tree.key(codes.LOWER.concept))] = percent(score.lower)
        numbers[(group, *tree.key(codes.UPPER.concept))] = percent(score.upper)
    return numbers


def written_numbers(report: Dataset) -> Iterator[tuple[NumberKey, float]]:
    """Every NUM item of the report with the group it stands in."""
    for container in tree.children(report, codes.IMAGING_MEASUREMENTS):
        for group in tree.children(container):
            protocol = tree.value(tree.child(group, codes.PROTOCOL_TIME_POINT))
            name = protocol or tree.value(tree.child(group, codes.TRACKING_IDENTIFIER))
            for item in tree.children(group):
                if item.ValueType == "NUM":
                    yield (name, *tree.concept(item)), tree.number(item)


def _check_numbers(report: Dataset, findings: Findings, segmentations: Mapping[TimePoint, Dataset]) -> None:
    expected = expected_numbers(findings, frozenset(segmentations))
    written = list(written_numbers(report))
    if len(written) != sum(item.ValueType == "NUM" for item in tree.walk(report)):
        raise ResultUnfit("SR: a number stands outside the measurement groups")
    if len({key for key, _ in written}) != len(written):
        raise ResultUnfit("SR: a number is given twice in one group")
    for key, number in written:
        if key not in expected:
            raise ResultUnfit(f"SR: {key} = {number} is in no finding")
        if abs(expected[key] - number) > 1e-9 * max(1.0, abs(number)):
            raise ResultUnfit(f"SR: {key} = {number}, the findings say {expected[key]}")
    if missing := set(expected) - {key for key, _ in written}:
        raise ResultUnfit(f"SR: {sorted(missing)} is missing")


def _check_references(report: Dataset, findings: Findings, segmentations: Mapping[TimePoint, Dataset]) -> None:
    """Everything cited is a source image or a SEG of this result, and both exams are in the evidence."""
    known = {str(segmentation.SOPInstanceUID) for segmentation in segmentations.values()}
    studies = set()
    for exam in findings.case.exams:
        for series in used_series(exam):
            known |= {str(header.SOPInstanceUID) for header in series.headers}
            studies |= {str(header.StudyInstanceUID) for header in series.headers}
    cited = {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in tree.walk(report)
        if item.ValueType in ("IMAGE", "COMPOSITE")
    }
    evidence = dict(_evidence(report))
    if unknown := (cited | set(evidence)) - known:
        raise ResultUnfit(f"SR: cites {sorted(unknown)[0]}, which is no source of these findings")
    if lacking := cited - set(evidence):
        raise ResultUnfit(f"SR: {sorted(lacking)[0]} is cited and not in evidence")
    if set(evidence.values()) != studies:
        raise ResultUnfit("SR: the studies in evidence are not those of the exams")
    if segments := {str(ds.SOPInstanceUID) for ds in segmentations.values()} - cited:
        raise ResultUnfit(f"SR: SEG {sorted(segments)[0]} is not cited")


def _evidence(report: Dataset) -> Iterator[tuple[str, str]]:
    """(SOP Instance UID, Study Instance UID) of every object in evidence."""
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in report.get(keyword, []):
            for series in study.ReferencedSeriesSequence:
                for instance in series.ReferencedSOPSequence:
                    yield str(instance.ReferencedSOPInstanceUID), str(study.StudyInstanceUID)


def _check_sentences(report: Dataset, findings: Findings) -> None:
    """Limits of use, refusals and warnings are there in words, and every group has its sentence."""
    texts = {tree.value(item) for item in tree.walk(report) if item.ValueType == "TEXT"}
    wanted = list(wording.limits_of_use(findings))
    wanted += [wording.statement_sentence(wording.REFUSED, one) for one in findings.refusals]
    wanted += [wording.statement_sentence(wording.WARNING, one) for one in findings.warnings]
    for one in wanted:
        if one not in texts:
            raise ResultUnfit(f"SR: it does not say {one!r}")
    for container in tree.children(report, codes.IMAGING_MEASUREMENTS):
        for group in tree.children(container):
            if tree.child(group, codes.COMMENT) is None:
                raise ResultUnfit("SR: a group has no sentence that says what its numbers are")
