from __future__ import annotations

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit, MapKind, Volume
from pipelines.diffusion.kurtosis import fit_kurtosis
from tests.pipelines.made_decays import decay, with_noise

B = (0.0, 600.0, 1000.0, 1500.0, 2000.0)
SHAPE = (3, 20, 20)


def tissue(d: tuple[float, float], k: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.uniform(*d, SHAPE), rng.uniform(*k, SHAPE)


@pytest.mark.parametrize("b_values", [B, (0, 1000, 2000), (0, 500, 1000, 1500), (50, 400, 800, 1500)])
def test_noise_free_decays_give_the_diffusivity_and_kurtosis_they_were_made_of(b_values: tuple[float, ...]) -> None:
    true_d, true_k = tissue((0.8, 1.6), (0.4, 0.9))
    d, k = fit_kurtosis(decay(b_values, true_d, true_k))
    assert (d.kind, k.kind) == (MapKind.KURTOSIS_D, MapKind.KURTOSIS_K)
    assert d.valid.all()
    assert d.valid is k.valid
    np.testing.assert_allclose(d.volume.array, true_d, rtol=1e-3)
    np.testing.assert_allclose(k.volume.array, true_k, rtol=1e-3)
    assert "weighted least squares, b " + "/".join(f"{b:g}" for b in b_values) in d.how


def test_voxels_outside_the_limits_are_marked_and_never_clamped() -> None:
    true_d = np.full(SHAPE, 1.2)
    true_k = np.full(SHAPE, 0.8)
    true_k[0, 0, 0] = -0.3  # more than mono-exponential
    true_k[0, 0, 1] = 1.4  # over 3 / (1.2 × 2.0): the signal would rise again before b 2000
    true_d[0, 0, 2], true_k[0, 0, 2] = 0.05, 0.8
    true_d[0, 0, 3], true_k[0, 0, 3] = 4.3, 0.1
    true_d[0, 0, 4], true_k[0, 0, 4] = 0.3, 3.2
    d, k = fit_kurtosis(decay(B, true_d, true_k))
    assert not d.valid[0, 0, :5].any()
    assert d.valid[0, 0, 5:].all()
    assert d.valid[1:].all()
    assert not d.volume.array[~d.valid].any()
    assert not k.volume.array[~k.valid].any()


@pytest.mark.parametrize("bad", [0.0, -5.0, np.nan, np.inf])
@pytest.mark.parametrize("b", [0.0, 2000.0])
def test_a_signal_that_is_none_makes_the_voxel_invalid(bad: float, b: float) -> None:
    dwi = decay(B, np.full(SHAPE, 1.2), 0.8)
    dwi[b].array[1, 2, 3] = bad
    d, k = fit_kurtosis(dwi)
    assert not d.valid[1, 2, 3]
    assert d.valid.sum() == d.valid.size - 1
    assert np.isfinite(d.volume.array).all()
    assert np.isfinite(k.volume.array).all()


@pytest.mark.parametrize(
    "b_values", [(), (1500,), (0, 2000), (0, 500, 1000), (50, 400, 800), (0, 50, 1500), (0, 1400, 1500)]
)
def test_b_values_that_do_not_allow_it_are_refused_by_name(b_values: tuple[float, ...]) -> None:
    with pytest.raises(InputUnfit) as refused:
        fit_kurtosis(decay(b_values))
    assert refused.value.code is Code.KURTOSIS_NOT_ESTIMABLE
    assert (", ".join(f"{b:g}" for b in b_values) or "none") in refused.value.reason
    assert "1500" in refused.value.reason


def test_dwi_without_any_decay_is_refused() -> None:
    with pytest.raises(InputUnfit) as refused:
        fit_kurtosis(decay(B, np.full(SHAPE, -0.5)))
    assert refused.value.code is Code.KURTOSIS_NOT_ESTIMABLE


def test_r_squared_is_one_of_perfect_data_lower_with_noise_and_absent_with_three_b_values() -> None:
    clean = decay(B, np.full(SHAPE, 1.2), 0.8)
    perfect, _ = fit_kurtosis(clean)
    noisy, _ = fit_kurtosis(with_noise(clean, 40.0))
    assert perfect.r_squared is not None
    assert noisy.r_squared is not None
    np.testing.assert_allclose(perfect.r_squared, 1.0, atol=1e-5)
    assert 0.9 < np.median(noisy.r_squared[noisy.valid]) < 0.9999
    three, _ = fit_kurtosis(decay((0, 1000, 2000), np.full(SHAPE, 1.2), 0.8))
    assert three.r_squared is None


def test_the_median_of_a_noisy_tumour_is_near_its_truth() -> None:
    d, k = fit_kurtosis(with_noise(decay(B, np.full((4, 40, 40), 1.365), 0.89), 1000 / 50))
    assert np.median(d.volume.array[d.valid]) == pytest.approx(1.365, rel=0.02)
    assert np.median(k.volume.array[k.valid]) == pytest.approx(0.89, rel=0.05)


@pytest.fixture(scope="module")
def responder() -> dict[float, Volume]:
    """Tissue of a complete responder (D 2.45, K 0.56, of at most 0.61) at SNR 50."""
    return with_noise(decay(B, np.full((4, 60, 60), 2.45), 0.56), 1000 / 50)


def test_at_the_limit_noise_is_allowed_for_so_that_the_median_is_not_biased(responder: dict[float, Volume]) -> None:
    d, k = fit_kurtosis(responder)
    assert np.median(d.volume.array[d.valid]) == pytest.approx(2.45, rel=0.01)
    assert np.median(k.volume.array[k.valid]) == pytest.approx(0.56, rel=0.02)
    assert d.valid.mean() > 0.85


def test_with_no_rise_allowed_the_limit_holds_in_every_voxel_and_the_median_is_low(
    responder: dict[float, Volume],
) -> None:
    d, k = fit_kurtosis(responder, rise_allowed=0)
    product = k.volume.array[k.valid] * d.volume.array[d.valid] * 2.0
    assert product.max() <= 3.0001
    assert d.valid.mean() < 0.8
    assert np.median(d.volume.array[d.valid]) < 0.985 * 2.45


def test_three_b_values_tell_nothing_of_noise_so_the_limit_is_strict(responder: dict[float, Volume]) -> None:
    d, k = fit_kurtosis({b: responder[b] for b in (0, 1000, 2000)})
    assert (k.volume.array[k.valid] * d.volume.array[d.valid] * 2.0).max() <= 3.0001
