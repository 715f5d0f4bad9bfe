"""Random changes to training inputs that a tumour's appearance and outcome do not depend on.

Maps at a physical scale keep it but for the few percent that scanners differ by; weighted images may change gain and
contrast. Images are clipped before the contrast exponent, since a negative base gives no number.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import affine_grid, grid_sample


def turned(batch: torch.Tensor, degrees: float, scale: float, generator: torch.Generator) -> torch.Tensor:
    """Each (channels, [slices,] rows, columns) of a batch flipped left–right, rotated and scaled in plane, at random.

    One transform per case for all its channels; linear interpolation, edges repeated.
    """
    count, volume = len(batch), batch.ndim == 5
    angle = torch.deg2rad(degrees * (2 * torch.rand(count, generator=generator) - 1))
    zoom = torch.exp(scale * (2 * torch.rand(count, generator=generator) - 1))
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(count, 3 if volume else 2, 4 if volume else 3)
    # grid_sample orders coordinates (column, row[, slice]).
    matrix[:, 0, 0], matrix[:, 0, 1] = flip * zoom * torch.cos(angle), -zoom * torch.sin(angle)
    matrix[:, 1, 0], matrix[:, 1, 1] = flip * zoom * torch.sin(angle), zoom * torch.cos(angle)
    if volume:
        matrix[:, 2, 2] = 1.0
    grid = affine_grid(matrix.to(batch), list(batch.shape), align_corners=False)
    return grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=False)


def flipped(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each (channels, …, columns) of a batch flipped left–right or not, at random: nothing is interpolated.

    Turning and zooming blur, and what a network learns of the texture of blurred images is wrong for those it scores.
    """
    flip = torch.rand(len(batch), generator=generator) < 0.5
    changed = batch.clone()
    changed[flip] = batch[flip].flip(-1)
    return changed


def weighted(batch: torch.Tensor, channels: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """Gain ± 20 %, contrast exponent 0.8–1.25 and noise on the weighted channels of (batch, channels, …)."""
    changed = batch.clone()
    shape = (len(batch), len(channels), *[1] * (batch.ndim - 2))
    gain = torch.exp(0.2 * (2 * torch.rand(shape, generator=generator) - 1)).to(batch)
    contrast = torch.exp(0.22 * (2 * torch.rand(shape, generator=generator) - 1)).to(batch)
    chosen = (batch[:, list(channels)] * gain).clamp(min=1e-4) ** contrast
    noise = torch.randn(chosen.shape, generator=generator).to(batch)
    changed[:, list(channels)] = chosen + 0.02 * noise
    return changed


def mapped(batch: torch.Tensor, channel: int, generator: torch.Generator) -> torch.Tensor:
    """± 3 % of scale on a quantitative map: what gradient calibration leaves between scanners."""
    changed = batch.clone()
    scale = 1.0 + 0.03 * (2 * torch.rand(len(batch), generator=generator) - 1)
    changed[:, channel] *= scale.to(batch).reshape(-1, *[1] * (batch.ndim - 2))
    return changed
