"""A SEG against the masks it was made from, without the library that wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydicom.dataset import Dataset

from dicom_templates.errors import ResultUnfit
from dicom_templates.filing import referred
from dicom_templates.planes import Plane, key_of, slice_at
from dicom_templates.segmentation import STRUCTURE_WORDS
from dicom_templates.sources import t2_planes
from pipelines.contract import Exam, MaskArray


def check_segmentation(segmentation: Dataset, exam: Exam) -> None:
    """Raises ResultUnfit unless the SEG holds exactly the exam's masks, slice by slice, on the exam's own images.

    The study that it is filed in does not matter here: its references must lead to the exam's images from there.
    """
    planes = t2_planes(exam)
    if str(segmentation.FrameOfReferenceUID) != str(planes[0].header.FrameOfReferenceUID):
        raise ResultUnfit("SEG: frame of reference is not that of the axial T2")
    _check_references(segmentation, planes)
    masks = _expected(exam)
    if len(segmentation.SegmentSequence) != len(masks):
        raise ResultUnfit(f"SEG: {len(segmentation.SegmentSequence)} segments for {len(masks)} masks")
    for (name, expected), segment in zip(masks, segmentation.SegmentSequence, strict=True):
        written = read_segment(segmentation, exam, planes, int(segment.SegmentNumber))
        if not written.any():
            raise ResultUnfit(f"SEG: the {name}mask is empty")
        wrong = int(np.count_nonzero(written != expected))
        if wrong:
            raise ResultUnfit(f"SEG: {wrong} voxels differ from the {exam.files.time_point} {name}mask")


def read_segment(segmentation: Dataset, exam: Exam, planes: Sequence[Plane], number: int) -> MaskArray:
    """One segment in slice order: each of its frames placed by its position and by its source image, which agree."""
    pixels = np.asarray(segmentation.pixel_array)
    frames = pixels[None] if pixels.ndim == 2 else pixels
    if frames.shape[1:] != exam.t2.array.shape[1:]:
        raise ResultUnfit(f"SEG: frames {frames.shape[1:]} are not the T2 grid {exam.t2.array.shape[1:]}")
    sources = {plane.key: index for index, plane in enumerate(planes)}
    mask = np.zeros(exam.t2.array.shape, dtype=bool)
    placed = []
    for plane, item in zip(frames, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        if _segment_number(segmentation, item) == number:
            index = _slice_of(item, exam, sources)
            placed.append(index)
            mask[index] = plane.astype(bool)
    if sorted(placed) != list(range(len(mask))):
        raise ResultUnfit("SEG: its frames do not cover every slice once")
    return mask


def _expected(exam: Exam) -> list[tuple[str, MaskArray]]:
    if exam.mask is None:
        raise ResultUnfit("SEG: the exam has no tumour mask")
    structures = [(f"{STRUCTURE_WORDS[one.kind].lower()} ", one.array) for one in exam.structures]
    return [("", exam.mask.array), *structures]


def _check_references(segmentation: Dataset, planes: Sequence[Plane]) -> None:
    expected = {
        str(plane.header.SOPInstanceUID): (str(plane.header.StudyInstanceUID), str(plane.header.SeriesInstanceUID))
        for plane in planes
    }
    found = referred(segmentation)
    if set(found.values()) != set(expected.values()):
        raise ResultUnfit("SEG: it must refer to the axial T2 series and to no other")
    if found != expected:
        raise ResultUnfit("SEG: the images it refers to are not those of the axial T2")


def _segment_number(segmentation: Dataset, item: Dataset) -> int:
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    identification = item.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
    return int(identification[0].ReferencedSegmentNumber)


def _slice_of(item: Dataset, exam: Exam, sources: Mapping[tuple[str, int | None], int]) -> int:
    """Slice index of a frame. Its position and its source image must agree."""
    by_position = slice_at(exam.t2, item.PlanePositionSequence[0].ImagePositionPatient)
    source = key_of(item.DerivationImageSequence[0].SourceImageSequence[0])
    if source not in sources:
        raise ResultUnfit(f"SEG: a frame comes from {source[0]}, which is no slice of the axial T2")
    if sources[source] != by_position:
        raise ResultUnfit(f"SEG: the frame of slice {sources[source]} lies where slice {by_position} is")
    return by_position
