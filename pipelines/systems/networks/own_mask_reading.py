"""Features of a tumour read by the network that outlines it: from its maps inside the mask it drew itself.

Systems 2 and 3 average their maps over the whole field, as published; from some hundred patients they then learn little
but where the tumour is. Here a network also learns to read what is measured in the tumour anyway (size, diffusion,
texture), and its prediction may lean on what it read: a concept bottleneck (Koh et al. 2020) beside the published head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import adaptive_avg_pool3d

VOXELS = (2, 3, 4)
LEAST_WEIGHT = 1e-4  # so that a mask of nothing reads the mean of the field
LEAST_VOXELS, USUAL_LOG_VOXELS = 20.0, 5.5


class OwnMaskReading(torch.nn.Module):
    """``channels``: of each of the maps that are read; ``reads``: how many features."""

    def __init__(self, channels: Sequence[int], reads: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(sum(channels) + 2, reads)

    def forward(self, mask: torch.Tensor, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits of the mask (batch, 1, …) and maps (batch, channels, …) of the same field to (batch, reads).

        Each map is averaged with the mask's probability at its own resolution as the weight; the mask's size goes in
        as the logarithm of its voxels and the square of that.
        """
        inside = torch.sigmoid(mask)
        volume = torch.log(inside.sum(VOXELS) + LEAST_VOXELS) - USUAL_LOG_VOXELS
        means = []
        for one in maps:
            slices, rows, columns = one.shape[2:]
            weight = adaptive_avg_pool3d(inside, (slices, rows, columns)) + LEAST_WEIGHT
            means.append((one * weight).sum(VOXELS) / weight.sum(VOXELS))
        read: torch.Tensor = self.linear(torch.cat([*means, volume, volume**2], dim=1))
        return read
