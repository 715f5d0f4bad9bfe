"""Cubic B-splines fitted to scattered voxels of a regular grid: separable, so a few small matrix products.

The fit is the one-level approximation of Lee, Wolberg and Shin (IEEE TVCG 3, 1997, equations 3–5): each control point
is the mean of what each voxel alone would ask of it, weighted by the square of its basis function there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ORDER = 3
# Below this sum of squared weights no voxel speaks for a control point, and it stays 0: the least that ITK's single
# precision tells from nothing, so that both filters agree on which points these are.
LEAST_SUPPORT = 0.1 * torch.finfo(torch.float32).eps


def basis(positions: Tensor, samples: int, control_points: int) -> Tensor:
    """(positions, control points), float64: each basis function at each position.

    ``positions``: index in a grid of ``samples`` points, over which the control points are spread evenly. Outside the
    grid the value at its end is held.
    """
    spans = control_points - ORDER
    place = positions.to(torch.float64).clamp(0, max(samples - 1, 0)) * (spans / max(samples - 1, 1))
    first = place.floor().clamp(max=spans - 1)
    t = place - first
    pieces = torch.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (t + t**2 - t**3) + 1, t**3], dim=1) / 6
    columns = first.to(torch.int64)[:, None] + torch.arange(ORDER + 1, device=place.device)
    return place.new_zeros(len(place), control_points).scatter_(1, columns, pieces)


def evaluate(lattice: Tensor, bases: Sequence[Tensor]) -> Tensor:
    """(batch, slices, rows, columns): splines with ``lattice`` (batch, z, y, x) where the three ``bases`` say.

    The precision of ``bases`` is that of the products.
    """
    z, y, x = bases
    planes = torch.matmul(y, torch.matmul(lattice.to(x.dtype), x.T))
    batch, points = planes.shape[:2]
    # Slices last: the one large product is then a wide one, which is several times as fast as a narrow one.
    return torch.matmul(z, planes.view(batch, points, -1)).view(batch, len(z), len(y), len(x))


def refined(lattice: Tensor) -> Tensor:
    """The same splines over half the spans: n control points per axis become 2n − 3 (Lane and Riesenfeld 1980)."""
    z, y, x = (_subdivision(size, lattice) for size in lattice.shape[1:])
    return torch.einsum("bijk,zi,yj,xk->bzyx", lattice, z, y, x)


def _subdivision(size: int, like: Tensor) -> Tensor:
    matrix = like.new_zeros(2 * size - ORDER, size)
    for row in range(len(matrix)):
        weights = (4, 4) if row % 2 == 0 else (1, 6, 1)
        matrix[row, row // 2 : row // 2 + len(weights)] = like.new_tensor(weights) / 8
    return matrix


@dataclass(frozen=True)
class GridFit:
    """One lattice over a box of a grid: what every fit at this level shares.

    ``bases``: (samples, control points) per axis, float32. ``cubes``: their cubes over the sum of their squares, per
    axis, transposed. ``support``: (batch, z, y, x), float64, the sum of squared weights of the voxels that count.
    """

    bases: tuple[Tensor, ...]
    cubes: tuple[Tensor, ...]
    support: Tensor

    @classmethod
    def over(cls, positions: Sequence[Tensor], samples: Sequence[int], control_points: int, inside: Tensor) -> GridFit:
        """``inside`` (batch, slices, rows, columns), float: 1 for the voxels that count, in the box whose index on
        the grid of ``samples`` is ``positions``, axis by axis."""
        exact = [basis(at, size, control_points) for at, size in zip(positions, samples, strict=True)]
        support = evaluate(inside.to(torch.float64), [weights.T**2 for weights in exact])
        cubes = tuple((weights**3 / (weights**2).sum(1, keepdim=True)).T.float().contiguous() for weights in exact)
        return cls(tuple(weights.float() for weights in exact), cubes, support)

    def fit(self, values: Tensor) -> Tensor:
        """The lattice (batch, z, y, x), float64, of ``values`` on the box, which are 0 where they do not count."""
        z, y, x = self.cubes
        batch, slices, rows, columns = values.shape
        planes = torch.matmul(z, values.view(batch, slices, rows * columns)).view(batch, len(z), rows, columns)
        asked = torch.matmul(torch.matmul(y, planes), x.T).to(torch.float64)
        return torch.where(self.support > LEAST_SUPPORT, asked / self.support.clamp(min=LEAST_SUPPORT), 0.0)

    def evaluate(self, lattice: Tensor) -> Tensor:
        """(batch, slices, rows, columns), float32: the spline on the box."""
        return evaluate(lattice, self.bases)
