"""The share of the oracle: of the oracle itself, of chance, and of outcomes that were really drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lifelines.utils import concordance_index
from numpy.random import default_rng
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.statistics.horizon import Observed
from pipelines.evaluation.statistics.oracle_ratio import auc_ratio, concordance_ratio
from pipelines.evaluation.statistics.stated import Flags, Numbers
from pipelines.phantom.oracle import EventTruth, redraw


def patients(seed: int, size: int = 300) -> tuple[Numbers, Numbers, Flags]:
    rng = default_rng(seed)
    true = rng.beta(1.2, 2.5, size)
    return true, true + rng.normal(0, 0.25, size), rng.random(size) < true


def test_the_oracle_has_all_of_it_and_a_constant_nothing() -> None:
    true, _, event = patients(1)
    own = auc_ratio(true, true, event)
    assert own.ratio == own.ratio_observed == 1.0 and own.spread == 0.0
    assert auc_ratio(np.full(300, 0.4), true, event).ratio == 0.0


def test_the_ratio_is_that_of_the_means_over_drawn_labels() -> None:
    true, score, event = patients(2)
    rng = default_rng(3)
    labels = [rng.random(300) < true for _ in range(150)]
    model, best = (np.mean([roc_auc_score(drawn, s) for drawn in labels]) for s in (score, true))
    found = auc_ratio(score, true, event)
    assert found.expected == pytest.approx(model, abs=0.008) and found.oracle_expected == pytest.approx(best, abs=0.008)
    assert found.ratio == pytest.approx((model - 0.5) / (best - 0.5), abs=0.015)
    observed = (roc_auc_score(event, score) - 0.5) / (roc_auc_score(event, true) - 0.5)
    assert found.ratio_observed == pytest.approx(observed)
    singles = [(roc_auc_score(d, score) - 0.5) / (roc_auc_score(d, true) - 0.5) for d in labels]
    assert found.spread == pytest.approx(np.std(singles), rel=0.25)
    assert found.lower is not None and found.upper is not None and found.ratio is not None
    assert found.lower < found.ratio < found.upper


def test_times_are_redrawn_for_the_c_index() -> None:
    rng = default_rng(4)
    hazard = rng.lognormal(-1, 1, 150)
    truth = EventTruth(hazard, rng.uniform(0, 0.2, 150), rng.uniform(20, 70, 150))
    true, score = -np.expm1(-hazard), np.log(hazard) + rng.standard_normal(150)
    months, event = redraw(truth, rng)
    found = concordance_ratio(score, true, truth, Observed(months, event), redraws=60)
    assert found.observed == pytest.approx(concordance_index(months, -score, event))
    assert found.oracle_observed == pytest.approx(concordance_index(months, -true, event))
    drawn = []
    for _ in range(60):
        m, e = redraw(truth, rng)
        drawn.append([concordance_index(m, -score, e), concordance_index(m, -true, e)])
    model, best = np.mean(drawn, axis=0)
    assert found.ratio == pytest.approx((model - 0.5) / (best - 0.5), abs=0.03)
    assert concordance_ratio(score, true, truth, None, redraws=5).ratio_observed is None


def test_what_has_no_ratio_says_why() -> None:
    true, score, event = patients(5)
    assert "lack a prediction" in auc_ratio(np.where(event, np.nan, score), true, event).not_estimable
    assert auc_ratio(score, np.full(300, 0.3), event).not_estimable == "the oracle itself is no better than chance"
    nobody = auc_ratio(score, true, np.zeros(300, bool))
    assert nobody.ratio is not None and nobody.ratio_observed is None
    json.dumps(nobody.as_json(), allow_nan=False)
