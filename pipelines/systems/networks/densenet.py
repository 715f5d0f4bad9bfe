"""DenseNet (Huang et al. 2017, Densely Connected Convolutional Networks): one image in, one logit out, as published.

Zhang et al. use DenseNet121 for each deep-learning signature: blocks of 6, 12, 24 and 16 layers, growth 32, 64 first
features, 6.95 million parameters with three input channels and one output, on 256×256 pixels. The shipped bundles are
narrower and shallower, so that they train on a small cohort and stay small, and begin at full resolution: on crops of
48×48 pixels the published first layers (7×7 at stride 2, then pooling) would blur the texture they should read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from monai.networks.nets.densenet import DenseNet


@dataclass(frozen=True)
class DenseNetSize:
    """Layers per dense block, channels each layer adds, channels of the first convolution, dropout per layer.

    ``fine_start``: the first convolution is 3×3 at stride 1 in place of 7×7 at stride 2.
    """

    blocks: tuple[int, ...] = (6, 12, 24, 16)
    growth: int = 32
    first: int = 64
    dropout: float = 0.0
    fine_start: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DenseNetSize:
        return cls(
            blocks=tuple(values["blocks"]),
            growth=int(values["growth"]),
            first=int(values["first"]),
            dropout=float(values["dropout"]),
            fine_start=bool(values["fine_start"]),
        )


PUBLISHED = DenseNetSize()
SMALL = DenseNetSize(blocks=(3, 4), growth=12, first=24, dropout=0.1, fine_start=True)


def densenet(size: DenseNetSize, channels: int, outputs: int = 1) -> torch.nn.Module:
    """A network from (batch, channels, rows, columns) to (batch, outputs).

    ``network.features`` gives the last feature maps (batch, features, rows, columns), normalised but not rectified:
    1024 × 8 × 8 at the published size for 256×256 pixels.
    """
    network = DenseNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=outputs,
        init_features=size.first,
        growth_rate=size.growth,
        block_config=size.blocks,
        dropout_prob=size.dropout,
    )
    if size.fine_start:
        network.features.conv0 = torch.nn.Conv2d(channels, size.first, 3, padding=1, bias=False)
    return network
