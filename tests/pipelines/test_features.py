from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit, Mask, MaskOrigin, TimePoint, Volume
from pipelines.features import diffusion_inputs, measured_features, pair_features
from tests.pipelines.made_up_exam import made_up_exam, mask_of


def test_planted_adc_and_volume_are_measured() -> None:
    exam = made_up_exam(adc=0.95, radius=15.0)
    features = measured_features(exam, mask_of(exam), diffusion_inputs(exam))
    ellipsoid_cm3 = 4 / 3 * np.pi * 15.0 * 12.0 * 18.0 / 1000
    assert np.exp(features["log_volume"]) == pytest.approx(ellipsoid_cm3, rel=0.05)
    assert features["adc_median"] == pytest.approx(0.95, rel=0.02)
    assert features["slope"] == pytest.approx(0.95, rel=0.03)
    assert features["curvature"] == pytest.approx(0.0, abs=0.03)
    assert features["thickness"] == pytest.approx(24.0, abs=3.0)
    assert features["t2_median"] == pytest.approx(np.log(180 / 300), abs=0.03)


def test_curvature_is_the_kurtosis_of_the_signal() -> None:
    exam = made_up_exam(seed=1)
    D, K = 1.4, 0.9
    signal = {b: 800 * np.exp(-b / 1000 * D + (b / 1000) ** 2 * D**2 * K / 6) for b in exam.dwi}
    dwi = {b: volume.like(np.full(volume.array.shape, signal[b], np.float32)) for b, volume in exam.dwi.items()}
    exam = replace(exam, dwi=dwi)
    features = measured_features(exam, mask_of(exam), diffusion_inputs(exam))
    assert features["slope"] == pytest.approx(D, rel=1e-3)
    assert features["curvature"] == pytest.approx(D**2 * K / 6, rel=1e-3)


def test_the_gain_of_the_scanner_changes_nothing() -> None:
    exam = made_up_exam()
    louder = replace(
        exam,
        t2=exam.t2.like(exam.t2.array * 3),
        dwi={b: volume.like(volume.array * 3) for b, volume in exam.dwi.items()},
    )
    first = measured_features(exam, mask_of(exam), diffusion_inputs(exam))
    assert measured_features(louder, mask_of(exam), diffusion_inputs(louder)) == pytest.approx(
        first, rel=1e-4, abs=1e-5
    )


def test_b_values_above_the_limit_do_not_change_the_adc() -> None:
    exam = made_up_exam()
    noise = Volume(np.ones_like(exam.dwi[0.0].array), exam.dwi[0.0].affine)
    more = replace(exam, dwi={**exam.dwi, 2000.0: noise})
    first, second = diffusion_inputs(exam), diffusion_inputs(more)
    assert max(second.dwi) == 1000.0
    assert np.array_equal(first.adc.array, second.adc.array, equal_nan=True)


def test_missing_diffusion_is_refused_naming_the_exam_and_what_is_there() -> None:
    exam = made_up_exam(TimePoint.RESTAGING)
    with pytest.raises(InputUnfit, match=r"restaging exam lacks diffusion.*it has: none") as caught:
        diffusion_inputs(replace(exam, dwi={}))
    assert caught.value.code is Code.NO_DIFFUSION
    with pytest.raises(InputUnfit, match="it has: 1000"):
        diffusion_inputs(replace(exam, dwi={1000.0: exam.dwi[1000.0]}))


def test_b_values_too_close_together_are_refused_naming_the_exam() -> None:
    with pytest.raises(InputUnfit, match="the restaging exam: b-values 0, 50") as caught:
        diffusion_inputs(made_up_exam(TimePoint.RESTAGING, b_values=(0.0, 50.0)))
    assert caught.value.code is Code.ADC_NOT_ESTIMABLE


def test_a_mask_of_a_few_voxels_is_refused() -> None:
    exam = made_up_exam()
    tiny = np.zeros_like(mask_of(exam))
    tiny[5, 36, 36] = True
    with pytest.raises(InputUnfit, match="covers 1 voxels of the axial T2") as caught:
        measured_features(exam, tiny, diffusion_inputs(exam))
    assert caught.value.code is Code.NO_MASK


def test_a_mask_outside_the_diffusion_images_is_refused() -> None:
    exam = made_up_exam()
    away = exam.dwi[0.0].affine.copy()
    away[2, 3] += 500
    dwi = {b: replace(volume, affine=away) for b, volume in exam.dwi.items()}
    exam = replace(exam, dwi=dwi, mask=Mask(mask_of(exam), MaskOrigin.READER, "made up"))
    with pytest.raises(InputUnfit, match="of the diffusion images"):
        measured_features(exam, mask_of(exam), diffusion_inputs(exam))


def test_pair_features_name_time_and_change() -> None:
    pair = pair_features({"adc_mean": 0.9, "slope": 1.0}, {"adc_mean": 1.3})
    assert pair == pytest.approx({"pre_adc_mean": 0.9, "pre_slope": 1.0, "post_adc_mean": 1.3, "change_adc_mean": 0.4})
