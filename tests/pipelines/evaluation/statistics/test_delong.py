"""DeLong's method on the patients of his own paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.statistics.delong import (
    areas_with_covariance,
    auc,
    auc_bootstrap,
    compare_auc,
    drawn_auc,
)
from pipelines.evaluation.statistics.resample import multiplicities

# 43 patients with ovarian cancer, as SAS/STAT 9.2 (PROC LOGISTIC, Comparing ROC Curves) prints those of DeLong 1988:
# albumin, total protein, K-G score (low is good), whether surgery helped.
TABLE = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""
PATIENTS = np.array(TABLE.split(), dtype=float).reshape(-1, 4)
HELPED = PATIENTS[:, 3] == 1
ALBUMIN, PROTEIN, SCORE = PATIENTS[:, 0], PATIENTS[:, 1], -PATIENTS[:, 2]


@pytest.mark.parametrize(
    ("values", "area", "lower", "upper"),
    [(ALBUMIN, 0.7366, 0.5549, 0.9182), (SCORE, 0.7258, 0.5243, 0.9273), (PROTEIN, 0.6478, 0.4518, 0.8439)],
    ids=["albumin", "K-G score", "total protein"],
)
def test_the_published_areas_have_the_published_limits(values, area, lower, upper) -> None:  # type: ignore[no-untyped-def]  # by its table
    found = auc(values, HELPED, "plain")
    assert (found.value, found.lower, found.upper) == pytest.approx((area, lower, upper), abs=6e-5)


@pytest.mark.parametrize(
    ("values", "difference", "lower", "upper", "p"),
    [(ALBUMIN, 0.0108, -0.1761, 0.1976, 0.9102), (PROTEIN, -0.0780, -0.2830, 0.1271, 0.4561)],
    ids=["albumin", "total protein"],
)
def test_the_published_differences_have_the_published_p(values, difference, lower, upper, p) -> None:  # type: ignore[no-untyped-def]  # by its table
    found = compare_auc(values, SCORE, HELPED)
    expected = (difference, lower, upper, p)
    assert (found.value, found.lower, found.upper, found.p_value) == pytest.approx(expected, abs=6e-5)


def test_logit_limits_stay_inside_and_are_the_delta_method() -> None:
    rng = default_rng(0)
    event = np.arange(60) < 8
    score = rng.standard_normal(60) + 2.0 * event
    plain, logit = auc(score, event, "plain"), auc(score, event)
    area, error = logit.value, float(np.sqrt(areas_with_covariance(score[None], event)[1][0, 0]))
    assert area is not None and logit.lower is not None and logit.upper is not None
    assert plain.upper == 1.0 and logit.upper < 1.0
    width = np.log(logit.upper / (1 - logit.upper)) - np.log(logit.lower / (1 - logit.lower))
    assert width == pytest.approx(2 * 1.959964 * error / (area * (1 - area)), rel=1e-5)


def test_a_draw_is_the_auc_of_the_patients_repeated() -> None:
    rng = default_rng(1)
    event, score = rng.random(80) < 0.4, rng.integers(0, 9, 80).astype(float)
    counts = multiplicities(event, 5, seed=3)
    for drawn, own in zip(drawn_auc(score, event, counts), counts.astype(int), strict=True):
        assert drawn == pytest.approx(roc_auc_score(np.repeat(event, own), np.repeat(score, own)))


def test_the_bootstrap_agrees_with_delong() -> None:
    rng = default_rng(2)
    event = rng.random(500) < 0.3
    score = rng.standard_normal(500) + event
    one, two = auc(score, event), auc_bootstrap(score, event)
    assert one.value == two.value == pytest.approx(roc_auc_score(event, score))
    assert (one.lower, one.upper) == pytest.approx((two.lower, two.upper), abs=0.008)


def test_what_cannot_be_estimated_says_why() -> None:
    score = np.linspace(0, 1, 40)
    assert "3 patients with the event" in auc(score, np.arange(40) < 3).not_estimable
    assert auc(score, np.zeros(40, bool)).value is None
    lost = np.where(score > 0.9, np.nan, score)
    assert "4 of 40 predictions are missing" in auc(lost, np.arange(40) < 20).not_estimable
    perfect = auc(score, score > 0.5)
    assert perfect.value == 1.0 and perfect.lower is None and "limits" in perfect.not_estimable
