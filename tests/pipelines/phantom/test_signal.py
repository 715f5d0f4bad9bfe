from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.phantom.signal import (
    TISSUES,
    contrast_enhanced_t1,
    diffusion_weighted,
    kurtosis_decay,
    noise_free_adc,
    receive_field,
    scanner_map,
    smooth_field,
    t2_weighted,
    to_counts,
)


def test_kurtosis_decay_follows_the_published_equation() -> None:
    # b = 1000, D = 2.45, K = 0.56: exp(−2.45 + 2.45² · 0.56 / 6)
    assert float(kurtosis_decay(1000, 2.45, 0.56)) == pytest.approx(np.exp(-2.45 + 0.5602333), rel=1e-5)
    assert float(kurtosis_decay(0, 2.45, 0.56)) == 1.0


def test_the_decay_never_turns_upwards() -> None:
    signal = [float(kurtosis_decay(b, 3.0, 1.4)) for b in range(0, 4000, 100)]
    assert all(a >= b for a, b in itertools.pairwise(signal))


def test_the_true_adc_is_the_weighted_log_linear_fit() -> None:
    b = np.array([0, 500, 1000]) / 1000
    log_s = -b * 1.4 + (b * 1.4) ** 2 * 0.9 / 6
    slope = np.polyfit(b, log_s, 1, w=np.exp(log_s))[0]  # polyfit squares its weights
    assert noise_free_adc(1.4, 0.9, (0, 500, 1000)) == pytest.approx(-slope, rel=1e-9)
    assert noise_free_adc(1.4, 0.9, (0, 1000)) == pytest.approx(1.4 - 1.4**2 * 0.9 / 6)


def test_a_gradient_error_of_three_percent_scales_the_apparent_diffusion_by_three_percent() -> None:
    tissue = TISSUES["urine"]
    right = np.log(diffusion_weighted(tissue, 70, 0, 1.0) / diffusion_weighted(tissue, 70, 1000, 1.0))
    wrong = np.log(diffusion_weighted(tissue, 70, 0, 1.03) / diffusion_weighted(tissue, 70, 1000, 1.03))
    assert wrong / right == pytest.approx(1.03, rel=1e-4)


def test_on_t2_tumour_lies_between_muscle_and_fat_and_fibrosis_is_dark() -> None:
    signal = {name: t2_weighted(tissue, 100, 4000) for name, tissue in TISSUES.items()}
    assert 1.5 * signal["muscle"] < signal["tumour"] < 0.8 * signal["mesorectal fat"]
    assert signal["scar"] < signal["fibrotic tumour"] < 0.5 * signal["tumour"]
    assert signal["urine"] > signal["fat"]


def test_noise_is_rician() -> None:
    counts = to_counts(default_rng(0), np.zeros((4, 64, 64), np.float32), 0.1, 1.0) / 1700
    assert counts.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)  # Rayleigh where nothing is
    bright = to_counts(default_rng(0), np.ones((4, 64, 64), np.float32), 0.02, 1.0) / 1700
    assert bright.std() == pytest.approx(0.02, rel=0.03)
    assert bright.mean() == pytest.approx(1.0002, abs=0.001)


def test_counts_stay_within_twelve_bits() -> None:
    assert to_counts(default_rng(0), np.full((1, 4, 4), 9.0, np.float32), 0.01, 1.6).max() == 4095


def test_fields_are_what_they_say() -> None:
    field = smooth_field(default_rng(1), (16, 40, 40), (1.0, 1.0, 1.0))
    assert abs(float(field.mean())) < 1e-3
    assert float(field.std()) == pytest.approx(1, abs=1e-3)
    bias = receive_field(default_rng(1), (16, 40, 40), 0.15)
    assert bias.min() > 0.3
    assert np.abs(np.diff(np.log(bias), axis=2)).max() < 0.06


def test_a_scanners_map_is_a_straight_line_through_the_logarithms() -> None:
    b = np.array([0.0, 600.0, 1000.0])
    signal = 3000 * np.exp(-b / 1000 * 1.4 + 0.1 * (b / 1000) ** 2)
    stacks = [(float(one), np.full((2, 4, 4), round(s), np.uint16)) for one, s in zip(b, signal, strict=True)]
    slope = -np.polyfit(b / 1000, np.log(signal), 1)[0]
    assert np.allclose(scanner_map(stacks, 1e-3) * 1e-3, slope, atol=2e-3)
    assert np.allclose(scanner_map(stacks, 0.002) * 0.002, slope, atol=2e-3)


def test_a_scanners_map_is_nought_in_air() -> None:
    low = np.full((1, 4, 4), 2000, np.uint16)
    low[0, 0, 0] = 20
    assert scanner_map([(0.0, low), (1000.0, low // 2)], 1e-3)[0, 0, 0] == 0
    assert scanner_map([(0.0, low), (1000.0, low // 2)], 1e-3)[0, 2, 2] == round(1000 * np.log(2))


def test_without_contrast_agent_an_enhancing_tissue_is_darker_and_urine_the_same() -> None:
    assert contrast_enhanced_t1(TISSUES["tumour"], 0.0) < 0.6 * contrast_enhanced_t1(TISSUES["tumour"])
    assert contrast_enhanced_t1(TISSUES["urine"], 0.0) == contrast_enhanced_t1(TISSUES["urine"])
