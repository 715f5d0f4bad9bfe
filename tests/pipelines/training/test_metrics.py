from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.training.metrics import brier, discrimination, expected_auc


def test_the_expected_auc_is_the_mean_over_redrawn_labels() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(0.05, 0.9, 60)
    score = true + rng.normal(0, 0.3, 60)
    drawn = [roc_auc_score(rng.random(60) < true, score) for _ in range(800)]
    assert expected_auc(true, score) == pytest.approx(np.mean(drawn), abs=0.008)


def test_with_certain_outcomes_it_is_the_auc_itself() -> None:
    labels = np.array([0, 1, 0, 1, 1], dtype=float)
    score = np.array([0.1, 0.4, 0.4, 0.3, 0.9])
    assert expected_auc(labels, score) == pytest.approx(roc_auc_score(labels, score))


def test_the_oracle_reaches_its_own_share() -> None:
    rng = np.random.default_rng(1)
    true = rng.uniform(size=200)
    figures = discrimination(rng.random(200) < true, true, true)
    assert figures["oracle_share"] == pytest.approx(1.0)
    assert "oracle_auc" not in discrimination(rng.random(200) < true, true, None)


def test_the_brier_score_of_a_coin_is_a_quarter() -> None:
    assert brier(np.array([True, False]), np.array([0.5, 0.5])) == 0.25
