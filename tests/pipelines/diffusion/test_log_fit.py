from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from pipelines.diffusion.log_fit import CHUNK, Scheme, fit_log_signal
from tests.pipelines.made_decays import decay, with_noise

B = (0.0, 600.0, 1000.0, 1500.0, 2000.0)


def noisy_signals(sigma: float = 10.0, shape: tuple[int, int, int] = (2, 5, 7)) -> np.ndarray:
    """Kurtosis decays of random tissue, float64 (b, slices, rows, columns)."""
    rng = np.random.default_rng(11)
    dwi = with_noise(decay(B, rng.uniform(0.8, 2.4, shape), rng.uniform(0.4, 1.0, shape)), sigma)
    return np.stack([dwi[b].array for b in B]).astype(np.float64)


def every(signals: np.ndarray) -> np.ndarray:
    return np.ones(signals.shape[1:], dtype=bool)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("reweightings", [0, 1, 2])
def test_the_closed_form_is_the_weighted_regression_that_numpy_makes(degree: int, reweightings: int) -> None:
    signals = noisy_signals()
    fitted = fit_log_signal(list(signals), B, every(signals), Scheme(degree, reweightings=reweightings))
    b = np.array(B) / 1000
    for voxel in np.ndindex(signals.shape[1:]):
        logs = np.log(signals[(slice(None), *voxel)])
        expected = np.polyfit(b, logs, degree, w=np.exp(logs))  # polyfit squares its weights
        for _ in range(reweightings):
            expected = np.polyfit(b, logs, degree, w=np.exp(np.polyval(expected, b)))
        found = [coefficient[voxel] for coefficient in fitted.coefficients]
        np.testing.assert_allclose(found, expected[::-1][1:], rtol=1e-8)


def test_without_weights_it_is_the_plain_regression() -> None:
    signals = noisy_signals()
    fitted = fit_log_signal(list(signals), B, every(signals), Scheme(1, weighted=False))
    logs = np.log(signals).reshape(len(B), -1)
    expected = np.polyfit(np.array(B) / 1000, logs, 1)[0]
    np.testing.assert_allclose(fitted.coefficients[0].ravel(), expected, rtol=1e-8)


def test_it_agrees_with_an_iterative_fit_of_the_signal_itself() -> None:
    """Weights of the fitted signal make the logarithmic fit that of the signal, to first order in the noise."""
    signals = noisy_signals(sigma=2.0)
    fitted = fit_log_signal(list(signals), B, every(signals), Scheme(2))
    b = np.array(B) / 1000

    def model(b: np.ndarray, s0: float, slope: float, bend: float) -> np.ndarray:
        return np.asarray(1000 * s0 * np.exp(slope * b + bend * b**2))

    for voxel in np.ndindex(signals.shape[1:]):
        expected, _ = curve_fit(model, b, signals[(slice(None), *voxel)], p0=(1, -1.5, 0.2))
        assert fitted.coefficients[0][voxel] == pytest.approx(expected[1], rel=0.01)
        assert fitted.coefficients[1][voxel] == pytest.approx(expected[2], rel=0.03, abs=0.003)


@pytest.mark.parametrize("degree", [1, 2])
def test_single_precision_agrees_with_double_within_a_thousandth(degree: int) -> None:
    signals = noisy_signals(shape=(10, 40, 40))
    single = fit_log_signal(list(signals.astype(np.float32)), B, every(signals), Scheme(degree))
    double = fit_log_signal(list(signals), B, every(signals), Scheme(degree))
    assert single.coefficients[0].dtype == np.float32
    assert double.coefficients[0].dtype == np.float64
    for found, expected in zip(single.coefficients, double.coefficients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert single.r_squared is not None
    assert double.r_squared is not None
    np.testing.assert_allclose(single.r_squared, double.r_squared, atol=1e-3)


def test_a_decay_over_many_decades_is_fitted_in_single_precision() -> None:
    d = np.full((1, 2, 2), 3.0)
    dwi = decay((0, 1000, 2000, 3000), d)
    fitted = fit_log_signal([volume.array for volume in dwi.values()], list(dwi), d > 0, Scheme(1))
    np.testing.assert_allclose(fitted.coefficients[0], -3.0, rtol=1e-4)


def test_r_squared_is_one_of_perfect_data_and_the_weighted_share_otherwise() -> None:
    perfect = decay(B)
    where = np.ones((4, 40, 40), dtype=bool)
    fitted = fit_log_signal([volume.array for volume in perfect.values()], B, where, Scheme(1))
    assert fitted.r_squared is not None
    np.testing.assert_allclose(fitted.r_squared, 1.0, atol=1e-5)
    signals = noisy_signals(sigma=60.0)
    noisy = fit_log_signal(list(signals), B, every(signals), Scheme(1, reweightings=0))
    assert noisy.r_squared is not None
    b = np.array(B) / 1000
    for voxel in np.ndindex(signals.shape[1:]):
        logs = np.log(signals[(slice(None), *voxel)])
        weights = np.exp(2 * logs)
        line = np.polyval(np.polyfit(b, logs, 1, w=np.exp(logs)), b)
        mean = np.average(logs, weights=weights)
        expected = 1 - np.sum(weights * (logs - line) ** 2) / np.sum(weights * (logs - mean) ** 2)
        assert noisy.r_squared[voxel] == pytest.approx(expected)


def test_as_many_coefficients_as_b_values_leave_no_r_squared() -> None:
    two = decay((0, 1000))
    where = np.ones((4, 40, 40), dtype=bool)
    assert fit_log_signal([volume.array for volume in two.values()], list(two), where, Scheme(1)).r_squared is None


def test_voxels_outside_are_zero_and_chunks_meet() -> None:
    shape = (1, 3, CHUNK // 2)
    d = np.linspace(0.5, 3.0, shape[1] * shape[2]).reshape(shape)
    where = np.random.default_rng(1).random(shape) < 0.9
    dwi = decay((0, 800), d)
    fitted = fit_log_signal([volume.array for volume in dwi.values()], list(dwi), where, Scheme(1))
    np.testing.assert_allclose(fitted.coefficients[0][where], -d[where], rtol=1e-4)
    assert not fitted.coefficients[0][~where].any()


@pytest.mark.parametrize("degree", [1, 2])
def test_the_error_of_the_last_slope_is_its_spread_in_uniform_tissue(degree: int) -> None:
    kurtosis = 0.7 if degree == 2 else 0.0
    dwi = with_noise(decay(B, np.full((4, 50, 50), 1.3), kurtosis), 15.0)
    fitted = fit_log_signal([dwi[b].array for b in B], B, np.ones((4, 50, 50), dtype=bool), Scheme(degree))
    slope = fitted.coefficients[0] + (4.0 * fitted.coefficients[1] if degree == 2 else 0.0)
    assert np.median(fitted.end_error) == pytest.approx(float(slope.std()), rel=0.1)


def test_without_noise_or_residuals_there_is_no_error() -> None:
    where = np.ones((4, 40, 40), dtype=bool)
    exact = decay(B)
    assert fit_log_signal([exact[b].array for b in B], B, where, Scheme(1)).end_error.max() < 1e-3
    three = with_noise(decay((0, 1000, 2000)), 10.0)
    signals = [np.maximum(volume.array, 1) for volume in three.values()]
    assert not fit_log_signal(signals, list(three), where, Scheme(2)).end_error.any()
