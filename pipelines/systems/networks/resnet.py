"""ResNet18 (He et al. 2016, Deep Residual Learning for Image Recognition).

As published it has 64 first channels, a 7×7 convolution at stride 2, max pooling, and four stages of two basic blocks.
Narrower ones train on a small cohort, and may begin at full resolution, for boxes of few pixels.

The blocks are MONAI's. Its own ``resnet18`` begins at stride 1 and has shortcuts without weights, so the network is put
together here as published: stride 2, 1×1 convolutions without bias on the shortcuts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from monai.networks.nets.resnet import ResNet, ResNetBlock

COLOURS = 3
"""Input channels as published: photographs' red, green and blue."""


@dataclass(frozen=True)
class ResNetSize:
    """``width``: channels of the first stage, doubled in each later one. ``dropout``: before the last layer.

    ``fine_start``: the first convolution is 3×3 at stride 1 without pooling, in place of 7×7 at stride 2 with it.
    """

    width: int = 64
    dropout: float = 0.0
    fine_start: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ResNetSize:
        return cls(int(values["width"]), float(values["dropout"]), bool(values["fine_start"]))


PUBLISHED = ResNetSize()
SMALL = ResNetSize(width=12, dropout=0.1, fine_start=False)


def resnet18(size: ResNetSize, channels: int = COLOURS, outputs: int = 1) -> ResNet:
    """A network from (batch, channels, rows, columns) to (batch, outputs).

    The last layer, ``fc``, reads 8 ``size.width`` values, 512 as published: the mean of maps of 4×4 for 112×112 pixels.
    """
    network = ResNet(
        block=ResNetBlock,
        layers=[2, 2, 2, 2],
        block_inplanes=[size.width * 2**stage for stage in range(4)],
        spatial_dims=2,
        n_input_channels=channels,
        conv1_t_size=3 if size.fine_start else 7,
        conv1_t_stride=1 if size.fine_start else 2,
        no_max_pool=size.fine_start,
        shortcut_type="B",
        bias_downsample=False,
    )
    last = torch.nn.Linear(8 * size.width, outputs)
    network.register_module("fc", torch.nn.Sequential(torch.nn.Dropout(size.dropout), last) if size.dropout else last)
    return network
