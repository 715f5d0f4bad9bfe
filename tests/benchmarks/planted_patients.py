"""Tumours of phantom patients scanned at one SNR, and once more without noise: what a diffusion fit should find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from pipelines.contract import MaskArray, Volume
from pipelines.phantom.cohort import choose_sites, simulate_patient
from pipelines.phantom.exam import SimulatedExam, Stack
from pipelines.phantom.patient import draw_patient
from pipelines.volumes.resample import mask_onto

NOISE_FREE = 1e9


@dataclass(frozen=True)
class PlantedTumour:
    """DWI of one exam with and without noise on one grid, and the voxels that lie wholly inside the tumour."""

    noisy: dict[float, Volume]
    clean: dict[float, Volume]
    core: MaskArray


def planted_tumours(seed: int, patients: int, site: str, snr: float) -> Iterator[PlantedTumour]:
    """Both exams of the first patients of a seed that have DWI, at a site's protocol with a fixed SNR (S₀/σ)."""
    (scanner,) = choose_sites(site)
    complete = (index for index in range(10_000) if not any("dwi" in one for one in draw_patient(seed, index).missing))
    for _ in range(patients):
        index = next(complete)
        noisy, clean = (
            simulate_patient(seed, index, sites=(replace(scanner, snr=(level, level)),)).exams
            for level in (snr, NOISE_FREE)
        )
        for one, other in zip(noisy, clean, strict=True):
            yield PlantedTumour(_volumes(one.dwi), _volumes(other.dwi), _core(one))


def _volumes(stacks: Sequence[Stack]) -> dict[float, Volume]:
    return {
        stack.b_value: Volume(stack.counts.astype(np.float32), stack.affine)
        for stack in stacks
        if stack.b_value is not None
    }


def _core(exam: SimulatedExam) -> MaskArray:
    """The tumour on the DWI's grid, where EPI put it, without the layer in which other tissue mixes in."""
    moved = exam.t2.affine.copy()
    moved[:3, 3] += exam.dwi_shift_mm * exam.dwi_shift_axis
    t2 = Volume(exam.mask.astype(np.float32), moved)
    dwi = _volumes(exam.dwi[:1])
    inside = mask_onto(exam.mask, t2, next(iter(dwi.values())))
    return np.stack([ndimage.binary_erosion(plane) for plane in inside])
