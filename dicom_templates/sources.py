"""The headers that our objects refer to and inherit from: read again from the source files, never from memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import DSfloat

from dicom_templates.errors import TemplateError
from dicom_templates.planes import ORIENTATION_NOISE, Plane, on_grid, planes, slice_planes
from pipelines.contract import Case, Code, Exam, InputUnfit, Role

#: Patient and Clinical Trial Subject modules (PS3.3 C.7.1.1, C.7.1.3), all of them, so that an object of ours says
#: of its patient what the images do.
PATIENT = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID"),
    *("PatientBirthDate", "PatientBirthTime", "PatientSex", "OtherPatientIDs", "OtherPatientIDsSequence"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("QualityControlSubject", "OtherPatientNames", "EthnicGroup", "PatientComments", "ResponsiblePerson"),
    *("ResponsiblePersonRole", "ResponsibleOrganization", "PatientSpeciesDescription", "PatientBreedDescription"),
    *("StrainDescription", "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName"),
    *("ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID"),
)
#: General Study, Patient Study and Clinical Trial Study modules (PS3.3 C.7.2.1 to C.7.2.3).
STUDY = (
    *("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence", "StudyID"),
    *("ReferringPhysicianName", "ConsultingPhysicianName", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy"),
    *("StudyDescription", "PatientAge", "PatientSize", "PatientWeight", "PatientBodyMassIndex", "PregnancyStatus"),
    *("AdmittingDiagnosesDescription", "MedicalAlerts", "Allergies", "Occupation", "SmokingStatus"),
    *("AdditionalPatientHistory", "LastMenstrualDate", "PatientSexNeutered", "ReasonForVisit", "PatientState"),
    *("AdmissionID", "ServiceEpisodeID", "ServiceEpisodeDescription", "ClinicalTrialTimePointID"),
    *("ClinicalTrialTimePointDescription", "TimezoneOffsetFromUTC"),
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
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
_FRAMES = ("NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_TAGS = [*PATIENT, *STUDY, *_IMAGE]


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


def t2_planes(exam: Exam) -> tuple[Plane, ...]:
    """The plane of every slice of the exam's axial T2, in slice order: its classic images, or Enhanced MR frames.

    Raises InputUnfit where an object on this grid could not be placed in the patient, TemplateError where the files
    are not those of ``exam.t2`` slice by slice.
    """
    headers = tuple(read_header(path) for path in exam.t2_paths)
    for header in headers:
        need_frame_of_reference(header, "the axial T2")
    found = planes(headers)
    _check_parallel(found)
    ordered = slice_planes(exam, headers)
    if found[0].frame is None and [plane.key for plane in ordered] != [plane.key for plane in found]:
        raise TemplateError("the T2 files are not in the order of their slices")
    if not on_grid(ordered[0], exam.t2):
        raise TemplateError("rows and columns of the T2 grid do not run as those of its files")
    return ordered


def need_frame_of_reference(header: Dataset, what: str) -> None:
    """Raises InputUnfit where an image has no Frame of Reference UID: nothing made of it could be placed."""
    if not str(header.get("FrameOfReferenceUID", "")):
        raise InputUnfit(
            Code.NO_FRAME_OF_REFERENCE,
            f"{what} has no Frame of Reference UID, so that no segmentation or map of it can be placed; send a series "
            "with one",
        )


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


def classic_images(found: Sequence[Plane], slice_thickness_mm: float) -> list[Dataset]:
    """A classic image for each plane, for highdicom to take geometry and identity from.

    Orientations that differ by rounding are made equal, which highdicom asks for. The images that stand in for
    frames have made-up UIDs: the caller writes the references to the planes itself.
    """
    images = []
    for number, plane in enumerate(found, start=1):
        image = for_highdicom(_without_frames(plane.header), plane.thickness or slice_thickness_mm)
        image.ImageOrientationPatient = decimals(found[0].orientation)
        if plane.frame is not None:
            image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, f"2.25.{number}"
            image.ImagePositionPatient = decimals(plane.position)
            image.PixelSpacing = decimals(plane.spacing)
        images.append(image)
    return images


def prefill(dataset: Dataset, keywords: Iterable[str]) -> None:
    """Add the named attributes, empty, where they are missing."""
    for keyword in keywords:
        if keyword not in dataset:
            setattr(dataset, keyword, "")


def _without_frames(header: Dataset) -> Dataset:
    bare = Dataset()
    bare.update({element.tag: element for element in header if element.keyword not in _FRAMES})
    return bare


def decimals(values: Iterable[float]) -> list[DSfloat]:
    """Numbers as decimal strings of at most 16 characters (PS3.5 6.2)."""
    return [DSfloat(value, auto_format=True) for value in values]


def _check_parallel(found: Sequence[Plane]) -> None:
    if not found or any(len(plane.orientation) != 6 or len(plane.position) != 3 for plane in found):
        raise InputUnfit(Code.NO_GEOMETRY, "an image of the axial T2 has no position or orientation in the patient")
    reference = np.array(found[0].orientation)
    for plane in found[1:]:
        departure = np.abs(np.array(plane.orientation) - reference).max()
        if departure > ORIENTATION_NOISE:
            raise InputUnfit(
                Code.MIXED_ORIENTATIONS, f"direction cosines of the axial T2 slices differ by {departure:.5f}"
            )
