"""Refusals and warnings: a published code, and words for a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    READER_MASK_USED = "READER_MASK_USED"
    READER_REPORT_UNFIT = "READER_REPORT_UNFIT"
    CLINICAL_CONFLICT = "CLINICAL_CONFLICT"
    SYSTEMS_DISAGREE = "SYSTEMS_DISAGREE"
    MAP_UNAVAILABLE = "MAP_UNAVAILABLE"
    CALCULATED_B_VALUE = "CALCULATED_B_VALUE"
    DYNAMIC_SERIES = "DYNAMIC_SERIES"
    SUBTRACTION = "SUBTRACTION"
    REFORMATTED = "REFORMATTED"
    COLOUR_MAP = "COLOUR_MAP"
    MOSAIC_UNFIT = "MOSAIC_UNFIT"
    SHEARED_STACK = "SHEARED_STACK"
    SITE_RULE = "SITE_RULE"
    KURTOSIS_NOT_ESTIMABLE = "KURTOSIS_NOT_ESTIMABLE"
    NOT_ALIGNED = "NOT_ALIGNED"
    SLICES_TOO_THICK = "SLICES_TOO_THICK"
    B_VALUES_UNFIT = "B_VALUES_UNFIT"
    COVERAGE_INCOMPLETE = "COVERAGE_INCOMPLETE"
    TOO_OBLIQUE = "TOO_OBLIQUE"
    MOTION_SUSPECTED = "MOTION_SUSPECTED"
    GAS_SUSPECTED = "GAS_SUSPECTED"
    PROTOCOLS_DIFFER = "PROTOCOLS_DIFFER"
    OUTSIDE_INTENDED_USE = "OUTSIDE_INTENDED_USE"
    CLINICAL_MISSING = "CLINICAL_MISSING"
    CLINICAL_UNFIT = "CLINICAL_UNFIT"
    TUMOUR_BED_USED = "TUMOUR_BED_USED"


class InputUnfit(Exception):
    """The input cannot be used for what was asked. Permanent: the same input will be refused again."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Statement:
    """A refusal or a warning: a code, words for a person, and what it is about (a series, an exam, a system).

    ``warning``: of a code that may refuse or warn, that here it only warns.
    """

    code: Code
    subject: str
    reason: str
    warning: bool = False
