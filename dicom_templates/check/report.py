"""The report against the findings: its kind, its numbers, its sentences, its references, its flags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicom_templates import codes, reported, tree, wording
from dicom_templates.conclusion import conclusion
from dicom_templates.errors import ResultUnfit
from dicom_templates.figures import changes, percent, plain, rounded
from dicom_templates.profile import Rendering, ReportClass
from dicom_templates.report.predictions import curve_identifier, prediction_identifier
from dicom_templates.sources import used_series
from dicom_templates.survival import event_free
from pipelines.contract import Exam, Findings, Score, TimePoint

#: (group, code, scheme) of a number. A group is a time point's protocol identifier, that with who reported it, or the
#: tracking identifier of a prediction or of its curve.
NumberKey = tuple[str, str, str]
_GROUPS = {TimePoint.BASELINE: "PRE-NAT", TimePoint.RESTAGING: "POST-NAT"}
_CLASSES = {
    ReportClass.COMPREHENSIVE_3D: Comprehensive3DSRStorage,
    ReportClass.COMPREHENSIVE: ComprehensiveSRStorage,
}


def check_report(
    report: Dataset, findings: Findings, segmentations: Mapping[TimePoint, Dataset], rendering: Rendering
) -> None:
    """Raises ResultUnfit naming the first number, sentence, reference or flag that is not what the findings say."""
    cited = segmentations if rendering.with_segmentations else {}
    _check_kind(report, rendering)
    _check_numbers(report, findings)
    _check_sentences(report, findings)
    _check_references(report, findings, cited)


def expected_numbers(findings: Findings) -> dict[NumberKey, float]:
    """Every number that the report must hold."""
    numbers: dict[NumberKey, float] = {}
    outlined = {exam.files.time_point for exam in findings.case.exams if exam.mask is not None}
    for one in findings.measurements:
        if one.time_point in outlined:
            numbers[(_GROUPS[one.time_point], *tree.key(codes.QUANTITIES[one.quantity]))] = rounded(one)
    if TimePoint.RESTAGING in outlined:
        for change in changes(findings):
            if change.value is not None:
                name = codes.CHANGES[change.quantity].concept
                numbers[(_GROUPS[TimePoint.RESTAGING], *tree.key(name))] = change.value
    for exam in findings.case.exams:
        numbers |= _reported_numbers(exam)
    for score in findings.scores:
        numbers |= _predicted_numbers(score)
    return numbers


def written_numbers(report: Dataset) -> Iterator[tuple[NumberKey, float]]:
    """Every NUM item of the report with the group it stands in."""
    for name, group in _groups(report):
        for item in tree.children(group):
            if item.ValueType == "NUM":
                yield (name, *tree.concept(item)), tree.number(item)


def _reported_numbers(exam: Exam) -> dict[NumberKey, float]:
    when = _GROUPS[exam.files.time_point]
    return {
        (f"{when} {said.by} {said.source_sop_uid}".strip(), *tree.key(codes.VARIABLES[one.variable])): one.millimetres
        for said in reported.reported_of(exam)
        for one in said.variables
        if one.millimetres is not None
    }


def _predicted_numbers(score: Score) -> dict[NumberKey, float]:
    outcome = codes.outcome(score.outcome)
    group, curve = prediction_identifier(score), curve_identifier(score)
    numbers = {
        (group, *tree.key(outcome.probability.concept)): percent(score.probability),
        (group, *tree.key(codes.LOWER.concept)): percent(score.lower),
        (group, *tree.key(codes.UPPER.concept)): percent(score.upper),
    }
    if score.possible is not None:
        numbers[(group, *tree.key(codes.SET_COVERAGE.concept))] = percent(score.possible.coverage)
    for one in event_free(score):
        numbers[(curve, *tree.key(one.horizon.share.concept))] = one.share
        numbers[(curve, *tree.key(one.horizon.lower.concept))] = one.lower
        numbers[(curve, *tree.key(one.horizon.upper.concept))] = one.upper
    return numbers


def _groups(report: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Every measurement group with its name, see :data:`NumberKey`."""
    for container in tree.children(report, codes.IMAGING_MEASUREMENTS):
        for group in tree.children(container):
            protocol = tree.value(tree.child(group, codes.PROTOCOL_TIME_POINT))
            by = tree.value(tree.child(group, codes.REPORTED_BY.concept))
            source = tree.value(tree.child(group, codes.REPORTED_IN.concept))
            tracking = tree.value(tree.child(group, codes.TRACKING_IDENTIFIER))
            yield (f"{protocol} {by} {source}".strip() if protocol else tracking), group


