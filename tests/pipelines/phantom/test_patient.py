"""The planted truth, on latents alone: no image is made here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.phantom.latents import Latents, draw_latents
from pipelines.phantom.oracle import expected_auc
from pipelines.phantom.patient import VirtualPatient, draw_patient
from pipelines.phantom.signal import noise_free_adc
from pipelines.phantom.site import SITES


@pytest.fixture(scope="module")
def latents() -> list[Latents]:
    rng = default_rng(2024)
    return [draw_latents(rng) for _ in range(3000)]


@pytest.fixture(scope="module")
def p(latents: list[Latents]) -> np.ndarray:
    return np.array([x.p_good_response for x in latents])


def test_a_model_that_knew_the_latents_would_reach_about_0_84(p: np.ndarray) -> None:
    assert 0.82 < expected_auc(p, p) < 0.87


def test_about_a_third_respond_well(p: np.ndarray) -> None:
    assert 0.30 < p.mean() < 0.37


@pytest.mark.parametrize("b_values", [(0, 500, 1000), (500, 1000), (0, 1000)])
def test_adc_after_therapy_alone_is_a_moderate_marker(
    latents: list[Latents], p: np.ndarray, b_values: tuple[int, ...]
) -> None:
    adc = np.array([noise_free_adc(x.d_post, x.k_post, b_values) for x in latents])
    assert 0.65 < expected_auc(p, adc) < 0.76


def test_each_planted_marker_tells_something_and_none_tells_all(latents: list[Latents], p: np.ndarray) -> None:
    markers = {
        "delta D": [x.d_post - x.d_pre for x in latents],
        "low K": [-x.k_post for x in latents],
        "volume lost": [-x.volume_post / x.volume_pre for x in latents],
        "homogeneous before": [-x.heterogeneity for x in latents],
        "fibrosis": [x.fibrosis for x in latents],
    }
    for name, values in markers.items():
        assert 0.60 < expected_auc(p, np.array(values)) < 0.78, name


def test_the_size_before_therapy_tells_nothing(latents: list[Latents], p: np.ndarray) -> None:
    assert abs(expected_auc(p, np.array([x.volume_pre for x in latents])) - 0.5) < 0.04


def test_diffusion_and_volume_lie_in_the_published_ranges(latents: list[Latents], p: np.ndarray) -> None:
    def mean(values: list[float], weight: np.ndarray) -> float:
        return float(np.average(values, weights=weight))

    assert 1.30 < np.mean([x.d_pre for x in latents]) < 1.42
    assert 0.84 < np.mean([x.k_pre for x in latents]) < 0.94
    assert mean([x.d_post for x in latents], p) - mean([x.d_post for x in latents], 1 - p) > 0.15
    assert 17 < np.median([x.volume_pre for x in latents]) < 23
    reduction = np.array([1 - x.volume_post / x.volume_pre for x in latents])
    assert abs(reduction.mean() - 0.52) < 0.05
    assert abs(reduction.std() - 0.25) < 0.05
    assert min(x.heterogeneity for x in latents) >= 0.149
    assert min(x.volume_post for x in latents) > 0.4


def test_probability_is_the_logistic_of_the_weighted_latents(latents: list[Latents]) -> None:
    x = latents[7]
    eta = 1.95 * np.dot(x.z, [0.30, 0.20, 0.27, 0.33, 0.33]) - 1.05
    assert x.p_good_response == pytest.approx(1 / (1 + np.exp(-eta)), abs=1e-12)
    assert x.d_post == pytest.approx(x.d_pre + 0.715 + 0.346 * x.z[0])
    assert x.volume_post == pytest.approx(x.volume_pre * 0.42 * np.exp(-0.6 * x.z[2]))


@pytest.fixture(scope="module")
def patients() -> list[VirtualPatient]:
    return [draw_patient(3, i) for i in range(1500)]


def test_outcomes_and_grades_agree_and_follow_the_probability(patients: list[VirtualPatient]) -> None:
    for patient in patients:
        assert patient.good_response == (patient.trg_ajcc in ("AJCC-0", "AJCC-1"))
        assert 60 <= (patient.dates[1] - patient.dates[0]).days <= 110
    good = np.array([x.good_response for x in patients])
    p = np.array([x.latents.p_good_response for x in patients])
    assert abs(good.mean() - p.mean()) < 0.035
    assert good[p > 0.6].mean() > 0.6 > 0.25 > good[p < 0.3].mean()
    assert 0.10 <= np.mean([x.trg_ajcc == "AJCC-0" for x in patients]) <= 0.27
    assert 0.20 < np.mean([not x.has_ce_t1 for x in patients]) < 0.30


def test_the_site_does_not_predict_the_outcome(patients: list[VirtualPatient]) -> None:
    rates = [np.mean([x.latents.p_good_response for x in patients if x.site.name == name]) for name in ("A", "B", "C")]
    assert max(rates) - min(rates) < 0.06


def test_the_same_seed_and_index_give_the_same_patient_and_another_seed_another() -> None:
    assert draw_patient(1, 5) == draw_patient(1, 5)
    assert draw_patient(1, 5).latents != draw_patient(2, 5).latents
    assert draw_patient(1, 5).patient_id == "PHANTOM-S1-0005"


def test_another_choice_of_sites_moves_patients_and_changes_nothing_else() -> None:
    everywhere, one = draw_patient(1, 5), draw_patient(1, 5, SITES[2:])
    assert one.site.name == "C"
    assert replace(one, site=everywhere.site) == everywhere


def share(flags: list[bool]) -> float:
    return float(np.mean(flags))


def test_rates_are_the_published_ones(patients: list[VirtualPatient]) -> None:
    cea = [x.record.cea_ng_ml > 5 for x in patients if x.record.cea_ng_ml is not None]
    assert share(cea) == pytest.approx(0.24, abs=0.035)
    for nodes, rate in (("ypN0", 0.66), ("ypN1", 0.21), ("ypN2", 0.13)):
        assert share([x.words["ypn"] == nodes for x in patients]) == pytest.approx(rate, abs=0.035)
    assert 0.10 <= share([x.complete_response for x in patients]) <= 0.27
    spread = [x.follow_up.metastasis_event and x.follow_up.metastasis_months <= 36 for x in patients]
    assert 0.19 <= share(spread) <= 0.29  # counted over everybody: some were lost before
    assert 0.05 < share([len(x.record.words) < 10 for x in patients]) < 0.30


def test_the_record_contradicts_itself_nowhere(patients: list[VirtualPatient]) -> None:
    for x in patients:
        record = x.record
        assert (record.ypt == "ypT0") == (x.trg_ajcc == "AJCC-0") == (record.trg_dworak == "Dworak-4")
        assert (record.trg_mandard == "Mandard-1") == (x.trg_ajcc == "AJCC-0")
        assert not x.complete_response or (x.good_response and x.words["ypn"] == "ypN0")
        if record.cea_ng_ml is not None:
            assert (record.cea_ng_ml > 5) == (record.words["cea"] == "raised")
        if record.ca19_9_u_ml is not None:
            assert (record.ca19_9_u_ml > 37) == (record.words["ca19_9"] == "raised")
        assert all(record.words[name] == x.words[name] for name in record.words)
        assert {"ct_stage", "cn_stage", "trg_ajcc", "ypn"} <= set(record.words)


def test_dates_follow_each_other(patients: list[VirtualPatient]) -> None:
    for x in patients:
        therapy = x.therapy
        assert x.birth_date < x.dates[0] < therapy.start < therapy.end < x.dates[1] < therapy.surgery
        assert (therapy.surgery - x.dates[1]).days <= 30
        assert 30 <= x.age_years <= 87


def test_series_are_missing_now_and_then_and_contrast_mostly_at_both_exams(patients: list[VirtualPatient]) -> None:
    for name, low, high in (("dwi", 0.01, 0.05), ("t2_sagittal", 0.03, 0.09), ("ce_t1", 0.18, 0.27)):
        assert low < share([name in lacking for x in patients for lacking in x.missing]) < high
    both = share([all("ce_t1" in lacking for lacking in x.missing) for x in patients])
    assert both > 0.7 * share([not x.has_ce_t1 for x in patients])
