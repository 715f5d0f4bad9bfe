"""Thresholds of each patient's own, and what became of those whom the node calls high, moderate and low."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.evaluation.response_figures import response_figures
from pipelines.phantom.probabilities import Outcome
from tests.pipelines.evaluation.made_predictions import judged_response


def test_each_patient_is_called_by_the_threshold_of_the_patients_own_machine() -> None:
    judged = judged_response(60)
    everybody = np.ones(len(judged.patients), dtype=bool)
    cuts = np.where(np.arange(everybody.size) % 2 == 0, 0.2, 0.6)
    default = replace(judged.default, threshold=cuts)
    found = response_figures(judged, default, everybody)
    rows = judged.judgeable(default)
    event, called = judged.responded(Outcome.GOOD_RESPONSE)[rows] == 1, (default.probability >= cuts)[rows]
    assert found.at_threshold.sensitivity.value == pytest.approx(called[event].mean())
    assert found.at_threshold.specificity.value == pytest.approx((~called[~event]).mean())
    assert found.as_json()["threshold"] is None
    assert found.as_json()["thresholds"] == [0.2, 0.6]


def test_categories_hold_counts_and_observed_shares() -> None:
    judged = judged_response(60)
    everybody = np.ones(len(judged.patients), dtype=bool)
    words = np.where(judged.default.probability >= 0.5, "high", "low")
    found = response_figures(judged, replace(judged.default, categories=words), everybody)
    rows = judged.judgeable(judged.default)
    event = judged.responded(Outcome.GOOD_RESPONSE) == 1
    assert [one.name for one in found.categories] == ["high", "low"]
    assert sum(one.patients for one in found.categories) == found.patients == int(rows.sum())
    high = rows & (words == "high")
    assert found.categories[0].share.value == pytest.approx(event[high].mean())
    assert found.categories[0].predicted == pytest.approx(judged.default.probability[high].mean())
    assert "categories" not in response_figures(judged, judged.default, everybody).as_json()
