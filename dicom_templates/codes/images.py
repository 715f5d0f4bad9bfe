"""Standard codes of segments, parametric maps and key object documents, from pydicom's dictionaries (PS3.16)."""

from __future__ import annotations

from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Concept

from dicom_templates.codes.standard import RECTAL_WALL
from pipelines.contract import MapKind, StructureKind

# Segments: category and type (PS3.3 C.8.20.2). The lumen is "Lumen", of the anatomic region rectum.
ANATOMICAL_STRUCTURE: Final[Concept] = codes.SCT.AnatomicalStructure
STRUCTURES: Final[dict[StructureKind, Concept]] = {
    StructureKind.RECTAL_WALL: RECTAL_WALL,
    StructureKind.LUMEN: codes.SCT.Lumen,
}

# Parametric maps: quantity and unit (CID 7180, 7272, 7277, 7181), model of diffusion (CID 7273), derivation (CID 7203).
QUANTITY: Final[Concept] = codes.SCT.Quantity
MAP_QUANTITIES: Final[dict[MapKind, Concept]] = {
    MapKind.ADC: codes.DCM.ApparentDiffusionCoefficient,
    MapKind.KURTOSIS_D: codes.DCM.KurtosisDiffusionCoefficient,
    MapKind.KURTOSIS_K: codes.DCM.ApparentKurtosisCoefficient,
    MapKind.GRAD_CAM: codes.DCM.GradientWeightedClassActivation,
}
DIFFUSIVITY_UNIT: Final[Concept] = codes.UCUM._10EMinus6SquareMillimetersPerSecond
NO_UNIT: Final[Concept] = codes.UCUM.NoUnits
MEASUREMENT_METHOD: Final[Concept] = codes.SCT.MeasurementMethod
DIFFUSION_MODELS: Final[dict[MapKind, Concept]] = {
    MapKind.ADC: codes.DCM.MonoExponentialDiffusionModel,
    MapKind.KURTOSIS_D: codes.DCM.KurtosisDiffusionModel,
    MapKind.KURTOSIS_K: codes.DCM.KurtosisDiffusionModel,
}
SOURCE_B_VALUE: Final[Concept] = codes.DCM.SourceImageDiffusionBValue
B_VALUE_UNIT: Final[Concept] = codes.UCUM.SecondPerSquareMillimeter
DIFFUSION_ANALYSIS: Final[Concept] = codes.DCM.DiffusionImageAnalysis
UNSPECIFIED_METHOD: Final[Concept] = codes.DCM.UnspecifiedMethodOfCalculation
SEGMENTATION_DERIVATION: Final[Concept] = codes.DCM.SegmentationImageDerivation
SOURCE_IMAGE: Final[Concept] = codes.DCM.SourceImageForImageProcessingOperation

# Key object documents (TID 2010; document titles CID 7010, of rejection notes CID 7031).
REJECTED: Final[Concept] = codes.DCM.RejectedForPatientSafetyReasons
KEY_OBJECT_DESCRIPTION: Final[Concept] = codes.DCM.KeyObjectDescription
