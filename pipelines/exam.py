"""Classified series to one exam: one series per role, every choice stated, everything else kept by name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ExtensibleSRStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from pipelines.attributes import text
from pipelines.contract import Code, ExamFiles, InputUnfit, Patient, Role, SeriesFiles, SeriesRole, TimePoint
from pipelines.evidence import Plane, plane
from pipelines.files import SeriesHeaders, find_files, read_files, series_order
from pipelines.frames import frames
from pipelines.series import classify

OWN_MANUFACTURER = "RESTAGE"
LabelMapSegmentationStorage = UID("1.2.840.10008.5.1.4.1.1.66.7")  # PS3.6 2024c, younger than pydicom 3.0
ANNOTATION_CLASSES = {SegmentationStorage, LabelMapSegmentationStorage, RTStructureSetStorage}
REPORT_CLASSES = {
    BasicTextSRStorage,
    EnhancedSRStorage,
    ComprehensiveSRStorage,
    Comprehensive3DSRStorage,
    ExtensibleSRStorage,
}
DATE_KEYWORDS = ("StudyDate", "AcquisitionDate", "SeriesDate", "ContentDate")

Classified = tuple[SeriesHeaders, SeriesRole]


@dataclass(frozen=True)
class Candidate:
    """A series that could fill a role, with what the choice between several rests on. Lengths in mm."""

    headers: SeriesHeaders
    role: SeriesRole
    axial: bool
    field_mm: int
    pixel_mm: float
    slices: int
    acquired: str

    @property
    def name(self) -> str:
        number = text(self.headers.headers[0], "SeriesNumber") or "?"
        return f"series {number} {self.role.description!r}"

    @property
    def facts(self) -> str:
        b = f", b {'/'.join(f'{b:g}' for b in self.role.b_values)}" if self.role.b_values else ""
        return f"field {self.field_mm} mm, pixel {self.pixel_mm:.2f} mm, {self.slices} images{b}"


def exam_files(folder: Path, time_point: TimePoint) -> ExamFiles:
    """One exam from a folder: find files, read headers, classify, assemble. Our own results are left out.

    Raises InputUnfit (NOT_AN_IMAGE) where the folder holds no DICOM series, and what :func:`assemble` raises.
    """
    found = read_files(find_files(folder))
    objects = [pair for series in found.series for pair in zip(series.headers, series.paths, strict=True)]
    if not found.series:
        raise InputUnfit(Code.NOT_AN_IMAGE, f"no DICOM series in {folder} ({len(found.skipped)} other files)")
    return assemble(
        [(series, classify(series)) for series in found.series],
        time_point,
        annotations=tuple(path for header, path in objects if is_annotation(header)),
        reports=tuple(path for header, path in objects if is_report(header)),
    )


def assemble(
    series: Iterable[Classified],
    time_point: TimePoint,
    annotations: tuple[Path, ...],
    reports: tuple[Path, ...] = (),
) -> ExamFiles:
    """Choose one series per role.

    Axial T2: the smallest field of view, then the finest pixels; DWI: the most, then the highest b-values; each time
    axial before other planes, and of equals the later one, because a repeat is made where the first was poor. Our own
    results and the classes of ``annotations`` are left out of the series, so that they can be given or not.

    Raises InputUnfit: NOT_AN_IMAGE (nothing given), PATIENTS_DIFFER, NO_STUDY_DATE.
    """
    members = sorted(
        (member for member in series if _is_examined(member[0])), key=lambda member: series_order(member[0])
    )
    if not members:
        raise InputUnfit(Code.NOT_AN_IMAGE, "no series to assemble an exam from")
    patient = _one_patient([headers.headers[0] for headers, _ in members])
    candidates: dict[Role, list[Candidate]] = defaultdict(list)
    for headers, role in members:
        if role.role is not Role.OTHER:
            candidates[role.role].append(_candidate(headers, role))
    ranked = {role: sorted(candidates[role], key=_latest_last, reverse=True) for role in Role if candidates[role]}
    ranked = {role: sorted(found, key=_rank) for role, found in ranked.items()}
    leading = _leading_study(ranked, members)
    studies = dict.fromkeys([leading.study_uid, *sorted(headers.study_uid for headers, _ in members)])
    return ExamFiles(
        time_point=time_point,
        study_uids=tuple(studies),
        study_date=_study_date([leading.headers[0], *(headers.headers[0] for headers, _ in members)]),
        patient=patient,
        chosen={role: SeriesFiles(found[0].role, found[0].headers.paths) for role, found in ranked.items()},
        refused=tuple(role for _, role in members if role.role is Role.OTHER),
        choices=tuple(_choice(role, found) for role, found in ranked.items() if len(found) > 1),
        annotations=annotations,
        reports=reports,
    )


def is_annotation(header: Dataset) -> bool:
    """Whether the object may hold a reader's mask: a SEG or RTSTRUCT that is not our own result."""
    return text(header, "SOPClassUID") in ANNOTATION_CLASSES and not is_own(header)


