from __future__ import annotations

import pytest

from pipelines.phantom.site import FULL, SITES, SMALL, Vendor


def test_each_site_has_another_vendor_and_one_can_estimate_kurtosis() -> None:
    assert {site.vendor for site in SITES} == set(Vendor)
    able = [site.name for site in SITES if len([b for b in site.b_values if b > 0]) >= 3 and max(site.b_values) >= 1500]
    assert able == ["A"]


def test_an_adc_of_b_values_up_to_1100_can_be_fitted_at_every_site() -> None:
    for site in SITES:
        assert len([b for b in site.b_values if b <= 1100]) == 3
        assert set(site.adc_b_values) <= set(site.b_values)


def test_noise_and_distortion_are_those_of_real_scanners() -> None:
    for site in SITES:
        assert 30 <= site.snr[0] < site.snr[1] <= 60
        assert 1 <= site.epi_shift[0] < site.epi_shift[1] <= 4


def test_the_full_preset_is_the_published_protocol() -> None:
    assert FULL.t2_matrix == 320
    assert 24 <= FULL.slices <= 30
    assert FULL.dwi_field_of_view / FULL.dwi_matrix == pytest.approx(1.7)
    for site in SITES:
        assert site.t2_spacing / FULL.scale == pytest.approx(0.6, abs=0.06)
        assert site.slice_step * FULL.step_share == pytest.approx(3, abs=0.31)


def test_both_presets_cover_the_tumour_with_t2_and_diffusion() -> None:
    for preset in (SMALL, FULL):
        for site in SITES:
            t2, dwi = preset.slices * site.slice_step * preset.step_share, preset.dwi_slices * site.slice_step
            assert min(t2, dwi) >= 62  # the longest tumour is 58 mm