def _check_kind(report: Dataset, rendering: Rendering) -> None:
    flags = (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag)
    if flags != ("COMPLETE", "UNVERIFIED", "PRELIMINARY"):
        raise ResultUnfit(f"SR: flags are {flags}; only a person may verify or finalise")
    if report.SOPClassUID != _CLASSES[rendering.report_class]:
        raise ResultUnfit(f"SR: it is a {report.SOPClassUID.name}, not {rendering.report_class}")
    if tree.concept(report) != (str(rendering.title), "DCM"):
        raise ResultUnfit(f"SR: its title is {tree.name(report)!r}, not that of {rendering.title}")
    declared = {str(item.CodingSchemeDesignator) for item in report.get("CodingSchemeIdentificationSequence", [])}
    if codes.SCHEME not in declared:
        raise ResultUnfit(f"SR: it does not identify the coding scheme {codes.SCHEME}")


def _check_numbers(report: Dataset, findings: Findings) -> None:
    expected = expected_numbers(findings)
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


def _check_sentences(report: Dataset, findings: Findings) -> None:
    """Everything is said in words: first the summary, in each group its numbers, then every statement and limit."""
    contained = [item for item in tree.children(report) if item.RelationshipType == "CONTAINS"]
    if not contained or tree.value(contained[0]) != conclusion(findings):
        raise ResultUnfit(f"SR: it does not begin with {conclusion(findings)!r}")
    _check_group_sentences(report, findings)
    texts = {tree.value(item) for item in tree.walk(report) if item.ValueType == "TEXT"}
    wanted = list(wording.limits_of_use(findings))
    wanted += [wording.statement_sentence(wording.REFUSED, one) for one in findings.refusals]
    wanted += [wording.statement_sentence(wording.WARNING, one) for one in findings.warnings]
    for one in wanted:
        if one not in texts:
            raise ResultUnfit(f"SR: it does not say {one!r}")


def _check_group_sentences(report: Dataset, findings: Findings) -> None:
    """Every group opens with the sentence about it, and that sentence has every number of the group."""
    wanted = list(_sentences(findings))
    said = []
    for name, group in _groups(report):
        first = tree.children(group)[0]
        if tree.concept(first) != tree.key(codes.COMMENT):
            raise ResultUnfit(f"SR: the group {name!r} does not open with a sentence that says what its numbers are")
        said.append(tree.value(first))
        for item in tree.children(group):
            if item.ValueType == "NUM" and not _says(said[-1], tree.number(item)):
                raise ResultUnfit(f"SR: the sentence of {name!r} lacks its number {plain(tree.number(item))}")
    for sentence in chain(wanted, said):
        if wanted.count(sentence) != said.count(sentence):
            raise ResultUnfit(f"SR: a group does not say {sentence!r}" if sentence in wanted else f"SR: {sentence!r}")


def _sentences(findings: Findings) -> Iterator[str]:
    """The sentence of every group that the report must have."""
    for exam in findings.case.exams:
        if exam.mask is not None:
            yield wording.tumour_sentences(exam, findings)
        yield from (reported.reported_sentences(exam, one) for one in reported.reported_of(exam))
    for score in findings.scores:
        yield wording.prediction_sentences(score)
        if event_free(score):
            yield wording.curve_sentences(score)


def _says(sentence: str, number: float) -> bool:
    """Whether the number stands in the sentence, as a number of its own."""
    return any(float(found) == abs(number) for found in re.findall(r"(?<![\d.])\d+(?:\.\d+)?", sentence))


def _check_references(report: Dataset, findings: Findings, segmentations: Mapping[TimePoint, Dataset]) -> None:
    """Everything cited is a source image or a SEG of this result, and both exams are in the evidence."""
    known = {str(segmentation.SOPInstanceUID) for segmentation in segmentations.values()}
    studies = {str(segmentation.StudyInstanceUID) for segmentation in segmentations.values()}
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
    if segments := {str(ds.SOPInstanceUID) for ds in segmentations.values()} - cited:
        raise ResultUnfit(f"SR: SEG {sorted(segments)[0]} is not cited")
    if lacking := known - set(evidence):
        raise ResultUnfit(f"SR: {sorted(lacking)[0]} was used and is not in evidence")
    if set(evidence.values()) != studies:
        raise ResultUnfit("SR: the studies in evidence are not those of the exams")


def _evidence(report: Dataset) -> Iterator[tuple[str, str]]:
    """(SOP Instance UID, Study Instance UID) of every object in evidence."""
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in report.get(keyword, []):
            for series in study.ReferencedSeriesSequence:
                for instance in series.ReferencedSOPSequence:
                    yield str(instance.ReferencedSOPInstanceUID), str(study.StudyInstanceUID)
