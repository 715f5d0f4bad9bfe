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
from pipelines.phantom.lesion import Lesion, paint_rectum, structure_masks, truth_mask
from pipelines.phantom.signal import (
    Tissue,
    contrast_enhanced_t1,
    diffusion_weighted,
    noise_sigma,
    receive_field,
    scanner_map,
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
    """What was acquired; series that this exam lacks are None, or empty.

    ``dwi`` holds one stack per b-value, ``scanner_adc`` the scanner's own map on its grid, in counts of the site's
    ``adc_step``. ``mask`` (tumour) and ``structures`` lie on the grid of ``t2``. EPI displaces the anatomy: what lies
    at p appears in ``dwi`` at p + ``dwi_shift_mm`` × ``dwi_shift_axis`` (unit vector, LPS, along the phase encoding).
    """

    t2: Stack
    sagittal: Stack | None
    dwi: tuple[Stack, ...]
    scanner_adc: Stack | None
    t1: Stack | None
    ce_t1: Stack | None
    mask: MaskArray
    structures: dict[str, MaskArray]
    dwi_shift_mm: float
    dwi_shift_axis: FloatArray


@dataclass(frozen=True)
class Subject:
    """What lies in the scanner at one visit, and which series are not made of it ("ce_t1", "t2_sagittal", "dwi")."""

    pelvis: Pelvis
    lesion: Lesion
    tissues: dict[str, Tissue]
    heterogeneity: float
    filling: float
    missing: frozenset[str] = frozenset()


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

    def diffusion(self, subject: Subject, grid: Grid, shift: FloatArray) -> tuple[np.ndarray, ...]:
        """Counts per b-value; the anatomy is displaced by ``shift`` (pelvis frame, mm) against the grid, as in EPI."""
        layers = _canvas(grid, subject, (-float(shift[0]), -float(shift[1]), -float(shift[2])))
        field = receive_field(self.rng, grid.shape, self.site.bias)
        textures = self.textures(subject, grid, DWI_SHARE)
        te, tumour = self.site.dwi_te, subject.tissues["tumour"]
        sigma = noise_sigma(self.site, diffusion_weighted(tumour, te, 0.0, 1.0), self.rng)
        images = []
        for b in self.site.b_values:
            signal = {n: diffusion_weighted(t, te, b, self.gradient) for n, t in subject.tissues.items()}
            image = render(layers, grid.shape, signal, textures) * field
            images.append(to_counts(self.rng, image, sigma, self.gain))
        return tuple(images)

    def shift(self, grid: Grid) -> tuple[float, FloatArray]:
        """How far (mm, signed) and along which axis (pelvis frame) EPI displaces the anatomy today."""
        axis = grid.affine[:3, 1 if self.site.phase_encoding == "COL" else 2]
        length = float(self.rng.uniform(*self.site.epi_shift)) * float(self.rng.choice([-1.0, 1.0]))
        return length, np.asarray(axis / np.linalg.norm(axis))


def _diffusion_stacks(
    scanner: Scanner, images: tuple[np.ndarray, ...], affine: Affine
) -> tuple[tuple[Stack, ...], Stack]:
    """The stacks of the DWI, and the map that the scanner makes of the b-values that it fits."""
    site = scanner.site
    weighted = tuple(Stack(counts, affine, b) for b, counts in zip(site.b_values, images, strict=True))
    fitted = [(b, counts) for b, counts in zip(site.b_values, images, strict=True) if b in site.adc_b_values]
    return weighted, Stack(scanner_map(fitted, site.adc_step), affine)


def _t1(
    subject: Subject, scanner: Scanner, axial: tuple[list[Layer], Grid], placement: Placement, agent: float
) -> Stack:
    """T1 on the grid of the axial T2; ``agent``: 0 before the contrast agent, 1 after it."""
    signal = {name: contrast_enhanced_t1(t, agent) for name, t in subject.tissues.items()}
    return Stack(scanner.weighted(subject, axial, signal, CE_SHARE), placement.lps(axial[1]))


def simulate_exam(subject: Subject, scanner: Scanner) -> SimulatedExam:
    """All series of one visit. Every random number comes from ``scanner.rng``, in a fixed order."""
    site, missing = scanner.site, subject.missing
    placement = draw_placement(scanner.rng)
    plan = plan_exam(scanner.rng, subject.pelvis.tilt, site, scanner.preset)
    t2_signal = {name: t2_weighted(t, site.t2_te, site.t2_tr) for name, t in subject.tissues.items()}
    axial = (_canvas(plan.t2, subject), plan.t2)
    t2 = Stack(scanner.weighted(subject, axial, t2_signal, 1.0), placement.lps(plan.t2))
    side = None
    if "t2_sagittal" not in missing:
        painted = (_canvas(plan.sagittal, subject), plan.sagittal)
        side = Stack(scanner.weighted(subject, painted, t2_signal, 1.0), placement.lps(plan.sagittal))
    shift, axis = scanner.shift(plan.dwi)
    dwi: tuple[Stack, ...] = ()
    adc = t1 = ce_t1 = None
    if "dwi" not in missing:
        images = scanner.diffusion(subject, plan.dwi, shift * axis)
        dwi, adc = _diffusion_stacks(scanner, images, placement.lps(plan.dwi))
    if "ce_t1" not in missing:
        ce_t1 = _t1(subject, scanner, axial, placement, agent=1.0)
        t1 = _t1(subject, scanner, axial, placement, agent=0.0) if site.unenhanced_t1 else None
    return SimulatedExam(
        t2=t2,
        sagittal=side,
        dwi=dwi,
        scanner_adc=adc,
        t1=t1,
        ce_t1=ce_t1,
        mask=truth_mask(axial[0], plan.t2.shape),
        structures=structure_masks(axial[0], plan.t2.shape),
        dwi_shift_mm=shift,
        dwi_shift_axis=np.asarray(placement.matrix[:3, :3] @ axis),
    )