def is_report(header: Dataset) -> bool:
    """Whether the object may hold what a reader reported: a Structured Report that is not our own result."""
    return text(header, "SOPClassUID") in REPORT_CLASSES and not is_own(header)


def is_own(header: Dataset) -> bool:
    """Whether the object is a result of this software, by its equipment's manufacturer."""
    return text(header, "Manufacturer").upper() == OWN_MANUFACTURER


def patient_of(header: Dataset) -> Patient:
    """Identity as the header gives it."""
    return Patient(
        patient_id=text(header, "PatientID"),
        issuer=text(header, "IssuerOfPatientID"),
        name=text(header, "PatientName"),
        birth_date=text(header, "PatientBirthDate"),
        sex=text(header, "PatientSex").upper(),
    )


def patient_conflict(one: Patient, other: Patient) -> str:
    """In words what speaks against one person (empty: nothing). An absent issuer, birth date or sex does not."""
    if one.patient_id != other.patient_id:
        return f"patient ID {one.patient_id!r} and {other.patient_id!r}"
    for what, ours, theirs in (
        ("issuer of patient ID", one.issuer, other.issuer),
        ("birth date", one.birth_date, other.birth_date),
        ("sex", one.sex, other.sex),
    ):
        if ours and theirs and ours != theirs:
            return f"{what} {ours!r} and {theirs!r}"
    return ""


def _is_examined(series: SeriesHeaders) -> bool:
    first = series.headers[0]
    return text(first, "SOPClassUID") not in ANNOTATION_CLASSES and not is_own(first)


def _one_patient(headers: Sequence[Dataset]) -> Patient:
    patients = [patient_of(header) for header in headers]
    for other in patients[1:]:
        if conflict := patient_conflict(patients[0], other):
            raise InputUnfit(Code.PATIENTS_DIFFER, f"one exam with series of different patients: {conflict}")
    return patients[0]


def _candidate(headers: SeriesHeaders, role: SeriesRole) -> Candidate:
    every = frames(headers.headers)
    first = every[0]
    rows, columns = first.spacing or (0.0, 0.0)
    return Candidate(
        headers=headers,
        role=role,
        axial=plane(first.orientation) is Plane.AXIAL,
        field_mm=round(max(rows * first.shape[0], columns * first.shape[1])),
        pixel_mm=round(max(rows, columns), 2),
        slices=len(every),
        acquired=min(_acquired(header) for header in headers.headers),
    )


def _acquired(header: Dataset) -> str:
    stated = text(header, "AcquisitionDateTime")
    if stated:
        return stated
    day = next((text(header, k) for k in ("AcquisitionDate", "SeriesDate", "StudyDate") if text(header, k)), "")
    clock = next((text(header, k) for k in ("AcquisitionTime", "SeriesTime", "ContentTime") if text(header, k)), "")
    return day + clock


def _latest_last(candidate: Candidate) -> tuple[str, str]:
    return candidate.acquired, candidate.headers.series_uid


def _rank(candidate: Candidate) -> tuple[float, ...]:
    """Best first; equals keep their order (latest first)."""
    b = candidate.role.b_values
    if candidate.role.role is Role.DWI:
        return not candidate.axial, -len(b), -max(b), candidate.pixel_mm
    plain = -candidate.role.confidence if candidate.role.role is Role.T2_AXIAL else 0.0
    off_plane = not candidate.axial if candidate.role.role in {Role.ADC, Role.CE_T1, Role.T1} else 0
    return off_plane, plain, candidate.field_mm, candidate.pixel_mm


def _choice(role: Role, found: Sequence[Candidate]) -> str:
    best, *others = found
    why = "the later of equals" if _rank(best) == _rank(others[0]) else _why(role)
    rest = "; ".join(f"{other.name} ({other.facts})" for other in others)
    return f"{role}: {best.name} ({best.facts}) taken as {why}, not {rest}"


def _why(role: Role) -> str:
    if role is Role.DWI:
        return "the one with the most or highest b-values"
    return "the one with the smallest field of view and finest pixels"


def _leading_study(ranked: Mapping[Role, Sequence[Candidate]], members: Sequence[Classified]) -> SeriesHeaders:
    """The series whose study dates and names the exam: the axial T2, else any with a role, else any."""
    for role in Role:
        if role in ranked:
            return ranked[role][0].headers
    return members[0][0]


def _study_date(headers: Sequence[Dataset]) -> date:
    for keyword in DATE_KEYWORDS:
        for header in headers:
            stated = re.sub(r"\D", "", text(header, keyword))  # ACR-NEMA wrote 1997.04.24
            try:
                return datetime.strptime(stated, "%Y%m%d").date()
            except ValueError:
                continue
    raise InputUnfit(Code.NO_STUDY_DATE, "no study, series, acquisition or content date: exams cannot be ordered")
