"""The rectal wall and its tumour as a map of radii over angle and height, with an exactly known tumour volume.

Rectal frame: w along the rectum (mm, superior positive, 0 at the tumour), angle around the lumen (0 = left, 90° =
posterior). The tumour is an eccentric, semi-annular thickening of the wall that grows 40 % into the lumen and 60 %
outwards into the mesorectal fat, with an irregular outer margin. Its volume is Σ ½(r_out² − r_in²) Δangle Δw, so the
thickness is solved for the volume that was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pipelines.contract import FloatArray
from pipelines.phantom.patient import Latents

WALL = 3.2
TUMOUR_EDGE = 0.8
ANGLES = np.linspace(-np.pi, np.pi, 128, endpoint=False)
HEIGHTS = np.arange(-120.0, 121.0, 2.0)
INWARD, OUTWARD = 0.4, 0.6


@dataclass(frozen=True)
class TumourShape:
    """Thickness added to the wall = ``thickness`` × profile(angle, height). Angles in radians, lengths in mm."""

    angle: float
    half_extent: float
    length: float
    thickness: float


@dataclass(frozen=True)
class Ripples:
    """Fixed irregularities of one patient's wall and tumour, tables over (angle, height)."""

    lumen: np.ndarray
    tumour: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True)
class Wall:
    """Radii (mm) over (angle, height): what one exam's rectum looks like. ``scar`` is the thickness of dark fibrosis
    outside the wall and the residual tumour."""

    lumen: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    added: np.ndarray
    scar: np.ndarray
    shape: TumourShape

    @property
    def tumour_volume_cm3(self) -> float:
        return _volume(self.inner, self.outer, self.added)

    @property
    def wall_thickness_mm(self) -> float:
        """Maximum wall thickness (MWT) at the tumour and its bed, the scar included, as a radiologist measures it."""
        thickness = self.outer - self.inner + self.scar
        return float(thickness[(self.added > TUMOUR_EDGE) | (self.scar > 0)].max(initial=WALL))


def _waves(rng: Generator, angular: tuple[int, int], wavelength: tuple[float, float], count: int) -> np.ndarray:
    """A random table of unit variance, periodic in angle."""
    total = np.zeros((ANGLES.size, HEIGHTS.size))
    for _ in range(count):
        m, length = rng.integers(angular[0], angular[1] + 1), rng.uniform(*wavelength)
        phase = rng.uniform(0, 2 * np.pi, 2)
        total += np.cos(m * ANGLES[:, None] + phase[0]) * np.cos(2 * np.pi * HEIGHTS / length + phase[1])
    return np.asarray(total / np.sqrt(count / 4))


def draw_ripples(rng: Generator) -> Ripples:
    return Ripples(
        lumen=_waves(rng, (1, 4), (25, 60), 8),
        tumour=_waves(rng, (1, 5), (12, 40), 10),
        margin=_waves(rng, (5, 14), (8, 18), 14),
    )


def _volume(inner: np.ndarray, outer: np.ndarray, added: np.ndarray) -> float:
    area = np.where(added > TUMOUR_EDGE, 0.5 * (outer**2 - inner**2), 0.0)
    return float(area.sum() * (2 * np.pi / ANGLES.size) * (HEIGHTS[1] - HEIGHTS[0]) / 1000)


def _profile(shape: TumourShape, ripples: Ripples) -> np.ndarray:
    """Relative thickness over (angle, height): 1 in the middle, steep rolled edges."""
    turn = np.angle(np.exp(1j * (ANGLES - shape.angle)))[:, None] / shape.half_extent
    turn = np.zeros_like(turn) if shape.half_extent >= np.pi else turn
    height = (HEIGHTS / (shape.length / 2))[None, :]
    edge = 1 - np.abs(turn) ** 3.5 - np.abs(height) ** 3.5 + 0.10 * ripples.tumour
    return np.asarray(np.sqrt(np.clip(edge, 0, 1)) * (1 + 0.12 * ripples.tumour + 0.10 * ripples.margin).clip(0.3))


