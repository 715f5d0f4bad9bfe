"""The network behind one deep-learning signature: a DenseNet on one slice of one sequence at one time point.

Zhang et al. use DenseNet121 (Huang et al. 2017): blocks of 6, 12, 24 and 16 layers, growth 32, 64 first features,
6.95 million parameters with three input channels and one output. The settings keep that as the published size; the
shipped bundles are narrower and shallower so that they train on a small cohort and stay small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from monai.networks.nets.densenet import DenseNet


@dataclass(frozen=True)
class SignatureSize:
    """Layers per dense block, channels each layer adds, channels of the first convolution, dropout per layer."""

    blocks: tuple[int, ...] = (6, 12, 24, 16)
    growth: int = 32
    first: int = 64
    dropout: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SignatureSize:
        return cls(
            tuple(values["blocks"]), int(values["growth"]), int(values["first"]), float(values.get("dropout", 0.0))
        )


PUBLISHED = SignatureSize()
SMALL = SignatureSize(blocks=(2, 4, 6, 4), growth=8, first=16, dropout=0.1)


def signature_network(size: SignatureSize, channels: int) -> torch.nn.Module:
    """A network from (batch, channels, rows, columns) to one logit (batch, 1)."""
    network: torch.nn.Module = DenseNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=1,
        init_features=size.first,
        growth_rate=size.growth,
        block_config=size.blocks,
        dropout_prob=size.dropout,
    )
    return network
