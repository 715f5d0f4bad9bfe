"""Findings into the objects that leave the node: built, re-read, checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pydicom.dataset import Dataset

from dicom_templates import codes
from dicom_templates.check import check, check_withdrawal
from dicom_templates.contour_series import build_contours
from dicom_templates.document import build_document
from dicom_templates.figures import check_numbers
from dicom_templates.filing import filed_exam
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import CONTOURS_KINDS, MAPS_KINDS, PRESENTATION_KINDS, SEG_KINDS, Item, Kind, Result
from dicom_templates.lossy import mark_lossy
from dicom_templates.parametric_map import build_maps, maps_of
from dicom_templates.presentation import build_presentation
from dicom_templates.profile import DEFAULT_ITEMS
from dicom_templates.rejection import build_rejections
from dicom_templates.report import build_report
from dicom_templates.segmentation import build_segmentation
from dicom_templates.summary import build_summary
from dicom_templates.withdrawal import Withdrawal
from dicom_templates.withdrawn import build_withdrawn_page
from pipelines.contract import Exam, Findings, TimePoint


def build_results(
    findings: Findings, identity: ResultIdentity, items: Collection[Item] = DEFAULT_ITEMS
) -> tuple[Result, ...]:
    """The objects that somebody wants of these findings, as ``identity.rendering`` says; checked against the findings.

    Raises InputUnfit where a source image cannot carry a segmentation, TemplateError where findings cannot be
    encoded, and its subclass ResultUnfit where an object does not say what the findings say: then none is sent.
    """
    check_numbers(findings)
    segmentations = _segmentations(findings, identity) if Item.SEG in items else {}
    results = [Result(SEG_KINDS[time_point], dataset) for time_point, dataset in segmentations.items()]
    if Item.REPORT in items:
        results.append(Result(Kind.REPORT, build_report(findings, segmentations, identity)))
    if Item.SUMMARY in items:
        results.append(Result(Kind.SUMMARY, build_summary(findings, identity)))
    if Item.PDF in items:
        results.append(Result(Kind.PDF, build_document(findings, identity)))
    for exam in findings.case.exams:
        results += _pictures(exam, findings, identity, items)
    _identify_scheme(results)
    mark_lossy(results, findings)
    check(results, findings, identity, items)
    return tuple(results)


def build_withdrawal(withdrawal: Withdrawal) -> tuple[Result, ...]:
    """A rejection note in each study that holds objects of the result, and a page that says WITHDRAWN; checked."""
    results = (*build_rejections(withdrawal), Result(Kind.WITHDRAWN, build_withdrawn_page(withdrawal)))
    _identify_scheme(results)
    check_withdrawal(results, withdrawal)
    return results


def _identify_scheme(results: Sequence[Result]) -> None:
    """Say in every object whose the private codes are (PS3.3 C.12.1, Coding Scheme Identification Sequence)."""
    for result in results:
        result.dataset.CodingSchemeIdentificationSequence = [codes.scheme_item()]


def _segmentations(findings: Findings, identity: ResultIdentity) -> dict[TimePoint, Dataset]:
    return {
        exam.files.time_point: build_segmentation(
            exam, identity, exam.files.time_point, filed_exam(exam, findings.case, identity.rendering)
        )
        for exam in findings.case.exams
        if exam.mask is not None
    }


def _pictures(exam: Exam, findings: Findings, identity: ResultIdentity, items: Collection[Item]) -> Iterator[Result]:
    """The optional objects of one exam: maps, and the tumour's outline for viewers without SEG."""
    time_point = exam.files.time_point
    filed = filed_exam(exam, findings.case, identity.rendering)
    if Item.MAPS in items and maps_of(exam, findings):
        for one in build_maps(exam, findings, identity, filed):
            yield Result(MAPS_KINDS[time_point], one)
    if exam.mask is None:
        return
    if Item.CONTOURS in items:
        for one in build_contours(exam, identity, filed):
            yield Result(CONTOURS_KINDS[time_point], one)
    # A presentation state belongs in the study of its images (PS3.3 A.33.1): it cannot be filed elsewhere.
    if Item.PRESENTATION in items and filed is exam:
        yield Result(PRESENTATION_KINDS[time_point], build_presentation(exam, identity))
