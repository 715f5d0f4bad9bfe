"""The truth of one exam as a Segmentation object (PS3.3 A.51, C.8.20): tumour, rectal wall, lumen, mesorectum.

BINARY, on the grid of the axial T2, each frame naming its image. It is written as a reader's workstation would write
a drawn mask (type MANUAL, property type Neoplasm, Primary, region rectum), so that a copy laid into the exam's folder
is a reader's mask; label, description and equipment say that nobody drew it. The phantom plays another party's
workstation here, hence highdicom, and nothing of ``dicom_templates``.
"""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Final

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Concept

from pipelines.contract import TimePoint
from pipelines.phantom.dicom import study_key, t2_headers, uid
from pipelines.phantom.exam import SimulatedExam
from pipelines.phantom.patient import VirtualPatient

MANUFACTURER: Final = "Restage phantom"
SERIES_NUMBER: Final = 90
DRAWN_AT: Final = time(10, 0)
ABNORMAL: Final[Concept] = codes.SCT.MorphologicallyAbnormalStructure
ANATOMICAL: Final[Concept] = codes.SCT.AnatomicalStructure
RECTAL_WALL: Final = Concept("15388", "FMA", "Wall of rectum")
MESORECTUM: Final = Concept("MESORECTUM", "99RESTAGEPHANTOM", "Mesorectum")
SEGMENTS: Final[dict[str, tuple[str, Concept, Concept]]] = {
    "tumour": ("Rectal tumour", ABNORMAL, codes.SCT.NeoplasmPrimary),
    "wall": ("Rectal wall", ANATOMICAL, RECTAL_WALL),
    "lumen": ("Rectal lumen", ANATOMICAL, codes.SCT.Lumen),
    "mesorectum": ("Mesorectum", ANATOMICAL, MESORECTUM),
}


def write_truth(folder: Path, patient: VirtualPatient, time_point: TimePoint, exam: SimulatedExam) -> None:
    """Writes ``folder``/baseline.dcm or restaging.dcm; segment 1 is the tumour, structures that are empty are left out.

    The same exam gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    every = {"tumour": exam.mask} | exam.structures
    masks = {name: every[name] for name in SEGMENTS if every[name].any()}
    truth = _segmentation(patient, time_point, t2_headers(patient, time_point, exam), masks)
    truth.save_as(folder / f"{time_point}.dcm")


def _segmentation(
    patient: VirtualPatient, time_point: TimePoint, images: list[Dataset], masks: dict[str, np.ndarray]
) -> Dataset:
    key = (*study_key(patient, time_point), "truth")
    day = patient.dates[time_point is TimePoint.RESTAGING]
    truth = hd.seg.Segmentation(
        source_images=images,
        pixel_array=np.stack(list(masks.values()), axis=-1).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(number, name, key) for number, name in enumerate(masks, start=1)],
        series_instance_uid=uid(*key),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid(*key, 1),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name="Synthetic truth",
        software_versions="restage phantom",
        device_serial_number="PHANTOM-TRUTH",
        content_label="SYNTHETIC_TRUTH",
        content_description="Synthetic truth of a phantom: planted, drawn by nobody",
        content_creator_name="Phantom^Truth",
        content_date=day,
        content_time=DRAWN_AT,
        series_description="SYNTHETIC TRUTH of the phantom",
    )
    _settle(truth, f"{day:%Y%m%d}", key)
    return truth


def _settle(truth: Dataset, day: str, key: tuple[object, ...]) -> None:
    """What highdicom takes from the clock and from chance, replaced: the same seed gives the same bytes."""
    truth.InstanceCreationDate = truth.SeriesDate = day
    truth.InstanceCreationTime = truth.SeriesTime = f"{DRAWN_AT:%H%M%S}"
    truth.BodyPartExamined = "RECTUM"  # unpaired: without it validators ask for Laterality
    for equipment in truth.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = f"{day}{DRAWN_AT:%H%M%S}"
    for item in (*truth.DimensionOrganizationSequence, *truth.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid(*key, "dimensions")


def _segment(number: int, name: str, key: tuple[object, ...]) -> hd.seg.SegmentDescription:
    words, category, concept = SEGMENTS[name]
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"{words} (synthetic truth)",
        segmented_property_category=category,
        segmented_property_type=concept,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=uid(*key, "tracking", name),
        tracking_id=f"{words} (synthetic truth)",
        anatomic_regions=[codes.SCT.Rectum],
    )
