"""The image branch of MultiRecNet (Liu Z. et al. 2025): a stem per sequence, cross-attention between their channels,
and a U-Net below and above the fused maps.

A missing sequence is learned as missing: where its stem's output would stand, a learned vector stands at every voxel,
and what the tensor holds in its place is never read, so that it changes neither an output nor a batch statistic.
The vector is learnt from patients who lack the sequence, or from whom training hides it now and then: where all have
all, it stays as it was drawn, and means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from monai.networks.nets.basic_unet import Down, TwoConv, UpCat

from pipelines.systems.networks.channel_attention import ChannelAttention, ChannelAttentionSize
from pipelines.systems.networks.multi_rec_size import MultiRecNetSize, Norm
from pipelines.systems.networks.standardised_conv import StandardisedConv3d


@dataclass(frozen=True)
class ImageFeatures:
    """``pooled``: (batch, channels of the deepest maps), their mean over voxels. ``segmentation``: (batch, 1, rows,
    columns, slices), logits of a voxel's being tumour. ``fused``: the maps of all sequences together, at half the
    sides, (batch, fused channels, …); ``deepest``: those below."""

    pooled: torch.Tensor
    segmentation: torch.Tensor
    fused: torch.Tensor
    deepest: torch.Tensor


class SpatialAttention(torch.nn.Module):
    """Maps weighted by place: a sigmoid of a convolution over their mean and maximum across channels (Woo et al. 2018,
    CBAM: Convolutional Block Attention Module)."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.conv = torch.nn.Conv3d(2, 1, side, padding=side // 2, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, rows, columns, slices) to the same."""
        seen = torch.cat([maps.mean(dim=1, keepdim=True), maps.amax(dim=1, keepdim=True)], dim=1)
        return maps * torch.sigmoid(self.conv(seen))


class Stem(torch.nn.Module):
    """One sequence's first double convolution, and the vector that stands for its absence."""

    def __init__(self, channels: int, style: dict[str, Any]) -> None:
        super().__init__()
        self.convs = TwoConv(3, 1, channels, **style)
        self.missing = torch.nn.Parameter(0.1 * torch.randn(channels, 1, 1, 1))

    def forward(self, images: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        """(batch, rows, columns, slices) to (batch, channels, …); ``present``: (batch,), None where all are."""
        if present is None or bool(present.all()):
            return self.convs(images[:, None])  # type: ignore[no-any-return]  # MONAI's, untyped
        shape = (len(images), len(self.missing), *images.shape[1:])
        if not bool(present.any()):
            return self.missing.expand(shape)
        # The absent ones are left out of the convolutions, not overwritten afterwards: batch statistics would see them.
        found = self.convs(images[present][:, None])
        return self.missing.to(found.dtype).expand(shape).index_put((present.nonzero()[:, 0],), found)


class ImageBranch(torch.nn.Module):
    """``downs[-1]`` gives the deepest maps, (batch, 256, 8, 8, 1) as published: what Grad-CAM looks at."""

    def __init__(self, size: MultiRecNetSize) -> None:
        super().__init__()
        self.size = size
        style, count, base = _style(size), len(size.sequences), size.base
        self.stems = torch.nn.ModuleList(Stem(base, style) for _ in size.sequences)
        self.skip = TwoConv(3, count * base, 2 * base, **style)
        self.place = SpatialAttention(size.place)
        self.halve = torch.nn.ModuleList(Down(3, base, 2 * base, **style) for _ in size.sequences)
        self.attention = ChannelAttention(
            ChannelAttentionSize(count, 2 * base, size.attention_layers, size.attention_heads, dropout=size.dropout)
        )
        self.fuse = torch.nn.Sequential(
            StandardisedConv3d(count * 2 * base, size.fused, 3, padding=1, bias=False),
            torch.nn.GroupNorm(size.groups, size.fused) if size.groups else torch.nn.Identity(),
            torch.nn.ReLU(),
        )
        widths = size.widths
        self.downs = torch.nn.ModuleList(Down(3, above, below, **style) for above, below in pairwise(widths))
        self.ups = torch.nn.ModuleList(_ups((2 * base, *widths), style))
        self.mask = torch.nn.Conv3d(2 * base, 1, 1)

    def forward(self, images: torch.Tensor, present: torch.Tensor | None = None) -> ImageFeatures:
        """(batch, sequences, rows, columns, slices), and which sequences there are, (batch, sequences), true or false.

        Raises
        ------
        ValueError
            Where the shapes are not the size's, or a patient has none of the sequences.
        """
        self._check(images, present)
        begun = [stem(images[:, i], None if present is None else present[:, i]) for i, stem in enumerate(self.stems)]
        skips = [self.place(self.skip(torch.cat(begun, dim=1)))]
        told = self.attention(torch.stack([halve(maps) for halve, maps in zip(self.halve, begun, strict=True)], dim=1))
        maps = fused = self.fuse(told.flatten(1, 2))
        for down in self.downs:
            skips.append(maps)
            maps = down(maps)
        deepest = maps
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            maps = up(maps, skip)
        return ImageFeatures(deepest.mean(dim=(2, 3, 4)), self.mask(maps), fused, deepest)

    def _check(self, images: torch.Tensor, present: torch.Tensor | None) -> None:
        names, wanted = ", ".join(self.size.sequences), (len(self.size.sequences), *self.size.shape)
        if images.ndim != 5 or tuple(images.shape[1:]) != wanted:
            raise ValueError(
                f"images of shape {tuple(images.shape)}: wanted are (batch, {', '.join(map(str, wanted))}), "
                f"the sequences being {names}"
            )
        if present is None:
            return
        if present.shape != images.shape[:2] or present.dtype != torch.bool:
            raise ValueError(
                f"a mask of shape {tuple(present.shape)} and type {present.dtype}: true or false for each of "
                f"{len(images)} patients and of {names}"
            )
        none = [row for row, any_present in enumerate(present.any(dim=1).tolist()) if not any_present]
        if none:
            raise ValueError(f"rows {none} of the batch have none of {names}: nothing is scored without an image")


def _style(size: MultiRecNetSize) -> dict[str, Any]:
    """What MONAI's blocks have in common here. A bias before a normalisation is taken out again, so there is none."""
    norm = ("group", {"num_groups": size.groups}) if size.norm is Norm.GROUP else ("batch", {})
    return {"act": ("relu", {"inplace": True}), "norm": norm, "bias": False}


def _ups(widths: tuple[int, ...], style: dict[str, Any]) -> list[torch.nn.Module]:
    """Trilinear doublings from the deepest level, each with the maps that were kept there; ``widths`` from the top."""
    ups: list[torch.nn.Module] = []
    below = widths[-1]
    for kept in reversed(widths[:-1]):
        out = max(kept // 2, widths[0])
        up = UpCat(3, below, kept, out, **style, upsample="nontrainable", pre_conv=None, align_corners=False)
        ups.append(up)
        below = out
    return ups
