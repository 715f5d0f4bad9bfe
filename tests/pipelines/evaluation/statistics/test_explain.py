"""Shapley values of patients, ranked by how much they move a result."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.evaluation.statistics.explain import ranked


def test_inputs_stand_in_order_of_what_they_add_on_average_whatever_its_direction() -> None:
    rng = default_rng(1)
    inputs, weights = rng.standard_normal((30, 3)), np.array([0.1, -2.0, 0.5])
    values = weights * inputs
    found = ranked(("a", "b", "c"), values, inputs, "log odds")
    assert found.names == ("b", "c", "a") and found.unit == "log odds"
    assert found.values == pytest.approx(values[:, [1, 2, 0]])
    assert found.inputs == pytest.approx(inputs[:, [1, 2, 0]])
    assert found.importance == pytest.approx(np.abs(values).mean(axis=0)[[1, 2, 0]])


def test_a_missing_input_is_not_guessed() -> None:
    values = np.array([[1.0, 2.0], [np.nan, 1.0], [0.0, 3.0]])
    found = ranked(("a", "b"), values, values, "log odds")
    assert found.not_estimable == "1 patients lack an input" and found.names == ()


def test_one_patient_says_nothing_of_a_model() -> None:
    assert ranked(("a",), np.ones((1, 1)), np.ones((1, 1)), "log hazard").not_estimable == "fewer than two patients"
