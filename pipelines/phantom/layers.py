"""Painting: soft-edged shapes laid over each other on a grid, then coloured with each sequence's signals.

A layer covers part of the grid; ``alpha`` is the share of each voxel that it fills. A voxel's signal is the mixture
of the layers' signals, as in a real voxel at a boundary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pipelines.contract import FloatArray
from pipelines.phantom.grid import Box, Grid


@dataclass(frozen=True)
class Layer:
    """``tissue``: key of the signal table. ``texture``: unit-variance field for this layer alone, on its box."""

    box: Box
    alpha: FloatArray
    tissue: str
    texture: FloatArray | None = None


def coverage(distance: FloatArray, edge: float) -> FloatArray:
    """Share of a voxel inside a shape, from the signed distance to its surface (mm, negative inside)."""
    return np.asarray(np.clip(np.float32(0.5) - distance * np.float32(1 / edge), 0, 1), dtype=np.float32)


@dataclass
class Canvas:
    """Collects layers of one grid, bottom first. ``shift`` moves the anatomy (EPI distortion), pelvis frame, mm.

    Points and their deformation are computed once for the whole grid, because every shape asks for some of them.
    """

    grid: Grid
    edge: float
    warp: Callable[[list[FloatArray]], list[FloatArray]]
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    layers: list[Layer] = field(default_factory=list)

    @cached_property
    def _straight(self) -> list[FloatArray]:
        return self.grid.points(self.grid.whole(), self.shift)

    @cached_property
    def _warped(self) -> list[FloatArray]:
        return self.warp(self._straight)

    def points(self, box: Box) -> list[FloatArray]:
        """x, y, z (mm, pelvis frame) of what lies at the voxels of a box."""
        return [axis[box] for axis in self._straight]

    def warped(self, box: Box) -> list[FloatArray]:
        """The same after the pelvis's deformation."""
        return [axis[box] for axis in self._warped]

    def add(self, box: Box, alpha: FloatArray, tissue: str, texture: FloatArray | None = None) -> None:
        self.layers.append(Layer(box, alpha, tissue, texture))

    def ellipsoid(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        tissue: str,
        turn: float = 0.0,
        shell: tuple[str, float] | None = None,
    ) -> None:
        """An ellipsoid turned about z by ``turn`` degrees; ``shell``: tissue and thickness of its outer layer."""
        reach = np.full(3, max(radii[:2]) + 8.0)
        reach[2] = radii[2] + 8.0
        box = self.grid.box(np.array(centre) - np.array(self.shift), reach)
        if 0 in (s.stop - s.start for s in box):
            return
        x, y, z = self.warped(box)
        x, y, z = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
        if turn:
            c, s = np.float32(np.cos(np.radians(turn))), np.float32(np.sin(np.radians(turn)))
            x, y = c * x + s * y, c * y - s * x
        distance = ellipsoid_distance((x, y, z), radii)
        if shell is not None:
            self.add(box, coverage(distance, self.edge), shell[0])
            distance = distance + np.float32(shell[1])
        self.add(box, coverage(distance, self.edge), tissue)


def ellipsoid_distance(
    point: tuple[FloatArray, FloatArray, FloatArray], radii: tuple[float, float, float]
) -> FloatArray:
    """First-order signed distance to an ellipsoid: k (k − 1) / |∇½k²|; exact for a sphere."""
    a = [np.float32(1 / r) for r in radii]
    u = [p * i for p, i in zip(point, a, strict=True)]
    k = np.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2])
    g = np.sqrt((u[0] * a[0]) ** 2 + (u[1] * a[1]) ** 2 + (u[2] * a[2]) ** 2)
    return np.asarray(k * (k - 1) / np.maximum(g, np.float32(1e-4)), dtype=np.float32)


def render(
    layers: list[Layer],
    shape: tuple[int, int, int],
    signal: dict[str, float],
    texture: tuple[dict[str, float], FloatArray],
) -> FloatArray:
    """Signal on the grid. ``texture``: relative SD per tissue, and the unit-variance field all tissues share; a layer
    with a field of its own uses that as log-normal modulation instead."""
    amplitudes, shared = texture
    image = np.zeros(shape, dtype=np.float32)
    for layer in layers:
        value, h = np.float32(signal[layer.tissue]), np.float32(amplitudes[layer.tissue])
        part = image[layer.box]
        colour: FloatArray | np.float32 = value
        if layer.texture is not None:
            colour = value * np.exp(h * layer.texture - h * h / 2)
        elif h:
            colour = value * (1 + h * shared[layer.box])
        part += layer.alpha * (colour - part)
    return image
