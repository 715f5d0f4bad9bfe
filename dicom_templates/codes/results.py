"""What surrounds a number: its limits, its model, its cohort, its mask, its change."""

from __future__ import annotations

from typing import Final

from dicom_templates.codes.private import PrivateCode
from pipelines.contract import MaskOrigin, Quantity

PREDICTION: Final = PrivateCode("PREDICTION", "Predicted outcome", "A group that holds one prediction of one model.")
LOWER: Final = PrivateCode(
    "P_LOWER", "Lower limit of predicted probability", "In percent; how it was computed is in INTERVAL."
)
UPPER: Final = PrivateCode(
    "P_UPPER", "Upper limit of predicted probability", "In percent; how it was computed is in INTERVAL."
)
INTERVAL: Final = PrivateCode("INTERVAL", "Meaning of the limits", "How the two limits were computed, in words.")
LIKELIHOOD: Final = PrivateCode("LIKELIHOOD", "Likelihood category", "The category a predicted probability falls in.")
POSSIBLE: Final = PrivateCode(
    "POSSIBLE",
    "Outcomes that remain possible",
    "Which outcomes the model's training cohort does not rule out for this probability: the set of a label-conditional "
    "conformal prediction. Where it holds both, the model leaves the decision to a reader.",
)
SET_COVERAGE: Final = PrivateCode(
    "SET_COVERAGE",
    "Coverage of the outcomes that remain possible",
    "In percent: of patients like those of the training cohort, and of either outcome, the share that has its true "
    "outcome among those that POSSIBLE leaves.",
)
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
TIME_ZERO: Final = PrivateCode("TIME_ZERO", "Time zero", "What month 0 of a predicted curve is, in words.")
EXAMS_USED: Final = PrivateCode("EXAMS_USED", "Exams used", "The exams that a model saw.")
NOMOGRAM: Final = PrivateCode(
    "NOMOGRAM", "Nomogram points", "The points of each axis of a drawn regression, and their total, in words."
)
EXPLANATION: Final = PrivateCode(
    "EXPLANATION", "Where the network looked", "Share of a saliency map that lies inside the tumour outline, in words."
)
REPORTED_BY: Final = PrivateCode(
    "REPORTED_BY",
    "Reported by",
    "Who reported the values of this group, where and when; they are copied.",
)
REPORTED_AS: Final = PrivateCode(
    "REPORTED_AS",
    "Reported as",
    "How one value of this group was coded in its source, and who says otherwise.",
)
REPORTED_IN: Final = PrivateCode("REPORTED_IN", "Reported in", "SOP Instance UID of the object that says so.")
INPUTS: Final = PrivateCode("INPUTS", "Model inputs", "Names and values that the final stage of the model saw.")
CONTRIBUTIONS: Final = PrivateCode(
    "CONTRIBUTIONS",
    "What moved the prediction",
    "What each input of the model's final stage adds to the patient's log odds or log hazard, against patients of the "
    "training cohort: exact Shapley values, the largest first, in words.",
)
CLINICAL_USED: Final = PrivateCode(
    "CLINICAL_USED", "Clinical values used", "What a model was told of the patient beside the images, and by whom."
)
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
