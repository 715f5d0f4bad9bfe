"""The headers that our objects refer to and inherit from: read again from the source files, never from memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from dicom_templates.errors import TemplateError
from pipelines.contract import Case, Code, Exam, InputUnfit, Role

#: Patient module (PS3.3 C.7.1.1) and what a site adds to tell patients apart.
PATIENT = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID"),
    *("PatientBirthDate", "PatientBirthTime", "PatientSex", "OtherPatientIDs", "OtherPatientIDsSequence"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
)
#: General Study and Patient Study modules (PS3.3 C.7.2.1, C.7.2.2).
STUDY = (
    *("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence", "StudyID"),
    *("ReferringPhysicianName", "StudyDescription", "PatientAge", "PatientSize", "PatientWeight"),
    "TimezoneOffsetFromUTC",
)
_TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"),
)
_IMAGE = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality", "InstanceNumber"),
    *("SeriesDescription", "FrameOfReferenceUID", "PositionReferenceIndicator", "Rows", "Columns", "NumberOfFrames"),
    *("PixelSpacing", "SliceThickness", "ImageOrientationPatient", "ImagePositionPatient"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_TAGS = [*PATIENT, *STUDY, *_IMAGE]

#: Scanners print direction cosines with rounding noise of about 1e-6 to 1e-5; 1e-4 moves a corner by 0.02 mm.
_ORIENTATION_NOISE = 1e-4
_POSITION_TOLERANCE_MM = 0.05


@dataclass(frozen=True)
class SeriesHeaders:
    """The instances of one series that was used, in no particular order."""

    role: Role
    description: str
    headers: tuple[Dataset, ...]


def read_header(path: Path) -> Dataset:
    """The header attributes this package uses, text decoded, without pixels."""
    header = dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
    header.decode()
    return header


def reported_exam(case: Case) -> Exam:
    """The exam whose study the report and the page are filed in: the restaging exam, or the only one."""
    exam = case.restaging or case.baseline
    if exam is None:
        raise TemplateError("findings without an exam have no patient and no study to be filed in")
    return exam


def study_header(exam: Exam) -> Dataset:
    """The header that patient and study attributes are copied from: the first slice of the axial T2."""
    if not exam.t2_paths:
        raise TemplateError("an exam without the files of its axial T2 cannot be reported")
    return read_header(exam.t2_paths[0])


def t2_headers(exam: Exam) -> tuple[Dataset, ...]:
    """Headers of the axial T2: one per slice in slice order, or the one Enhanced MR object.

    Orientations that differ by rounding are made equal. Raises InputUnfit where a segmentation cannot be placed,
    TemplateError where the files are not those of ``exam.t2`` slice by slice.
    """
    headers = tuple(read_header(path) for path in exam.t2_paths)
    for header in headers:
        if not str(header.get("FrameOfReferenceUID", "")):
            raise InputUnfit(
                Code.NO_FRAME_OF_REFERENCE,
                "the axial T2 has no Frame of Reference UID, so a segmentation of it cannot be placed; send a T2 "
                "series with one",
            )
    if headers and headers[0].SOPClassUID == EnhancedMRImageStorage:
        return headers
    _harmonise_orientation(headers)
    _check_slice_order(exam, headers)
    return headers


def used_roles(exam: Exam) -> tuple[Role, ...]:
    """The roles whose chosen series something was read from, the axial T2 first.

    The scanner's ADC map is used where there is no DWI to fit, or where the map in use says that it is the scanner's.
    """
    scanner_adc = exam.adc is not None and (not exam.dwi or "scanner" in exam.adc.fit)
    used = {
        Role.T2_AXIAL: True,
        Role.DWI: bool(exam.dwi),
        Role.ADC: scanner_adc,
        Role.CE_T1: exam.ce_t1 is not None,
    }
    return tuple(role for role, is_used in used.items() if is_used and role in exam.files.chosen)


def used_series(exam: Exam) -> tuple[SeriesHeaders, ...]:
    """The headers of every object of the series in :func:`used_roles`."""
    chosen = exam.files.chosen
    return tuple(
        SeriesHeaders(role, chosen[role].role.description, tuple(read_header(path) for path in chosen[role].paths))
        for role in used_roles(exam)
    )


def copy_identity(source: Dataset, target: Dataset) -> None:
    """Make patient and study of ``target`` those of ``source``, adding empty Type 2 attributes where they lack."""
    for keyword in (*PATIENT, *STUDY):
        if keyword in source:
            target[keyword] = deepcopy(source[keyword])
        elif keyword in target:
            del target[keyword]
    prefill(target, _TYPE_2)


def for_highdicom(header: Dataset, slice_thickness_mm: float) -> Dataset:
    """A copy that highdicom accepts: Type 2 attributes there, unusual identity values blanked.

    :func:`copy_identity` puts the source's own values back into what highdicom makes of it.
    """
    copy = deepcopy(header)
    prefill(copy, _TYPE_2)
    for keyword in ("SpecificCharacterSet", "PatientBirthDate", "StudyDate", "StudyTime"):
        if keyword in copy:
            copy[keyword].value = None
    if "SpecificCharacterSet" in copy:
        del copy.SpecificCharacterSet
    if copy.PatientSex not in ("M", "F", "O"):
        copy.PatientSex = ""
    if not copy.get("SliceThickness"):
        copy.SliceThickness = round(slice_thickness_mm, 6)
    return copy


def prefill(dataset: Dataset, keywords: Iterable[str]) -> None:
    """Add the named attributes, empty, where they are missing."""
    for keyword in keywords:
        if keyword not in dataset:
            setattr(dataset, keyword, "")


def _harmonise_orientation(headers: Sequence[Dataset]) -> None:
    reference = np.array(headers[0].ImageOrientationPatient, dtype=float)
    for header in headers[1:]:
        departure = np.abs(np.array(header.ImageOrientationPatient, dtype=float) - reference).max()
        if departure > _ORIENTATION_NOISE:
            raise InputUnfit(
                Code.MIXED_ORIENTATIONS, f"direction cosines of the axial T2 slices differ by {departure:.5f}"
            )
        header.ImageOrientationPatient = list(headers[0].ImageOrientationPatient)


def _check_slice_order(exam: Exam, headers: Sequence[Dataset]) -> None:
    if len(headers) != exam.t2.array.shape[0]:
        raise TemplateError(f"{len(headers)} T2 files for {exam.t2.array.shape[0]} slices")
    corner = exam.t2.affine[:3, 3]
    for index, header in enumerate(headers):
        if (header.Rows, header.Columns) != exam.t2.array.shape[1:]:
            raise TemplateError(f"T2 file {index} has {header.Rows}×{header.Columns} pixels, not the grid's")
        expected = corner + index * exam.t2.affine[:3, 0]
        found = np.array(header.ImagePositionPatient, dtype=float)
        if np.abs(found - expected).max() > _POSITION_TOLERANCE_MM:
            raise TemplateError(f"T2 file {index} lies at {found.tolist()}, its slice at {expected.tolist()}")
    _check_in_plane(exam, headers[0])


def _check_in_plane(exam: Exam, header: Dataset) -> None:
    """Rows and columns of the grid run as the file's do (PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1)."""
    cosines = np.array(header.ImageOrientationPatient, dtype=float)
    row_spacing, column_spacing = (float(value) for value in header.PixelSpacing)
    along_columns, along_rows = exam.t2.affine[:3, 1], exam.t2.affine[:3, 2]
    if not (
        np.allclose(along_columns, cosines[3:] * row_spacing, atol=1e-3)
        and np.allclose(along_rows, cosines[:3] * column_spacing, atol=1e-3)
    ):
        raise TemplateError("rows and columns of the T2 grid do not run as those of its files")
