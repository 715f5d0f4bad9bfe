"""Frames to a regular stack of slices, or the coded reason why they are none.

Geometry after PS3.3 C.7.6.2.1.1: Image Position and Orientation (Patient), Pixel Spacing. The distance of slices is
taken from their positions, never from Slice Thickness or Spacing Between Slices, which are often wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import Affine, Code, InputUnfit
from pipelines.headers.dimensions import CONTRASTS
from pipelines.headers.frames import Frame

SAME_POSITION_MM = 0.02
SAME_COSINE = 2e-3  # 0.1 degree; scanners round direction cosines between slices to 1e-5 or coarser
MISSING_FROM = 1.5  # of the median distance
SPACING_TOLERANCE = 0.05  # of the median distance
DRIFT_TOLERANCE_MM = 0.5
MIN_SLICES = 5
PLAUSIBLE_PIXEL_MM = (0.02, 30.0)
SMALLEST_MATRIX = 4
SPLIT = "send each stack as a series of its own"
AGAIN = "send the whole series again"


@dataclass(frozen=True)
class Stack:
    """Slices sorted along the normal. ``slices[i]``: the frames at position ``i``; ``affine`` as in Volume."""

    slices: tuple[tuple[Frame, ...], ...]
    affine: Affine
    shape: tuple[int, int]
    frame_of_reference_uid: str

    def same_positions(self, other: Stack) -> bool:
        """Whether the other stack has its slices at the same places."""
        return len(self.slices) == len(other.slices) and bool(
            np.allclose(self.affine, other.affine, atol=2 * SAME_POSITION_MM)
        )


def stack(frames: Sequence[Frame], *, repeats: bool = False, min_slices: int = MIN_SLICES) -> Stack:
    """Sort frames into a regular stack.

    ``repeats``: several frames at each position are allowed (directions, averages), equally many at each, of one echo,
    inversion time and image component.

    Raises InputUnfit: MOSAIC_UNFIT, NO_GEOMETRY, NO_FRAME_OF_REFERENCE, MIXED_ORIENTATIONS, DUPLICATE_POSITIONS,
    TOO_FEW_SLICES, SLICE_MISSING, IRREGULAR_SPACING, SHEARED_STACK.
    """
    _need_geometry(frames)
    orientation = _one_orientation(frames)
    normal = np.cross(orientation[:3], orientation[3:])
    slices = _by_position(frames, normal)
    _check_counts(slices, repeats)
    if len(slices) < min_slices:
        raise InputUnfit(
            Code.TOO_FEW_SLICES, f"{len(slices)} slice(s); a volume needs at least {min_slices}: send the whole series"
        )
    first, last = np.array(slices[0][0].position), np.array(slices[-1][0].position)
    step = (last - first) / max(len(slices) - 1, 1) if len(slices) > 1 else normal
    _check_spacing(slices, normal, step)
    rows, columns = frames[0].spacing or (0.0, 0.0)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, orientation[3:] * rows, orientation[:3] * columns
    affine[:3, 3] = first
    return Stack(slices, affine, frames[0].shape, frames[0].frame_of_reference_uid)


def _need_geometry(frames: Sequence[Frame]) -> None:
    if not frames:
        raise InputUnfit(Code.NO_GEOMETRY, "no image frames")
    for frame in frames:
        if frame.unfit:
            raise InputUnfit(Code.MOSAIC_UNFIT, frame.unfit)
        if frame.position is None or frame.orientation is None or frame.spacing is None or 0 in frame.shape:
            raise InputUnfit(Code.NO_GEOMETRY, "image position, orientation, pixel spacing or matrix missing")
        if not PLAUSIBLE_PIXEL_MM[0] <= min(frame.spacing) <= max(frame.spacing) <= PLAUSIBLE_PIXEL_MM[1]:
            raise InputUnfit(Code.NO_GEOMETRY, f"pixel spacing {frame.spacing} mm is none of a patient's image")
        if min(frame.shape) < SMALLEST_MATRIX:
            raise InputUnfit(Code.NO_GEOMETRY, f"a matrix of {frame.shape[0]}×{frame.shape[1]} pixels is no image")
    if len({frame.shape for frame in frames}) > 1:
        raise InputUnfit(Code.NO_GEOMETRY, f"images of different matrix size in one series; {SPLIT}")
    spacings = np.array([frame.spacing for frame in frames])
    if np.ptp(spacings, axis=0).max() > 1e-3:
        raise InputUnfit(Code.NO_GEOMETRY, f"images of different pixel spacing in one series; {SPLIT}")
    references = {frame.frame_of_reference_uid for frame in frames}
    if references == {""}:
        raise InputUnfit(Code.NO_FRAME_OF_REFERENCE, "no Frame of Reference UID: not to be placed beside other series")
    if len(references) > 1:
        raise InputUnfit(Code.NO_FRAME_OF_REFERENCE, f"several frames of reference in one series; {SPLIT}")


def _one_orientation(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """The shared row and column cosines, made exactly orthonormal."""
    cosines = np.array([frame.orientation for frame in frames], dtype=np.float64)
    if np.ptp(cosines, axis=0).max() > SAME_COSINE:
        distinct = len({tuple(np.round(row, 2)) for row in cosines})
        raise InputUnfit(
            Code.MIXED_ORIENTATIONS, f"slices of {max(distinct, 2)} orientations in one series: no one stack; {SPLIT}"
        )
    row, column = cosines[0, :3], cosines[0, 3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose(lengths, 1, atol=1e-2) or abs(row @ column) > 1e-2:
        raise InputUnfit(Code.NO_GEOMETRY, "Image Orientation (Patient) is not two perpendicular unit vectors")
    row = row / lengths[0]
    column = column - (column @ row) * row
    return np.concatenate([row, column / np.linalg.norm(column)])


def _by_position(frames: Sequence[Frame], normal: NDArray[np.float64]) -> tuple[tuple[Frame, ...], ...]:
    heights = np.array([frame.position for frame in frames], dtype=np.float64) @ normal
    order = sorted(range(len(frames)), key=lambda i: (heights[i], frames[i].file, frames[i].number))
    groups: list[list[int]] = [[order[0]]]
    for before, after in pairwise(order):
        if heights[after] - heights[before] <= SAME_POSITION_MM:
            groups[-1].append(after)
        else:
            groups.append([after])
    return tuple(tuple(frames[i] for i in sorted(group)) for group in groups)


def _check_counts(slices: tuple[tuple[Frame, ...], ...], repeats: bool) -> None:
    counts = [len(group) for group in slices]
    differing = _differing(slices)
    if max(counts) > 1 and (not repeats or CONTRASTS & set(differing)):
        places = sum(count > 1 for count in counts)
        shown = "; ".join(f"{name} {', '.join(values)}" for name, values in differing.items())
        told = f"which differ in {shown}" if shown else "which nothing in their headers tells apart"
        raise InputUnfit(
            Code.DUPLICATE_POSITIONS,
            f"{places} slice position(s) hold up to {max(counts)} images, {told}: send one image per position and "
            "contrast, each echo, phase or repeat as a series of its own",
        )
    if min(counts) != max(counts):
        short = sum(count < max(counts) for count in counts)
        raise InputUnfit(
            Code.SLICE_MISSING,
            f"{short} of {len(counts)} slice positions hold fewer than {max(counts)} images; {AGAIN}",
        )


def _differing(slices: tuple[tuple[Frame, ...], ...]) -> dict[str, list[str]]:
    """The dimensions, with their values, in which frames at one position differ."""
    found: dict[str, dict[str, None]] = {}
    for group in slices:
        values: dict[str, dict[str, None]] = {}
        for frame in group:
            for name, value in frame.dimensions:
                values.setdefault(name, {})[value] = None
        for name, different in values.items():
            if len(different) > 1:
                found.setdefault(name, {}).update(different)
    return {name: sorted(different, key=lambda value: (len(value), value)) for name, different in found.items()}


def _check_spacing(
    slices: tuple[tuple[Frame, ...], ...], normal: NDArray[np.float64], step: NDArray[np.float64]
) -> None:
    if len(slices) < 2:
        return
    positions = np.array([group[0].position for group in slices], dtype=np.float64)
    heights = positions @ normal
    gaps = np.diff(heights)
    median = float(np.median(gaps))
    if gaps.max() > MISSING_FROM * median:
        missing = int(sum(round(gap / median) - 1 for gap in gaps if gap > MISSING_FROM * median))
        raise InputUnfit(
            Code.SLICE_MISSING,
            f"{max(missing, 1)} slice(s) missing: a gap of {gaps.max():.2f} mm where slices lie {median:.2f} mm apart; "
            f"{AGAIN}",
        )
    tolerance = max(SPACING_TOLERANCE * median, SAME_POSITION_MM)
    drift = heights - heights[0] - np.arange(len(heights)) * float(step @ normal)
    if np.abs(gaps - median).max() > SPACING_TOLERANCE * median or np.abs(drift).max() > tolerance:
        raise InputUnfit(
            Code.IRREGULAR_SPACING,
            f"slice distances vary from {gaps.min():.2f} to {gaps.max():.2f} mm: send a series of one slice distance",
        )
    sideways = positions - positions[0] - np.outer(heights - heights[0], normal)
    shift = np.linalg.norm(sideways, axis=1)
    if shift.max() > DRIFT_TOLERANCE_MM:
        raise InputUnfit(
            Code.SHEARED_STACK,
            f"slices are shifted in their plane, by up to {shift.max():.2f} mm against the first (tilted or sheared "
            "stack): send the series as acquired, with its slices one behind the other",
        )
