"""The tumour of one exam as a Segmentation object (PS3.3 A.51, C.8.20), and the rectum around it where segmented.

BINARY, on the grid of the axial T2, every slice a frame, each naming its source image. Segment 1 is the tumour; the
structures of the exam are further segments, which may overlap it. A mask that a reader drew is copied, and typed
MANUAL, because that is what the segment is ("user-entered", PS3.3 C.8.20.4); its label, its description and the
series description say whose it is and that this is a copy. Manufacturer "Restage" tells it from the reader's own
object (``identity.made_by_restage``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as Concept

from dicom_templates import codes
from dicom_templates.codes import images as image_codes
from dicom_templates.errors import TemplateError
from dicom_templates.filing import file_in, name_source, refer_to, stamp
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, ResultIdentity, mask_words
from dicom_templates.kinds import SEG_KINDS
from dicom_templates.palette import OUTLINES
from dicom_templates.planes import Plane, slice_at
from dicom_templates.sources import classic_images, study_header, t2_planes
from pipelines.contract import Exam, Mask, MaskOrigin, Structure, StructureKind, TimePoint

TRACKING_ID: Final = "Rectal tumour 1"
#: Those of the outlines on the summary page: lighter than soft tissue on T2, and apart for colour-blind readers.
TUMOUR_COLOURS: Final = {when: hd.color.CIELabColor.from_string(colour) for when, colour in OUTLINES.items()}
#: Violet and green, paler than the tumour.
_STRUCTURE_COLOURS: Final = {
    StructureKind.RECTAL_WALL: hd.color.CIELabColor(62.0, 42.0, -36.0),
    StructureKind.LUMEN: hd.color.CIELabColor(72.0, -42.0, 24.0),
}
STRUCTURE_WORDS: Final = {StructureKind.RECTAL_WALL: "Rectal wall", StructureKind.LUMEN: "Rectal lumen"}


def build_segmentation(
    exam: Exam, identity: ResultIdentity, time_point: TimePoint, filed: Exam | None = None
) -> Dataset:
    """SEG of the exam's tumour mask and structures, filed in the study of ``filed`` (of the exam itself by default).

    Raises TemplateError for an exam without a mask or with an empty one, InputUnfit where the T2 has no frame of
    reference or its slices are not parallel.
    """
    mask = _usable_mask(exam)
    planes = t2_planes(exam)
    kind = SEG_KINDS[time_point]
    created = identity.local_time
    parts: tuple[Mask | Structure, ...] = (mask, *exam.structures)
    seg = hd.seg.Segmentation(
        source_images=classic_images(planes, exam.t2.spacing[0]),
        pixel_array=np.stack([part.array for part in parts], axis=-1).astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(number, part, exam, identity) for number, part in enumerate(parts, start=1)],
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
        series_description=identity.description(mask_words(time_point, mask.origin), is_phantom(exam)),
        content_qualification=hd.ContentQualificationValues.RESEARCH,
    )
    for item, part in zip(seg.SegmentSequence, parts, strict=True):
        item.SegmentDescription = _provenance(part)[:1024]
    _refer_frames(seg, exam, planes)
    stamp(seg, kind, identity)
    file_in(seg, study_header(filed or exam))
    refer_to(seg, [plane.header for plane in planes])
    return seg


def is_phantom(exam: Exam) -> bool:
    """Whether a phantom-trained model drew the tumour."""
    return exam.mask is not None and exam.mask.model is not None and exam.mask.model.phantom_trained


def _usable_mask(exam: Exam) -> Mask:
    if exam.mask is None:
        raise TemplateError(f"the {exam.files.time_point} exam has no tumour mask to segment")
    parts: tuple[Mask | Structure, ...] = (exam.mask, *exam.structures)
    for part in parts:
        name = _words(part).lower()
        if part.array.shape != exam.t2.array.shape:
            raise TemplateError(f"the {name} mask {part.array.shape} is not on the T2 grid {exam.t2.array.shape}")
        if not part.array.any():
            raise TemplateError(f"the {name} mask of the {exam.files.time_point} exam is empty")
    return exam.mask


def _refer_frames(seg: Dataset, exam: Exam, planes: Sequence[Plane]) -> None:
    """Each frame names the image, or the frame of an Enhanced MR image, that it lies on."""
    for frame in seg.PerFrameFunctionalGroupsSequence:
        plane = planes[slice_at(exam.t2, frame.PlanePositionSequence[0].ImagePositionPatient)]
        frame.DerivationImageSequence[0].SourceImageSequence = [name_source(plane)]


def _segment(number: int, part: Mask | Structure, exam: Exam, identity: ResultIdentity) -> hd.seg.SegmentDescription:
    by_reader = part.origin is MaskOrigin.READER
    time_point = exam.files.time_point
    tumour = isinstance(part, Mask)
    category, concept = _property(part)
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"{_words(part)} {time_point}{' (reader)' if by_reader else ' (model)'}",
        segmented_property_category=category,
        segmented_property_type=concept,
        algorithm_type=(
            hd.seg.SegmentAlgorithmTypeValues.MANUAL if by_reader else hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
        ),
        algorithm_identification=None if by_reader else _algorithm(part),
        tracking_uid=identity.tracking_uid(exam.files.patient) if tumour else None,
        tracking_id=TRACKING_ID if tumour else None,
        anatomic_regions=[codes.RECTUM],
        display_color=TUMOUR_COLOURS[time_point] if isinstance(part, Mask) else _STRUCTURE_COLOURS[part.kind],
    )


def _property(part: Mask | Structure) -> tuple[Concept, Concept]:
    """Category and type of what the segment is (PS3.3 C.8.20.2, CID 7150)."""
    if isinstance(part, Mask):
        return codes.ABNORMAL, codes.NEOPLASM_PRIMARY
    return image_codes.ANATOMICAL_STRUCTURE, image_codes.STRUCTURES[part.kind]


def _words(part: Mask | Structure) -> str:
    return "Rectal tumour" if isinstance(part, Mask) else STRUCTURE_WORDS[part.kind]


def _algorithm(part: Mask | Structure) -> hd.AlgorithmIdentificationSequence:
    if not part.algorithm or not part.version:
        raise TemplateError(f"a model's mask must name its model and version: {_words(part).lower()}")
    parameters = {"how": part.how}
    if part.model is not None:
        parameters |= {"weights": part.model.weights_digest, "training cohort": part.model.cohort}
    return hd.AlgorithmIdentificationSequence(
        name=part.algorithm,
        version=part.version,
        source=MANUFACTURER,
        family=codes.FAMILY_AI,
        parameters=parameters,
    )


def _provenance(part: Mask | Structure) -> str:
    if part.origin is MaskOrigin.READER:
        who = f" ({part.reader})" if isinstance(part, Mask) and part.reader else ""
        return f"Copy of the mask that a reader{who} drew. {part.how}"
    trained = f", trained on {part.model.cohort}" if part.model is not None else ""
    return f"Drawn by the model {part.algorithm} {part.version}{trained}; not checked by a reader. {part.how}"


def _description(mask: Mask, time_point: TimePoint) -> str:
    whose = "copy of a reader's mask" if mask.origin is MaskOrigin.READER else "drawn by a model, unchecked"
    return f"Rectal tumour, {time_point}; {whose}. RESEARCH ONLY"[:64]
