from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipelines.contract import Code, InputUnfit, Role, SeriesFiles, SeriesRole, Volume
from pipelines.diffusion.adc import fit_adc, scanner_adc
from pipelines.diffusion.adc_units import stated_unit
from pipelines.volumes.volume import load_dwi, load_volume
from tests.pipelines.made_decays import SPREAD, decay, with_noise


@pytest.mark.parametrize("b_values", [(0, 1000), (50, 400, 800), (0, 600, 1000, 1500), (100, 600)])
def test_a_monoexponential_decay_gives_its_coefficient(b_values: tuple[float, ...]) -> None:
    fitted = fit_adc(decay(b_values))
    assert fitted.valid.all()
    np.testing.assert_allclose(fitted.volume.array, SPREAD, rtol=2e-4)


def test_the_fit_is_the_weighted_regression_that_numpy_makes() -> None:
    b_values = (600.0, 1000.0, 1500.0, 2000.0)
    dwi = decay(b_values, np.full((1, 2, 2), 1.4), kurtosis=0.9)
    b = np.array(b_values) / 1000
    logs = np.log([dwi[value].array[0, 0, 0] for value in b_values]).astype(float)
    line = np.polyfit(b, logs, 1, w=np.exp(logs))  # polyfit squares its weights
    for _ in range(2):
        line = np.polyfit(b, logs, 1, w=np.exp(np.polyval(line, b)))
    fitted = fit_adc(dwi)
    assert fitted.volume.array[0, 0, 0] == pytest.approx(-line[0], rel=1e-4)
    assert fitted.fit == "weighted least squares, b 600/1000/1500/2000 s/mm²"


def test_with_a_low_b_value_the_fit_has_no_weights_so_that_perfusion_does_not_lead() -> None:
    b_values = (50.0, 400.0, 800.0)
    dwi = decay(b_values, np.full((1, 2, 2), 1.4))
    dwi[50] = dwi[50].like(dwi[50].array * 1.1)
    logs = np.log([dwi[value].array[0, 0, 0] for value in b_values]).astype(float)
    fitted = fit_adc(dwi)
    assert fitted.volume.array[0, 0, 0] == pytest.approx(-np.polyfit(np.array(b_values) / 1000, logs, 1)[0], rel=1e-4)
    assert fitted.fit.startswith("least squares, b 50/400/800")
    assert "perfusion" in fitted.fit


def test_r_squared_is_one_of_perfect_data_lower_with_noise_and_absent_for_two_points() -> None:
    clean = decay((500, 1000, 1500))
    perfect, noisy = fit_adc(clean), fit_adc(with_noise(clean, 30.0))
    assert perfect.r_squared is not None
    assert noisy.r_squared is not None
    np.testing.assert_allclose(perfect.r_squared, 1.0, atol=1e-5)
    assert noisy.r_squared[noisy.valid].max() <= 1.0
    assert np.median(noisy.r_squared[noisy.valid]) < 0.9999
    assert fit_adc(decay((0, 1000))).r_squared is None


@pytest.mark.parametrize("bad", [0.0, -5.0, np.nan, np.inf])
def test_a_signal_that_is_none_makes_the_voxel_invalid(bad: float) -> None:
    dwi = decay((0, 500, 1000))
    dwi[1000].array[1, 2, 3] = bad
    fitted = fit_adc(dwi)
    assert not fitted.valid[1, 2, 3]
    assert fitted.valid.sum() == fitted.valid.size - 1
    assert np.isfinite(fitted.volume.array).all()


def test_coefficients_outside_the_limits_are_marked_and_never_clamped() -> None:
    adc = np.full((2, 4, 4), 1.0)
    adc[0, 0, 0], adc[0, 0, 1] = -0.2, 4.5
    fitted = fit_adc(decay((0, 500, 1000), adc))
    assert not fitted.valid[0, 0, :2].any()
    assert fitted.valid.sum() == fitted.valid.size - 2
    assert not fitted.volume.array[~fitted.valid].any()


