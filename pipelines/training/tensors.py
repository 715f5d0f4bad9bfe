"""One tensor, or several in a fixed order: what networks read and give, and what losses compare.

A plain network takes one tensor and gives one; a network of several inputs (two exams) or several outputs (masks and a
risk) has tuples. The training loop treats both alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

Tensors = torch.Tensor | tuple[torch.Tensor, ...]


def parts(tensors: Tensors) -> tuple[torch.Tensor, ...]:
    """The tensors one by one."""
    return (tensors,) if isinstance(tensors, torch.Tensor) else tensors


def _alike(tensors: Tensors, changed: Sequence[torch.Tensor]) -> Tensors:
    return changed[0] if isinstance(tensors, torch.Tensor) else tuple(changed)


def moved(tensors: Tensors, device: str) -> Tensors:
    """The same on a device."""
    return _alike(tensors, [part.to(device) for part in parts(tensors)])


def as_float(tensors: Tensors) -> Tensors:
    """The same in single precision: losses are computed in it."""
    return _alike(tensors, [part.float() for part in parts(tensors)])


def joined(batches: Sequence[Tensors]) -> Tensors:
    """Batches one behind the other, on the CPU; raises IndexError of none."""
    columns = zip(*(parts(batch) for batch in batches), strict=True)
    return _alike(batches[0], [torch.cat([part.cpu() for part in column]) for column in columns])


def called(network: torch.nn.Module, inputs: Tensors) -> Tensors:
    """What a network makes of its inputs."""
    outputs: Tensors = network(*parts(inputs))
    return outputs
