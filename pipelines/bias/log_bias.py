"""The lattice of B-splines whose removal sharpens the histogram of log intensities: the iterations of N4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipelines.bias.b_spline import GridFit, refined
from pipelines.bias.histogram_sharpening import Sharpening
from pipelines.contract import FloatArray, MaskArray


@dataclass(frozen=True)
class Tissue:
    """The voxels inside the masks of several series on one grid, packed, within the box that holds them all.

    ``positions``: index on the grid of each plane of the box, axis by axis; ``samples``: the grid's shape. ``inside``:
    float32 (batch, slices, rows, columns) of the box, 1 inside the mask. ``voxels``: int64 (batch, voxels), flat index
    into all boxes; a series with fewer voxels than the longest repeats its last, ``padding`` (batch, 1) times (None
    where no series does). ``logs``: float32 (batch, voxels), log intensity.
    """

    positions: tuple[Tensor, ...]
    samples: tuple[int, ...]
    inside: Tensor
    voxels: Tensor
    logs: Tensor
    padding: Tensor | None

    @classmethod
    def packed(cls, logs: Sequence[FloatArray], masks: Sequence[MaskArray], device: torch.device) -> Tissue:
        """``logs`` and ``masks``: (slices, rows, columns) each; no mask is empty."""
        together = np.logical_or.reduce(masks)
        spans = [np.flatnonzero(together.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
        box = tuple(slice(span[0], span[-1] + 1) for span in spans)
        inside = np.stack([mask[box] for mask in masks])
        flat = np.stack([log[box] for log in logs]).ravel()
        indices = [np.flatnonzero(mask) + i * mask.size for i, mask in enumerate(inside)]
        counts = np.array([index.size for index in indices])
        voxels = np.stack([np.pad(index, (0, counts.max() - index.size), mode="edge") for index in indices])
        padding = torch.from_numpy(counts.max() - counts).to(device)[:, None] if np.ptp(counts) else None
        return cls(
            tuple(torch.arange(axis.start, axis.stop, device=device) for axis in box),
            together.shape,
            torch.from_numpy(inside.astype(np.float32)).to(device),
            torch.from_numpy(voxels).to(device),
            torch.from_numpy(flat[voxels]).to(device),
            padding,
        )

    @property
    def counted(self) -> Tensor | int:
        """Voxels inside each mask, (batch, 1) where they differ."""
        count: int = self.logs.shape[1]
        return count if self.padding is None else count - self.padding

    def mean(self, values: Tensor) -> Tensor:
        """(batch, 1) of ``values`` (batch, voxels), each voxel once."""
        total = values.sum(1, keepdim=True)
        if self.padding is not None:
            total = total - values[:, -1:] * self.padding
        return total / self.counted

    def variation(self, change: Tensor) -> Tensor:
        """(batch,): coefficient of variation of exp(``change``), a change of the log field.

        From expm1 of the centred change: the exponentials themselves differ from 1 by less than single precision
        resolves in a sum.
        """
        ratio = (change - self.mean(change)).expm1_()
        mean, square = self.mean(ratio), torch.linalg.vecdot(ratio, ratio)[:, None]
        if self.padding is not None:
            square = square - ratio[:, -1:] ** 2 * self.padding
        variance = square / self.counted - mean**2
        coefficient: Tensor = variance.clamp_(min=0).sqrt_() / (1 + mean)
        return coefficient.squeeze(1)

    def fit(self, control_points: int) -> GridFit:
        return GridFit.over(self.positions, self.samples, control_points, self.inside)


@dataclass(frozen=True)
class Limits:
    """``iterations`` at most, per level; a level ends when the field's change varies by ``threshold`` or less."""

    iterations: Sequence[int]
    threshold: float


@dataclass(frozen=True)
class LogField:
    """``lattice``: float64 (batch, z, y, x), control points over the whole grid. ``mean``: (batch,), of the log field
    inside the mask. ``iterations``: int64 (batch, levels), done."""

    lattice: Tensor
    mean: Tensor
    iterations: Tensor


def log_field(tissue: Tissue, sharpening: Sharpening, limits: Limits, control_points: int) -> LogField:
    """The log bias field of each series (Tustison 2010, section II.C): what sharpening takes away, smoothed, is added
    to the field and subtracted from the image, again and again.

    ``control_points``: per axis at the first level. Only what an iteration adds is evaluated, never the whole field.
    """
    batch = len(tissue.logs)
    lattice = tissue.logs.new_zeros((batch, *[control_points] * 3), dtype=torch.float64)
    left = tissue.logs.clone()
    residual = torch.zeros_like(tissue.inside)
    done = torch.zeros(batch, len(limits.iterations), dtype=torch.int64, device=left.device)
    for level, limit in enumerate(limits.iterations):
        lattice = refined(lattice) if level else lattice
        grid = tissue.fit(lattice.shape[1])
        active = torch.ones(batch, dtype=torch.bool, device=left.device)
        for _ in range(limit):
            sharpened_away = sharpening.residual(left, tissue.padding)
            residual.view(-1).scatter_(0, tissue.voxels.view(-1), sharpened_away.view(-1))
            added = grid.fit(residual) * active[:, None, None, None]
            change = grid.evaluate(added).view(-1).index_select(0, tissue.voxels.view(-1)).view_as(left)
            lattice += added
            left -= change
            done[:, level] += active
            active &= tissue.variation(change) > limits.threshold
            if not active.any():
                break
    return LogField(lattice, tissue.mean(tissue.logs - left).squeeze(1), done)
