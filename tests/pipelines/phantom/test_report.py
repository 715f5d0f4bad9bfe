"""The cohort's report, on a cohort.csv of patients of whom no image was made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from numpy.random import default_rng
from pydicom.misc import is_dicom

from pipelines.phantom.patient import draw_patient
from pipelines.phantom.report import write_report
from pipelines.phantom.report.expected import Check, cumulative_incidence
from pipelines.phantom.report.pictures import kaplan_meier, overlap
from pipelines.phantom.row import Measured, PatientRow, row_of, write_rows
from pipelines.phantom.signal import noise_free_adc


def made_row(seed: int, index: int) -> PatientRow:
    """The line of a patient whose walls are taken as they are on average."""
    patient = draw_patient(seed, index)
    latents, b_values = patient.latents, patient.site.b_values
    volumes = latents.volume_pre, latents.volume_post
    adc = {
        f"adc{share}_{when}": noise_free_adc(d, k, b_values[skip:])
        for share, skip in (("", 0), ("_b500up", 1))
        for when, d, k in (("baseline", latents.d_pre, latents.k_pre), ("restaging", latents.d_post, latents.k_post))
    }
    thickness = (16 * (volumes[0] / 20) ** (1 / 3), 11 * (volumes[1] / 8) ** (1 / 3))
    return row_of(
        patient, Measured("small", b_values, (2.0, -2.0), volumes, thickness, (48.0, 40.0), (60.0, 64.0), adc)
    )


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_rows(folder / "cohort.csv", [made_row(31, index) for index in range(120)])
    return folder


def test_a_report_of_a_cohort_has_its_figures_its_pictures_and_its_patients(cohort: Path) -> None:
    steps: list[tuple[int, int]] = []
    page = write_report(cohort, lambda done, total: steps.append((done, total)))
    text, figures = page.read_text(), json.loads((cohort / "report" / "report.json").read_text())
    assert steps[-1][0] == steps[-1][1] == len(steps)
    assert figures["patients"] == 120
    named = {check["name"]: check for check in figures["checks"]}
    assert named["complete response (ypT0 ypN0)"]["expected"] == [10, 27]
    rate = 100 * np.mean([draw_patient(31, index).good_response for index in range(120)])
    assert named["good response (AJCC 0–1)"]["measured"] == pytest.approx(rate, abs=1e-3)
    pictures = sorted(path.name for path in (cohort / "report").glob("*.png"))
    assert {"oracle.png", "overlap.png", "survival.png"} < set(pictures)
    assert all(f'src="{name}"' in text for name in pictures)
    assert not any(is_dicom(cohort / "report" / name) for name in pictures)


def test_a_cohort_too_small_to_say_anything_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "cohort.csv", [made_row(31, index) for index in range(4)])
    with pytest.raises(ValueError, match="five good and five poor"):
        write_report(tmp_path)


def test_a_figure_is_in_range_up_to_two_standard_errors_away() -> None:
    assert Check("rate", 10, 20, 23.9, 2.0).within
    assert not Check("rate", 10, 20, 24.1, 2.0).within
    assert not Check("rate", 10, 20, 5.9, 2.0).within


def test_curves_and_incidence_agree_with_lifelines() -> None:
    rng = default_rng(6)
    months, kind = np.round(rng.exponential(30, 200), 1) + 0.1, rng.integers(0, 3, 200)
    times, free = kaplan_meier(months, kind == 1)
    fitter = KaplanMeierFitter().fit(months, kind == 1)
    assert free == pytest.approx(fitter.survival_function_at_times(times).to_numpy())
    incidence = AalenJohansenFitter(seed=1, jitter_level=1e-9).fit(months, kind, event_of_interest=1)
    expected = float(incidence.cumulative_density_.loc[:36].iloc[-1].iloc[0])
    assert cumulative_incidence(months, kind == 1, kind == 2, 36) == pytest.approx(expected, abs=0.004)


def test_the_overlap_of_two_normal_densities_is_the_known_one() -> None:
    rng = default_rng(7)
    shared = overlap(rng.normal(0, 1, 4000), rng.normal(1, 1, 4000))
    assert shared == pytest.approx(0.617, abs=0.03)  # 2 Φ(−½)
