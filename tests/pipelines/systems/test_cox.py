from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, NelsonAalenFitter

from pipelines.systems.cox import Z_95, CoxModel
from pipelines.training.dlrs_cox import Times, fit_cox, shrunk, with_baseline
from tests.pipelines.made_up_times import made_up_times

BETA = np.array([0.8, -0.5])
MONTHS = (0.0, 12.0, 36.0, 60.0)


def cohort(seed: int, count: int = 300) -> tuple[np.ndarray, Times]:
    values = np.random.default_rng(seed).normal(1.0, (1.0, 0.6), (count, 2))
    return values, made_up_times((values - 1.0) @ BETA, seed)


@pytest.fixture(scope="module")
def fitted() -> tuple[CoxModel, np.ndarray, Times]:
    values, times = cohort(1)
    return fit_cox(("a", "b"), values, times, 0.0), values, times


def by_lifelines(values: np.ndarray, times: Times) -> CoxPHFitter:
    frame = pd.DataFrame(values, columns=["a", "b"]).assign(months=times.months, event=times.event)
    return CoxPHFitter().fit(frame, "months", "event")


def test_log_hazard_and_event_free_share_are_those_of_lifelines() -> None:
    values, times = cohort(1)
    fitter = by_lifelines(values, times)
    model = with_baseline(("a", "b"), fitter.params_.to_numpy(), fitter.variance_matrix_.to_numpy(), values, times)
    asked = pd.DataFrame(values[:20], columns=["a", "b"])
    assert model.log_hazard(values[:20]) == pytest.approx(fitter.predict_log_partial_hazard(asked).to_numpy(), abs=1e-4)
    expected = fitter.predict_survival_function(asked, times=MONTHS[1:]).to_numpy().T
    assert model.event_free(values[:20], MONTHS[1:]) == pytest.approx(expected, abs=2e-3)


def test_a_fit_is_lifelines_shrunk_by_what_chance_gives(fitted) -> None:
    model, values, times = fitted
    fitter = by_lifelines(values, times)
    share = model.coefficients / fitter.params_.to_numpy()
    chi_square = fitter.log_likelihood_ratio_test().test_statistic
    assert share == pytest.approx([1 - 2 / chi_square] * 2, rel=1e-3)
    assert model.covariance == pytest.approx(fitter.variance_matrix_.to_numpy(), rel=1e-3)
    assert (shrunk(1.5, 2), shrunk(0.0, 2), shrunk(100.0, 0)) == (0.0, 0.0, 1.0)


def test_shrinking_makes_up_for_most_of_what_a_fit_promises_too_much() -> None:
    """Ten covariates, nine of which say nothing. New patients show a slope of 1 if predictions are right."""
    names, plain, found = [f"x{index}" for index in range(10)], [], []
    for seed in range(10):
        values = np.random.default_rng(seed).normal(size=(1200, 10))
        times = made_up_times(0.5 * values[:, 0], seed)
        seen = np.arange(200)
        model = fit_cox(names, values[seen], times.of(seen), 0.0)
        new = pd.DataFrame({"said": model.log_hazard(values[200:])})
        new = new.assign(months=times.months[200:], event=times.event[200:])
        found.append(float(CoxPHFitter().fit(new, "months", "event").params_["said"]))
        whole = pd.DataFrame(values[seen], columns=names).assign(months=times.months[seen], event=times.event[seen])
        fitter = CoxPHFitter().fit(whole, "months", "event")
        plain.append(found[-1] * float((model.coefficients / fitter.params_.to_numpy()).mean()))
    assert abs(float(np.mean(found)) - 1) < 0.12
    assert abs(float(np.mean(plain)) - 1) > 0.2


def test_nobody_has_the_event_before_the_first_one(fitted) -> None:
    model, values, _ = fitted
    early = (0.0, float(model.months[0]) - 1e-6, float(model.months[0]))
    share = model.event_free(values[:5], early)
    assert (share[:, :2] == 1.0).all()
    assert (share[:, 2] < 1.0).all()
    lower, upper = model.limits(values[:5], early)
    assert (lower[:, 0] == 1.0).all() and (upper[:, 0] == 1.0).all()


def test_without_covariates_the_limits_are_nelson_and_aalens() -> None:
    values, times = cohort(2)
    model = with_baseline(("a",), np.zeros(1), np.zeros((1, 1)), values[:, :1], times)
    known = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(times.months, times.event)
    expected = known.confidence_interval_cumulative_hazard_.loc[:36.0].iloc[-1]
    lower, upper = model.limits(model.centre[None], (36.0,))
    assert -np.log([upper[0, 0], lower[0, 0]]) == pytest.approx(expected.to_numpy(), rel=1e-2)


def test_limits_do_not_depend_on_where_covariates_are_counted_from(fitted) -> None:
    model, values, times = fitted
    moved = fit_cox(("a", "b"), values * 3.0 + 50.0, times, 0.0)
    for one, other in zip(model.limits(values[:9], MONTHS), moved.limits(values[:9] * 3.0 + 50.0, MONTHS), strict=True):
        assert other == pytest.approx(one, abs=1e-6)


def test_limits_hold_the_truth_in_about_95_of_100_cohorts() -> None:
    patient = np.array([[2.0, 0.5]])
    truth = float(np.exp(-0.35 * np.exp((patient[0] - 1.0) @ BETA)))
    held = []
    for seed in range(100, 160):
        lower, upper = fit_cox(("a", "b"), *cohort(seed, 120), 0.0).limits(patient, (36.0,))
        held.append(lower[0, 0] <= truth <= upper[0, 0])
    assert np.mean(held) >= 0.88


def test_further_variance_widens_the_limits(fitted) -> None:
    model, values, _ = fitted
    certain = replace(model, covariance=np.zeros((2, 2)), spent=model.spent * 0.0, drift=model.drift * 0.0)
    alone = replace(certain, coefficients=np.zeros(2), centre=values[0])
    lower, upper = alone.limits(values[:1], (36.0,), np.array([0.04]))
    hazard = float(model.hazard[np.searchsorted(model.months, 36.0, side="right") - 1])
    assert lower[0, 0] == pytest.approx(np.exp(-hazard * np.exp(Z_95 * 0.2)))
    assert upper[0, 0] == pytest.approx(np.exp(-hazard * np.exp(-Z_95 * 0.2)))


def test_what_is_stored_is_the_model(fitted) -> None:
    model, values, _ = fitted
    again = CoxModel.from_arrays(("a", "b"), model.arrays())
    assert (again.event_free(values, MONTHS) == model.event_free(values, MONTHS)).all()
