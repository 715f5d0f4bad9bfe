"""Shapley values against the definition, all subsets one by one, against shap, and against the axioms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np
import pytest
import shap
from numpy.random import default_rng
from numpy.typing import NDArray
from sklearn.metrics.pairwise import rbf_kernel

from pipelines.explain.shapley import gaussian_shapley, linear_shapley

Numbers = NDArray[np.float64]
GAMMA = 0.2


def by_definition(function: Callable[[Numbers], Numbers], value: Numbers, background: Numbers) -> Numbers:
    """Σ over subsets of |S|! (k − |S| − 1)! / k! · (v(S ∪ j) − v(S)), v the mean over the background."""
    count = len(value)

    def worth(known: tuple[int, ...]) -> float:
        mixed = background.copy()
        mixed[:, list(known)] = value[list(known)]
        return float(function(mixed).mean())

    found = np.zeros(count)
    for j in range(count):
        others = [one for one in range(count) if one != j]
        for size in range(count):
            share = factorial(size) * factorial(count - size - 1) / factorial(count)
            found[j] += share * sum(worth((*known, j)) - worth(known) for known in combinations(others, size))
    return found


def machine(inputs: int, vectors: int = 12, seed: int = 0) -> tuple[Numbers, Numbers, Callable[[Numbers], Numbers]]:
    """Weights, vectors, and the function by scikit-learn's kernel."""
    rng = default_rng(seed)
    weights, support = rng.normal(size=vectors), rng.normal(size=(vectors, inputs))
    return weights, support, lambda rows: np.asarray(rbf_kernel(rows, support, gamma=GAMMA) @ weights)


@pytest.mark.parametrize("inputs", [1, 2, 3, 5, 8])
def test_a_kernel_machine_is_explained_as_the_definition_says(inputs: int) -> None:
    rng = default_rng(inputs)
    weights, support, function = machine(inputs)
    values, background = rng.normal(size=(2, inputs)), rng.normal(size=(6, inputs))
    found = gaussian_shapley(weights, support, GAMMA, values, background)
    wanted = np.stack([by_definition(function, value, background) for value in values])
    assert found == pytest.approx(wanted, abs=1e-12)


def test_a_kernel_machine_is_explained_as_by_shaps_exact_explainer() -> None:
    weights, support, function = machine(7, vectors=30)
    values, background = default_rng(1).normal(size=(3, 7)), default_rng(2).normal(size=(20, 7))
    theirs = shap.explainers.ExactExplainer(function, shap.maskers.Independent(background, max_samples=20))(values)
    found = gaussian_shapley(weights, support, GAMMA, values, background)
    assert found == pytest.approx(theirs.values, abs=1e-10)


@pytest.mark.parametrize("inputs", [13, 26])
def test_the_values_of_many_inputs_add_up_to_what_sets_the_patient_apart(inputs: int) -> None:
    """Not so with one node fewer than the polynomial's degree asks for."""
    rng = default_rng(3)
    weights, support, function = machine(inputs, vectors=40)
    values, background = rng.normal(size=(4, inputs)), rng.normal(size=(30, inputs))
    found = gaussian_shapley(weights, support, GAMMA, values, background)
    assert found.sum(axis=1) == pytest.approx(function(values) - function(background).mean(), rel=1e-10, abs=1e-13)


def test_many_vectors_are_summed_in_parts_without_a_difference() -> None:
    rng = default_rng(4)
    weights, support, _ = machine(6, vectors=3000)
    values, background = rng.normal(size=(1, 6)), rng.normal(size=(50, 6))
    halves = [
        gaussian_shapley(weights[part], support[part], GAMMA, values, background)
        for part in (slice(0, 1500), slice(1500, 3000))
    ]
    assert gaussian_shapley(weights, support, GAMMA, values, background) == pytest.approx(halves[0] + halves[1])


def test_inputs_that_play_the_same_part_get_the_same() -> None:
    rng = default_rng(5)
    half = rng.normal(size=(10, 2))
    support = np.column_stack([half[:, 0], half[:, 0], half[:, 1]])
    background = np.repeat(rng.normal(size=(8, 1)), 3, axis=1)
    found = gaussian_shapley(rng.normal(size=10), support, GAMMA, np.array([[1.0, 1.0, -2.0]]), background)[0]
    assert found[0] == pytest.approx(found[1]) and abs(found[0] - found[2]) > 1e-3


def test_an_input_that_the_machine_does_not_read_adds_nothing() -> None:
    rng = default_rng(6)
    weights, support, _ = machine(4)
    far = np.column_stack([support, np.zeros(len(support))])
    values, background = rng.normal(size=(3, 5)), rng.normal(size=(9, 5))
    values[:, 4] = background[:, 4] = 2.5
    found = gaussian_shapley(weights, far, GAMMA, values, background)
    assert found[:, 4] == pytest.approx(0.0, abs=1e-15)
    shrunk = weights * np.exp(-GAMMA * 2.5**2)
    assert found[:, :4] == pytest.approx(gaussian_shapley(shrunk, support, GAMMA, values[:, :4], background[:, :4]))


def test_a_value_beyond_all_measure_gives_numbers_still() -> None:
    """Its factors are 0, for the patient and for the vectors alike."""
    weights, support, function = machine(3)
    values, background = np.array([[1e6, 0.1, -0.2]]), default_rng(7).normal(size=(5, 3))
    background[0, 0] = -1e6
    found = gaussian_shapley(weights, support, GAMMA, values, background)
    assert found.sum() == pytest.approx(float(function(values)[0] - function(background).mean()))
    assert found[0] == pytest.approx(by_definition(function, values[0], background))


def test_a_linear_function_is_explained_as_the_definition_says() -> None:
    rng = default_rng(8)
    coefficients, values, background = rng.normal(size=4), rng.normal(size=(2, 4)), rng.normal(size=(10, 4))
    found = linear_shapley(coefficients, values, background.mean(axis=0))
    wanted = [by_definition(lambda rows: np.asarray(rows @ coefficients), value, background) for value in values]
    assert found == pytest.approx(np.stack(wanted), abs=1e-12)
