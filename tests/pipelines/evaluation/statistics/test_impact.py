"""Clinical impact and ROC components, counted by hand and by lifelines."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from numpy.random import default_rng
from sklearn.metrics import recall_score

from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, known
from pipelines.evaluation.statistics.impact import impact

THRESHOLDS = np.array([0.1, 0.3, 0.5, 0.99])


def test_a_thousand_patients_are_the_cohort_in_proportion() -> None:
    rng = default_rng(1)
    probability = rng.beta(2, 4, 250)
    event = rng.random(250) < probability
    found = impact(probability, known(event), THRESHOLDS)
    for i, threshold in enumerate(THRESHOLDS):
        high = probability >= threshold
        assert found.high_risk.values[i] == pytest.approx(high.sum() * 4)
        assert found.with_event.values[i] == pytest.approx((high & event).sum() * 4)
        assert found.true_positive.values[i] == pytest.approx(recall_score(event, high))
        assert found.false_positive.values[i] == pytest.approx(recall_score(~event, high))
    assert found.with_event.values[-1] == 0.0


def test_the_band_of_a_share_is_about_as_wide_as_the_binomial_one() -> None:
    rng = default_rng(2)
    probability = rng.random(400)
    found = impact(probability, known(rng.random(400) < probability), np.array([0.5]))
    share = found.high_risk.values[0] / 1000
    expected = 2 * 1.96 * np.sqrt(share * (1 - share) / 400) * 1000
    assert found.high_risk.upper[0] - found.high_risk.lower[0] == pytest.approx(expected, rel=0.12)


def test_with_censoring_shares_are_kaplan_meiers() -> None:
    rng = default_rng(3)
    hazard = np.exp(rng.normal(-1, 1, 300))
    event, lost = 36 * rng.exponential(1, 300) / hazard, rng.uniform(10, 80, 300)
    observed = Observed(np.minimum(event, lost), event <= lost)
    probability = -np.expm1(-hazard)
    found = impact(probability, AtHorizon(observed, 36.0), THRESHOLDS[:3])
    everybody = 1 - float(KaplanMeierFitter().fit(observed.months, observed.event).predict(36.0))
    for i, threshold in enumerate(THRESHOLDS[:3]):
        high = probability >= threshold
        risk = 1 - float(KaplanMeierFitter().fit(observed.months[high], observed.event[high]).predict(36.0))
        assert found.with_event.values[i] == pytest.approx(1000 * high.mean() * risk)
        assert found.true_positive.values[i] == pytest.approx(high.mean() * risk / everybody)
        assert found.false_positive.values[i] == pytest.approx(high.mean() * (1 - risk) / (1 - everybody))
        for band in (found.with_event, found.true_positive, found.false_positive):
            assert band.lower[i] < band.values[i] < band.upper[i]


def test_without_enough_outcomes_there_are_no_curves() -> None:
    found = impact(np.full(30, 0.2), known(np.zeros(30, bool)), THRESHOLDS)
    assert found.not_estimable and found.high_risk.values.size == 0
