"""The types that travel between the stations of the imaging pipeline, and out of it.

Conventions, everywhere in this package:

- patient coordinates are LPS in millimetres (DICOM PS3.3 C.7.6.2.1.1);
- voxel arrays are ordered (slice, row, column), slices sorted along the slice normal;
- ``Volume.affine`` maps the homogeneous index (slice, row, column, 1) of a voxel's *centre* to LPS;
- diffusion coefficients are in 10⁻³ mm²/s inside the pipeline (µm²/ms), b-values in s/mm²;
- a refusal is an :class:`InputUnfit`, always permanent, always with a code and words for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
MaskArray = NDArray[np.bool_]
Affine = NDArray[np.float64]


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


class TimePoint(StrEnum):
    BASELINE = "baseline"
    RESTAGING = "restaging"


class Code(StrEnum):
    """Why something was refused or warned about. Published in the conformance statement; never renamed."""

    NOT_MR = "NOT_MR"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    LOCALIZER = "LOCALIZER"
    DERIVED_SERIES = "DERIVED_SERIES"
    NOT_RECOGNISED = "NOT_RECOGNISED"
    B_VALUE_UNKNOWN = "B_VALUE_UNKNOWN"
    NO_GEOMETRY = "NO_GEOMETRY"
    NO_FRAME_OF_REFERENCE = "NO_FRAME_OF_REFERENCE"
    TOO_FEW_SLICES = "TOO_FEW_SLICES"
    SLICE_MISSING = "SLICE_MISSING"
    DUPLICATE_POSITIONS = "DUPLICATE_POSITIONS"
    MIXED_ORIENTATIONS = "MIXED_ORIENTATIONS"
    IRREGULAR_SPACING = "IRREGULAR_SPACING"
    PIXELS_UNREADABLE = "PIXELS_UNREADABLE"
    ADC_UNITS = "ADC_UNITS"
    ADC_NOT_ESTIMABLE = "ADC_NOT_ESTIMABLE"
    NO_T2_AXIAL = "NO_T2_AXIAL"
    NO_DIFFUSION = "NO_DIFFUSION"
    NO_BASELINE = "NO_BASELINE"
    NO_RESTAGING = "NO_RESTAGING"
    INPUTS_MISSING = "INPUTS_MISSING"
    READER_MASK_UNFIT = "READER_MASK_UNFIT"
    NO_TUMOUR_FOUND = "NO_TUMOUR_FOUND"
    NO_MASK = "NO_MASK"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    SCORES_WITHHELD = "SCORES_WITHHELD"
    OUT_OF_ENVELOPE = "OUT_OF_ENVELOPE"
    B_VALUES_DIFFER = "B_VALUES_DIFFER"
    MASK_RESAMPLED = "MASK_RESAMPLED"
    SEVERAL_CANDIDATES = "SEVERAL_CANDIDATES"
    PATIENTS_DIFFER = "PATIENTS_DIFFER"
    NO_STUDY_DATE = "NO_STUDY_DATE"


class InputUnfit(Exception):
    """The input cannot be used for what was asked. Permanent: the same input will be refused again."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Volume:
    """A scalar image on a regular grid.

    ``array``: float32 (slices, rows, columns). ``affine``: float64 (4, 4), index (slice, row, column, 1) to
    LPS mm of the voxel centre; its last row is (0, 0, 0, 1).
    """

    array: FloatArray
    affine: Affine
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise ValueError(f"a volume has three non-empty axes, not shape {self.array.shape}")
        if self.affine.shape != (4, 4) or not np.array_equal(self.affine[3], [0, 0, 0, 1]):
            raise ValueError("an affine is 4×4 with last row (0, 0, 0, 1)")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along (slice, row, column) indices, mm."""
        step = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(step[0]), float(step[1]), float(step[2])

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel, mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def like(self, array: FloatArray) -> Volume:
        """Another image on this grid."""
        if array.shape != self.array.shape:
            raise ValueError(f"shape {array.shape} is not this grid's {self.array.shape}")
        return replace(self, array=array)


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
    ``annotations`` are the SEG and RTSTRUCT files of the exam's studies that are not our own results.
    """

    time_point: TimePoint
    study_uids: tuple[str, ...]
    study_date: date
    patient: Patient
    chosen: Mapping[Role, SeriesFiles]
    refused: tuple[SeriesRole, ...] = ()
    choices: tuple[str, ...] = ()
    annotations: tuple[Path, ...] = ()