def _radii(lumen: np.ndarray, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inner = np.maximum(lumen - INWARD * added, np.minimum(lumen, 2.5))
    return inner, lumen + WALL + OUTWARD * added


def _solve(
    lumen: np.ndarray, shape: TumourShape, ripples: Ripples, volume_cm3: float
) -> tuple[TumourShape, np.ndarray]:
    """The thickness (bisection) that gives the volume; a wider arc first where the tumour would be too thick."""
    for half_extent in (shape.half_extent, 0.5 * (shape.half_extent + np.pi), np.pi):
        wide = TumourShape(shape.angle, half_extent, shape.length, 1.0)
        profile = _profile(wide, ripples)
        low, high = 0.0, 30.0
        for _ in range(24):
            middle = 0.5 * (low + high)
            inner, outer = _radii(lumen, middle * profile)
            low, high = (middle, high) if _volume(inner, outer, middle * profile) < volume_cm3 else (low, middle)
        if high < shape.thickness:
            break
    return TumourShape(shape.angle, half_extent, shape.length, high), high * profile


def _lumen(base: float, anal_w: float, ripples: Ripples) -> np.ndarray:
    closing = np.clip((HEIGHTS - anal_w) / 15, 0.15, 1)
    return np.asarray(base * closing[None, :] * (1 + 0.10 * ripples.lumen).clip(0.6, 1.5))


def baseline_wall(rng: Generator, latents: Latents, ripples: Ripples, anal_w: float) -> Wall:
    """The rectum before therapy: about 48 mm long, 16 mm thick at 20 cm³."""
    lumen = _lumen(rng.uniform(8.5, 12.0), anal_w, ripples)
    size = (latents.volume_pre / 20) ** (1 / 3)
    start = TumourShape(
        angle=rng.uniform(-np.pi, np.pi),
        half_extent=float(np.clip(rng.normal(2.0, 0.4), 1.1, 2.9)),
        length=float(np.clip(rng.normal(46, 5) * size, 26, 58)),
        thickness=18.0,
    )
    shape, added = _solve(lumen, start, ripples, latents.volume_pre)
    inner, outer = _radii(lumen, added)
    return Wall(lumen, inner, outer, added, np.zeros_like(added), shape)


def restaging_wall(rng: Generator, latents: Latents, ripples: Ripples, anal_w: float, before: Wall) -> Wall:
    """The rectum after therapy: the tumour shrinks towards its centre, the bed it leaves scars by ``fibrosis``."""
    left = latents.volume_post / latents.volume_pre
    lumen = _lumen(rng.uniform(8.5, 12.5), anal_w, ripples)
    start = TumourShape(
        angle=before.shape.angle + rng.normal(0, 0.15),
        half_extent=float(np.clip(before.shape.half_extent * left**0.25, 0.6, np.pi)),
        length=float(np.clip(before.shape.length * left**0.2, 14, 58)),
        thickness=20.0,
    )
    shape, added = _solve(lumen, start, ripples, latents.volume_post)
    inner, outer = _radii(lumen, added)
    bed = np.maximum(before.outer - np.maximum(outer, lumen + WALL), 0) * (before.added > TUMOUR_EDGE)
    return Wall(lumen, inner, outer, added, bed * min(1.0, 1.2 * latents.fibrosis), shape)


def look_up(tables: list[np.ndarray], angle: FloatArray, height: FloatArray) -> list[FloatArray]:
    """Bilinear values of tables over (angle, height) at points; periodic in angle, held at the ends in height."""
    step = np.float32(ANGLES.size / (2 * np.pi))
    a = (angle + np.float32(np.pi)) * step
    h = np.clip((height - np.float32(HEIGHTS[0])) / np.float32(2.0), 0, HEIGHTS.size - 1.001)
    a0, h0 = a.astype(np.int32), h.astype(np.int32)
    fa, fh = a - a0, h - h0
    a0 %= ANGLES.size
    a1 = (a0 + 1) % ANGLES.size
    stacked = [t.astype(np.float32).ravel() for t in tables]
    i00, i10 = a0 * HEIGHTS.size + h0, a1 * HEIGHTS.size + h0
    return [
        (t[i00] * (1 - fa) + t[i10] * fa) * (1 - fh) + (t[i00 + 1] * (1 - fa) + t[i10 + 1] * fa) * fh for t in stacked
    ]
