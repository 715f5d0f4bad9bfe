"""Where the voxels are: image grids planned on the pelvis, and the position of the patient in the scanner.

Pelvis frame: origin at the tumour's centre, x left, y posterior, z superior, mm. ``Grid.affine`` maps the index
(slice, row, column, 1) to that frame; ``Placement.matrix`` maps the frame to the exam's LPS coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pipelines.contract import Affine, FloatArray
from pipelines.phantom.site import Preset, Site

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """A regular grid in the pelvis frame; ``shape`` is (slices, rows, columns)."""

    affine: Affine
    shape: tuple[int, int, int]

    def points(self, box: Box, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> list[FloatArray]:
        """x, y, z (float32, mm, pelvis frame) of the voxel centres in a box, moved by ``shift``."""
        index = [np.arange(s.start, s.stop, dtype=np.float32) for s in box]
        out = []
        for axis in range(3):
            a = self.affine[axis].astype(np.float32)
            plane = a[1] * index[1][:, None] + a[2] * index[2][None, :]
            out.append((a[0] * index[0] + np.float32(a[3] + shift[axis]))[:, None, None] + plane)
        return out

    def whole(self) -> Box:
        return slice(0, self.shape[0]), slice(0, self.shape[1]), slice(0, self.shape[2])

    def box(self, centre: np.ndarray, half: np.ndarray) -> Box:
        """Indices that cover centre ± half (mm, pelvis frame), clipped to the grid; may be empty."""
        corners = np.array([[sx, sy, sz] for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)]) * half + centre
        inverse = np.linalg.inv(self.affine)
        index = corners @ inverse[:3, :3].T + inverse[:3, 3]
        low = np.floor(index.min(axis=0)).astype(int)
        high = np.ceil(index.max(axis=0)).astype(int) + 1
        a, b, c = (slice(max(0, int(i)), max(0, min(n, int(j)))) for i, j, n in zip(low, high, self.shape, strict=True))
        return a, b, c


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotation matrix about x, then y, then z."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


@dataclass(frozen=True)
class Placement:
    """How the patient lies: rigid transform (4, 4) from the pelvis frame to this exam's LPS coordinates."""

    matrix: Affine

    def lps(self, grid: Grid) -> Affine:
        return np.asarray(self.matrix @ grid.affine)


def draw_placement(rng: Generator) -> Placement:
    """A few degrees and some millimetres of difference from one visit to the next."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation((rng.normal(0, 2), rng.normal(0, 1.5), rng.normal(0, 2)))
    matrix[:3, 3] = rng.normal((0, 25, -40), (5, 8, 20))
    return Placement(matrix)


def _grid(axes: np.ndarray, spacing: tuple[float, float, float], shape: tuple[int, int, int], centre: object) -> Grid:
    """``axes`` columns: slice normal, direction of increasing row, direction of increasing column."""
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = np.asarray(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(affine, shape)


def axial_axes(tilt: float, turn: float) -> np.ndarray:
    """Oblique axial axes: ``tilt`` (degrees) leans the normal posteriorly, along the rectum; ``turn`` is in plane."""
    frame = rotation((-tilt, 0, 0)) @ rotation((0, 0, turn))
    return np.stack([frame[:, 2], frame[:, 1], frame[:, 0]], axis=1)


@dataclass(frozen=True)
class Plan:
    """The grids of one exam."""

    t2: Grid
    dwi: Grid
    sagittal: Grid


def plan_exam(rng: Generator, tilt: float, site: Site, preset: Preset) -> Plan:
    """Slices perpendicular to the rectum at the tumour, as a technologist would angle them: within 2 degrees."""
    axes = axial_axes(tilt + rng.normal(0, 1), rng.normal(0, 1.5))
    offset = rng.normal(0, (1.5, 4.0, 2.0))
    centre = axes @ offset + np.array([0.0, -8.0, 0.0])
    n, m, s = preset.t2_matrix, preset.dwi_matrix, preset.slices
    in_plane, step = site.t2_spacing / preset.scale, site.slice_step * preset.step_share
    dwi = preset.dwi_field_of_view / m
    sagittal = (5.5 * 7 / preset.sagittal_slices, 216.0 / preset.sagittal_matrix, 216.0 / preset.sagittal_matrix)
    upright = np.stack([[-1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]], axis=1)
    k = preset.sagittal_matrix
    return Plan(
        t2=_grid(axes, (step, in_plane, in_plane), (s, n, n), centre),
        dwi=_grid(axes, (site.slice_step, dwi, dwi), (preset.dwi_slices, m, m), centre),
        sagittal=_grid(upright, sagittal, (preset.sagittal_slices, k, k), np.array([0.0, -5.0, 5.0])),
    )
