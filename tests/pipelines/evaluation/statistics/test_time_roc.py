"""Time-dependent ROC curves compared with scikit-learn, with their definition, and with figures of torchsurv."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from numpy.random import default_rng
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.statistics.horizon import AtHorizon, Observed
from pipelines.evaluation.statistics.stated import Numbers
from pipelines.evaluation.statistics.time_roc import compare_time_auc, time_roc


def cohort(size: int, seed: int) -> tuple[Numbers, Observed]:
    rng = default_rng(seed)
    event, lost = rng.exponential(40, size), rng.uniform(10, 90, size)
    risk = -np.log(event) + rng.standard_normal(size)
    return risk, Observed(np.minimum(event, lost), event <= lost)


def test_without_censoring_it_is_the_ordinary_curve() -> None:
    rng = default_rng(1)
    months = rng.exponential(30, 200)
    risk = np.round(-months / 20 + rng.standard_normal(200), 1)
    observed = Observed(months, np.ones(200, bool))
    for found in time_roc(risk, observed, [12, 36]):
        assert found.auc.value == pytest.approx(roc_auc_score(months <= found.month, risk))
        assert (found.had, found.free) == ((months <= found.month).sum(), (months > found.month).sum())


def test_with_censoring_it_is_what_torchsurv_gives() -> None:
    """Auc (cumulative) with get_ipcw of torchsurv 0.2.0 on these 80 patients."""
    found = time_roc(*cohort(80, 3), [12.0, 24.0, 36.0, 50.0])
    assert [f.auc.value for f in found] == pytest.approx([0.9114, 0.8315, 0.8061, 0.8100], abs=5e-5)


def test_with_censoring_it_is_its_definition() -> None:
    risk, observed = cohort(90, 4)
    lost = KaplanMeierFitter().fit(observed.months, ~observed.event)
    found = pairs = 0.0
    for i in np.flatnonzero(observed.event & (observed.months <= 36)):
        weight = 1.0 / float(lost.predict(observed.months[i]))
        for j in np.flatnonzero(observed.months > 36):
            pairs += weight
            found += weight * (risk[i] > risk[j])
    (estimate,) = time_roc(risk, observed, [36.0])
    assert estimate.auc.value == pytest.approx(found / pairs)


def test_the_area_under_the_corners_is_the_auc() -> None:
    risk, observed = cohort(150, 5)
    (found,) = time_roc(np.round(risk), observed, [24.0])
    assert np.trapezoid(found.true_positive, found.false_positive) == pytest.approx(found.auc.value)
    for corners in (found.false_positive, found.true_positive):
        assert corners[0] == 0.0 and corners[-1] == pytest.approx(1.0) and (np.diff(corners) >= 0).all()


def test_censoring_moves_it_less_than_leaving_the_lost_out_would() -> None:
    """Truth without censoring; patients of high risk are lost late only where their event comes first."""
    rng = default_rng(6)
    event = rng.exponential(30, 4000)
    risk = -np.log(event) + rng.normal(0, 1.5, 4000)
    lost = rng.exponential(40, 4000)
    observed = Observed(np.minimum(event, lost), event <= lost)
    (found,) = time_roc(risk, observed, [36.0], np.ones((20, 4000)))
    assert found.auc.value == pytest.approx(roc_auc_score(event <= 36, risk), abs=0.015)


def test_a_month_that_nobody_reaches_gives_no_figure_and_the_others_do() -> None:
    risk, observed = cohort(80, 7)
    late, early = time_roc(risk, observed, [500.0, 24.0])
    assert late.auc.value is None and "0 are known to be free" in late.auc.not_estimable
    assert early.auc.value is not None and early.auc.lower is not None


def test_two_areas_are_compared_on_the_same_draws() -> None:
    risk, observed = cohort(300, 8)
    outcome = AtHorizon(observed, 36.0)
    noise = default_rng(9).standard_normal(300)
    (one,), (two,) = time_roc(risk, observed, [36.0]), time_roc(noise, observed, [36.0])
    found = compare_time_auc(risk, noise, outcome)
    assert one.auc.value is not None and two.auc.value is not None
    assert found.value == pytest.approx(one.auc.value - two.auc.value)
    assert found.p_value is not None and found.p_value < 0.001
