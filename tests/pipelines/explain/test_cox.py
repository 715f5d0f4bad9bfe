"""Contributions to a Cox model's log hazard, by its own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.explain.cox import Within, cox_contributions
from pipelines.systems.cox import CoxModel


def model(names: tuple[str, ...], coefficients: tuple[float, ...], centre: tuple[float, ...]) -> CoxModel:
    nothing = np.zeros(0)
    size = len(names)
    return CoxModel(
        names, np.array(coefficients), np.array(centre), np.eye(size), nothing, nothing, nothing, np.zeros((0, size))
    )


OUTER = model(("dl_prob", "measured", "ypn"), (1.2, 0.8, 0.5), (0.6, 0.1, 0.4))
INNER = model(("log_volume", "adc_median"), (0.7, -2.0), (2.9, 0.9))
SEEN = {"log_volume": 3.4, "adc_median": 0.7}
VALUES = {"dl_prob": 1.1, "measured": float(INNER.log_hazard(np.array([[3.4, 0.7]]))[0]), "ypn": 1.0}


def test_what_is_added_is_the_log_hazard_against_the_training_means() -> None:
    found = cox_contributions(OUTER, VALUES)
    row = np.array([[VALUES[name] for name in OUTER.names]])
    assert sum(one.amount for one in found) == pytest.approx(OUTER.log_hazard(row)[0])
    assert {one.name: one.amount for one in found} == pytest.approx(
        {
            "networks: T2 and ADC map": 1.2 * 0.5,
            "score of the measured features": 0.8 * (VALUES["measured"] - 0.1),
            "pathological N stage": 0.5 * 0.6,
        }
    )


def test_a_score_of_features_is_told_as_its_features() -> None:
    found = cox_contributions(OUTER, VALUES, Within("measured", INNER, SEEN))
    assert [(one.name, one.value) for one in found] == [
        ("networks: T2 and ADC map", "mean 55 %"),
        ("median ADC at baseline (b ≤ 1000)", "700 ×10⁻⁶ mm²/s"),
        ("pathological N stage", "ypN1"),
        ("tumour volume at baseline", "30 cm³"),
    ]
    # The patient of the training means has 0 as the score of its features.
    mean = np.array([[0.6, 0.0, 0.4]])
    row = np.array([[VALUES[name] for name in OUTER.names]])
    apart = OUTER.log_hazard(row)[0] - OUTER.log_hazard(mean)[0]
    assert sum(one.amount for one in found) == pytest.approx(apart)
    assert {one.name: one.amount for one in found}["median ADC at baseline (b ≤ 1000)"] == pytest.approx(0.8 * 0.4)


def test_a_model_without_that_score_is_told_as_it_is() -> None:
    found = cox_contributions(model(("ypn",), (0.5,), (0.4,)), VALUES, Within("measured", INNER, SEEN))
    assert [(one.name, one.amount) for one in found] == [("pathological N stage", pytest.approx(0.3))]
