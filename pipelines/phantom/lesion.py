"""Rectum and tumour on a grid: wall layers, lumen content, scar, tumour with its texture, and the truth mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.ndimage import map_coordinates

from pipelines.contract import FloatArray, MaskArray
from pipelines.phantom.anatomy import Pelvis
from pipelines.phantom.grid import Box, Grid
from pipelines.phantom.layers import Canvas, Layer, coverage
from pipelines.phantom.rectum import TUMOUR_EDGE, WALL, Wall, look_up
from pipelines.phantom.signal import smooth_field

TEXTURE_STEP = 2.0
TEXTURE_SIZE = 48
REACH = 42.0
NO_PATCHES = -1e3
CONTENTS = {"gel", "stool", "gas"}


@dataclass(frozen=True)
class Lesion:
    """One exam's rectum. ``texture`` and ``patches``: fields on a 2 mm lattice around the tumour in the rectal frame,
    of zero mean and unit variance inside this tumour. Where ``patches`` lies under ``patch_level`` the tumour is
    fibrotic. ``fluid_level``: v above which (anterior) the lumen holds gas."""

    wall: Wall
    texture: FloatArray
    patches: FloatArray
    patch_level: float
    filled_with: str
    fluid_level: float


def draw_lesion(rng: Generator, wall: Wall, fibrosis: float) -> Lesion:
    """``fibrosis``: the share of the tumour's volume that is fibrotic, met exactly on the lattice."""
    shape = (TEXTURE_SIZE,) * 3
    inside = _lattice_in_tumour(wall)
    texture, patches = (smooth_field(rng, shape, (s, s, s)) for s in (1.1, 1.3))
    texture, patches = ((f - f[inside].mean()) / f[inside].std() for f in (texture, patches))
    return Lesion(
        wall=wall,
        texture=texture,
        patches=patches,
        patch_level=float(np.quantile(patches[inside], fibrosis)) if fibrosis > 0 else NO_PATCHES,
        filled_with=str(rng.choice(["gel", "stool", "collapsed"], p=[0.45, 0.25, 0.30])),
        fluid_level=float(rng.uniform(-12, 4)),
    )


def _lattice_in_tumour(wall: Wall) -> MaskArray:
    line = ((np.arange(TEXTURE_SIZE) - TEXTURE_SIZE / 2) * TEXTURE_STEP).astype(np.float32)
    w, v, u = np.meshgrid(line, line, line, indexing="ij")
    r = np.sqrt(u * u + v * v)
    inside = r < REACH
    inside[inside] = _near_distances(wall, r[inside], np.arctan2(v[inside], u[inside]), w[inside])["tumour"] < 0
    return np.asarray(inside, dtype=np.bool_)


def _distances(pelvis: Pelvis, wall: Wall, points: list[FloatArray]) -> dict[str, FloatArray]:
    """Rectal coordinates of points and signed distances (mm, negative inside) to the parts of the rectum, at points
    up to ``REACH`` from its centre line; everywhere else the distance is ``REACH``."""
    w, v, u = pelvis.rectal(points)
    r = np.sqrt(u * u + v * v)
    near = r < REACH
    out = {"w": w, "v": v, "u": u}
    for name, distance in _near_distances(wall, r[near], np.arctan2(v[near], u[near]), w[near]).items():
        out[name] = np.full(r.shape, REACH, dtype=np.float32)
        out[name][near] = distance
    return out


def _near_distances(wall: Wall, r: FloatArray, angle: FloatArray, w: FloatArray) -> dict[str, FloatArray]:
    tables = [wall.lumen, wall.inner, wall.outer, wall.added, wall.scar]
    lumen, inner, outer, added, scar = look_up(tables, angle, w)
    surface = np.maximum(outer, lumen + np.float32(WALL))
    ridge = np.minimum(np.minimum(r - inner, outer - r), (added - np.float32(TUMOUR_EDGE)) * np.float32(1.5))
    return {
        "inner": r - inner,
        "outer": r - surface,
        "mucosa": r - np.maximum(inner, lumen) - np.float32(1.5),
        "scar": np.maximum(r - surface - scar, np.float32(0.4) - scar),
        "tumour": -ridge,
    }


def rectal_box(grid: Grid) -> Box:
    return grid.box(np.array([0.0, 4.0, 0.0]), np.array([48.0, 62.0, 110.0]))


def paint_rectum(canvas: Canvas, pelvis: Pelvis, lesion: Lesion) -> None:
    """Muscularis, mucosa, lumen, scar in the tumour bed, tumour, its fibrotic patches."""
    box = rectal_box(canvas.grid)
    d = _distances(pelvis, lesion.wall, canvas.points(box))
    edge = canvas.edge
    canvas.add(box, coverage(d["scar"], edge), "scar")
    canvas.add(box, coverage(d["outer"], edge), "muscularis")
    canvas.add(box, coverage(d["mucosa"], edge), "mucosa")
    lumen = coverage(d["inner"], edge)
    if lesion.filled_with == "collapsed":
        canvas.add(box, coverage(d["inner"] + np.float32(3.0), edge), "gas")
    else:
        canvas.add(box, lumen, lesion.filled_with)
        canvas.add(box, lumen * coverage(d["v"] - np.float32(lesion.fluid_level), edge), "gas")
    tumour = coverage(d["tumour"], edge)
    texture, patches = (_sample(f, d) for f in (lesion.texture, lesion.patches))
    canvas.add(box, tumour, "tumour", texture)
    if lesion.patch_level > NO_PATCHES:
        share = np.clip((np.float32(lesion.patch_level) - patches) * 5 + np.float32(0.5), 0, 1)
        canvas.add(box, tumour * share, "fibrotic tumour", texture)


def _sample(field: FloatArray, d: dict[str, FloatArray]) -> FloatArray:
    """A lattice field at the tumour's voxels (0 elsewhere), interpolated linearly and rescaled to unit variance."""
    near = d["tumour"] < 2.0
    index = np.stack([d[k][near] for k in ("w", "v", "u")]) / np.float32(TEXTURE_STEP) + np.float32(TEXTURE_SIZE / 2)
    values = map_coordinates(field, index, order=1, mode="grid-wrap")
    out = np.zeros(near.shape, dtype=np.float32)
    out[near] = values * np.float32(1.12)
    return out


def truth_mask(layers: list[Layer], shape: tuple[int, int, int]) -> MaskArray:
    """The tumour on a painted grid: voxels whose centre lies in it (residual tumour and the fibrosis mixed into it)."""
    mask = np.zeros(shape, dtype=np.bool_)
    for layer in layers:
        if layer.tissue == "tumour":
            mask[layer.box] = layer.alpha > 0.5
    return mask


def structure_masks(layers: list[Layer], shape: tuple[int, int, int]) -> dict[str, MaskArray]:
    """Rectal lumen (what its content fills), rectal wall (with the tumour in it), and mesorectum around the wall."""
    whole = {name: np.zeros(shape, dtype=np.bool_) for name in ("lumen", "wall", "mesorectum")}
    rectum = [layer.tissue for layer in layers].index("scar")
    for layer in layers[:rectum]:
        if layer.tissue == "mesorectal fat":
            whole["mesorectum"][layer.box] |= layer.alpha > 0.5
    for layer in layers[rectum:]:
        if layer.tissue in {"muscularis", "tumour"}:
            whole["wall"][layer.box] |= layer.alpha > 0.5
        elif layer.tissue in CONTENTS:
            whole["lumen"][layer.box] |= layer.alpha > 0.5
    whole["mesorectum"] &= ~whole["wall"]
    whole["wall"] &= ~whole["lumen"]
    return whole
