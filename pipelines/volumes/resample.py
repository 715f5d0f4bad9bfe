"""One grid onto another by their affines, in millimetres: shapes and voxel sizes follow the target.

Indices are computed in float64 and values in float32, a few slices at a time, on any torch device; the CPU's and the
GPU's results differ by rounding only.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import Affine, FloatArray, MaskArray, Volume

HALF_VOXEL = 0.5 + 1e-6
HALF_FULL = 0.5 - 1e-6
COARSER_FROM = 1.25
"""Sampling steps, in source voxels, above which the source is smoothed first."""
SIGMA_OF_STEP = 0.5
"""σ of that smoothing, of the step: passes 29 % at the target's Nyquist frequency and 1 % at its sampling frequency."""
TRUNCATED_AT = 4.0
VOXELS_AT_ONCE = {"cpu": 100_000, "cuda": 16_000_000}  # what stays in the cache; what fills a GPU
ALIGNED = 1e-9  # source voxels per step along another axis, over a million voxels still none

CPU = torch.device("cpu")


def index_map(source: Volume, grid: Volume) -> Affine:
    """(4, 4): homogeneous voxel index of ``grid`` to voxel index of ``source``."""
    matrix: Affine = np.linalg.inv(source.affine) @ grid.affine
    return matrix


def onto(
    volume: Volume, grid: Volume, *, nearest: bool = False, smooth: bool = False, device: torch.device = CPU
) -> Volume:
    """``volume`` sampled at the voxel centres of ``grid``, linearly or from the nearest voxel; 0 outside.

    Inside means within half a voxel of the outermost centres, the extent of the source's voxels; there the outermost
    value is held. ``smooth``: along every axis on which ``grid`` steps more than 1.25 source voxels the source first
    passes a Gaussian of σ = half that step, against aliasing; not for labels, and not with NaN, which it spreads.
    """
    matrix = index_map(volume, grid)
    image = _on(volume.array, device)
    if smooth:
        for axis, step in enumerate(np.abs(matrix[:3, :3]).max(axis=1)):
            if step > COARSER_FROM:
                image = _smoothed(image, axis, SIGMA_OF_STEP * float(step))
    return grid.like(_sampled(image, matrix, grid.array.shape, nearest))


def map_onto(volume: Volume, grid: Volume, *, device: torch.device = CPU) -> Volume:
    """A map whose invalid voxels are NaN, on ``grid``: linear between its valid voxels alone.

    A value stands where at least half of the weight is valid, 0 elsewhere: an invalid neighbour taken as 0 would lower
    the ADC at every border with air.
    """
    valid = np.isfinite(volume.array)
    filled = onto(volume.like(np.where(valid, volume.array, 0).astype(np.float32)), grid, device=device).array
    weight = onto(volume.like(valid.astype(np.float32)), grid, device=device).array
    return grid.like(np.divide(filled, weight, out=np.zeros_like(filled), where=weight >= HALF_FULL))


def mask_onto(mask: MaskArray, source: Volume, grid: Volume, *, device: torch.device = CPU) -> MaskArray:
    """A mask on the grid of ``source`` at the voxel centres of ``grid``: at least half full by linear interpolation."""
    filled = _sampled(_on(mask, device), index_map(source, grid), grid.array.shape, nearest=False)
    return np.asarray(filled >= HALF_FULL, dtype=np.bool_)


def coverage(source: Volume, grid: Volume) -> MaskArray:
    """Which voxel centres of ``grid`` lie inside the extent of ``source``; shape of ``grid``."""
    matrix, covered = index_map(source, grid), np.empty(grid.array.shape, dtype=np.bool_)
    for chunk in _chunks(grid.array.shape, CPU):
        covered[chunk] = _inside(_indices(matrix, chunk, grid.array.shape, CPU), source.array.shape).numpy()
    return covered


def spaced(volume: Volume, spacing: tuple[float, float, float]) -> Volume:
    """An all-zero grid over the same field of view with voxels of ``spacing`` (slice, row, column) mm.

    The edges of the first voxels coincide, not their centres; those of the last within half a new voxel.
    """
    old = np.array(volume.spacing)
    shape = np.maximum(1, np.round(np.array(volume.array.shape) * old / spacing)).astype(int)
    affine = volume.affine.copy()
    affine[:3, :3] *= np.array(spacing) / old
    affine[:3, 3] += 0.5 * (affine[:3, :3] - volume.affine[:3, :3]).sum(axis=1)
    return Volume(np.zeros(tuple(shape), dtype=np.float32), affine, volume.frame_of_reference_uid)


