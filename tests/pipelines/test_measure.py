from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipelines.contract import (
    AdcMap,
    Code,
    Exam,
    ExamFiles,
    Mask,
    MaskOrigin,
    Patient,
    Quantity,
    TimePoint,
    Volume,
)
from pipelines.measure import longest_diameter_mm, measure, unmeasured, volume_cm3

T2_AFFINE = np.diag([3.0, 0.5, 0.5, 1.0])


def exam(mask: np.ndarray | None, adc: AdcMap | None = None) -> Exam:
    files = ExamFiles(TimePoint.BASELINE, ("1",), date(2024, 1, 2), Patient("P", "", "", "", ""), {})
    shape = (8, 40, 40) if mask is None else mask.shape
    return Exam(
        files=files,
        t2=Volume(np.zeros(shape, dtype=np.float32), T2_AFFINE),
        t2_paths=(),
        dwi={},
        adc=adc,
        ce_t1=None,
        mask=None if mask is None else Mask(mask, MaskOrigin.READER, "drawn"),
    )


def values(measurements: tuple) -> dict[Quantity, float]:
    return {one.quantity: one.value for one in measurements}


def adc_map(values: np.ndarray, affine: np.ndarray, valid: np.ndarray | None = None) -> AdcMap:
    usable = np.ones(values.shape, dtype=bool) if valid is None else valid
    return AdcMap(Volume(values.astype(np.float32), affine), usable, (50.0, 800.0), "two-point, b 50/800 s/mm²")


def test_a_box_has_its_volume_and_diagonal() -> None:
    mask = np.zeros((8, 40, 40), dtype=bool)
    mask[2:5, 10:20, 10:30] = True
    found = values(measure(exam(mask), TimePoint.BASELINE))
    assert found[Quantity.VOLUME] == pytest.approx(3 * 10 * 20 * 3 * 0.5 * 0.5 / 1000)
    # Surface at level 0.5: the diagonal between opposite faces, half a voxel beyond the centres along one axis.
    corners = [np.linalg.norm(np.array(step) * [3.0, 0.5, 0.5]) for step in ((3, 9, 19), (2, 10, 19), (2, 9, 20))]
    assert found[Quantity.LONGEST_DIAMETER] == pytest.approx(max(corners))
    assert Quantity.ADC_MEAN not in found


@settings(max_examples=20, deadline=None)
@given(st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180)))
def test_diameter_and_volume_do_not_depend_on_orientation(turn: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(6)
    mask = rng.random((6, 12, 10)) > 0.7
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ np.diag([3.0, 0.5, 0.7])
    upright = np.diag([3.0, 0.5, 0.7, 1.0])
    assert longest_diameter_mm(mask, affine) == pytest.approx(longest_diameter_mm(mask, upright))
    assert volume_cm3(mask, affine) == pytest.approx(mask.sum() * 3 * 0.5 * 0.7 / 1000)


def test_a_ball_is_as_wide_as_it_is() -> None:
    z, y, x = np.mgrid[:30, :60, :60]
    ball = (z * 2 - 29) ** 2 + (y - 30) ** 2 + (x - 30) ** 2 <= 20**2
    assert longest_diameter_mm(ball, np.diag([2.0, 1, 1, 1])) == pytest.approx(41, abs=1.1)
    assert volume_cm3(ball, np.diag([2.0, 1, 1, 1])) == pytest.approx(4 / 3 * np.pi * 8, rel=0.02)


def test_one_voxel_has_a_diameter_of_one_voxel() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[2, 2, 2] = True
    assert longest_diameter_mm(mask, T2_AFFINE) == pytest.approx(3.0)


def test_mean_adc_counts_each_adc_voxel_by_its_overlap_with_the_mask() -> None:
    mask = np.zeros((8, 40, 40), dtype=bool)
    mask[2:6, 8:20, 8:24] = True  # 0.5 mm pixels; ADC pixels of 2 mm hold four
    adc = np.zeros((8, 10, 10))
    adc[:] = np.arange(10) / 10 + 0.5
    affine = np.diag([3.0, 2.0, 2.0, 1.0])
    affine[1:3, 3] = 0.75  # centre of the first ADC pixel in mm: edges of both grids coincide
    found = measure(exam(mask, adc_map(adc, affine)), TimePoint.BASELINE)
    assert values(found)[Quantity.ADC_MEAN] == pytest.approx(np.mean([0.7, 0.8, 0.9, 1.0]) * 1000, rel=1e-6)
    (how,) = (one.how for one in found if one.quantity is Quantity.ADC_MEAN)
    assert "b 50/800" in how
    assert "100%" in how


def test_invalid_voxels_do_not_count_and_too_few_valid_ones_give_no_mean() -> None:
    mask = np.zeros((8, 40, 40), dtype=bool)
    mask[2:6, 8:20, 8:28] = True
    adc = np.where(np.arange(40) < 20, 1.0, 2.0) * np.ones((8, 40, 40))
    mostly, barely = np.arange(40) < 20, np.arange(40) < 12
    valid = np.broadcast_to(mostly, adc.shape)
    found = measure(exam(mask, adc_map(adc, T2_AFFINE, valid)), TimePoint.BASELINE)
    assert values(found)[Quantity.ADC_MEAN] == pytest.approx(1000)
    poor = exam(mask, adc_map(adc, T2_AFFINE, np.broadcast_to(barely, adc.shape)))
    assert Quantity.ADC_MEAN not in values(measure(poor, TimePoint.BASELINE))
    (statement,) = unmeasured(poor, TimePoint.BASELINE)
    assert statement.code is Code.ADC_NOT_ESTIMABLE
    assert "20%" in statement.reason


def test_without_a_mask_there_is_nothing_to_measure() -> None:
    assert measure(exam(None), TimePoint.BASELINE) == ()
    assert measure(exam(np.zeros((8, 40, 40), dtype=bool)), TimePoint.BASELINE) == ()
