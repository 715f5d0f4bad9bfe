"""The gate: every object is decoded again from its encoded bytes and compared with the findings it was made from.

Programs that validate DICOM pass an all-zero mask, a mirrored one, and the numbers of another patient. This does not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pydicom.dataset import Dataset

from dicom_templates.check.codes import check_codes
from dicom_templates.check.contours import check_contours
from dicom_templates.check.document import check_document
from dicom_templates.check.maps import check_maps
from dicom_templates.check.presentation import check_presentation
from dicom_templates.check.rejection import check_rejections
from dicom_templates.check.report import check_report
from dicom_templates.check.segmentation import check_segmentation
from dicom_templates.codes import SCHEME
from dicom_templates.encode import reread
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import PHANTOM, RESEARCH, ResultIdentity, phantom_mask, phantom_trained
from dicom_templates.kinds import (
    CONTOURS_KINDS,
    MAPS_KINDS,
    PRESENTATION_KINDS,
    SEG_KINDS,
    TIME_POINTS,
    Item,
    Kind,
    Result,
)
from dicom_templates.parametric_map import is_phantom, maps_of
from dicom_templates.profile import DEFAULT_ITEMS
from dicom_templates.sources import PATIENT, STUDY, prefill, reported_exam, study_header
from dicom_templates.withdrawal import Withdrawal
from pipelines.contract import Exam, Findings, TimePoint


def check(
    results: Sequence[Result], findings: Findings, identity: ResultIdentity, items: Collection[Item] = DEFAULT_ITEMS
) -> None:
    """Raises ResultUnfit naming the object and what is wrong with it.

    Masks equal the findings' voxel for voxel and are not empty; patient and study are those of the source images;
    every reference leads to a source image or to a SEG of this result; every (code, meaning) pair is a published
    one; the report's numbers are the findings', all of them and no others.
    """
    decoded = [Result(result.kind, reread(result.dataset)) for result in results]
    _check_unique(decoded)
    objects = _by_kind(decoded)
    _check_complete(objects, _expected(findings, identity, items))
    for result in decoded:
        filed = _filed_in(result.kind, findings, identity)
        _check_common(result, filed, _is_phantom(result.kind, findings), identity)
    segmentations = {time_point: objects[kind][0] for time_point, kind in SEG_KINDS.items() if kind in objects}
    for kind, datasets in objects.items():
        if kind in TIME_POINTS:
            _check_pictures(kind, datasets, findings)
        elif kind is Kind.REPORT:
            check_report(datasets[0], findings, segmentations, identity.rendering)
        elif kind is Kind.SUMMARY:
            check_page(datasets[0])
        elif kind is Kind.PDF:
            check_document(datasets[0], findings)


def check_withdrawal(results: Sequence[Result], withdrawal: Withdrawal) -> None:
    """Raises ResultUnfit unless every object that was sent is rejected in its study, and the page says so."""
    decoded = [Result(result.kind, reread(result.dataset)) for result in results]
    _check_unique(decoded)
    check_rejections([result for result in decoded if result.kind is not Kind.WITHDRAWN], withdrawal)
    for page in (result.dataset for result in decoded if result.kind is Kind.WITHDRAWN):
        check_page(page)
    for result in decoded:
        check_codes(result.dataset)


def _by_kind(results: Iterable[Result]) -> dict[Kind, list[Dataset]]:
    objects: dict[Kind, list[Dataset]] = {}
    for result in results:
        objects.setdefault(result.kind, []).append(result.dataset)
    return objects


def _check_pictures(kind: Kind, datasets: Sequence[Dataset], findings: Findings) -> None:
    """What belongs to one exam, against that exam."""
    exam = _exam(findings, TIME_POINTS[kind])
    if kind in SEG_KINDS.values():
        check_segmentation(datasets[0], exam)
    elif kind in MAPS_KINDS.values():
        check_maps(datasets, exam, findings)
    elif kind in CONTOURS_KINDS.values():
        check_contours(datasets, exam)
    else:
        check_presentation(datasets[0], exam)


def _expected(findings: Findings, identity: ResultIdentity, items: Collection[Item]) -> set[Kind]:
    """The kinds of object that these findings make for these items."""
    whole = {Kind.REPORT: Item.REPORT, Kind.SUMMARY: Item.SUMMARY, Kind.PDF: Item.PDF}
    expected = {kind for kind, item in whole.items() if item in items}
    for exam in findings.case.exams:
        time_point = exam.files.time_point
        if Item.MAPS in items and maps_of(exam, findings):
            expected.add(MAPS_KINDS[time_point])
        if exam.mask is None:
            continue
        expected |= {SEG_KINDS[time_point]} if Item.SEG in items else set()
        expected |= {CONTOURS_KINDS[time_point]} if Item.CONTOURS in items else set()
        if Item.PRESENTATION in items and _filed_in(SEG_KINDS[time_point], findings, identity) is exam:
            expected.add(PRESENTATION_KINDS[time_point])
    return expected


def _check_complete(objects: Mapping[Kind, Sequence[Dataset]], expected: set[Kind]) -> None:
    """Every object that was asked for is there, and none besides."""
    several = {*MAPS_KINDS.values(), *CONTOURS_KINDS.values()}
    for kind in sorted(expected - set(objects)):
        raise ResultUnfit(f"the {kind} is missing")
    for kind, datasets in objects.items():
        if kind not in expected:
            raise ResultUnfit(f"a {kind} that the findings do not ask for")
        if len(datasets) > 1 and kind not in several:
            raise ResultUnfit(f"{len(datasets)} objects of kind {kind}, not one")


def _filed_in(kind: Kind, findings: Findings, identity: ResultIdentity) -> Exam:
    """The exam whose study an object belongs in."""
    if kind in TIME_POINTS and identity.rendering.in_baseline_study:
        return _exam(findings, TIME_POINTS[kind])
    return reported_exam(findings.case)


def _is_phantom(kind: Kind, findings: Findings) -> bool:
    if kind not in TIME_POINTS:
        return phantom_trained(findings)
    if kind in MAPS_KINDS.values():
        return is_phantom(maps_of(_exam(findings, TIME_POINTS[kind]), findings))
    return phantom_mask(findings, TIME_POINTS[kind])


def _check_common(result: Result, exam: Exam, phantom: bool, identity: ResultIdentity) -> None:
    """Whose and which study it is, its series, its description, its codes."""
    dataset = result.dataset
    name = str(dataset.Modality)
    source = study_header(exam)
    prefill(source, ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"))
    for keyword in (*PATIENT, *STUDY):
        if keyword in source and _plain(dataset.get(keyword)) != _plain(source.get(keyword)):
            raise ResultUnfit(
                f"{name}: {keyword} is {dataset.get(keyword)!r}, the source image has {source.get(keyword)!r}"
            )
    if exam.files.patient.patient_id != str(dataset.PatientID):
        raise ResultUnfit(f"{name}: patient {dataset.PatientID!r} is not the findings' patient")
    description = str(dataset.SeriesDescription)
    prefix = f"{identity.rendering.prefix} "
    if not (description.startswith(prefix) and description.endswith(RESEARCH) and len(description) <= 64):
        raise ResultUnfit(
            f"{name}: series description {description!r} must begin with {prefix!r}, end with {RESEARCH!r}"
        )
    if str(dataset.SeriesInstanceUID) != identity.series_uid(result.kind):
        raise ResultUnfit(f"{name}: it is in another series than the {result.kind} of this pair")
    if phantom != (PHANTOM in description):
        raise ResultUnfit(f"{name}: series description {description!r} is wrong about {PHANTOM}")
    if [str(one.CodingSchemeDesignator) for one in dataset.CodingSchemeIdentificationSequence] != [SCHEME]:
        raise ResultUnfit(f"{name}: it does not say whose the codes of {SCHEME} are")
    check_codes(dataset)


def check_page(page: Dataset) -> None:
    if page.get("BurnedInAnnotation") != "YES":
        raise ResultUnfit("OT: the page shows a name and must say so in Burned In Annotation")
    pixels = page.pixel_array
    if pixels.ndim != 3 or pixels.std() < 1:
        raise ResultUnfit("OT: the page is empty")


def _check_unique(decoded: Iterable[Result]) -> None:
    seen: set[str] = set()
    for result in decoded:
        uid = str(result.dataset.SOPInstanceUID)
        if uid in seen:
            raise ResultUnfit(f"{result.kind}: SOP Instance UID {uid} is used twice")
        seen.add(uid)


def _exam(findings: Findings, time_point: TimePoint) -> Exam:
    return next(exam for exam in findings.case.exams if exam.files.time_point is time_point)


def _plain(value: object) -> str:
    return "" if value is None else str(value)
