"""Faults planted into clean exams, and phantom exams in memory: for the tests and the benchmark of the quality gate.

The gas follows physics, not the detector: a sphere's dipole field (Schenck, Med Phys 1996; 23:815, eq. 4) pushes signal
along the phase-encode axis, so that the loss and the piling-up come out together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from pipelines.contract import (
    Exam,
    ExamFiles,
    Mask,
    MaskOrigin,
    Patient,
    Role,
    SeriesFiles,
    SeriesRole,
    TimePoint,
    Volume,
)
from pipelines.phantom.cohort import simulate_patient
from pipelines.phantom.exam import SimulatedExam, Stack
from tests.pipelines.made_series import T2, Grid, Maker


def phantom_exams(seed: int, index: int) -> tuple[Exam, Exam]:
    """Baseline and restaging of one phantom patient with the true masks, in memory, as loading would give them."""
    before, after = simulate_patient(seed, index).exams
    return _exam(before, TimePoint.BASELINE), _exam(after, TimePoint.RESTAGING)


def _exam(simulated: SimulatedExam, time_point: TimePoint) -> Exam:
    def volume(stack: Stack) -> Volume:
        return Volume(stack.counts.astype(np.float32), stack.affine, "1.2")

    return Exam(
        files=ExamFiles(time_point, ("1.2.3",), date(2024, 1, 1), Patient("P", "", "P", "", ""), {}),
        t2=volume(simulated.t2),
        t2_paths=(),
        dwi={stack.b_value: volume(stack) for stack in simulated.dwi if stack.b_value is not None},
        adc=None,
        ce_t1=None if simulated.ce_t1 is None else volume(simulated.ce_t1),
        mask=Mask(simulated.mask, MaskOrigin.READER, "truth"),
    )


def displaced(volume: Volume, mm: float, axis: int = 1, *, every: int = 1) -> Volume:
    """Each ``every``-th slice moved by ``mm`` along an in-plane axis (1 or 2)."""
    array = volume.array.copy()
    step = [0.0, 0.0]
    step[axis - 1] = mm / volume.spacing[axis]
    for index in range(0, len(array), every):
        array[index] = ndimage.shift(array[index], step, order=1, mode="nearest")
    return volume.like(array)


def ghosted(volume: Volume, share: float, axis: int = 1, seed: int = 0) -> Volume:
    """With a ghost of ``share`` of the signal half a field of view away; its phase varies smoothly over the image."""
    rng = np.random.default_rng(seed)
    phase = ndimage.gaussian_filter(rng.standard_normal(volume.array.shape), (1, 12, 12))
    turned = share * np.exp(1j * (1.5 * phase / phase.std() + rng.uniform(0, 2 * np.pi)))
    ghost = np.roll(volume.array, volume.array.shape[axis] // 2, axis)
    return volume.like(np.abs(volume.array + turned * ghost).astype(np.float32))


def with_dwi(exam: Exam, change: Callable[[Volume], Volume], b_values: tuple[float, ...] | None = None) -> Exam:
    """The exam with its DWI changed at these b-values (all by default)."""
    chosen = exam.dwi if b_values is None else b_values
    return replace(exam, dwi={b: change(volume) if b in chosen else volume for b, volume in exam.dwi.items()})


def with_gas(exam: Exam, radius: float, reach: float, axis: int = 1) -> Exam:
    """The DWI as gas of ``radius`` mm beside the tumour distorts it: ``reach`` mm at the poles of its field.

    The gas lies 6 mm in front of the tumour's centre. Signal is pushed to where it appears, never interpolated back.
    """
    assert exam.mask is not None
    centre = exam.t2.affine[:3, :3] @ np.argwhere(exam.mask.array).mean(axis=0) + exam.t2.affine[:3, 3]
    return with_dwi(exam, lambda volume: _pushed(volume, centre - [0, 6, 0], (radius, reach), axis))


def _pushed(volume: Volume, centre: np.ndarray, gas: tuple[float, float], axis: int) -> Volume:
    radius, reach = gas
    index = np.indices(volume.array.shape)
    position = np.einsum("ij,jabc->iabc", volume.affine[:3, :3], index) + volume.affine[:3, 3, None, None, None]
    offset = position - np.asarray(centre)[:, None, None, None]
    distance = np.maximum(np.sqrt((offset**2).sum(axis=0)), 1e-3)
    field = np.where(distance > radius, (radius / distance) ** 3 * (3 * (offset[2] / distance) ** 2 - 1) / 2, 0.0)
    target = index[axis] + reach * field / volume.spacing[axis]
    signal = np.where(distance > radius, volume.array, 0.0)
    below = np.floor(target).astype(int)
    out = np.zeros_like(signal)
    for place, share in ((below, 1 - (target - below)), (below + 1, target - below)):
        at = [index[0], index[1], index[2]]
        at[axis] = np.clip(place, 0, volume.array.shape[axis] - 1)
        np.add.at(out, tuple(at), signal * share)
    # As bright as the air that is there: what is lost does not fall below the noise.
    sigma = np.percentile(volume.array[volume.array > 0], 10) / 1.5
    noise = np.random.default_rng(0).rayleigh(sigma, out.shape)
    return volume.like(np.hypot(out, noise).astype(np.float32))


def cut(volume: Volume, first: int, last: int) -> Volume:
    """Slices ``first`` … ``last`` − 1, at their place."""
    affine = volume.affine.copy()
    affine[:3, 3] += first * affine[:3, 0]
    return Volume(volume.array[first:last], affine, volume.frame_of_reference_uid)


def tilted(volume: Volume, degrees: float) -> Volume:
    """The grid turned about the patient's left-right axis, through the origin; the voxels' values stay."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(4)
    turn[1:3, 1:3] = [[cosine, -sine], [sine, cosine]]
    return replace(volume, affine=turn @ volume.affine)


def resized(volume: Volume, factors: tuple[float, float, float]) -> Volume:
    """The grid with other voxel sizes: steps along (slice, row, column) times these factors."""
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] * np.array(factors)
    return replace(volume, affine=affine)


def with_t2_headers(exam: Exam, folder: Path, **attributes: Any) -> Exam:
    """The exam with files of an axial T2 whose headers say this; its images stay."""
    maker = Maker(folder)
    pixels = np.full((1, 8, 8), 100)
    paths = maker.write(maker.slices(pixels, Grid(spacing=(3.0, 0.8, 0.8)), T2, **attributes))
    role = SeriesRole("1.2.4", "1.2.3", "t2_tse_tra", "MR", Role.T2_AXIAL, (), 1.0, "made")
    return replace(exam, files=replace(exam.files, chosen={Role.T2_AXIAL: SeriesFiles(role, paths)}))
