"""Series, exams and cases: first as files with their roles, then loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipelines.contract.clinical import ClinicalVariable
from pipelines.contract.images import AdcMap, Alignment, Mask, ScalarMap, Structure, Volume
from pipelines.contract.record import UNKNOWN, ClinicalRecord
from pipelines.contract.statements import Code, InputUnfit, Statement
from pipelines.contract.time_point import TimePoint


class Role(StrEnum):
    """What a series is for. ``OTHER`` is everything refused or not recognised."""

    T2_AXIAL = "t2_axial"
    T2_SAGITTAL = "t2_sagittal"
    T2_CORONAL = "t2_coronal"
    DWI = "dwi"
    ADC = "adc"
    CE_T1 = "ce_t1"
    T1 = "t1"
    OTHER = "other"


@dataclass(frozen=True)
class SeriesRole:
    """What the headers of one series say it is. ``code`` is set where ``role`` is OTHER."""

    series_uid: str
    study_uid: str
    description: str
    modality: str
    role: Role
    b_values: tuple[float, ...]
    confidence: float
    reason: str
    code: Code | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "series_uid": self.series_uid,
            "description": self.description,
            "modality": self.modality,
            "role": str(self.role),
            "b_values": list(self.b_values),
            "confidence": round(self.confidence, 2),
            "reason": self.reason,
            "code": None if self.code is None else str(self.code),
        }


@dataclass(frozen=True)
class SeriesFiles:
    """A series with its role and its Part 10 files (any order)."""

    role: SeriesRole
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Patient:
    """Identity as the headers give it. ``name`` is the DICOM PN string, ``birth_date`` and ``sex`` may be empty."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    sex: str


@dataclass(frozen=True)
class ExamFiles:
    """One time point: the chosen series per role, what else was there, and candidate reader's masks.

    ``choices`` says in words why a series was chosen where several had the same role.
    ``annotations`` are the SEG and RTSTRUCT files of the exam's studies that are not our own results, ``reports``
    the Structured Reports that are not.
    """

    time_point: TimePoint
    study_uids: tuple[str, ...]
    study_date: date
    patient: Patient
    chosen: Mapping[Role, SeriesFiles]
    refused: tuple[SeriesRole, ...] = ()
    choices: tuple[str, ...] = ()
    annotations: tuple[Path, ...] = ()
    reports: tuple[Path, ...] = ()


@dataclass(frozen=True)
class CaseFiles:
    """The unit of work: the exams of one patient that are scored together, as files; ``record``: what is imported.

    ``stated``: what was imported and could not be used.
    """

    baseline: ExamFiles | None
    restaging: ExamFiles | None
    record: ClinicalRecord = UNKNOWN
    stated: tuple[Statement, ...] = ()

    @property
    def exams(self) -> tuple[ExamFiles, ...]:
        return tuple(exam for exam in (self.baseline, self.restaging) if exam is not None)

    @property
    def patient(self) -> Patient:
        return self.exams[-1].patient


@dataclass(frozen=True)
class ModelInputs:
    """One exam as every model reads it, made once (``pipelines.inputs.model_inputs``) and kept in the cache of inputs.

    ``t2`` and ``ce_t1``: bias-corrected, on their own grids. ``dwi``: b-values (s/mm²) up to 1100, moved by
    ``alignment`` onto the T2 and divided by one bias field. ``adc``: fitted to the same b-values as acquired, in
    10⁻³ mm²/s, NaN where invalid; ``maps``: D and K where the b-values allow them; both moved likewise. ``refusal``:
    why there is no diffusion (None: there is). ``parameters``: (name, value) of all that was chosen, for the report.
    """

    time_point: TimePoint
    t2: Volume
    ce_t1: Volume | None
    dwi: Mapping[float, Volume]
    adc: Volume | None
    maps: tuple[ScalarMap, ...]
    alignment: Alignment | None
    refusal: Statement | None = None
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def high_b(self) -> Volume:
        """The image at the highest of the b-values in ``dwi``; raises InputUnfit where there is no diffusion."""
        self.demand_diffusion()
        return self.dwi[max(self.dwi)]

    @property
    def fitted_adc(self) -> Volume:
        """The ADC map; raises InputUnfit where there is no diffusion."""
        self.demand_diffusion()
        assert self.adc is not None
        return self.adc

    def demand_diffusion(self) -> None:
        """Raises InputUnfit with the code and reason of ``refusal``."""
        if self.refusal is not None:
            raise InputUnfit(self.refusal.code, self.refusal.reason)


@dataclass(frozen=True)
class Exam:
    """One time point, loaded. ``t2_paths[i]`` is the file of slice ``i`` of ``t2`` (classic MR).

    For an Enhanced MR T2 ``t2_paths`` holds the one file. ``maps`` are further quantities beside ``adc``;
    ``clinical`` is what a reader's report says of this exam. Images and maps are as acquired; ``inputs`` is what
    preprocessing made of them. ``phase_axis``: index axis of the DWI along which its phase is encoded (1 or 2).
    ``mask`` is a tumour's outline, ``bed`` (restaging exam without one) the baseline's tumour carried onto this T2:
    where to look, no finding.
    """

    files: ExamFiles
    t2: Volume
    t2_paths: tuple[Path, ...]
    dwi: Mapping[float, Volume]
    adc: AdcMap | None
    ce_t1: Volume | None
    mask: Mask | None
    parameters: tuple[tuple[str, str], ...] = ()
    structures: tuple[Structure, ...] = ()
    maps: tuple[ScalarMap, ...] = ()
    clinical: tuple[ClinicalVariable, ...] = ()
    inputs: ModelInputs | None = None
    phase_axis: int | None = None
    bed: Mask | None = None

    @property
    def target(self) -> Mask | None:
        """What models read the exam through: the tumour's outline, else its bed; None: the exam cannot be scored."""
        return self.mask if self.mask is not None and self.mask.array.any() else self.bed


@dataclass(frozen=True)
class Case:
    """The unit of work, loaded. ``alignment`` maps LPS of the baseline to LPS of the restaging exam.

    ``record``: what was imported of the patient, joined with what the headers and the readers' reports say.
    """

    baseline: Exam | None
    restaging: Exam | None
    alignment: Alignment | None = None
    record: ClinicalRecord = UNKNOWN

    @property
    def exams(self) -> tuple[Exam, ...]:
        return tuple(exam for exam in (self.baseline, self.restaging) if exam is not None)
