"""Closed planar contours (RTSTRUCT, PS3.3 C.8.8.6) to masks: filled on the T2's slices, or on a grid of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import Affine, Code, InputUnfit, MaskArray, Volume

Points = NDArray[np.float64]

ON_SLICE = 0.1  # of the slice distance: contours this near a slice's plane were drawn on it
FLAT_MM = 0.1
IN_PLANE_MM = 0.5  # pixel of the grid made for contours drawn on another series


def fill_on_slices(contours: Sequence[Points], grid: Volume) -> MaskArray | None:
    """The contours (n, 3 LPS mm) filled on the slices of ``grid``; None where they were not drawn on these slices.

    A voxel is set where its centre is inside by the even-odd rule, so a contour inside another is a hole.
    """
    inverse = np.linalg.inv(grid.affine)
    indexed = [points @ inverse[:3, :3].T + inverse[:3, 3] for points in contours]
    for points in indexed:
        nearest = np.round(points[:, 0].mean())
        if np.abs(points[:, 0] - nearest).max() > ON_SLICE:
            return None
    mask = np.zeros(grid.array.shape, dtype=np.bool_)
    for points in indexed:
        height = int(np.round(points[:, 0].mean()))
        if 0 <= height < len(mask):
            mask[height] ^= fill(points[:, 1:], mask.shape[1:])
    return mask


def own_grid(contours: Sequence[Points], slice_step: float) -> Volume:
    """A grid of zeros parallel to the contours that holds them: their planes, and 0.5 mm pixels.

    ``slice_step``: distance used where all contours lie in one plane, mm.
    Raises InputUnfit (READER_MASK_UNFIT) where the contours are not flat and parallel.
    """
    everything = np.concatenate(contours)
    largest = max(contours, key=len)
    _, _, axes = np.linalg.svd(largest - largest.mean(axis=0), full_matrices=False)
    row, column, normal = axes if len(axes) == 3 else (*axes, np.cross(axes[0], axes[1]))
    heights = sorted(float((points @ normal).mean()) for points in contours)
    if any(np.ptp(points @ normal) > FLAT_MM for points in contours):
        raise InputUnfit(Code.READER_MASK_UNFIT, "contours are not flat, or not parallel to each other")
    gaps = np.diff(heights)
    gaps = gaps[gaps > FLAT_MM]
    step = float(gaps.min()) if gaps.size else slice_step
    low = np.array([(everything @ row).min(), (everything @ column).min()]) - 1.0
    high = np.array([(everything @ row).max(), (everything @ column).max()]) + 1.0
    affine: Affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = normal * step, row * IN_PLANE_MM, column * IN_PLANE_MM
    affine[:3, 3] = normal * heights[0] + row * low[0] + column * low[1]
    counts = np.ceil((high - low) / IN_PLANE_MM).astype(int) + 1
    slices = round((heights[-1] - heights[0]) / step) + 1
    return Volume(np.zeros((slices, int(counts[0]), int(counts[1])), dtype=np.float32), affine)


def fill(polygon: Points, shape: tuple[int, ...]) -> MaskArray:
    """Pixels (rows, columns) whose centres lie inside the polygon ((n, 2) row, column), by the even-odd rule."""
    filled = np.zeros(shape, dtype=np.bool_)
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 1, shape)
    if (high <= low).any():
        return filled
    rows = np.arange(low[0], high[0])[:, None]
    start, end = polygon, np.roll(polygon, -1, axis=0)
    # Half-open in rows, so that a vertex exactly at a pixel row is crossed once.
    crossing = (start[:, 0] <= rows) != (end[:, 0] <= rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = start[:, 1] + (rows - start[:, 0]) * (end[:, 1] - start[:, 1]) / (end[:, 0] - start[:, 0])
    at = np.where(crossing, at, -np.inf)
    columns = np.arange(low[1], high[1])
    # Edges at or left of a pixel's centre; an odd number of them puts it inside.
    left = (at[:, :, None] <= columns) & crossing[:, :, None]
    filled[low[0] : high[0], low[1] : high[1]] = left.sum(axis=1) % 2 == 1
    return filled
