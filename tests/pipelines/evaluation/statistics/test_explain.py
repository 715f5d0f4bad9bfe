"""Shapley values of functions whose values are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.evaluation.statistics.explain import shapley


def test_values_of_a_sum_are_its_terms_in_order_of_size() -> None:
    rng = default_rng(1)
    inputs, background = rng.standard_normal((30, 3)), rng.standard_normal((50, 3))
    weights = np.array([0.1, -2.0, 0.5])
    found = shapley(lambda x: np.asarray(x @ weights), inputs, ("a", "b", "c"), background)
    terms = weights * (inputs - background.mean(axis=0))
    assert found.names == ("b", "c", "a") and found.exact
    assert found.values == pytest.approx(terms[:, [1, 2, 0]])
    assert found.inputs == pytest.approx(inputs[:, [1, 2, 0]])
    assert found.importance == pytest.approx(np.abs(terms).mean(axis=0)[[1, 2, 0]])


def test_two_factors_share_their_product() -> None:
    inputs = default_rng(2).standard_normal((10, 2))
    found = shapley(lambda x: np.asarray(x[:, 0] * x[:, 1]), inputs, ("a", "b"), np.zeros((1, 2)))
    half = inputs.prod(axis=1) / 2
    assert found.values == pytest.approx(np.stack([half, half], axis=1))


def test_base_and_values_add_up_to_the_probability_and_the_seed_decides() -> None:
    rng = default_rng(3)
    inputs, background = rng.standard_normal((8, 5)), rng.standard_normal((300, 5))

    def probability(x: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray:  # type: ignore[type-arg]
        return np.asarray(1 / (1 + np.exp(-x[:, 0] * x[:, 1] - x[:, 2])))

    one, two = (shapley(probability, inputs, "abcde", background, seed=4) for _ in range(2))
    assert one.base + one.values.sum(axis=1) == pytest.approx(probability(inputs))
    assert (one.values == two.values).all()
    assert (shapley(probability, inputs, "abcde", background, seed=5).values != one.values).any()


def test_many_inputs_are_sampled_and_still_add_up() -> None:
    rng = default_rng(6)
    inputs, weights = rng.standard_normal((6, 12)), np.linspace(0, 1, 12)
    found = shapley(lambda x: np.asarray(x @ weights), inputs, [f"x{i}" for i in range(12)])
    assert not found.exact and found.names[0] in {"x11", "x10", "x9", "x8"}
    order = [int(name[1:]) for name in found.names]
    assert found.values == pytest.approx((weights * (inputs - inputs.mean(axis=0)))[:, order])


def test_sampled_values_are_near_the_exact_ones_and_leave_numpys_generator_alone() -> None:
    """Of a product of two and ten idle inputs the exact values are halves."""
    inputs = default_rng(7).standard_normal((5, 12))
    before = np.random.get_state()[1]
    found = shapley(lambda x: np.asarray(x[:, 0] * x[:, 1]), inputs, [f"x{i}" for i in range(12)], np.zeros((1, 12)))
    assert (np.random.get_state()[1] == before).all()
    assert set(found.names[:2]) == {"x0", "x1"}
    half = inputs[:, 0] * inputs[:, 1] / 2
    assert found.values[:, :2] == pytest.approx(np.stack([half, half], axis=1), abs=0.02)
    assert np.abs(found.values[:, 2:]).max() < 0.02


def test_a_missing_input_is_not_guessed() -> None:
    inputs = np.array([[1.0, 2.0], [np.nan, 1.0], [0.0, 3.0]])
    found = shapley(lambda x: x[:, 0], inputs, ("a", "b"))
    assert found.not_estimable == "1 patients lack an input" and found.names == ()