def test_perfusion_below_b_100_is_left_out_and_said_where_it_cannot_be() -> None:
    dwi = decay((0, 50, 500, 1000))
    for low in (0, 50):
        dwi[low] = dwi[low].like(dwi[low].array * 1.3)
    fitted = fit_adc(dwi)
    assert fitted.b_values == (500, 1000)
    np.testing.assert_allclose(fitted.volume.array, SPREAD, rtol=2e-4)
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
    adc = scanner_adc(Volume((SPREAD * scale).astype(np.float32), np.eye(4)))
    np.testing.assert_allclose(adc.volume.array, SPREAD, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 20.0, 60000.0])
def test_a_map_of_no_plausible_unit_is_refused(value: float) -> None:
    with pytest.raises(InputUnfit) as refused:
        scanner_adc(Volume(np.full((2, 3, 3), value, dtype=np.float32), np.eye(4)))
    assert refused.value.code is Code.ADC_UNITS


def test_background_padding_and_clipped_voxels_of_a_map_are_not_valid() -> None:
    stored = np.zeros((4, 40, 40), dtype=np.float32)
    stored[:, :10] = 1000 * SPREAD[:, :10]
    stored[:, 10:12] = 4095
    stored[:, 12:14] = -32768
    stored[:, 14:16] = np.nan
    adc = scanner_adc(Volume(stored, np.eye(4)))
    assert adc.valid[:, :10].all()
    assert not adc.valid[:, 10:].any()
    np.testing.assert_allclose(adc.volume.array[:, :10], SPREAD[:, :10], rtol=1e-5)
    assert not adc.volume.array[:, 10:].any()


def test_the_stated_unit_of_a_map_has_to_agree_with_its_values() -> None:
    volume = Volume((SPREAD * 1e3).astype(np.float32), np.eye(4))
    assert "stored in 10⁻⁶ mm²/s, as stated" in scanner_adc(volume, stated_unit="um2/s").fit
    with pytest.raises(InputUnfit) as refused:
        scanner_adc(volume, stated_unit="mm2/s")
    assert refused.value.code is Code.ADC_UNITS


REAL_MAPS = {
    "prostatex_0000_0001/**/ProstateX-0000/**/7.*ADC*": (0.9, 1.7),
    "prostatex_0000_0001/**/ProstateX-0001/**/8.*ADC*": (0.9, 1.7),
    "siemens_prisma_xa30_enhanced/**/11_DWI*": (0.5, 1.2),
    "dcmqi_prostate_adc_seg_sr/**/paramaps": (0.7, 1.7),
}
"""Folders of scanners' maps, and where the median of a pelvis or a brain lies, 10⁻³ mm²/s."""


@pytest.mark.parametrize("folder", REAL_MAPS)
def test_the_scanners_maps_of_siemens_and_ge_come_out_in_one_unit(shared_data: Path, folder: str) -> None:
    (path,) = shared_data.glob(folder)
    datasets = [pydicom.dcmread(file) for file in sorted(path.glob("*.dcm"))]
    stored = np.concatenate([np.atleast_3d(dataset.pixel_array.T).T for dataset in datasets]).astype(np.float32)
    adc = scanner_adc(Volume(stored, np.eye(4)), stated_unit=stated_unit(datasets[0]))
    low, high = REAL_MAPS[folder]
    assert low < np.median(adc.volume.array[adc.valid]) < high
    assert "stored in 10⁻⁶ mm²/s, by its median" in adc.fit


@pytest.mark.parametrize(
    ("patient", "dwi", "adc"), [("ProstateX-0000", "6.*", "7.*"), ("ProstateX-0001", "7.*", "8.*")]
)
def test_our_fit_of_real_dwi_agrees_with_the_scanners_map(shared_data: Path, patient: str, dwi: str, adc: str) -> None:
    (study,) = (shared_data / "prostatex_0000_0001").glob(f"**/{patient}/*")
    own, theirs = fit_adc(load_dwi(files(study, dwi))), scanner_adc(load_volume(files(study, adc)))
    assert own.b_values == (50, 400, 800)
    both = own.valid & theirs.valid
    assert both.mean() > 0.3
    relative = own.volume.array[both] / theirs.volume.array[both] - 1
    assert abs(np.median(relative)) < 0.05


def files(study: Path, series: str) -> SeriesFiles:
    (folder,) = study.glob(series)
    role = SeriesRole("", "", folder.name, "MR", Role.OTHER, (), 1.0, "named here")
    return SeriesFiles(role, tuple(sorted(folder.glob("*.dcm"))))
