"""The residual 3D U-Net of RP-Net: one exam in, the tumour's logits and three tapped maps out.

Isensee et al. (2017, BraTS) drew it, Jin et al. 2021 took it for each time point (repository Heng14/3D_RP-Net,
``siam3dunet_backbone``): each level is a 3³ convolution, at stride 2 below the first level, to which a context block
(two 3³ convolutions with dropout of whole channels between them) is added; up again by nearest neighbour and a 3³
convolution, then the localisation block (3³ and 1³); every convolution with InstanceNorm and LeakyReLU.

Convolutions before a norm have no bias here: the norm takes it away again, so the functions are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from monai.networks.blocks.convolutions import Convolution

TAPPED_LEVEL = 2
"""The encoder level of the first tap, counted from 0: four times the base channels, a quarter of each axis."""
MASK_LEVELS = 3
"""Deep supervision: the decoder's logits of so many levels, from the finest, are summed."""
LEAST_DEPTH = TAPPED_LEVEL + 2  # so that the tapped level is not the bottleneck
SLOPE = 0.3  # of LeakyReLU below zero, as Keras has it
Norm = tuple[str, dict[str, bool]] | None
INSTANCE: Norm = ("INSTANCE", {"affine": True})


@dataclass(frozen=True)
class BranchMaps:
    """What one branch makes of one exam of S × R × C voxels.

    ``taps``: the maps that the response reads: encoder level 2 (batch, 4 base, S/4, R/4, C/4), bottleneck (batch,
    base × 2^(depth - 1), …), and the logits summed up to half resolution (batch, 1, S/2, R/2, C/2).
    ``mask``: logits of the tumour (batch, 1, S, R, C), those of all three levels summed.
    """

    taps: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    mask: torch.Tensor


def convolution(
    channels: tuple[int, int], kernel: int = 3, stride: int = 1, dropout: float = 0.0, norm: Norm = INSTANCE
) -> torch.nn.Module:
    """Convolution from ``channels[0]`` to ``channels[1]``, norm, LeakyReLU, and dropout of whole channels."""
    block: torch.nn.Module = Convolution(
        spatial_dims=3,
        in_channels=channels[0],
        out_channels=channels[1],
        strides=stride,
        kernel_size=kernel,
        adn_ordering="NAD",
        act=("LEAKYRELU", {"negative_slope": SLOPE}),
        norm=norm,
        dropout=dropout or None,
        dropout_dim=3,
        bias=norm is None,
    )
    return block


class Encoding(torch.nn.Module):
    """One level down: a convolution, and what the context block adds to it."""

    def __init__(self, channels: tuple[int, int], stride: int, dropout: float) -> None:
        super().__init__()
        own = (channels[1], channels[1])
        self.enter = convolution(channels, stride=stride)
        self.context = torch.nn.Sequential(convolution(own, dropout=dropout), convolution(own))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels[0], …) to (batch, channels[1], …), each axis divided by the stride."""
        entered: torch.Tensor = self.enter(maps)
        context: torch.Tensor = self.context(entered)
        return entered + context


class Decoding(torch.nn.Module):
    """One level up: enlarged twice, joined with the encoder's maps of that level, localised."""

    def __init__(self, below: int, own: int) -> None:
        super().__init__()
        self.enlarge = torch.nn.Sequential(torch.nn.Upsample(scale_factor=2, mode="nearest"), convolution((below, own)))
        self.localise = torch.nn.Sequential(convolution((2 * own, own)), convolution((own, own), kernel=1))

    def forward(self, maps: torch.Tensor, skipped: torch.Tensor) -> torch.Tensor:
        """(batch, below, …) and the encoder's (batch, own, …), twice as fine, to (batch, own, …)."""
        localised: torch.Tensor = self.localise(torch.cat([skipped, self.enlarge(maps)], dim=1))
        return localised


class ResidualUNet(torch.nn.Module):
    """From images (batch, channels, slices, rows, columns) to ``BranchMaps``; ``base`` channels double with each level.

    Each axis must be a multiple of 2^(depth - 1), and the bottleneck more than one voxel.
    """

    def __init__(self, channels: int, base: int, depth: int, dropout: float) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(depth)]
        self.encoder = torch.nn.ModuleList(
            Encoding((before, width), stride=1 if level == 0 else 2, dropout=dropout)
            for level, (before, width) in enumerate(zip([channels, *widths], widths, strict=False))
        )
        # Finest first, like the encoder.
        self.decoder = torch.nn.ModuleList(Decoding(widths[level + 1], widths[level]) for level in range(depth - 1))
        self.logits = torch.nn.ModuleList(torch.nn.Conv3d(width, 1, 1) for width in widths[:MASK_LEVELS])
        self.twice = torch.nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, images: torch.Tensor) -> BranchMaps:
        encoded: list[torch.Tensor] = []
        decoded: list[torch.Tensor] = []
        maps = images
        for encoding in self.encoder:
            maps = encoding(maps)
            encoded.append(maps)
        for decoding, skipped in zip(reversed(self.decoder), reversed(encoded[:-1]), strict=True):
            maps = decoding(maps, skipped)
            decoded.insert(0, maps)
        fine, half, quarter = (layer(maps) for layer, maps in zip(self.logits, decoded, strict=False))
        summed = half + self.twice(quarter)
        return BranchMaps((encoded[TAPPED_LEVEL], encoded[-1], summed), fine + self.twice(summed))
