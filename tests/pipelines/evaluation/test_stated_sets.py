"""Prediction sets of a cohort are those that the node would state, patient by patient."""

from __future__ import annotations

import numpy as np

from pipelines.evaluation.stated_sets import stated_sets
from pipelines.systems.conformal import prediction_set

WIDE = {"low": 0.2, "high": 0.7, "coverage": 0.9, "youden": 0.4}
NARROW = {"low": 0.4, "high": 0.5, "coverage": 0.9, "youden": 0.45}


def test_each_patient_gets_the_set_that_the_node_would_state() -> None:
    probability = np.array([0.1, 0.2, 0.5, 0.7, 0.71])
    found = stated_sets(probability, WIDE)
    assert found is not None and found.coverage == 0.9
    expected = [prediction_set(value, WIDE) for value in probability]
    assert found.event.tolist() == [one.event for one in expected] == [False, True, True, True, True]
    assert found.no_event.tolist() == [one.no_event for one in expected] == [True, True, True, True, False]


def test_patients_are_judged_by_the_limits_of_the_model_that_scores_them() -> None:
    probability = np.array([0.6, 0.6, np.nan])
    found = stated_sets(probability, [WIDE, NARROW, None])
    assert found is not None
    assert found.no_event.tolist()[:2] == [True, False]


def test_a_model_that_states_no_coverage_has_no_sets() -> None:
    assert stated_sets(np.array([0.6, np.nan]), {"youden": 0.4}) is None
    assert stated_sets(np.array([0.6, 0.6]), [WIDE, {"youden": 0.4}]) is None
    assert stated_sets(np.array([0.6, 0.6]), [WIDE, NARROW | {"coverage": 0.8}]) is None
    assert stated_sets(np.array([np.nan]), WIDE) is None
