"""ResNet18 and DenseNet121 as torchvision names and shapes their weights, filled with made-up values.

torchvision itself is no dependency: beside a torch built for CPUs its wheel cannot be loaded, and torchsurv with it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np
import torch

Shapes = Mapping[str, tuple[int, ...]]


def resnet18_shapes() -> Shapes:
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)} | _norm("bn1", 64)
    before = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            at = f"layer{stage}.{block}"
            shapes |= {f"{at}.conv1.weight": (width, before, 3, 3)} | _norm(f"{at}.bn1", width)
            shapes |= {f"{at}.conv2.weight": (width, width, 3, 3)} | _norm(f"{at}.bn2", width)
            if before != width:
                shapes |= {f"{at}.downsample.0.weight": (width, before, 1, 1)} | _norm(f"{at}.downsample.1", width)
            before = width
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


def densenet121_shapes() -> Shapes:
    shapes: dict[str, tuple[int, ...]] = {"features.conv0.weight": (64, 3, 7, 7)} | _norm("features.norm0", 64)
    width = 64
    for block, layers in enumerate((6, 12, 24, 16), start=1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            shapes |= _norm(f"{at}.norm1", width) | {f"{at}.conv1.weight": (128, width, 1, 1)}
            shapes |= _norm(f"{at}.norm2", 128) | {f"{at}.conv2.weight": (32, 128, 3, 3)}
            width += 32
        if block < 4:
            at = f"features.transition{block}"
            shapes |= _norm(f"{at}.norm", width) | {f"{at}.conv.weight": (width // 2, width, 1, 1)}
            width //= 2
    return shapes | _norm("features.norm5", width) | {"classifier.weight": (1000, width), "classifier.bias": (1000,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def listing_digest(shapes: Shapes) -> str:
    """SHA-256 of one line per tensor, in order: its name and its shape."""
    return hashlib.sha256("".join(f"{name} {list(shape)}\n" for name, shape in shapes.items()).encode()).hexdigest()


def checkpoint(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Made-up weights that keep activations in range and depend on nothing but names and shapes."""
    return {name: _value(name, shape, index) for index, (name, shape) in enumerate(shapes.items())}


def _value(name: str, shape: tuple[int, ...], index: int) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    noise = scattered(shape, index)
    if len(shape) > 1:
        return noise * math.sqrt(6.0 / math.prod(shape[1:]))
    return 1.0 + 0.3 * noise if name.endswith(("weight", "running_var")) else 0.1 * noise


def scattered(shape: tuple[int, ...], index: int) -> torch.Tensor:
    """Values between −1 and 1 by an integer hash of their place: the same on every machine."""
    place = np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(index * 10_000_019)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        place = ((place ^ (place >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    place ^= place >> np.uint64(16)
    return torch.from_numpy((place.astype(np.float64) / 2**31 - 1.0).astype(np.float32).reshape(shape))


def photograph(size: int) -> torch.Tensor:
    """(2, 3, size, size)."""
    return scattered((2, 3, size, size), 999)
