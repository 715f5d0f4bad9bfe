from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit, Role, TimePoint, Volume
from pipelines.diffusion import fit_adc, scanner_adc
from pipelines.exam import exam_files
from pipelines.volume import load_dwi, load_volume

TRUE = np.linspace(0.5, 3.0, 4 * 40 * 40).reshape(4, 40, 40)


def decay(b_values: tuple[float, ...], adc: np.ndarray = TRUE, kurtosis: float = 0.0) -> dict[float, Volume]:
    """S = 1000·exp(−bD + (bD)²K/6), without noise."""
    signals = {b: 1000 * np.exp(-b / 1000 * adc + (b / 1000 * adc) ** 2 * kurtosis / 6) for b in b_values}
    return {b: Volume(signal.astype(np.float32), np.eye(4)) for b, signal in signals.items()}


@pytest.mark.parametrize("b_values", [(0, 1000), (50, 400, 800), (0, 600, 1000, 1500), (100, 600)])
def test_a_monoexponential_decay_gives_its_coefficient(b_values: tuple[float, ...]) -> None:
    fitted = fit_adc(decay(b_values))
    assert fitted.valid.all()
    np.testing.assert_allclose(fitted.volume.array, TRUE, rtol=2e-4)


def test_the_fit_is_the_weighted_regression_that_numpy_makes() -> None:
    b_values = (600.0, 1000.0, 1500.0, 2000.0)
    dwi = decay(b_values, np.full((1, 2, 2), 1.4), kurtosis=0.9)
    b = np.array(b_values) / 1000
    logs = np.log([dwi[value].array[0, 0, 0] for value in b_values]).astype(float)
    first = np.polyfit(b, logs, 1, w=np.exp(logs))  # polyfit squares its weights
    second = np.polyfit(b, logs, 1, w=np.exp(np.polyval(first, b)))
    assert fit_adc(dwi).volume.array[0, 0, 0] == pytest.approx(-second[0], rel=1e-4)


def test_perfusion_below_b_100_is_left_out_and_said_where_it_cannot_be() -> None:
    dwi = decay((0, 50, 500, 1000))
    for low in (0, 50):
        dwi[low] = dwi[low].like(dwi[low].array * 1.3)
    fitted = fit_adc(dwi)
    assert fitted.b_values == (500, 1000)
    np.testing.assert_allclose(fitted.volume.array, TRUE, rtol=2e-4)
    assert "perfusion" not in fitted.fit
    fallback = fit_adc({b: dwi[b] for b in (50, 500)})
    assert fallback.b_values == (50, 500)
    assert "b 50/500" in fallback.fit
    assert "perfusion" in fallback.fit


@pytest.mark.parametrize("b_values", [(), (800,), (600, 800), (0, 100)])
def test_b_values_too_few_or_too_close_are_refused(b_values: tuple[float, ...]) -> None:
    with pytest.raises(InputUnfit) as refused:
        fit_adc(decay(b_values))
    assert refused.value.code is Code.ADC_NOT_ESTIMABLE


def test_air_is_not_valid_and_tissue_is() -> None:
    rng = np.random.default_rng(4)
    tissue = np.zeros((4, 40, 40), dtype=bool)
    tissue[:, 8:32, 8:32] = True
    dwi = {
        b: Volume(
            np.abs(np.where(tissue, clean.array, 0) + rng.normal(0, 15, clean.array.shape)).astype(np.float32),
            np.eye(4),
        )
        for b, clean in decay((0, 800), np.full((4, 40, 40), 1.0)).items()
    }
    fitted = fit_adc(dwi)
    assert fitted.valid[tissue].mean() > 0.99
    assert fitted.valid[~tissue].mean() < 0.2
    assert not fitted.volume.array[~fitted.valid].any()
    assert fitted.volume.array[tissue].mean() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("scale", [1, 1e3, 1e-3])
def test_the_unit_of_a_scanners_map_is_recognised(scale: float) -> None:
    adc = scanner_adc(Volume((TRUE * scale).astype(np.float32), np.eye(4)))
    np.testing.assert_allclose(adc.volume.array, TRUE, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 20.0, 60000.0])
def test_a_map_of_no_plausible_unit_is_refused(value: float) -> None:
    with pytest.raises(InputUnfit) as refused:
        scanner_adc(Volume(np.full((2, 3, 3), value, dtype=np.float32), np.eye(4)))
    assert refused.value.code is Code.ADC_UNITS


@pytest.mark.parametrize("patient", ["ProstateX-0000", "ProstateX-0001"])
def test_our_fit_of_real_dwi_agrees_with_the_scanners_map(shared_data: Path, patient: str) -> None:
    (folder,) = (path for path in (shared_data / "prostatex_0000_0001").rglob(patient) if path.is_dir())
    files = exam_files(folder, TimePoint.BASELINE)
    own, theirs = fit_adc(load_dwi(files.chosen[Role.DWI])), scanner_adc(load_volume(files.chosen[Role.ADC]))
    both = own.valid & theirs.valid
    assert both.mean() > 0.3
    relative = own.volume.array[both] / theirs.volume.array[both] - 1
    assert abs(np.median(relative)) < 0.05