@dataclass(frozen=True)
class CaseFiles:
    """The unit of work: the exams of one patient that are scored together, as files."""

    baseline: ExamFiles | None
    restaging: ExamFiles | None

    @property
    def exams(self) -> tuple[ExamFiles, ...]:
        return tuple(exam for exam in (self.baseline, self.restaging) if exam is not None)

    @property
    def patient(self) -> Patient:
        return self.exams[-1].patient


@dataclass(frozen=True)
class AdcMap:
    """Apparent diffusion coefficient, 10⁻³ mm²/s; ``valid`` marks the voxels with a usable value.

    ``b_values`` and ``fit`` say how it was made: ADCs of different b-sets are never compared silently.
    """

    volume: Volume
    valid: MaskArray
    b_values: tuple[float, ...]
    fit: str


class MaskOrigin(StrEnum):
    READER = "reader"
    MODEL = "model"


@dataclass(frozen=True)
class Mask:
    """The tumour on the grid of the exam's axial T2, and where it comes from.

    ``algorithm`` and ``version`` name the model (empty for a reader's mask); ``reader`` the person or the content
    creator where the object names one; ``how`` says in one sentence which object it is and what was done to it.
    ``model`` is the full identity of the model that drew it (None for a reader's mask).
    """

    array: MaskArray
    origin: MaskOrigin
    how: str
    reader: str = ""
    algorithm: str = ""
    version: str = ""
    source_sop_uid: str = ""
    model: ModelIdentity | None = None


@dataclass(frozen=True)
class Exam:
    """One time point, loaded. ``t2_paths[i]`` is the file of slice ``i`` of ``t2`` (classic MR).

    For an Enhanced MR T2 ``t2_paths`` holds the one file.
    """

    files: ExamFiles
    t2: Volume
    t2_paths: tuple[Path, ...]
    dwi: Mapping[float, Volume]
    adc: AdcMap | None
    ce_t1: Volume | None
    mask: Mask | None
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Case:
    """The unit of work, loaded."""

    baseline: Exam | None
    restaging: Exam | None

    @property
    def exams(self) -> tuple[Exam, ...]:
        return tuple(exam for exam in (self.baseline, self.restaging) if exam is not None)


class Quantity(StrEnum):
    VOLUME = "volume"
    LONGEST_DIAMETER = "longest_diameter"
    ADC_MEAN = "adc_mean"


@dataclass(frozen=True)
class Measurement:
    """One number in a mask. ``unit`` is UCUM: cm3, mm, 10-6.mm2/s. ``how`` gives the b-set and fit of an ADC."""

    quantity: Quantity
    time_point: TimePoint
    value: float
    unit: str
    origin: MaskOrigin
    how: str = ""


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made a number: shown with every score."""

    system: str
    name: str
    version: str
    weights_digest: str
    cohort: str
    cohort_digest: str
    phantom_trained: bool
    intended_use: str
    limits: str


@dataclass(frozen=True)
class Envelope:
    """Whether a case looks like the cohort a model was trained on; ``reasons`` names every departure."""

    inside: bool
    reasons: tuple[str, ...] = ()


GOOD_RESPONSE = "good response (AJCC TRG 0–1)"
"""The outcome of response models; its definition is published with its code in the conformance statement."""


class Likelihood(StrEnum):
    """Category of a probability; thresholds are fixed on training data and stored in the bundle."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Score:
    """One predicted probability of one outcome by one model, with limits, category and the envelope check.

    ``inputs``: (name, value) pairs the final stage saw, for the report and for a reader's questions.
    """

    model: ModelIdentity
    outcome: str
    probability: float
    lower: float
    upper: float
    interval: str
    category: Likelihood
    envelope: Envelope
    inputs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Statement:
    """A refusal or a warning: a code, words for a person, and what it is about (a series, an exam, a system)."""

    code: Code
    subject: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """All that the pipeline found in one case. ``case`` keeps the images for the summary page and the SEG."""

    case: Case
    measurements: tuple[Measurement, ...] = ()
    scores: tuple[Score, ...] = ()
    refusals: tuple[Statement, ...] = ()
    warnings: tuple[Statement, ...] = ()
    parameters: tuple[tuple[str, str], ...] = field(default=())


class Segmenter(Protocol):
    """Finds the tumour on the axial T2 of an exam; raises InputUnfit where it cannot."""

    @property
    def model(self) -> ModelIdentity: ...

    def segment(self, exam: Exam) -> Mask: ...


class ScoringSystem(Protocol):
    """One of the four systems; raises InputUnfit naming what is missing."""

    @property
    def model(self) -> ModelIdentity: ...

    def score(self, case: Case) -> Score: ...


@dataclass(frozen=True)
class Models:
    """What scores a case. Empty: measurements in readers' masks only."""

    segmenter: Segmenter | None = None
    systems: Sequence[ScoringSystem] = ()
