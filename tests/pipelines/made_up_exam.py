"""Exams in memory for tests: a block of tissue with an ellipsoid in it, small enough for tests that take seconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from pipelines.contract import Exam, ExamFiles, Mask, MaskOrigin, ModelInputs, Patient, TimePoint, Volume
from pipelines.inputs.model_inputs import Preprocessing, model_inputs

T2_SPACING, DWI_SPACING, SLICE = 1.5, 2.5, 4.0
TISSUE_ADC = 1.4
AS_ACQUIRED = Preprocessing(bias=None, align=False)


def grid(shape: tuple[int, int, int], spacing: float, slice_mm: float = SLICE) -> Volume:
    """An empty axial volume centred on the origin."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    affine[2, 0], affine[1, 1], affine[0, 2] = slice_mm, spacing, spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Volume(np.zeros(shape, dtype=np.float32), affine, "1.2.3")


def ellipsoid(volume: Volume, radii: tuple[float, float, float]) -> np.ndarray:
    """Voxels of ``volume`` inside an ellipsoid of these LPS radii (mm) around (4, −3, 0)."""
    index = np.indices(volume.array.shape).reshape(3, -1)
    lps = volume.affine[:3, :3] @ index + volume.affine[:3, 3:]
    distance = sum(((lps[a] - c) / r) ** 2 for a, (c, r) in enumerate(zip((4, -3, 0), radii, strict=True)))
    return np.asarray(distance <= 1).reshape(volume.array.shape)


def made_up_exam(
    time_point: TimePoint = TimePoint.BASELINE,
    *,
    adc: float = 0.9,
    radius: float = 14.0,
    seed: int = 0,
    ce_t1: bool = True,
    b_values: tuple[float, ...] = (0.0, 500.0, 1000.0),
) -> Exam:
    """An exam with a reader's mask; the tumour's ADC (10⁻³ mm²/s) and radius (mm) are planted, tissue has 1.4."""
    rng = np.random.default_rng(seed)
    t2 = grid((10, 72, 72), T2_SPACING)
    dwi = grid((10, 44, 44), DWI_SPACING)
    radii = (radius, 0.8 * radius, 1.2 * radius)
    on_t2, on_dwi = ellipsoid(t2, radii), ellipsoid(dwi, radii)

    def noisy(array: np.ndarray) -> np.ndarray:
        return (array + rng.normal(0, 3, array.shape)).clip(1).astype(np.float32)

    coefficient = np.where(on_dwi, adc, TISSUE_ADC)
    files = ExamFiles(
        time_point=time_point,
        study_uids=("1.2.3.4",),
        study_date=date(2024, 1, 1),
        patient=Patient("P", "", "Made^Up", "", ""),
        chosen={},
    )
    return Exam(
        files=files,
        t2=replace(t2, array=noisy(np.where(on_t2, 180, 300))),
        t2_paths=(),
        dwi={b: replace(dwi, array=noisy(800 * np.exp(-b / 1000 * coefficient))) for b in b_values},
        adc=None,
        ce_t1=replace(t2, array=noisy(np.where(on_t2, 400, 250))) if ce_t1 else None,
        mask=Mask(on_t2, MaskOrigin.READER, "made up"),
    )


def mask_of(exam: Exam) -> np.ndarray:
    """The exam's mask; made-up exams have one."""
    assert exam.mask is not None
    return exam.mask.array


def plain_inputs(exam: Exam) -> ModelInputs:
    """The exam's model inputs without bias correction and alignment, so that planted numbers stay what they are."""
    return model_inputs(exam, AS_ACQUIRED)
