"""One simulated exam: anatomy at that visit → the image stacks of its series, and the truth mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pipelines.contract import Affine, FloatArray, MaskArray
from pipelines.phantom.anatomy import (
    Pelvis,
    paint_body,
    paint_bones_and_muscles,
    paint_buttocks,
    paint_mesorectum,
    paint_organs,
)
from pipelines.phantom.grid import Grid, Placement, draw_placement, plan_exam
from pipelines.phantom.layers import Canvas, Layer, render
from pipelines.phantom.lesion import Lesion, paint_rectum, truth_mask
from pipelines.phantom.signal import (
    Tissue,
    contrast_enhanced_t1,
    diffusion_weighted,
    noise_sigma,
    receive_field,
    smooth_field,
    t2_weighted,
    to_counts,
)
from pipelines.phantom.site import Preset, Site

TUMOURS = ("tumour", "fibrotic tumour")
# How much of the planted T2 heterogeneity shows in the other sequences.
DWI_SHARE, CE_SHARE = 0.35, 0.5


@dataclass(frozen=True)
class Stack:
    """One image stack: uint16 (slices, rows, columns), affine to LPS, and its b-value (None: not diffusion)."""

    counts: np.ndarray
    affine: Affine
    b_value: float | None = None


@dataclass(frozen=True)
class SimulatedExam:
    """``dwi`` holds one stack per b-value. ``mask`` lies on the grid of ``t2``."""

    t2: Stack
    sagittal: Stack
    dwi: tuple[Stack, ...]
    ce_t1: Stack | None
    mask: MaskArray


@dataclass(frozen=True)
class Subject:
    """What lies in the scanner at one visit."""

    pelvis: Pelvis
    lesion: Lesion
    tissues: dict[str, Tissue]
    heterogeneity: float
    filling: float
    has_ce_t1: bool


def _canvas(grid: Grid, subject: Subject, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> list[Layer]:
    edge = 0.5 * float(np.linalg.norm(grid.affine[:3, 1]) + np.linalg.norm(grid.affine[:3, 2]))
    canvas = Canvas(grid, edge, subject.pelvis.deform, shift)
    paint_body(canvas, subject.pelvis)
    paint_buttocks(canvas, subject.pelvis)
    paint_bones_and_muscles(canvas, subject.pelvis)
    paint_organs(canvas, subject.pelvis, subject.filling)
    paint_mesorectum(canvas, subject.pelvis)
    paint_rectum(canvas, subject.pelvis, subject.lesion)
    return canvas.layers


@dataclass(frozen=True)
class Scanner:
    """The scanner on the day: site, receiver gain, ADC scale error, and the random stream of noise and fields."""

    site: Site
    preset: Preset
    gain: float
    gradient: float
    rng: Generator

    def textures(self, subject: Subject, grid: Grid, share: float) -> tuple[dict[str, float], FloatArray]:
        amplitudes = {name: tissue.texture * (0.3 + 0.7 * share) for name, tissue in subject.tissues.items()}
        amplitudes |= dict.fromkeys(TUMOURS, share * subject.heterogeneity)
        return amplitudes, smooth_field(self.rng, grid.shape, (0.0, 0.8, 0.8))

    def weighted(
        self, subject: Subject, painted: tuple[list[Layer], Grid], signal: dict[str, float], share: float
    ) -> np.ndarray:
        """Counts of a T2 or CE-T1 image."""
        layers, grid = painted
        image = render(layers, grid.shape, signal, self.textures(subject, grid, share))
        image *= receive_field(self.rng, grid.shape, self.site.bias)
        return to_counts(self.rng, image, noise_sigma(self.site, signal["tumour"], self.rng), self.gain)

    def diffusion(self, subject: Subject, grid: Grid, placement: Placement) -> tuple[Stack, ...]:
        """One stack per b-value; the anatomy is displaced along the phase-encode (row) direction, as EPI does."""
        direction = grid.affine[:3, 1] / np.linalg.norm(grid.affine[:3, 1])
        step = float(self.rng.uniform(*self.site.epi_shift)) * float(self.rng.choice([-1.0, 1.0]))
        shift = direction * step
        layers = _canvas(grid, subject, (float(shift[0]), float(shift[1]), float(shift[2])))
        field = receive_field(self.rng, grid.shape, self.site.bias)
        textures = self.textures(subject, grid, DWI_SHARE)
        te, tumour = self.site.dwi_te, subject.tissues["tumour"]
        sigma = noise_sigma(self.site, diffusion_weighted(tumour, te, 0.0, 1.0), self.rng)
        stacks = []
        for b in self.preset.b_values:
            signal = {n: diffusion_weighted(t, te, b, self.gradient) for n, t in subject.tissues.items()}
            image = render(layers, grid.shape, signal, textures) * field
            stacks.append(Stack(to_counts(self.rng, image, sigma, self.gain), placement.lps(grid), b))
        return tuple(stacks)


def simulate_exam(subject: Subject, scanner: Scanner) -> SimulatedExam:
    """All series of one visit. Every random number comes from ``scanner.rng``, in a fixed order."""
    site = scanner.site
    placement = draw_placement(scanner.rng)
    plan = plan_exam(scanner.rng, subject.pelvis.tilt, site, scanner.preset)
    t2_signal = {name: t2_weighted(t, site.t2_te, site.t2_tr) for name, t in subject.tissues.items()}
    axial = (_canvas(plan.t2, subject), plan.t2)
    sagittal = (_canvas(plan.sagittal, subject), plan.sagittal)
    t2 = Stack(scanner.weighted(subject, axial, t2_signal, 1.0), placement.lps(plan.t2))
    side = Stack(scanner.weighted(subject, sagittal, t2_signal, 1.0), placement.lps(plan.sagittal))
    dwi = scanner.diffusion(subject, plan.dwi, placement)
    ce_t1 = None
    if subject.has_ce_t1:
        signal = {name: contrast_enhanced_t1(t) for name, t in subject.tissues.items()}
        ce_t1 = Stack(scanner.weighted(subject, axial, signal, CE_SHARE), placement.lps(plan.t2))
    return SimulatedExam(t2, side, dwi, ce_t1, truth_mask(axial[0], plan.t2.shape))
