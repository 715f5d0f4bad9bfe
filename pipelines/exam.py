"""Classified series to one exam: one series per role, every choice stated, everything else kept by name."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
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

from pipelines.contract import Code, ExamFiles, InputUnfit, Patient, Role, SeriesFiles, SeriesRole, TimePoint
from pipelines.headers.attributes import text
from pipelines.headers.files import SeriesHeaders, find_files, read_files, series_order
from pipelines.headers.frames import Frame, frames
from pipelines.roles.diffusion_sets import APART, joined
from pipelines.roles.evidence import Plane, acquired, evidence, plane
from pipelines.roles.site_rules import SiteRule
from pipelines.roles.study_roles import Classified, classified

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

HIGH_RESOLUTION_STEP_MM = 5.0
OBLIQUE_FROM = math.cos(math.radians(3))


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
    step_mm: float
    oblique: bool
    fat_suppressed: bool

    @property
    def name(self) -> str:
        number = text(self.headers.headers[0], "SeriesNumber") or "?"
        return f"series {number} {self.role.description!r}"

    @property
    def facts(self) -> str:
        b = f", b {'/'.join(f'{b:g}' for b in self.role.b_values)}" if self.role.b_values else ""
        return f"field {self.field_mm} mm, pixel {self.pixel_mm:.2f} mm, {self.slices} images{b}"


def exam_files(folder: Path, time_point: TimePoint, rules: Sequence[SiteRule] = ()) -> ExamFiles:
    """One exam from a folder: find files, read headers, classify, assemble. Our own results are left out.

    Raises InputUnfit (NOT_AN_IMAGE) where the folder holds no DICOM series, and what :func:`assemble` raises.
    """
    found = read_files(find_files(folder))
    objects = [pair for series in found.series for pair in zip(series.headers, series.paths, strict=True)]
    if not found.series:
        raise InputUnfit(Code.NOT_AN_IMAGE, f"no DICOM series in {folder} ({len(found.skipped)} other files)")
    return assemble(
        classified(found.series, rules),
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
    """Choose one series per role; series of one b-value each become one where they were acquired together.

    Axial T2: no fat suppression, slices of at most 5 mm, the smallest field of view, the finest pixels, then across the
    rectum before straight axial; DWI: the most, then the highest b-values; ADC: what is most surely one; each time
    axial before other planes, and of equals the later one, because a repeat is made where the first was poor. Our own
    results and the classes of ``annotations`` are left out of the series, so that they can be given or not.

    Raises InputUnfit: NOT_AN_IMAGE (nothing given), PATIENTS_DIFFER, NO_STUDY_DATE.
    """
    examined = joined([member for member in series if _is_examined(member[0])])
    members = sorted(examined, key=lambda member: series_order(member[0]))
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
        choices=tuple(choice for role, found in ranked.items() for choice in _choices(role, found)),
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
        acquired=min(acquired(header) for header in headers.headers),
        step_mm=_step(every),
        oblique=_is_oblique(first),
        fat_suppressed=role.role is Role.T2_AXIAL and evidence(headers.headers, every).fat_suppressed,
    )


def _step(every: Sequence[Frame]) -> float:
    """The distance of neighbouring slices, mm."""
    places = np.array([frame.position for frame in every if frame.position is not None], dtype=np.float64)
    normal = _normal(every[0])
    if normal is None or len(places) < 2:
        return 0.0
    heights = np.unique(np.round(places @ normal, 2))
    return round(float(np.median(np.diff(heights))), 2) if len(heights) > 1 else 0.0


def _is_oblique(frame: Frame) -> bool:
    """Whether the slices are tilted against the patient's axis, as those across the tumour are."""
    normal = _normal(frame)
    return normal is not None and float(np.abs(normal).max()) < OBLIQUE_FROM


def _normal(frame: Frame) -> NDArray[np.float64] | None:
    return None if frame.orientation is None else np.cross(frame.orientation[:3], frame.orientation[3:])


def _latest_last(candidate: Candidate) -> tuple[str, str]:
    return candidate.acquired, candidate.headers.series_uid


def _rank(candidate: Candidate) -> tuple[float, ...]:
    """Best first; equals keep their order (latest first)."""
    b = candidate.role.b_values
    if candidate.role.role is Role.DWI:
        return not candidate.axial, -len(b), -max(b), candidate.pixel_mm
    if candidate.role.role is Role.T2_AXIAL:
        coarse = candidate.step_mm > HIGH_RESOLUTION_STEP_MM
        return candidate.fat_suppressed, coarse, candidate.field_mm, candidate.pixel_mm, not candidate.oblique
    if candidate.role.role is Role.ADC:
        return -candidate.role.confidence, not candidate.axial, candidate.field_mm, candidate.pixel_mm
    off_plane = not candidate.axial if candidate.role.role in {Role.CE_T1, Role.T1} else 0
    return off_plane, candidate.field_mm, candidate.pixel_mm


def _choices(role: Role, found: Sequence[Candidate]) -> Iterable[str]:
    """What is to be said of how the first of the candidates came to fill the role."""
    best, *others = found
    several = len({text(header, "SeriesInstanceUID") for header in best.headers.headers}) > 1
    if several or APART in best.role.reason:
        yield f"{role}: {best.role.reason}"
    if others:
        rest = "; ".join(f"{other.name} ({other.facts})" for other in others)
        yield f"{role}: {best.name} ({best.facts}) taken as {_why(best, others[0])}, not {rest}"


def _why(best: Candidate, other: Candidate) -> str:
    """The criterion that decided between the first two."""
    if _rank(best) == _rank(other):
        return "the later of equals"
    if best.role.role is Role.DWI:
        return "the one with the most or highest b-values"
    if best.role.role is Role.ADC and best.role.confidence != other.role.confidence:
        return "the one whose header says more surely what it is"
    if best.role.role is not Role.T2_AXIAL or best.fat_suppressed != other.fat_suppressed:
        return _FINEST if best.role.role is not Role.T2_AXIAL else "the one without fat suppression"
    if (best.step_mm > HIGH_RESOLUTION_STEP_MM) != (other.step_mm > HIGH_RESOLUTION_STEP_MM):
        return f"the one with slices at most {HIGH_RESOLUTION_STEP_MM:g} mm apart"
    same = (best.field_mm, best.pixel_mm) == (other.field_mm, other.pixel_mm)
    return "the one whose slices are tilted, as across the rectum" if same else _FINEST


_FINEST = "the one with the smallest field of view and finest pixels"


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
