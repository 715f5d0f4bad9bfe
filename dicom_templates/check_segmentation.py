"""A SEG against the mask it was made from, without the library that wrote it."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from dicom_templates.errors import ResultUnfit
from dicom_templates.segmentation import slice_of_position
from dicom_templates.sources import t2_headers
from pipelines.contract import Exam, MaskArray


def check_segmentation(segmentation: Dataset, exam: Exam) -> None:
    """Raises ResultUnfit unless the SEG holds exactly the exam's mask, slice by slice, on the exam's own images."""
    headers = t2_headers(exam)
    sources = {str(header.SOPInstanceUID): index for index, header in enumerate(headers)}
    if str(segmentation.FrameOfReferenceUID) != str(headers[0].FrameOfReferenceUID):
        raise ResultUnfit("SEG: frame of reference is not that of the axial T2")
    series = segmentation.ReferencedSeriesSequence
    if [str(item.SeriesInstanceUID) for item in series] != [str(headers[0].SeriesInstanceUID)]:
        raise ResultUnfit("SEG: it must refer to the axial T2 series and to no other")
    referenced = {str(item.ReferencedSOPInstanceUID) for item in series[0].ReferencedInstanceSequence}
    if referenced != set(sources):
        raise ResultUnfit("SEG: the images it refers to are not those of the axial T2")
    enhanced = headers[0].SOPClassUID == EnhancedMRImageStorage
    written = read_mask(segmentation, exam, {} if enhanced else sources)
    if exam.mask is None or not written.any():
        raise ResultUnfit("SEG: the mask is empty")
    wrong = int(np.count_nonzero(written != exam.mask.array))
    if wrong:
        raise ResultUnfit(f"SEG: {wrong} voxels differ from the {exam.files.time_point} mask")


def read_mask(segmentation: Dataset, exam: Exam, sources: dict[str, int]) -> MaskArray:
    """The mask in slice order: each frame placed by its source image, or by its position where ``sources`` is empty."""
    pixels = np.asarray(segmentation.pixel_array)
    frames = pixels[None] if pixels.ndim == 2 else pixels
    if frames.shape != exam.t2.array.shape:
        raise ResultUnfit(f"SEG: frames {frames.shape} are not the T2 grid {exam.t2.array.shape}")
    mask = np.zeros(exam.t2.array.shape, dtype=bool)
    placed = []
    for plane, item in zip(frames, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        index = _slice_of(item, exam, sources)
        placed.append(index)
        mask[index] = plane.astype(bool)
    if sorted(placed) != list(range(len(mask))):
        raise ResultUnfit("SEG: its frames do not cover every slice once")
    return mask


def _slice_of(item: Dataset, exam: Exam, sources: dict[str, int]) -> int:
    """Slice index of a frame. Its position and its source image must agree."""
    by_position = slice_of_position(exam, np.array(item.PlanePositionSequence[0].ImagePositionPatient, dtype=float))
    if not sources:
        return by_position
    uid = str(item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
    if uid not in sources:
        raise ResultUnfit(f"SEG: a frame comes from {uid}, which is no slice of the axial T2")
    if sources[uid] != by_position:
        raise ResultUnfit(f"SEG: the frame of slice {sources[uid]} lies where slice {by_position} is")
    return by_position
