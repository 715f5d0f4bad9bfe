"""Every code in our objects: standard ones, and the private scheme 99RESTAGE with a definition of each code.

Standard codes are taken from pydicom's dictionaries, which come from PS3.16. Private ones fill the gaps that
PS3.16, SNOMED CT and LOINC leave (predicted outcomes, reasons of refusal); their definitions are published in the
conformance statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, cast

from pydicom.dataset import Dataset
from pydicom.sr import _concepts_dict  # the only place where pydicom keeps every (code, meaning) pair
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Concept

from dicom_templates.errors import TemplateError
from pipelines.contract import GOOD_RESPONSE, Code, Likelihood, MaskOrigin, Quantity, TimePoint

SCHEME: Final = "99RESTAGE"


@dataclass(frozen=True)
class PrivateCode:
    """A code of scheme 99RESTAGE. ``value``: SH, 16 characters; ``meaning``: LO, 64 characters (PS3.3 8.8)."""

    value: str
    meaning: str
    definition: str

    def __post_init__(self) -> None:
        if len(self.value) > 16 or len(self.meaning) > 64:
            raise ValueError(f"code {self.value} or its meaning is too long for SH and LO")

    @property
    def concept(self) -> Concept:
        return Concept(self.value, SCHEME, self.meaning)


@dataclass(frozen=True)
class Outcome:
    """A predicted outcome: the concept of its probability and the three words a category may take.

    CID 3118 (high risk, …) is not used: "High risk" beside a probability of *good* response reads as its opposite
    in a viewer that prints values without their names.
    """

    words: str
    probability: PrivateCode
    categories: dict[Likelihood, PrivateCode]


# --- standard codes, by the place they have in our objects -------------------------------------------------------

TITLE_ONCOLOGY: Final[Concept] = codes.DCM.OncologyMeasurementReport
TITLE_IMAGING: Final[Concept] = codes.DCM.ImagingMeasurementReport
PROCEDURE: Final[Concept] = codes.LN.MRIUnspecifiedBodyRegion
PROCEDURE_REPORTED: Final[Concept] = codes.DCM.ProcedureReported
DEVICE: Final[Concept] = codes.DCM.Device
SOURCE: Final = Concept("260753009", "SCT", "Source")
IMAGE_LIBRARY: Final[Concept] = codes.DCM.ImageLibrary
IMAGE_LIBRARY_GROUP: Final[Concept] = codes.DCM.ImageLibraryGroup
MODALITY: Final[Concept] = codes.DCM.Modality
MR: Final[Concept] = codes.DCM.MagneticResonance
FRAME_OF_REFERENCE: Final[Concept] = codes.DCM.FrameOfReferenceUID
STUDY_DATE: Final[Concept] = codes.DCM.StudyDate
IMAGING_MEASUREMENTS: Final[Concept] = codes.DCM.ImagingMeasurements
COMMENT: Final[Concept] = codes.DCM.Comment
TRACKING_IDENTIFIER: Final[Concept] = codes.DCM.TrackingIdentifier
SUBJECT_TIME_POINT: Final[Concept] = codes.DCM.SubjectTimePointIdentifier
FINDING: Final[Concept] = codes.DCM.Finding
PROTOCOL_TIME_POINT: Final[Concept] = codes.DCM.ProtocolTimePointIdentifier
ABNORMAL: Final[Concept] = codes.SCT.MorphologicallyAbnormalStructure
NEOPLASM_PRIMARY: Final[Concept] = codes.SCT.NeoplasmPrimary
ADENOCARCINOMA: Final[Concept] = codes.SCT.AdenocarcinomaOfRectum
RECTUM: Final[Concept] = codes.SCT.Rectum
FAMILY_AI: Final[Concept] = codes.DCM.ArtificialIntelligence
FAMILY_MANUAL: Final[Concept] = codes.DCM.ManualProcessing
PERCENT: Final[Concept] = codes.UCUM.Percent

QUANTITIES: Final[dict[Quantity, Concept]] = {
    Quantity.VOLUME: codes.SCT.Volume,
    Quantity.LONGEST_DIAMETER: codes.IBSI.Maximum3DDiameterOfAMesh,
    Quantity.ADC_MEAN: codes.DCM.ApparentDiffusionCoefficient,
}
UNITS: Final[dict[str, Concept]] = {
    "cm3": codes.UCUM.CubicCentimeter,
    "mm": codes.UCUM.Millimeter,
    "10-6.mm2/s": codes.UCUM._10EMinus6SquareMillimetersPerSecond,
    "%": codes.UCUM.Percent,
}
TIME_POINT_TYPES: Final[dict[TimePoint, Concept]] = {
    TimePoint.BASELINE: codes.UMLS.Baseline,
    TimePoint.RESTAGING: codes.DCM.Posttreatment,
}

#: Standard codes that PS3.16 prints and pydicom's dictionaries lack.
QUALITATIVE_EVALUATIONS: Final = Concept("C0034375", "UMLS", "Qualitative Evaluations")
FINDING_CATEGORY: Final = Concept("276214006", "SCT", "Finding category")
TIME_POINT: Final = Concept("C2348792", "UMLS", "Time Point")
ENGLISH: Final = Concept("en-US", "RFC5646", "English (United States)")
OUTSIDE_PYDICOM: Final[dict[Concept, str]] = {
    QUALITATIVE_EVALUATIONS: "PS3.16 TID 1500, row 12",
    FINDING_CATEGORY: "PS3.16 TID 1411 and 1501, finding category",
    TIME_POINT: "PS3.16 TID 1502, row 1",
    SOURCE: "PS3.16 TID 1601, as highdicom names an image; pydicom has SNOMED's longer wording",
    ENGLISH: "RFC 5646; PS3.16 CID 5000",
}

# --- private codes -----------------------------------------------------------------------------------------------

_GOOD_RESPONSE = (
    "pathological tumour regression grade AJCC/CAP 0 or 1 in the resected specimen after neoadjuvant therapy. "
    "Horizon: the resection. Event: grade 0 or 1. No censoring: patients without a graded specimen are not in the "
    "training cohort."
)
OUTCOMES: Final[dict[str, Outcome]] = {
    GOOD_RESPONSE: Outcome(
        words="good response (TRG 0–1)",
        probability=PrivateCode(
            "P_GOODRESP", "Probability of good response", f"Predicted probability, in percent, of {_GOOD_RESPONSE}"
        ),
        categories={
            Likelihood.HIGH: PrivateCode(
                "GR_HIGH",
                "High likelihood of good response",
                "The probability is above the upper threshold stored with the model, fixed on its training data.",
            ),
            Likelihood.MODERATE: PrivateCode(
                "GR_MODERATE",
                "Moderate likelihood of good response",
                "The probability is between the two thresholds stored with the model.",
            ),
            Likelihood.LOW: PrivateCode(
                "GR_LOW",
                "Low likelihood of good response",
                "The probability is below the lower threshold stored with the model.",
            ),
            Likelihood.UNCERTAIN: PrivateCode(
                "GR_UNCERTAIN",
                "Uncertain likelihood of good response",
                "The limits of the probability span more than one category, or the case is outside the envelope.",
            ),
        },
    )
}

PREDICTION: Final = PrivateCode("PREDICTION", "Predicted outcome", "A group that holds one prediction of one model.")
LOWER: Final = PrivateCode(
    "P_LOWER", "Lower limit of predicted probability", "In percent; how it was computed is in INTERVAL."
)
UPPER: Final = PrivateCode(
    "P_UPPER", "Upper limit of predicted probability", "In percent; how it was computed is in INTERVAL."
)
INTERVAL: Final = PrivateCode("INTERVAL", "Meaning of the limits", "How the two limits were computed, in words.")
LIKELIHOOD: Final = PrivateCode("LIKELIHOOD", "Likelihood category", "The category a predicted probability falls in.")
ENVELOPE: Final = PrivateCode(
    "ENVELOPE", "Training envelope check", "Whether the case looks like the cohort that the model was trained on."
)
INSIDE: Final = PrivateCode("ENV_INSIDE", "Inside training envelope", "No checked property departs from the cohort.")
OUTSIDE: Final = PrivateCode(
    "ENV_OUTSIDE", "OUTSIDE training envelope", "At least one property departs from the cohort; it is named in words."
)
TRAINING: Final = PrivateCode("TRAINING", "Training data of the model", "Who or what the model was trained on.")
ON_PHANTOM: Final = PrivateCode(
    "TR_PHANTOM", "PHANTOM-TRAINED, says nothing about patients", "Trained on synthetic images only."
)
ON_PATIENTS: Final = PrivateCode("TR_PATIENTS", "Trained on patients", "Trained on images of patients.")
COHORT: Final = PrivateCode("COHORT", "Training cohort", "Name and SHA-256 digest of the cohort of a model.")
WEIGHTS: Final = PrivateCode("WEIGHTS", "Weights digest", "SHA-256 digest of the model's files.")
INPUTS: Final = PrivateCode("INPUTS", "Model inputs", "Names and values that the final stage of the model saw.")
INTENDED_USE: Final = PrivateCode("INTENDED_USE", "Intended use", "What a model is meant for, in words.")
LIMITS: Final = PrivateCode("LIMITS", "Limits of use", "What a result must not be used for, in words.")
VERSION: Final = PrivateCode("VERSION", "Result version", "Number of this result, and what it replaces.")
SERIES_USED: Final = PrivateCode("SERIES_USED", "Series used", "A series that was used, its role, and why it was.")
PARAMETER: Final = PrivateCode("PARAMETER", "Processing parameter", "A parameter that preprocessing chose.")
MASK_ORIGIN: Final = PrivateCode("MASK_ORIGIN", "Origin of the tumour mask", "Who or what drew the tumour.")
MASK_ORIGINS: Final = {
    MaskOrigin.READER: PrivateCode("MASK_READER", "Tumour drawn by a reader", "A person drew it; it was copied."),
    MaskOrigin.MODEL: PrivateCode("MASK_MODEL", "Tumour drawn by a model", "A segmentation model drew it."),
}
_CONCEPTS: Final = (
    *(PREDICTION, LOWER, UPPER, INTERVAL, LIKELIHOOD, ENVELOPE, INSIDE, OUTSIDE, TRAINING, ON_PHANTOM, ON_PATIENTS),
    *(COHORT, WEIGHTS, INPUTS, INTENDED_USE, LIMITS, VERSION, SERIES_USED, PARAMETER, MASK_ORIGIN),
)
CHANGES: Final = {
    Quantity.VOLUME: PrivateCode(
        "VOLUME_CHANGE", "Change of volume from baseline", "100 × (restaging − baseline) / baseline, percent."
    ),
    Quantity.LONGEST_DIAMETER: PrivateCode(
        "DIAM_CHANGE", "Change of longest diameter from baseline", "100 × (restaging − baseline) / baseline, percent."
    ),
    Quantity.ADC_MEAN: PrivateCode(
        "ADC_CHANGE",
        "Change of mean ADC from baseline",
        "100 × (restaging − baseline) / baseline, percent; only where both maps have the same b-values and fit.",
    ),
}

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
}


def outcome(name: str) -> Outcome:
    """The published outcome of this name. Raises TemplateError: a number without a definition is not sent."""
    found = OUTCOMES.get(name)
    if found is None:
        raise TemplateError(f"outcome {name!r} has no published definition; known: {', '.join(OUTCOMES)}")
    return found


def private_codes() -> tuple[PrivateCode, ...]:
    """Every code of scheme 99RESTAGE."""
    predicted = [code for known in OUTCOMES.values() for code in (known.probability, *known.categories.values())]
    return (*predicted, *_CONCEPTS, *CHANGES.values(), *MASK_ORIGINS.values(), *STATEMENTS.values())


#: scheme -> keyword -> code value -> (meaning, context groups)
_DICTIONARY = cast("dict[str, dict[str, dict[str, tuple[str, list[int]]]]]", _concepts_dict.concepts)


@cache
def meanings(value: str, scheme: str) -> frozenset[str]:
    """The meanings that a code may be written with; empty for a code that nobody defined."""
    if scheme == SCHEME:
        return frozenset(code.meaning for code in private_codes() if code.value == value)
    entries = _DICTIONARY.get(scheme, {}).values()
    known = {entry[value][0] for entry in entries if value in entry}
    known |= {code.meaning for code in OUTSIDE_PYDICOM if (code.value, code.scheme_designator) == (value, scheme)}
    return frozenset(known)


def scheme_item() -> Dataset:
    """Item of the Coding Scheme Identification Sequence for 99RESTAGE (PS3.3 C.12.1.1.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Restage private codes, defined in deploy/conformance-codes.md"
    item.CodingSchemeResponsibleOrganization = "Restage"
    return item
