"""Figures at a threshold and over all thresholds, by hand, by scikit-learn and from published tables."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from pipelines.evaluation.statistics.binary import (
    at_threshold,
    auprc,
    compare_all,
    drawn_average_precision,
    roc,
    share,
    youden_threshold,
)
from pipelines.evaluation.statistics.resample import multiplicities


@pytest.mark.parametrize(
    ("found", "of", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_limits_are_those_of_newcombe_1998(found: int, of: int, lower: float, upper: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3."""
    estimate = share(found, of, "patients")
    assert (estimate.lower, estimate.upper) == pytest.approx((lower, upper), abs=6e-5)


def test_the_figures_at_a_threshold_are_those_of_the_four_counts() -> None:
    event = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    probability = np.array([0.9, 0.8, 0.5, 0.2, 0.7, 0.1, 0.1, 0.3, 0.4, 0.49])
    found = at_threshold(probability, event, 0.5)  # at the threshold is positive
    counts = (found.true_positive, found.false_positive, found.true_negative, found.false_negative)
    assert counts == (3, 1, 5, 1)
    assert [found.accuracy.value, found.sensitivity.value, found.specificity.value] == [0.8, 0.75, 5 / 6]
    assert [found.ppv.value, found.npv.value] == [0.75, 5 / 6]
    assert found.f1.value == pytest.approx(f1_score(event, probability >= 0.5))
    assert found.f1.lower is not None and found.f1.upper is not None and found.f1.lower < 0.75 < found.f1.upper


def test_a_share_of_nobody_is_not_a_number() -> None:
    event = np.arange(10) < 4
    found = at_threshold(np.full(10, 0.3), event, 0.9)
    assert found.ppv.value is None and found.ppv.not_estimable == "there are no patients called positive"
    assert found.sensitivity.value == 0.0 and found.npv.value == 0.6
    assert at_threshold(np.full(10, np.nan), event, 0.5).accuracy.value is None


def test_average_precision_of_a_draw_is_that_of_the_patients_repeated() -> None:
    rng = default_rng(1)
    event, score = rng.random(90) < 0.3, rng.integers(0, 12, 90).astype(float)
    counts = multiplicities(event, 5, seed=3)
    for drawn, own in zip(drawn_average_precision(score, event, counts), counts.astype(int), strict=True):
        assert drawn == pytest.approx(average_precision_score(np.repeat(event, own), np.repeat(score, own)))
    found = auprc(score, event)
    assert found.lower is not None and found.upper is not None and found.value is not None
    assert found.lower < found.value < found.upper


def test_no_threshold_has_a_larger_youden_index() -> None:
    rng = default_rng(2)
    event = rng.random(300) < 0.4
    probability = np.clip(rng.normal(0.4 + 0.2 * event, 0.15), 0, 1)
    threshold = youden_threshold(probability, event)
    assert threshold is not None

    def index(cut: float) -> float:
        return float((probability[event] >= cut).mean() - (probability[~event] >= cut).mean())

    assert index(threshold) == pytest.approx(max(index(cut) for cut in np.linspace(0, 1, 5001)))
    assert np.abs(probability - threshold).min() > 0, "on a patient's own value its last digit would decide"
    assert youden_threshold(probability, np.zeros(300, bool)) is None


def test_the_area_under_the_curve_is_the_auc() -> None:
    rng = default_rng(3)
    event, score = rng.random(70) < 0.5, rng.integers(0, 20, 70).astype(float)
    curve = roc(score, event)
    area = np.trapezoid(curve.true_positive, curve.false_positive)
    assert area == pytest.approx(roc_auc_score(event, score))
    assert roc(score, np.zeros(70, bool)).not_estimable


def test_pairs_are_compared_on_common_patients_with_holms_correction() -> None:
    rng = default_rng(4)
    event = rng.random(300) < 0.4
    good, fair, poor = (rng.standard_normal(300) + shift * event for shift in (1.5, 0.8, 0.0))
    fair[:100] = np.nan
    pairs = {(c.first, c.second): c for c in compare_all({"good": good, "fair": fair, "poor": poor}, event)}
    assert list(pairs) == [("good", "fair"), ("good", "poor"), ("fair", "poor")]
    expected = roc_auc_score(event[100:], good[100:]) - roc_auc_score(event[100:], fair[100:])
    assert pairs["good", "fair"].difference.value == pytest.approx(expected)
    p = sorted(c.difference.p_value for c in pairs.values() if c.difference.p_value is not None)
    by_hand = np.maximum.accumulate(np.minimum(1.0, np.array(p) * [3, 2, 1]))
    assert sorted(c.holm for c in pairs.values() if c.holm is not None) == pytest.approx(by_hand)
