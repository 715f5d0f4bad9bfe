"""The tumour of one exam as a Segmentation object (PS3.3 A.51, C.8.20).

BINARY, on the grid of the axial T2, every slice a frame, each naming its source image. A mask that a reader drew is
copied, and typed MANUAL, because that is what the segment is ("user-entered", PS3.3 C.8.20.4); its label, its
description and the series description say whose it is and that this is a copy. Manufacturer "Restage" tells it from
the reader's own object (``identity.made_by_restage``).
"""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from dicom_templates import codes
from dicom_templates.encode import settle_character_set
from dicom_templates.errors import TemplateError
from dicom_templates.identity import (
    MANUFACTURER,
    MODEL_NAME,
    ResultIdentity,
    mask_words,
)
from dicom_templates.kinds import SEG_KINDS
from dicom_templates.sources import copy_identity, for_highdicom, t2_headers
from pipelines.contract import Exam, Mask, MaskArray, MaskOrigin, TimePoint

TRACKING_ID = "Rectal tumour 1"
_POSITION_TOLERANCE_MM = 0.05
#: Baseline yellow, restaging orange: both lighter than soft tissue on T2, and apart for colour-blind readers.
_COLOURS = {
    TimePoint.BASELINE: hd.color.CIELabColor(84.0, 0.0, 78.0),
    TimePoint.RESTAGING: hd.color.CIELabColor(70.0, 38.0, 66.0),
}


def build_segmentation(exam: Exam, identity: ResultIdentity, time_point: TimePoint) -> Dataset:
    """SEG of the exam's tumour mask, filed in the study of its axial T2.

    Raises TemplateError for an exam without a mask or with an empty one, InputUnfit where the T2 has no frame of
    reference or its slices are not parallel.
    """
    mask = _usable_mask(exam)
    originals = t2_headers(exam)
    thickness = exam.t2.spacing[0]
    sources = [for_highdicom(header, thickness) for header in originals]
    kind = SEG_KINDS[time_point]
    created = identity.local_time
    phantom = mask.model is not None and mask.model.phantom_trained
    seg = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=_in_source_order(mask.array, exam, originals).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(exam, mask, identity, time_point)],
        series_instance_uid=identity.series_uid(kind),
        series_number=identity.series_number(kind),
        sop_instance_uid=identity.sop_uid(kind),
        instance_number=identity.version,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=identity.software_version,
        device_serial_number=identity.device_uid,
        omit_empty_frames=False,
        content_label="RECTAL_TUMOUR",
        content_description=_description(mask, time_point),
        content_date=created.date(),
        content_time=created.time().replace(microsecond=0),
        series_description=identity.description(mask_words(time_point, mask.origin), phantom),
        content_qualification=hd.ContentQualificationValues.RESEARCH,
    )
    _finish(seg, identity, time_point)
    seg.SegmentSequence[0].SegmentDescription = _provenance(mask)[:1024]
    copy_identity(originals[0], seg)
    settle_character_set(seg, originals[0])
    return seg


def _finish(seg: Dataset, identity: ResultIdentity, time_point: TimePoint) -> None:
    created = identity.local_time
    seg.InstanceCreationDate = created.strftime("%Y%m%d")
    seg.InstanceCreationTime = created.strftime("%H%M%S")
    seg.SeriesDate, seg.SeriesTime = seg.InstanceCreationDate, seg.InstanceCreationTime
    seg.StationName = identity.station[:16]
    # highdicom takes these from the clock and from chance; a repeat of the same work must be the same object.
    seg.ContributingEquipmentSequence[0].ContributionDateTime = created.strftime("%Y%m%d%H%M%S")
    organization = identity.dimension_uid(SEG_KINDS[time_point])
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    seg.BodyPartExamined = "RECTUM"


