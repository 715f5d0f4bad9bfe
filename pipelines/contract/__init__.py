"""The types that travel between the stations of the imaging pipeline, and out of it.

Conventions, everywhere in this package:

- patient coordinates are LPS in millimetres (DICOM PS3.3 C.7.6.2.1.1);
- voxel arrays are ordered (slice, row, column), slices sorted along the slice normal;
- ``Volume.affine`` maps the homogeneous index (slice, row, column, 1) of a voxel's *centre* to LPS;
- diffusion coefficients are in 10⁻³ mm²/s inside the pipeline (µm²/ms), b-values in s/mm²;
- a refusal is an :class:`InputUnfit`, always permanent, always with a code and words for a person.
"""

from pipelines.contract.clinical import (
    CATEGORIES,
    CATEGORY_CODES,
    PRIVATE_SCHEME,
    VARIABLE_CODES,
    ClinicalVariable,
    Variable,
)
from pipelines.contract.exams import (
    Case,
    CaseFiles,
    Exam,
    ExamFiles,
    ModelInputs,
    Patient,
    Role,
    SeriesFiles,
    SeriesRole,
)
from pipelines.contract.findings import (
    COMPLETE_RESPONSE,
    GOOD_RESPONSE,
    METASTASIS,
    RECURRENCE,
    Contribution,
    Explanation,
    Findings,
    Measurement,
    Models,
    Nomogram,
    NomogramAxis,
    PredictionSet,
    Quantity,
    Score,
    ScoringSystem,
    Segmenter,
    SurvivalCurve,
)
from pipelines.contract.images import (
    AdcMap,
    Affine,
    Alignment,
    FloatArray,
    MapKind,
    Mask,
    MaskArray,
    MaskOrigin,
    ScalarMap,
    Structure,
    StructureKind,
    Volume,
)
from pipelines.contract.models import Envelope, Likelihood, ModelIdentity
from pipelines.contract.percent import in_percent
from pipelines.contract.record import UNKNOWN, ClinicalRecord, Item, Value
from pipelines.contract.statements import Code, InputUnfit, Statement
from pipelines.contract.time_point import TimePoint

__all__ = [
    "CATEGORIES",
    "CATEGORY_CODES",
    "COMPLETE_RESPONSE",
    "GOOD_RESPONSE",
    "METASTASIS",
    "PRIVATE_SCHEME",
    "RECURRENCE",
    "UNKNOWN",
    "VARIABLE_CODES",
    "AdcMap",
    "Affine",
    "Alignment",
    "Case",
    "CaseFiles",
    "ClinicalRecord",
    "ClinicalVariable",
    "Code",
    "Contribution",
    "Envelope",
    "Exam",
    "ExamFiles",
    "Explanation",
    "Findings",
    "FloatArray",
    "InputUnfit",
    "Item",
    "Likelihood",
    "MapKind",
    "Mask",
    "MaskArray",
    "MaskOrigin",
    "Measurement",
    "ModelIdentity",
    "ModelInputs",
    "Models",
    "Nomogram",
    "NomogramAxis",
    "Patient",
    "PredictionSet",
    "Quantity",
    "Role",
    "ScalarMap",
    "Score",
    "ScoringSystem",
    "Segmenter",
    "SeriesFiles",
    "SeriesRole",
    "Statement",
    "Structure",
    "StructureKind",
    "SurvivalCurve",
    "TimePoint",
    "Value",
    "Variable",
    "Volume",
    "in_percent",
]
