"""The gate: every object is decoded again from its encoded bytes and compared with the findings it was made from.

Programs that validate DICOM pass an all-zero mask, a mirrored one, and the numbers of another patient. This does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage, SegmentationStorage

from dicom_templates.check_codes import check_codes
from dicom_templates.check_report import check_report
from dicom_templates.check_segmentation import check_segmentation
from dicom_templates.encode import reread
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import PHANTOM, RESEARCH, phantom_mask, phantom_trained
from dicom_templates.sources import PATIENT, STUDY, prefill, reported_exam, study_header
from pipelines.contract import Exam, Findings, TimePoint


def check(datasets: Sequence[Dataset], findings: Findings) -> None:
    """Raises ResultUnfit naming the object and what is wrong with it.

    Masks equal the findings' voxel for voxel and are not empty; patient and study are those of the source images;
    every reference leads to a source image or to a SEG of this result; every (code, meaning) pair is a published
    one; the report's numbers are the findings', all of them and no others.
    """
    decoded = [reread(dataset) for dataset in datasets]
    _check_unique(decoded)
    segmentations = _match_segmentations(decoded, findings)
    for time_point, segmentation in segmentations.items():
        exam = _exam(findings, time_point)
        _check_common(segmentation, exam, findings, phantom_mask(findings, time_point))
        check_segmentation(segmentation, exam)
    filed = reported_exam(findings.case)
    for report in _of_class(decoded, Comprehensive3DSRStorage, exactly=1):
        _check_common(report, filed, findings, phantom_trained(findings))
        check_report(report, findings, segmentations)
    for page in _of_class(decoded, SecondaryCaptureImageStorage, exactly=1):
        _check_common(page, filed, findings, phantom_trained(findings))
        _check_page(page)


def _match_segmentations(decoded: Sequence[Dataset], findings: Findings) -> Mapping[TimePoint, Dataset]:
    """Our SEG of each exam that has a mask: one each, and none besides."""
    by_study = {str(ds.StudyInstanceUID): ds for ds in decoded if ds.SOPClassUID == SegmentationStorage}
    matched = {}
    for exam in findings.case.exams:
        found = by_study.pop(str(study_header(exam).StudyInstanceUID), None)
        if (found is None) != (exam.mask is None):
            raise ResultUnfit(f"SEG: {exam.files.time_point} has {'no' if found is None else 'a'} SEG, unlike its mask")
        if found is not None:
            matched[exam.files.time_point] = found
    if by_study:
        raise ResultUnfit(f"SEG: study {next(iter(by_study))} is no exam of these findings")
    return matched


def _check_common(dataset: Dataset, exam: Exam, findings: Findings, phantom: bool) -> None:
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
    if not (description.startswith("AI ") and description.endswith(RESEARCH) and len(description) <= 64):
        raise ResultUnfit(f"{name}: series description {description!r} must begin with 'AI' and end with {RESEARCH!r}")
    if phantom != (PHANTOM in description):
        raise ResultUnfit(f"{name}: series description {description!r} is wrong about {PHANTOM}")
    check_codes(dataset)


def _check_page(page: Dataset) -> None:
    if page.get("BurnedInAnnotation") != "YES":
        raise ResultUnfit("OT: the page shows a name and must say so in Burned In Annotation")
    pixels = page.pixel_array
    if pixels.ndim != 3 or pixels.std() < 1:
        raise ResultUnfit("OT: the page is empty")


def _check_unique(decoded: Iterable[Dataset]) -> None:
    seen: set[str] = set()
    for dataset in decoded:
        if str(dataset.SOPInstanceUID) in seen:
            raise ResultUnfit(f"{dataset.Modality}: SOP Instance UID {dataset.SOPInstanceUID} is used twice")
        seen.add(str(dataset.SOPInstanceUID))


def _of_class(decoded: Iterable[Dataset], sop_class: str, exactly: int) -> list[Dataset]:
    found = [dataset for dataset in decoded if dataset.SOPClassUID == sop_class]
    if len(found) != exactly:
        raise ResultUnfit(f"{len(found)} objects of class {sop_class}, not {exactly}")
    return found


def _exam(findings: Findings, time_point: TimePoint) -> Exam:
    return next(exam for exam in findings.case.exams if exam.files.time_point is time_point)


def _plain(value: object) -> str:
    return "" if value is None else str(value)
