"""Readers' masks made for a test: SEG written with highdicom, RTSTRUCT by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import RTStructureSetStorage

from tests.pipelines.made_series import Maker

TUMOUR = {
    "label": "Tumour",
    "algorithm": "MANUAL",
    "kind": Code("372087000", "SCT", "Neoplasm, Primary"),
    "region": Code("34402009", "SCT", "Rectum"),
}


def segmentation(
    maker: Maker, sources: Sequence[Dataset], mask: np.ndarray, *segments: dict[str, Any], **more: Any
) -> Path:
    """A BINARY SEG: the mask in each segment (default one, ``TUMOUR``), on the sources' grid; ``more``: attributes."""
    described = [{**TUMOUR, **segment} for segment in segments or ({},)]
    omit = more.pop("omit_empty_frames", False)
    for source in sources:
        source.AccessionNumber = source.StudyID = source.ReferringPhysicianName = ""
    if not hasattr(sources[0], "file_meta"):
        maker.write(sources, "sources")
    seg = hd.seg.Segmentation(
        source_images=list(sources),
        pixel_array=np.stack([mask] * len(described), axis=-1).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(number, one) for number, one in enumerate(described, 1)],
        series_instance_uid=hd.UID(),
        series_number=100,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=more.pop("Manufacturer", "Workstation"),
        manufacturer_model_name="X",
        software_versions="1",
        device_serial_number="1",
        content_creator_name="Reader^Anna",
        omit_empty_frames=omit,
    )
    for keyword, value in more.items():
        setattr(seg, keyword, value)
    path = maker.folder / f"{seg.SOPInstanceUID}.seg.dcm"
    seg.save_as(path)
    return path


def _description(number: int, one: dict[str, Any]) -> hd.seg.SegmentDescription:
    automatic = one["algorithm"] != "MANUAL"
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=one["label"],
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=one["kind"],
        algorithm_type=one["algorithm"],
        algorithm_identification=hd.AlgorithmIdentificationSequence("net", codes.DCM.ArtificialIntelligence, "1")
        if automatic
        else None,
        anatomic_regions=[one["region"]] if one["region"] else None,
    )


def structure_set(maker: Maker, rois: dict[str, Sequence[np.ndarray]], **more: Any) -> Path:
    """An RTSTRUCT with closed planar contours ((n, 3) LPS mm) by ROI name."""
    dataset = maker.common(RTStructureSetStorage, "RTSTRUCT")
    dataset.StructureSetDate, dataset.StructureSetTime = "20240201", "120000"
    dataset.StructureSetROISequence, dataset.ROIContourSequence, dataset.RTROIObservationsSequence = [], [], []
    for number, (name, contours) in enumerate(rois.items(), 1):
        roi, drawn, observed = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, "MANUAL"
        roi.ReferencedFrameOfReferenceUID = more.get("FrameOfReferenceUID", maker.frame_of_reference_uid)
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            contour.ContourData = [f"{value:.6f}" for value in np.asarray(points).ravel()]
            drawn.ContourSequence.append(contour)
        observed.ReferencedROINumber, observed.ROIInterpreter = number, "Reader^Bob"
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
        dataset.RTROIObservationsSequence.append(observed)
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    (path,) = maker.write([dataset], "rtstruct")
    return path
