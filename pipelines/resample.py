"""One grid onto another by their affines, in millimetres: shapes and voxel sizes follow the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.contract import Affine, MaskArray, Volume

HALF_VOXEL = 0.5 + 1e-6
HALF_FULL = 0.5 - 1e-6


def index_map(source: Volume, grid: Volume) -> Affine:
    """(4, 4): homogeneous voxel index of ``grid`` to voxel index of ``source``."""
    matrix: Affine = np.linalg.inv(source.affine) @ grid.affine
    return matrix


def onto(volume: Volume, grid: Volume, *, nearest: bool = False) -> Volume:
    """``volume`` sampled at the voxel centres of ``grid``, linearly or from the nearest voxel; 0 outside.

    Inside means within half a voxel of the outermost centres, the extent of the source's voxels; there the outermost
    value is held.
    """
    return grid.like(_sampled(volume.array, volume, grid, order=0 if nearest else 1))


def mask_onto(mask: MaskArray, source: Volume, grid: Volume) -> MaskArray:
    """A mask on the grid of ``source`` at the voxel centres of ``grid``: at least half full by linear interpolation."""
    filled = _sampled(mask.astype(np.float32), source, grid, order=1)
    return np.asarray(filled >= HALF_FULL, dtype=np.bool_)


def coverage(source: Volume, grid: Volume) -> MaskArray:
    """Which voxel centres of ``grid`` lie inside the extent of ``source``; shape of ``grid``."""
    matrix = index_map(source, grid)
    slices, rows, columns = grid.array.shape
    inside = np.ones(grid.array.shape, dtype=np.bool_)
    for axis, size in enumerate(source.array.shape):
        index = (
            matrix[axis, 0] * np.arange(slices)[:, None, None]
            + matrix[axis, 1] * np.arange(rows)[:, None]
            + matrix[axis, 2] * np.arange(columns)
            + matrix[axis, 3]
        )
        inside &= (index >= -HALF_VOXEL) & (index <= size - 1 + HALF_VOXEL)
    return inside


def _sampled(array: NDArray[np.float32], source: Volume, grid: Volume, order: int) -> NDArray[np.float32]:
    matrix = index_map(source, grid)
    # "nearest" holds the outermost value; with "constant", rounding of 1e-13 would lose a whole outer slice.
    sampled = ndimage.affine_transform(
        array, matrix[:3, :3], matrix[:3, 3], output_shape=grid.array.shape, order=order, mode="nearest"
    )
    return np.where(coverage(source, grid), sampled, 0).astype(np.float32)
