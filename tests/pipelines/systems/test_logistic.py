from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from pipelines.systems.logistic import LogisticModel, fit_logistic, with_refits

NAMES = ("a", "b", "c")
VIEWS = 2


def made_up(count: int = 200, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(count, 1, 3))
    chance = 1 / (1 + np.exp(0.8 - true[:, 0] @ [1.5, -0.7, 0.0]))
    return 5.0 + 3.0 * (true + rng.normal(0, 0.2, size=(count, VIEWS, 3))), rng.random(count) < chance


def test_the_numbers_say_what_the_librarys_own_model_says() -> None:
    values, labels = made_up()
    model = fit_logistic(NAMES, values, labels, 1, (0.3,))
    rows = values.reshape(-1, 3)
    scaler = StandardScaler().fit(rows)
    theirs = LogisticRegression(C=0.3 / VIEWS, tol=1e-9, max_iter=1000).fit(
        scaler.transform(rows), labels.repeat(VIEWS)
    )
    new = np.random.default_rng(9).normal(5, 3, (20, 3))
    expected = theirs.predict_proba(scaler.transform(new))[:, 1]
    assert model.probability(new[:, None]) == pytest.approx(expected, abs=1e-5)


def test_the_fit_is_the_minimum_of_the_penalised_log_loss_with_a_free_intercept() -> None:
    """Written out and minimised by another library, each patient counting once however many rows it has."""
    values, labels = made_up(60)
    model = fit_logistic(NAMES, values, labels, 1, (0.5,))
    standard = (values - values.reshape(-1, 3).mean(axis=0)) / values.reshape(-1, 3).std(axis=0)
    sign = np.where(labels, 1.0, -1.0)[:, None]

    def lost(beta: NDArray[np.float64]) -> float:
        margins = sign * (standard @ beta[:3] + beta[3])
        return float(0.5 * np.logaddexp(0, -margins).mean(axis=1).sum() + 0.5 * beta[:3] @ beta[:3])

    assert model.coefficients == pytest.approx(minimize(lost, np.zeros(4), tol=1e-12).x, abs=1e-4)


def test_the_strongest_ridge_is_chosen_where_there_is_nothing_to_learn_and_not_where_there_is() -> None:
    values, labels = made_up(300)
    noise = np.random.default_rng(2).normal(size=values.shape)
    grid = (0.003, 1.0)
    assert fit_logistic(NAMES, noise, labels, 1, grid).cost == 0.003
    assert fit_logistic(NAMES, values, labels, 1, grid).cost == 1.0


def test_a_planted_signal_is_found_and_shuffled_labels_give_half() -> None:
    values, labels = made_up(200)
    half, other = np.arange(0, 200, 2), np.arange(1, 200, 2)
    model = fit_logistic(NAMES, values[half], labels[half], 1, (0.1, 1.0))
    assert roc_auc_score(labels[other], model.probability(values[other])) > 0.75
    found = []
    for seed in range(5):
        dealt = np.random.default_rng(seed).permutation(labels)
        blind = fit_logistic(NAMES, values[half], dealt[half], seed, (0.1, 1.0))
        found.append(roc_auc_score(dealt[other], blind.probability(values[other])))
    assert abs(float(np.mean(found)) - 0.5) < 0.08


def test_rows_of_one_patient_vote_by_their_mean_log_odds() -> None:
    model = LogisticModel(("a",), np.array([1.0]), np.array([2.0]), np.array([3.0, -1.0]), np.empty((0, 2)))
    rows = np.array([[[1.0], [3.0]]])
    assert model.logit(rows)[0].tolist() == [-1.0, 2.0]
    assert model.probability(rows)[0] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert model.slopes.tolist() == [1.5]


def test_limits_are_the_spread_of_refits_and_hold_the_probability() -> None:
    values, labels = made_up(150)
    model = with_refits(fit_logistic(NAMES, values, labels, 1, (1.0,)), values, labels, 1, 40)
    assert model.refits.shape == (40, 4)
    low, high = model.limits(values)
    middle = model.probability(values)
    assert ((low <= middle) & (middle <= high)).all()
    standard = (values[0] - model.centre) / model.scale
    said = 1 / (1 + np.exp(-(standard @ model.refits[:, :3].T + model.refits[:, 3])))
    assert low[0] == pytest.approx(min(np.quantile(said, 0.05), middle[0]))
    bare = fit_logistic(NAMES, values, labels, 1, (1.0,))
    assert np.array_equal(*bare.limits(values))


def test_a_bootstrap_spreads_as_the_theory_of_large_samples_says() -> None:
    values, labels = made_up(800)
    model = with_refits(fit_logistic(NAMES, values, labels, 1, (1e3,)), values, labels, 1, 40)
    standard = (values.mean(axis=1) - model.centre) / model.scale
    design = np.column_stack([standard, np.ones(len(labels))])
    p = model.probability(values)
    information = design.T @ (design * (p * (1 - p))[:, None])
    expected = np.sqrt(np.diag(np.linalg.inv(information)))
    assert model.refits.std(axis=0)[:3] == pytest.approx(expected[:3], rel=0.35)


def test_what_a_bundle_keeps_is_read_back() -> None:
    values, labels = made_up(80)
    model = with_refits(fit_logistic(NAMES, values, labels, 1, (0.1, 1.0)), values, labels, 1, 3)
    again = LogisticModel.read(NAMES, model.stored())
    assert np.array_equal(again.logit(values), model.logit(values))
    assert np.array_equal(again.refits, model.refits)
    assert again.cost == model.cost


def test_a_covariate_that_never_differs_says_nothing() -> None:
    values, labels = made_up(60)
    values[..., 1] = 4.0
    model = fit_logistic(NAMES, values, labels, 1, (1.0,))
    assert model.coefficients[1] == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(model.probability(values)).all()
