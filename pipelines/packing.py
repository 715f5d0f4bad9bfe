"""Network weights in eight bits: a quarter of their size in memory, half of what half precision takes.

Each output channel of a large weight has a scale of its own, its largest value over 127 (symmetric quantisation per
channel: R. Krishnamoorthi, arXiv 1806.08342, section 2.2). The rounding is at most half a step, which an average over
hundreds of inputs hides; what is calibrated and judged is the network as it was rounded. Small tensors, biases and
norms among them, stay in half precision.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

SCALE = ".scale"
STEPS = 127
LARGE = 4096
"""Elements from which on a tensor is rounded to eight bits."""

Weights = Mapping[str, torch.Tensor]


def packed(weights: Weights) -> dict[str, torch.Tensor]:
    """Large tensors of two dimensions and more as int8 with ``name.scale`` (channels,), other floats in half precision.

    Raises ValueError where a name would be that of a scale.
    """
    found: dict[str, torch.Tensor] = {}
    for name, value in weights.items():
        if name.endswith(SCALE):
            raise ValueError(f"'{name}' ends like the scale of another tensor")
        whole = value.detach().cpu()
        if not whole.is_floating_point():
            found[name] = whole
        elif whole.dim() < 2 or whole.numel() < LARGE:
            found[name] = whole.half()
        else:
            scale = whole.float().flatten(1).abs().amax(dim=1).clamp_min(1e-12) / STEPS
            found[name] = torch.round(whole.float() / _along(scale, whole)).to(torch.int8)
            found[name + SCALE] = scale
    return found


def unpacked(weights: Weights) -> dict[str, torch.Tensor]:
    """The tensors that :func:`packed` was given, to its rounding; those of eight bits in single precision."""
    found = {}
    for name, value in weights.items():
        if name.endswith(SCALE):
            continue
        scale = weights.get(name + SCALE)
        found[name] = value if scale is None else value.float() * _along(scale.float(), value)
    return found


def _along(scale: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return scale.reshape(-1, *(1 for _ in like.shape[1:]))
