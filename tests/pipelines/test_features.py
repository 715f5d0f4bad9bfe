from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit, Mask, MaskOrigin
from pipelines.features import measured_features, pair_features
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs


def test_planted_adc_and_volume_are_measured() -> None:
    exam = made_up_exam(adc=0.95, radius=15.0)
    features = measured_features(plain_inputs(exam), mask_of(exam))
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
    features = measured_features(plain_inputs(exam), mask_of(exam))
    assert features["slope"] == pytest.approx(D, rel=2e-3)
    assert features["curvature"] == pytest.approx(D**2 * K / 6, rel=5e-3)


def test_the_gain_of_the_scanner_changes_nothing() -> None:
    exam = made_up_exam()
    louder = replace(
        exam,
        t2=exam.t2.like(exam.t2.array * 4),
        dwi={b: volume.like(volume.array * 4) for b, volume in exam.dwi.items()},
    )
    first = measured_features(plain_inputs(exam), mask_of(exam))
    assert measured_features(plain_inputs(louder), mask_of(exam)) == pytest.approx(first, rel=1e-4, abs=1e-5)


def test_a_mask_of_a_few_voxels_is_refused() -> None:
    exam = made_up_exam()
    tiny = np.zeros_like(mask_of(exam))
    tiny[5, 36, 36] = True
    with pytest.raises(InputUnfit, match="covers 1 voxels of the axial T2") as caught:
        measured_features(plain_inputs(exam), tiny)
    assert caught.value.code is Code.NO_MASK


def test_a_mask_outside_the_diffusion_images_is_refused() -> None:
    exam = made_up_exam()
    away = exam.dwi[0.0].affine.copy()
    away[2, 3] += 500
    dwi = {b: replace(volume, affine=away) for b, volume in exam.dwi.items()}
    exam = replace(exam, dwi=dwi, mask=Mask(mask_of(exam), MaskOrigin.READER, "made up"))
    with pytest.raises(InputUnfit, match="of the diffusion images"):
        measured_features(plain_inputs(exam), mask_of(exam))


def test_pair_features_name_time_and_change() -> None:
    pair = pair_features({"adc_mean": 0.9, "slope": 1.0}, {"adc_mean": 1.3})
    assert pair == pytest.approx({"pre_adc_mean": 0.9, "pre_slope": 1.0, "post_adc_mean": 1.3, "change_adc_mean": 0.4})


def test_an_image_without_signal_is_refused_and_never_a_number() -> None:
    exam = made_up_exam()
    dark = replace(exam, t2=exam.t2.like(np.zeros_like(exam.t2.array)))
    with pytest.raises(InputUnfit, match="the axial T2 is empty where the tumour is"):
        measured_features(plain_inputs(dark), mask_of(exam))
