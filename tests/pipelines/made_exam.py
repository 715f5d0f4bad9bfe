"""A small exam on disk for tests: axial T2, DWI, CE-T1 and a reader's SEG of one patient, with known contents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.pipelines.made_annotations import segmentation
from tests.pipelines.made_series import DWI, T1, T2, Grid, Maker

T2_GRID = Grid(spacing=(3.0, 0.8, 0.8), origin=(-16.0, -12.0, -12.0))
DWI_GRID = Grid(spacing=(4.0, 2.0, 2.0), origin=(-18.0, -14.0, -12.0))
T2_SHAPE, DWI_SHAPE = (8, 30, 40), (7, 16, 20)
B_VALUES = (0.0, 600.0, 1200.0)
ADC = 1.1


def made_exam(
    folder: Path, *, mask: bool = True, b_values: tuple[float, ...] = B_VALUES, day: str = "20240102", adc: float = ADC
) -> Path:
    """Write the exam; the DWI decays with ``adc`` (10⁻³ mm²/s) everywhere."""
    maker = Maker(folder)
    t2 = maker.slices(np.random.default_rng(1).integers(100, 900, T2_SHAPE), T2_GRID, T2, StudyDate=day)
    maker.write(t2, "t2")
    uid = f"1.2.826.{day}.{int(adc * 100)}"
    for b in b_values:
        signal = np.full(DWI_SHAPE, 20000 * np.exp(-b / 1000 * adc))
        more = {"SeriesInstanceUID": uid, "DiffusionBValue": b, "StudyDate": day}
        maker.write(maker.slices(signal, DWI_GRID, DWI, **more), f"b{b:g}")
    agent = {"ContrastBolusAgent": "Dotarem", "SeriesDescription": "t1_tse_tra_KM", "StudyDate": day}
    maker.write(maker.slices(np.full(T2_SHAPE, 500), T2_GRID, T1, **agent), "t1")
    if mask:
        segmentation(maker, t2, tumour(), StudyDate=day)
    return folder


def tumour() -> np.ndarray:
    """The reader's mask, on the T2 grid."""
    mask = np.zeros(T2_SHAPE, dtype=bool)
    mask[2:6, 10:20, 12:28] = True
    return mask
