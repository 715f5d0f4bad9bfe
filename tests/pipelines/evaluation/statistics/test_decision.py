"""Net benefit by hand, and with censoring by Kaplan–Meier among those above the threshold."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from numpy.random import default_rng

from pipelines.evaluation.statistics.decision import decision_curve
from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, known

THRESHOLDS = np.array([0.1, 0.25, 0.4, 0.9])


def test_net_benefit_is_true_positives_less_weighted_false_ones() -> None:
    rng = default_rng(1)
    probability = rng.beta(2, 4, 200)
    event = rng.random(200) < probability
    found = decision_curve({"model": probability, "all": 1 - probability}, known(event), THRESHOLDS)
    for name, values in {"model": probability, "all": 1 - probability}.items():
        for threshold, benefit in zip(THRESHOLDS, found.models[name], strict=True):
            true = (event & (values >= threshold)).sum() / 200
            false = (~event & (values >= threshold)).sum() / 200
            assert benefit == pytest.approx(true - false * threshold / (1 - threshold))
    share = event.mean()
    assert found.treat_all == pytest.approx(share - (1 - share) * THRESHOLDS / (1 - THRESHOLDS))
    assert found.standardised["model"] == pytest.approx(found.models["model"] / share)
    assert found.prevalence == pytest.approx(share) and (found.treat_none == 0).all()


def test_with_censoring_it_is_kaplan_meier_above_the_threshold() -> None:
    rng = default_rng(2)
    hazard = np.exp(rng.normal(-1, 1, 300))
    event, lost = 36 * rng.exponential(1, 300) / hazard, rng.uniform(10, 80, 300)
    observed = Observed(np.minimum(event, lost), event <= lost)
    probability = -np.expm1(-hazard)
    found = decision_curve({"model": probability}, AtHorizon(observed, 36.0), THRESHOLDS[:3])
    for threshold, benefit in zip(THRESHOLDS, found.models["model"], strict=False):
        above = probability >= threshold
        fit = KaplanMeierFitter().fit(observed.months[above], observed.event[above])
        risk = 1 - float(fit.predict(36.0))
        assert benefit == pytest.approx(above.mean() * (risk - (1 - risk) * threshold / (1 - threshold)))
    assert found.models["model"][1] > max(found.treat_all[1], 0.0)


def test_a_threshold_above_everybody_treats_nobody() -> None:
    event = np.arange(40) < 20
    found = decision_curve({"model": np.full(40, 0.3)}, known(event), THRESHOLDS)
    assert found.models["model"][2:].tolist() == [0.0, 0.0]


def test_without_enough_outcomes_there_is_no_curve() -> None:
    found = decision_curve({"model": np.full(40, 0.3)}, known(np.zeros(40, bool)), THRESHOLDS)
    assert found.models == {}
    assert found.not_estimable == "0 patients had the outcome and 40 had not; at least 5 of each are needed"
    lost = decision_curve({"model": np.array([0.1, np.nan] * 20)}, known(np.arange(40) < 20), THRESHOLDS)
    assert "20 of 40 predictions are missing" in lost.not_estimable
