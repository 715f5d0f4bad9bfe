"""The frames of one segment of a SEG object (PS3.3 A.51, C.8.20) to a mask on its own grid, by their geometry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.contract import Affine, Code, InputUnfit, MaskArray, Volume
from pipelines.headers.attributes import number, numbers, text
from pipelines.headers.frames import functional_groups, group_item
from pipelines.volumes.stack import SAME_COSINE, SAME_POSITION_MM
from pipelines.volumes.volume import decode

HALF = 0.5
OFF_GRID = 0.02  # of the slice distance


def segment_mask(dataset: Dataset, segment_number: int) -> tuple[MaskArray, Volume]:
    """The segment's mask (slices, rows, columns) and its grid; frames that were left out as empty are unset.

    BINARY as stored, FRACTIONAL at least half of its maximum, LABELMAP where the pixel is the segment's number.

    Raises InputUnfit: READER_MASK_UNFIT (no frames of the segment, no or irregular geometry), PIXELS_UNREADABLE.
    """
    planes, chosen = _planes(dataset, segment_number)
    grid, places = _grid(dataset, chosen)
    mask = np.zeros(grid.array.shape, dtype=np.bool_)
    for plane, place in zip(planes, places, strict=True):
        mask[place] |= plane
    return mask, grid


def _planes(dataset: Dataset, segment_number: int) -> tuple[list[MaskArray], list[tuple[Dataset | None, Dataset]]]:
    """The segment's frames that hold something, and their functional groups (of all its frames if none does)."""
    pixels = decode(dataset)
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    kind = text(dataset, "SegmentationType").upper()
    every = list(functional_groups(dataset))
    if len(every) != len(pixels):
        raise InputUnfit(Code.READER_MASK_UNFIT, "frames and functional groups differ in number")
    planes, chosen = [], []
    for frame, groups in zip(pixels, every, strict=True):
        identified = group_item(groups, "SegmentIdentificationSequence")
        if kind == "LABELMAP":
            plane = frame == segment_number
        elif identified is not None and number(identified, "ReferencedSegmentNumber") == segment_number:
            plane = frame >= _threshold(dataset, kind)
        else:
            continue
        planes.append(np.asarray(plane, dtype=np.bool_))
        chosen.append(groups)
    if not any(plane.any() for plane in planes):
        raise InputUnfit(Code.READER_MASK_UNFIT, "the segment is empty")
    return planes, chosen


def _threshold(dataset: Dataset, kind: str) -> float:
    return HALF * (number(dataset, "MaximumFractionalValue") or 255.0) if kind == "FRACTIONAL" else HALF


def _grid(dataset: Dataset, chosen: Sequence[tuple[Dataset | None, Dataset]]) -> tuple[Volume, list[int]]:
    """The regular grid that the frames lie on, and the slice of each frame."""
    positions, orientation, spacing, thickness = _geometry(chosen)
    normal = np.cross(orientation[:3], orientation[3:])
    heights = positions @ normal
    step = _step(heights, thickness)
    places = (heights - heights.min()) / step
    if np.abs(places - np.round(places)).max() > OFF_GRID:
        raise InputUnfit(Code.READER_MASK_UNFIT, "frames do not lie at regular distances")
    lowest = positions[int(np.argmin(heights))]
    sideways = positions - lowest - np.outer(heights - heights.min(), normal)
    if np.abs(sideways).max() > SAME_POSITION_MM + OFF_GRID * step:
        raise InputUnfit(Code.READER_MASK_UNFIT, "frames are shifted in their plane against each other")
    affine: Affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = normal * step, orientation[3:] * spacing[0]
    affine[:3, 2], affine[:3, 3] = orientation[:3] * spacing[1], lowest
    indices = [int(place) for place in np.round(places)]
    shape = (max(indices) + 1, int(dataset.Rows), int(dataset.Columns))
    reference = str(dataset.get("FrameOfReferenceUID") or "")
    return Volume(np.zeros(shape, dtype=np.float32), affine, reference), indices


def _geometry(
    chosen: Sequence[tuple[Dataset | None, Dataset]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, ...], float]:
    """Positions (n, 3), orientation (6), pixel spacing, and the slice distance that the object states (0: none)."""
    places, cosines, spacings, step = [], [], [], 0.0
    for groups in chosen:
        position = numbers(group_item(groups, "PlanePositionSequence") or Dataset(), "ImagePositionPatient", 3)
        cosine = numbers(group_item(groups, "PlaneOrientationSequence") or Dataset(), "ImageOrientationPatient", 6)
        measures = group_item(groups, "PixelMeasuresSequence") or Dataset()
        spacing = numbers(measures, "PixelSpacing", 2)
        if position is None or cosine is None or spacing is None:
            raise InputUnfit(Code.READER_MASK_UNFIT, "frames without position, orientation or pixel spacing")
        step = number(measures, "SpacingBetweenSlices") or number(measures, "SliceThickness") or step
        places.append(position)
        cosines.append(cosine)
        spacings.append(spacing)
    if np.ptp(np.array(cosines), axis=0).max() > SAME_COSINE or np.ptp(np.array(spacings), axis=0).max() > 1e-3:
        raise InputUnfit(Code.READER_MASK_UNFIT, "frames of different orientation or pixel spacing")
    return np.array(places), np.array(cosines[0]), spacings[0], step


def _step(heights: NDArray[np.float64], stated: float) -> float:
    """The slice distance: what the object states where the frames agree with it, else their smallest distance."""
    gaps = np.diff(np.unique(np.round(heights, 3)))
    gaps = gaps[gaps > SAME_POSITION_MM]
    if not gaps.size:
        return stated if stated > 0 else 1.0
    multiples = gaps / stated if stated > 0 else np.array([HALF])
    agrees = multiples.min() > HALF and np.abs(multiples - np.round(multiples)).max() <= OFF_GRID
    return stated if agrees else float(gaps.min())
