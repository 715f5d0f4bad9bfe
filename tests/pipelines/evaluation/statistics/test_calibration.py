"""Calibration compared with scikit-learn's regression, with counts by hand, and on probabilities known to be right."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from pipelines.evaluation.statistics.calibration import calibration, like_risk, recalibrated
from pipelines.evaluation.statistics.stated import Flags, Numbers


def drawn(seed: int, size: int = 600) -> tuple[Numbers, Flags]:
    """Probabilities, and events that they are true of."""
    rng = default_rng(seed)
    probability = expit(rng.normal(-0.7, 1.3, size))
    return probability, rng.random(size) < probability


def test_the_slope_is_the_coefficient_of_a_plain_logistic_regression() -> None:
    probability, event = drawn(1)
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(probability)[:, None], event)
    slope, _ = recalibrated(probability, event)
    assert slope.value == pytest.approx(fit.coef_[0, 0], rel=1e-4)


def test_the_intercept_makes_the_mean_right_when_added() -> None:
    probability, event = drawn(2)
    shifted = expit(logit(probability) - 0.8)
    _, intercept = recalibrated(shifted, event)
    assert intercept.value is not None and intercept.lower is not None and intercept.lower > 0
    assert expit(logit(shifted) + intercept.value).mean() == pytest.approx(event.mean())


def test_limits_hold_the_truth_nineteen_times_in_twenty() -> None:
    held = np.zeros(2)
    for seed in range(100):
        for i, (found, truth) in enumerate(zip(recalibrated(*drawn(seed, 300)), (1.0, 0.0), strict=True)):
            assert found.lower is not None and found.upper is not None
            held[i] += found.lower <= truth <= found.upper
    assert (held >= 89).all()


def test_predictions_twice_too_extreme_have_half_the_slope() -> None:
    probability, event = drawn(3)
    right, _ = recalibrated(probability, event)
    extreme, _ = recalibrated(expit(2 * logit(probability)), event)
    assert right.value is not None
    assert extreme.value == pytest.approx(right.value / 2)


def test_brier_expected_error_and_ratio_are_those_counted_by_hand() -> None:
    probability = np.repeat([0.05, 0.25, 0.25, 0.85], [4, 4, 4, 4])
    event = np.array([0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0], bool)
    found = calibration(probability, event)
    brier = np.mean([(p - e) ** 2 for p, e in zip(probability, event, strict=True)])
    observed = 6 / 16
    assert found.brier.value == pytest.approx(brier)
    assert found.scaled_brier.value == pytest.approx(1 - brier / (observed * (1 - observed)))
    # Bins of width 0.1: 0.05 (4, a quarter), 0.25 (8, a quarter), 0.85 (4, three quarters).
    assert found.expected_error.value == pytest.approx((4 * 0.20 + 8 * 0.0 + 4 * 0.10) / 16)
    assert found.expected_observed.value == pytest.approx(probability.mean() / observed)
    assert found.slope.value is None and "6 patients with the event" in found.slope.not_estimable
    assert [(g.patients, g.events) for g in found.groups] == [(4, 1), (8, 2), (4, 3)], "equal ones stay together"


def test_tenths_of_risk_hold_everybody_once() -> None:
    probability, event = drawn(4)
    rows = np.concatenate(like_risk(probability, 10))
    assert sorted(rows) == list(range(600))
    groups = calibration(probability, event).groups
    assert [g.patients for g in groups] == [60] * 10
    assert all(a.predicted < b.predicted for a, b in pairwise(groups))
    inside = sum(g.lower is not None and g.upper is not None and g.lower <= g.predicted <= g.upper for g in groups)
    assert inside >= 8


def test_the_smooth_curve_follows_the_truth() -> None:
    probability, event = drawn(5, 5000)
    smooth = np.array(calibration(probability, event, np.ones((20, 5000))).smooth)
    assert np.abs(smooth[:, 0] - smooth[:, 1]).max() < 0.06
    half = np.array(calibration(probability / 2, event, np.ones((20, 5000))).smooth)
    assert np.abs(2 * half[:, 0] - half[:, 1]).max() < 0.06


def test_what_cannot_be_judged_says_why() -> None:
    probability, event = drawn(6)
    assert calibration(probability, np.zeros(600, bool)).not_estimable
    assert "no probabilities" in calibration(3 * probability, event).not_estimable
    assert calibration(np.where(event, np.nan, probability), event).brier.value is None
    same = calibration(np.full(600, 0.3), event)
    assert same.slope.value is None and same.intercept.value is not None and same.smooth == ()
    parted = calibration(np.where(event, 0.9, 0.1), event)
    assert parted.slope.value is None and parted.brier.value == pytest.approx(0.01)
    certain = calibration(np.where(event, 1.0, probability), event)
    assert certain.intercept.value is not None, "1 has no logit"
