"""Calibration of survival compared with statsmodels, with lifelines, and on probabilities known to be right."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from lifelines import KaplanMeierFitter
from numpy.random import default_rng

from pipelines.evaluation.statistics.horizon import AtHorizon, Observed
from pipelines.evaluation.statistics.stated import Numbers
from pipelines.evaluation.statistics.survival_calibration import cox_slope, survival_calibration


def drawn(seed: int, size: int = 600) -> tuple[Numbers, AtHorizon]:
    """Probabilities of an event by 36 months, and proportional hazards that they are true of; half are lost."""
    rng = default_rng(seed)
    hazard = np.exp(rng.normal(-1.1, 1.0, size))
    event = 36.0 * rng.exponential(1.0, size) / hazard
    lost = rng.uniform(5, 80, size)
    return -np.expm1(-hazard), AtHorizon(Observed(np.minimum(event, lost), event <= lost), 36.0)


def test_the_slope_is_the_cox_coefficient_of_statsmodels() -> None:
    probability, outcome = drawn(1)
    predictor = np.log(-np.log1p(-probability))
    fit = sm.PHReg(outcome.observed.months, predictor, status=outcome.observed.event).fit()
    found = survival_calibration(probability, outcome).slope
    assert found.value == pytest.approx(float(fit.params[0]), rel=1e-3)
    assert found.lower == pytest.approx(float(fit.params[0] - 1.959964 * fit.bse[0]), rel=1e-2)


def test_right_probabilities_are_found_right() -> None:
    held = 0
    for seed in range(12):
        probability, outcome = drawn(100 + seed)
        found = cox_slope(np.log(-np.log1p(-probability)), outcome.observed)
        assert found.lower is not None and found.upper is not None
        held += found.lower <= 1.0 <= found.upper
    assert held >= 10
    whole = survival_calibration(*drawn(50, 3000), draws=np.ones((20, 3000)))
    assert whole.expected_observed.value == pytest.approx(1.0, abs=0.06)
    doubled, outcome = drawn(51, 3000)
    assert survival_calibration(
        doubled / 2, outcome, draws=np.ones((20, 3000))
    ).expected_observed.value == pytest.approx(0.5, abs=0.03)


def test_the_brier_score_is_grafs_sum() -> None:
    probability, outcome = drawn(2, 120)
    months, event = outcome.observed.months, outcome.observed.event
    lost = KaplanMeierFitter().fit(months, ~event)
    total = 0.0
    for p, month, had in zip(probability, months, event, strict=True):
        if had and month <= 36:
            total += (1 - p) ** 2 / float(lost.predict(month))
        elif month > 36:
            total += p**2 / float(lost.predict(36.0))
    found = survival_calibration(probability, outcome)
    assert found.brier.value == pytest.approx(total / 120)
    assert found.scaled_brier.value is not None and 0.0 < found.scaled_brier.value < 1.0


def test_the_brier_score_of_the_censored_is_that_of_the_uncensored() -> None:
    rng = default_rng(3)
    hazard = np.exp(rng.normal(-1.0, 1.0, 8000))
    event, lost = 36.0 * rng.exponential(1.0, 8000) / hazard, rng.uniform(5, 80, 8000)
    probability = -np.expm1(-hazard)
    censored = AtHorizon(Observed(np.minimum(event, lost), event <= lost), 36.0)
    found = survival_calibration(probability, censored, np.ones((20, 8000)))
    assert found.brier.value == pytest.approx(np.mean((probability - (event <= 36)) ** 2), abs=0.005)


def test_groups_are_kaplan_meier_curves_of_like_risk() -> None:
    probability, outcome = drawn(4)
    groups = survival_calibration(probability, outcome, groups=5).groups
    assert sum(g.patients for g in groups) == 600 and len(groups) == 5
    worst = np.argsort(probability, kind="stable")[-groups[-1].patients :]
    fit = KaplanMeierFitter().fit(outcome.observed.months[worst], outcome.observed.event[worst])
    assert groups[-1].observed == pytest.approx(1.0 - float(fit.predict(36.0)))
    for group in groups:
        assert group.observed is not None and group.lower is not None and group.upper is not None
        assert group.lower < group.observed < group.upper


def test_a_censored_patient_is_never_an_event() -> None:
    probability, outcome = drawn(5)
    nobody = AtHorizon(Observed(outcome.observed.months, np.zeros(600, bool)), 36.0)
    found = survival_calibration(probability, nobody)
    assert found.not_estimable and found.slope.value is None and found.brier.value is None
    early = AtHorizon(outcome.observed, 1000.0)
    assert survival_calibration(probability, early).not_estimable