def regrid(volume: Volume, spacing: float | tuple[float, float, float], *, device: torch.device = CPU) -> Volume:
    """The volume with voxels of ``spacing`` (slice, row, column) mm, or isotropic ones: smoothed where coarser."""
    wanted = (spacing, spacing, spacing) if isinstance(spacing, int | float) else spacing
    return onto(volume, spaced(volume, wanted), smooth=True, device=device)


def _on(array: NDArray[np.float32] | MaskArray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device)


def _chunks(shape: tuple[int, ...], device: torch.device) -> list[slice]:
    """Runs of slices that the device works on at once."""
    step = max(1, VOXELS_AT_ONCE.get(device.type, VOXELS_AT_ONCE["cpu"]) // (shape[1] * shape[2]))
    return [slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]


def _indices(matrix: Affine, chunk: slice, shape: tuple[int, ...], device: torch.device) -> list[torch.Tensor]:
    """Source index along each source axis, float64: each broadcasts to (slices of the chunk, rows, columns)."""
    places = [
        torch.arange(chunk.start, chunk.stop, dtype=torch.float64, device=device).view(-1, 1, 1),
        torch.arange(shape[1], dtype=torch.float64, device=device).view(-1, 1),
        torch.arange(shape[2], dtype=torch.float64, device=device),
    ]
    indices = []
    for row in matrix[:3]:
        index = torch.full((1, 1, 1), float(row[3]), dtype=torch.float64, device=device)
        for factor, place in zip(row[:3], places, strict=True):
            # Axes that do not depend on each other stay small: grids of one orientation cost almost nothing.
            index = index + float(factor) * place if abs(factor) > ALIGNED else index
        indices.append(index)
    return indices


def _inside(indices: list[torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
    first, second, third = (
        (index >= -HALF_VOXEL) & (index <= size - 1 + HALF_VOXEL) for index, size in zip(indices, shape, strict=True)
    )
    return first & second & third


def _sampled(image: torch.Tensor, matrix: Affine, shape: tuple[int, ...], nearest: bool) -> FloatArray:
    sampled: FloatArray = np.empty(shape, dtype=np.float32)
    for chunk in _chunks(shape, image.device):
        indices = _indices(matrix, chunk, shape, image.device)
        values = _nearest(image, indices) if nearest else _linear(image, indices)
        sampled[chunk] = torch.where(_inside(indices, tuple(image.shape)), values, 0.0).cpu().numpy()
    return sampled


def _nearest(image: torch.Tensor, indices: list[torch.Tensor]) -> torch.Tensor:
    flat = sum(
        torch.floor(index + 0.5).clamp(0, size - 1).to(torch.int64) * stride
        for index, size, stride in zip(indices, image.shape, image.stride(), strict=True)
    )
    return image.view(-1)[flat]


def _linear(image: torch.Tensor, indices: list[torch.Tensor]) -> torch.Tensor:
    """Trilinear, the outermost value held beyond the outermost centres."""
    corners: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for index, size, stride in zip(indices, image.shape, image.stride(), strict=True):
        held = index.clamp(0, size - 1)
        low = torch.floor(held).clamp(max=max(size - 2, 0))
        offset = low.to(torch.int64) * stride
        corners.append((offset, offset + (stride if size > 1 else 0), (held - low).to(torch.float32)))
    (s0, s1, along_s), (r0, r1, along_r), (c0, c1, along_c) = corners
    values = image.view(-1)
    planes = []
    for s in (s0, s1):
        rows = [torch.lerp(values[s + r + c0], values[s + r + c1], along_c) for r in (r0, r1)]
        planes.append(torch.lerp(rows[0], rows[1], along_r))
    return torch.lerp(planes[0], planes[1], along_s)


def _smoothed(image: torch.Tensor, axis: int, sigma: float) -> torch.Tensor:
    """Gaussian along one axis as one matrix product, mirrored at the edges, cut off at 4 σ."""
    size, reach = image.shape[axis], int(TRUNCATED_AT * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = (weights / weights.sum()).repeat(size)
    rows = torch.arange(size).repeat_interleave(2 * reach + 1)
    mirrored = (rows + offsets.to(torch.int64).repeat(size)) % (2 * size)
    columns = torch.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    matrix = torch.zeros(size, size, dtype=torch.float64).index_put((rows, columns), weights, accumulate=True)
    product: torch.Tensor = torch.tensordot(matrix.to(image), image, dims=([1], [axis]))
    return product.movedim(0, axis).contiguous()
