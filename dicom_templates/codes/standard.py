"""The standard codes in our objects, taken from pydicom's dictionaries, which come from PS3.16."""

from __future__ import annotations

from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Concept

from pipelines.contract import Quantity, TimePoint

TITLE_ONCOLOGY: Final[Concept] = codes.DCM.OncologyMeasurementReport
TITLE_IMAGING: Final[Concept] = codes.DCM.ImagingMeasurementReport
TITLES: Final[dict[str, Concept]] = {title.value: title for title in (TITLE_ONCOLOGY, TITLE_IMAGING)}
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
SUMMARY: Final[Concept] = codes.LN.Summary
COMMENT: Final[Concept] = codes.DCM.Comment
TRACKING_IDENTIFIER: Final[Concept] = codes.DCM.TrackingIdentifier
SUBJECT_TIME_POINT: Final[Concept] = codes.DCM.SubjectTimePointIdentifier
ALGORITHM_VERSION: Final[Concept] = codes.DCM.AlgorithmVersion
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
RECTAL_WALL: Final = Concept("15388", "FMA", "Wall of rectum")
OUTSIDE_PYDICOM: Final[dict[Concept, str]] = {
    QUALITATIVE_EVALUATIONS: "PS3.16 TID 1500, row 12",
    FINDING_CATEGORY: "PS3.16 TID 1411 and 1501, finding category",
    TIME_POINT: "PS3.16 TID 1502, row 1",
    SOURCE: "PS3.16 TID 1601, as highdicom names an image; pydicom has SNOMED's longer wording",
    ENGLISH: "RFC 5646; PS3.16 CID 5000",
    RECTAL_WALL: "Foundational Model of Anatomy, FMA:15388; PS3.16 has no wall of the rectum",
}
