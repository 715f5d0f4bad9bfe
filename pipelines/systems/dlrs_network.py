"""The network of one modality of system 4: a 1×1 convolution over the slices, then ResNet18.

As published the 20 slices become 3 channels and the network has one output. Ours may keep more channels after the 1×1
convolution, since each tumour slice has its mask beside it, and may read measured features of the same image first: the
risk is then linear in what it read, so that some hundred patients do not teach it their faces (a concept bottleneck,
Koh et al. 2020). The log hazard, or logit, is always the first output.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from pipelines.systems.networks.resnet import COLOURS, ResNetSize, resnet18

SEEN = 3
"""Planes per slice of a stack with its mask: image, square, mask."""


@dataclass(frozen=True)
class DlrsSize:
    """``mixed``: channels after the 1×1 convolution; ``outputs``: the risk and the features it is read from."""

    resnet: ResNetSize = field(default_factory=ResNetSize)
    mixed: int = COLOURS
    outputs: int = 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DlrsSize:
        return cls(ResNetSize.from_json(values["resnet"]), int(values["mixed"]), int(values["outputs"]))


class RiskOfFeatures(torch.nn.Module):
    """The last layer: features (batch, count) of the network's own, and the risk, linear in them, before them."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.features = torch.nn.Linear(width, count)
        self.risk = torch.nn.Linear(count, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """(batch, width) to (batch, 1 + count)."""
        read = self.features(values)
        return torch.cat([self.risk(read), read], dim=1)


def dlrs_network(size: DlrsSize, slices: int, channels: int) -> torch.nn.Sequential:
    """From what ``network_input`` makes of stacks (batch, channels, slices, rows, columns) to (batch, outputs)."""
    resnet = resnet18(size.resnet, size.mixed)
    width = 8 * size.resnet.width
    plain = size.outputs == 1
    last: torch.nn.Module = torch.nn.Linear(width, 1) if plain else RiskOfFeatures(width, size.outputs - 1)
    if size.resnet.dropout:
        last = torch.nn.Sequential(torch.nn.Dropout(size.resnet.dropout), last)
    resnet.add_module("fc", last)
    planes = 1 if channels == 1 else SEEN
    mix = torch.nn.Conv2d(slices * planes, size.mixed, 1)
    return torch.nn.Sequential(OrderedDict(mix=mix, resnet=resnet))


def network_input(boxes: torch.Tensor) -> torch.Tensor:
    """Stacks (cases, channels, slices, …) as the network reads them, (cases, planes × slices, …).

    Of a stack with its mask: the image inside the mask, its square, and the mask. A sum over slices, which the 1×1
    convolution makes, keeps nothing of their texture but through the square.
    """
    if boxes.shape[1] == 1:
        return boxes[:, 0]
    image, mask = boxes[:, 0], boxes[:, 1]
    return torch.cat([image * mask, image * image * mask, mask], dim=1)
