"""Why something was refused or warned about: the codes of :class:`pipelines.contract.Code`."""

from __future__ import annotations

from typing import Final

from dicom_templates.codes.private import PrivateCode
from pipelines.contract import Code

STATEMENTS: Final[dict[Code, PrivateCode]] = {
    Code.NOT_MR: PrivateCode("NOT_MR", "Not MR", "The series is of another modality."),
    Code.NOT_AN_IMAGE: PrivateCode("NOT_AN_IMAGE", "Not an image", "The object has no pixels to read."),
    Code.LOCALIZER: PrivateCode("LOCALIZER", "Localizer", "A planning series; too coarse to measure in."),
    Code.DERIVED_SERIES: PrivateCode("DERIVED_SERIES", "Derived series", "Computed from others, so not a source."),
    Code.NOT_RECOGNISED: PrivateCode("NOT_RECOGNISED", "Series not recognised", "Its headers fit no role well enough."),
    Code.B_VALUE_UNKNOWN: PrivateCode("B_VALUE_UNKNOWN", "b-value unknown", "No header gives the b-value."),
    Code.NO_GEOMETRY: PrivateCode("NO_GEOMETRY", "No geometry", "Position, orientation or spacing is missing."),
    Code.NO_FRAME_OF_REFERENCE: PrivateCode(
        "NO_FRAME_OF_REF", "No frame of reference", "Without its UID, positions of two series cannot be related."
    ),
    Code.TOO_FEW_SLICES: PrivateCode("TOO_FEW_SLICES", "Too few slices", "Not enough slices to measure a tumour."),
    Code.SLICE_MISSING: PrivateCode("SLICE_MISSING", "Slice missing", "A gap in the slice positions."),
    Code.DUPLICATE_POSITIONS: PrivateCode("DUPLICATE_POS", "Duplicate positions", "Two slices at one position."),
    Code.MIXED_ORIENTATIONS: PrivateCode("MIXED_ORIENT", "Mixed orientations", "The slices are not parallel."),
    Code.IRREGULAR_SPACING: PrivateCode("IRREGULAR_SPACE", "Irregular spacing", "Slice distances differ."),
    Code.PIXELS_UNREADABLE: PrivateCode("PIXELS_UNREADAB", "Pixels unreadable", "The pixel data cannot be decoded."),
    Code.ADC_UNITS: PrivateCode("ADC_UNITS", "Units of ADC map unclear", "Its values fit no unit of diffusivity."),
    Code.ADC_NOT_ESTIMABLE: PrivateCode("ADC_NOT_ESTIM", "ADC not estimable", "No ADC could be computed."),
    Code.NO_T2_AXIAL: PrivateCode("NO_T2_AXIAL", "No axial T2", "The exam has no usable axial T2 series."),
    Code.NO_DIFFUSION: PrivateCode("NO_DIFFUSION", "No diffusion", "The exam has no usable DWI or ADC series."),
    Code.NO_BASELINE: PrivateCode("NO_BASELINE", "No baseline exam", "What was asked needs a baseline exam."),
    Code.NO_RESTAGING: PrivateCode("NO_RESTAGING", "No restaging exam", "What was asked needs a restaging exam."),
    Code.INPUTS_MISSING: PrivateCode("INPUTS_MISSING", "Model inputs missing", "The model's input needs are not met."),
    Code.READER_MASK_UNFIT: PrivateCode("READER_MASK", "Reader's mask unfit", "A reader's mask could not be used."),
    Code.NO_TUMOUR_FOUND: PrivateCode("NO_TUMOUR", "No tumour found", "The segmenter found no tumour."),
    Code.NO_MASK: PrivateCode("NO_MASK", "No tumour mask", "Neither a reader nor a model drew the tumour."),
    Code.MODEL_UNAVAILABLE: PrivateCode("NO_MODEL", "Model unavailable", "No model of this kind can be used here."),
    Code.SCORES_WITHHELD: PrivateCode("SCORES_WITHHELD", "Scores withheld", "Computed, and not sent by configuration."),
    Code.OUT_OF_ENVELOPE: PrivateCode("OUT_OF_ENVELOPE", "Out of envelope", "The case does not look like the cohort."),
    Code.B_VALUES_DIFFER: PrivateCode(
        "B_VALUES_DIFFER", "b-values differ", "ADCs of the two exams are not comparable."
    ),
    Code.MASK_RESAMPLED: PrivateCode("MASK_RESAMPLED", "Mask resampled", "A mask was brought to the T2 grid."),
    Code.NO_STUDY_DATE: PrivateCode("NO_STUDY_DATE", "No study date", "Without it an exam has no place in time."),
    Code.PATIENTS_DIFFER: PrivateCode("PATIENTS_DIFFER", "Patients differ", "The exams are of two different patients."),
    Code.SEVERAL_CANDIDATES: PrivateCode(
        "SEVERAL_CANDID", "Several candidates", "One of several was chosen; see text."
    ),
    Code.READER_MASK_USED: PrivateCode(
        "READER_MASK_USED", "Reader's mask used", "A reader's outline took the place of the model's."
    ),
    Code.READER_REPORT_UNFIT: PrivateCode(
        "READER_REPORT", "Reader's report unfit", "A reader's structured report could not be used."
    ),
    Code.CLINICAL_CONFLICT: PrivateCode(
        "CLINICAL_CONFL",
        "Clinical values contradict",
        "Two sources give one variable two values; the text names them.",
    ),
    Code.SYSTEMS_DISAGREE: PrivateCode(
        "SYSTEMS_DISAGREE", "Systems disagree", "Two systems' predictions cannot both hold; both are given, no average."
    ),
    Code.MAP_UNAVAILABLE: PrivateCode("MAP_UNAVAILABLE", "Map unavailable", "A map was asked for and not made."),
    Code.CALCULATED_B_VALUE: PrivateCode(
        "CALCULATED_B", "Calculated b-value", "Extrapolated from other b-values, not acquired."
    ),
    Code.DYNAMIC_SERIES: PrivateCode(
        "DYNAMIC_SERIES", "Dynamic series", "Several time points of one contrast uptake in one series."
    ),
    Code.SUBTRACTION: PrivateCode("SUBTRACTION", "Subtraction", "A difference of two series, not an acquired image."),
    Code.REFORMATTED: PrivateCode(
        "REFORMATTED", "Reformatted", "Resampled from another series: a reformat or a projection."
    ),
    Code.COLOUR_MAP: PrivateCode("COLOUR_MAP", "Colour map", "Colours, not measured values."),
    Code.MOSAIC_UNFIT: PrivateCode(
        "MOSAIC_UNFIT", "Mosaic not readable", "Several slices in one image without the facts to part them."
    ),
    Code.SHEARED_STACK: PrivateCode(
        "SHEARED_STACK", "Sheared stack", "Slices shifted in their plane from one to the next."
    ),
    Code.SITE_RULE: PrivateCode(
        "SITE_RULE", "Excluded by a site rule", "This node's configuration refuses the series."
    ),
    Code.KURTOSIS_NOT_ESTIMABLE: PrivateCode(
        "NO_KURTOSIS", "Kurtosis not estimable", "The b-values do not allow a kurtosis fit."
    ),
    Code.NOT_ALIGNED: PrivateCode(
        "NOT_ALIGNED", "Images not aligned", "Two series lie apart, and no safe correction was found."
    ),
    Code.SLICES_TOO_THICK: PrivateCode(
        "THICK_SLICES", "Slices too thick", "Slices, gaps or pixels too large to measure a tumour in."
    ),
    Code.B_VALUES_UNFIT: PrivateCode(
        "B_VALUES_UNFIT", "b-values unfit", "The b-values are too few, too low or too close."
    ),
    Code.COVERAGE_INCOMPLETE: PrivateCode(
        "COVERAGE", "Coverage incomplete", "A series does not cover the tumour, or what another shows."
    ),
    Code.TOO_OBLIQUE: PrivateCode(
        "TOO_OBLIQUE", "Too oblique", "Slices lean too far from the axial plane or another series."
    ),
    Code.MOTION_SUSPECTED: PrivateCode("MOTION", "Motion suspected", "Neighbouring slices or b-values do not match."),
    Code.GAS_SUSPECTED: PrivateCode(
        "GAS", "Gas or susceptibility suspected", "Signal is lost or displaced near the rectum in the DWI."
    ),
    Code.PROTOCOLS_DIFFER: PrivateCode(
        "PROTOCOLS_DIFF", "Protocols differ", "The exams' protocols differ; a change may be theirs."
    ),
    Code.OUTSIDE_INTENDED_USE: PrivateCode(
        "OUTSIDE_USE", "Outside intended use", "The model was not made for this therapy or histology."
    ),
    Code.CLINICAL_MISSING: PrivateCode(
        "CLINICAL_MISSING", "Clinical value missing", "A model needs a clinical value that is not known."
    ),
    Code.CLINICAL_UNFIT: PrivateCode(
        "CLINICAL_UNFIT", "Clinical value unfit", "A clinical value cannot be used as it stands."
    ),
    Code.TUMOUR_BED_USED: PrivateCode(
        "TUMOUR_BED", "Tumour bed used", "No tumour was outlined after therapy; its former place was used."
    ),
}