def _usable_mask(exam: Exam) -> Mask:
    if exam.mask is None:
        raise TemplateError(f"the {exam.files.time_point} exam has no tumour mask to segment")
    if exam.mask.array.shape != exam.t2.array.shape:
        raise TemplateError(f"mask {exam.mask.array.shape} is not on the T2 grid {exam.t2.array.shape}")
    if not exam.mask.array.any():
        raise TemplateError(f"the tumour mask of the {exam.files.time_point} exam is empty")
    return exam.mask


def _segment(exam: Exam, mask: Mask, identity: ResultIdentity, time_point: TimePoint) -> hd.seg.SegmentDescription:
    by_reader = mask.origin is MaskOrigin.READER
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label=f"Rectal tumour {time_point}{' (reader)' if by_reader else ' (model)'}",
        segmented_property_category=codes.ABNORMAL,
        segmented_property_type=codes.NEOPLASM_PRIMARY,
        algorithm_type=(
            hd.seg.SegmentAlgorithmTypeValues.MANUAL if by_reader else hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
        ),
        algorithm_identification=None if by_reader else _algorithm(mask),
        tracking_uid=identity.tracking_uid(exam.files.patient),
        tracking_id=TRACKING_ID,
        anatomic_regions=[codes.RECTUM],
        display_color=_COLOURS[time_point],
    )


def _algorithm(mask: Mask) -> hd.AlgorithmIdentificationSequence:
    if not mask.algorithm or not mask.version:
        raise TemplateError("a model's mask must name its model and version")
    parameters = {"how": mask.how}
    if mask.model is not None:
        parameters |= {"weights": mask.model.weights_digest, "training cohort": mask.model.cohort}
    return hd.AlgorithmIdentificationSequence(
        name=mask.algorithm,
        version=mask.version,
        source=MANUFACTURER,
        family=codes.FAMILY_AI,
        parameters=parameters,
    )


def _provenance(mask: Mask) -> str:
    if mask.origin is MaskOrigin.READER:
        who = f" ({mask.reader})" if mask.reader else ""
        return f"Copy of the mask that a reader{who} drew. {mask.how}"
    trained = f", trained on {mask.model.cohort}" if mask.model is not None else ""
    return f"Drawn by the model {mask.algorithm} {mask.version}{trained}; not checked by a reader. {mask.how}"


def _description(mask: Mask, time_point: TimePoint) -> str:
    whose = "copy of a reader's mask" if mask.origin is MaskOrigin.READER else "drawn by a model, unchecked"
    return f"Rectal tumour, {time_point}; {whose}. RESEARCH ONLY"[:64]


def _in_source_order(mask: MaskArray, exam: Exam, headers: Sequence[Dataset]) -> MaskArray:
    """The mask's planes in the order of the source's frames: classic files are already in slice order."""
    if headers[0].SOPClassUID != EnhancedMRImageStorage:
        return mask
    order = [slice_of_position(exam, position) for position in frame_positions(headers[0])]
    if sorted(order) != list(range(mask.shape[0])):
        raise TemplateError(f"the Enhanced T2 has {len(order)} frames, not one for each of {mask.shape[0]} slices")
    return mask[order]


def frame_positions(enhanced: Dataset) -> list[np.ndarray]:
    """Image Position (Patient) of every frame of an Enhanced MR object, in frame order, mm LPS."""
    return [
        np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for frame in enhanced.PerFrameFunctionalGroupsSequence
    ]


def slice_of_position(exam: Exam, position: np.ndarray) -> int:
    """Index of the slice of ``exam.t2`` whose first voxel lies at ``position``; TemplateError where none does."""
    corners = exam.t2.affine[:3, 3] + np.arange(exam.t2.array.shape[0])[:, None] * exam.t2.affine[:3, 0]
    distances = np.abs(corners - position).max(axis=1)
    nearest = int(distances.argmin())
    if distances[nearest] > _POSITION_TOLERANCE_MM:
        raise TemplateError(f"a frame at {position.tolist()} is no slice of the axial T2")
    return nearest
