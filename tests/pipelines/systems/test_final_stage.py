from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from pipelines.systems.final_stage import Grid, Machine, fit_stage, fit_with_refits

VIEWS = 2
ONE = Grid((3.0,), (0.1,))
FEW = Grid((1.0, 10.0), (0.03, 0.3))


def made_up(count: int = 150, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(count, 1, 6))
    labels = true[:, 0, 0] + 0.5 * true[:, 0, 1] + rng.normal(0, 0.7, count) > 0.3
    return 5.0 + 3.0 * (true + rng.normal(0, 0.2, size=(count, VIEWS, 6))), labels


def halves(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.arange(0, count, 2), np.arange(1, count, 2)


def test_the_machine_decides_as_the_librarys_own_does() -> None:
    features, labels = made_up(80)
    machine = fit_stage(features, labels, 1, ONE).machine
    rows = features.reshape(-1, 6)
    scaler = StandardScaler().fit(rows)
    theirs = SVC(C=3.0 / VIEWS, gamma=0.1 / 6, class_weight="balanced").fit(
        scaler.transform(rows), labels.repeat(VIEWS)
    )
    new = np.random.default_rng(9).normal(5, 3, (20, 6))
    assert machine.decision(new) == pytest.approx(theirs.decision_function(scaler.transform(new)), abs=1e-5)


def test_a_planted_signal_is_found_in_patients_never_seen() -> None:
    features, labels = made_up()
    seen, new = halves(len(labels))
    stage = fit_stage(features[seen], labels[seen], 1, FEW)
    assert roc_auc_score(labels[new], stage.machine.probability(features[new])) > 0.8
    assert set(stage.chosen) == {"C", "gamma"}


def test_shuffled_labels_give_half() -> None:
    """What leaks from the held-out patients into a fit would show here."""
    features, labels = made_up(120)
    found = []
    for seed in range(5):
        shuffled = np.random.default_rng(seed).permutation(labels)
        for seen, new in (halves(120), halves(120)[::-1]):
            machine = fit_stage(features[seen], shuffled[seen], seed, FEW).machine
            found.append(roc_auc_score(shuffled[new], machine.probability(features[new])))
    assert abs(float(np.mean(found)) - 0.5) < 0.05


def test_probabilities_are_calibrated_on_the_whole() -> None:
    features, labels = made_up(400)
    seen, new = halves(400)
    probability = fit_stage(features[seen], labels[seen], 1, ONE).machine.probability(features[new])
    assert probability.mean() == pytest.approx(labels[new].mean(), abs=0.06)


def test_a_patient_gets_the_mean_of_the_log_odds_of_its_rows() -> None:
    features, labels = made_up(80)
    machine = fit_stage(features, labels, 1, ONE).machine
    odds = [
        machine.probability(features[:1, [row]])[0] / (1 - machine.probability(features[:1, [row]])[0])
        for row in (0, 1)
    ]
    together = machine.probability(features[:1])[0]
    assert together / (1 - together) == pytest.approx(np.sqrt(odds[0] * odds[1]))


def test_machines_are_read_back_from_the_rows_that_they_share() -> None:
    features, labels = made_up(60)
    fitted = fit_with_refits(features, labels, 1, 2, ONE)
    # The table of a bundle has other patients and columns as well.
    origin = np.arange(60 * VIEWS) + 7
    table = np.vstack([np.zeros((7, 6)), features.reshape(-1, 6)])
    for machine in (fitted.machine, *fitted.refits):
        again = Machine.read(machine.stored(origin), table)
        assert again.probability(features[:9]) == pytest.approx(machine.probability(features[:9]), abs=1e-12)


def test_the_refits_spread_around_the_machine() -> None:
    features, labels = made_up()
    fitted = fit_with_refits(features, labels, 1, 8, ONE)
    spread = np.array([refit.probability(features[:1])[0] for refit in fitted.refits])
    assert 0.005 < spread.std() < 0.3
    assert abs(spread.mean() - fitted.machine.probability(features[:1])[0]) < 0.2


def test_one_case_gets_what_it_gets_among_eight() -> None:
    features, labels = made_up()
    machine = fit_stage(features, labels, 1, ONE).machine
    together = machine.probability(features[:8])
    assert np.concatenate([machine.probability(features[i : i + 1]) for i in range(8)]) == pytest.approx(together)


def test_more_views_of_the_same_patients_are_no_more_patients() -> None:
    features, labels = made_up(100)
    once = fit_stage(features[:, :1], labels, 1, ONE).machine
    thrice = fit_stage(np.repeat(features[:, :1], 3, axis=1), labels, 1, ONE).machine
    assert thrice.probability(features[:9, :1]) == pytest.approx(once.probability(features[:9, :1]), abs=0.02)


def test_what_each_input_adds_is_the_mean_over_a_patients_rows_and_adds_up_to_its_log_odds() -> None:
    features, labels = made_up(80)
    machine = fit_stage(features, labels, 1, ONE).machine
    background = features[40:60].reshape(-1, 6)
    added = machine.contributions(features[:3], background)
    apart = machine.logit(features[:3]).mean(axis=1) - machine.logit(background[:, None]).mean()
    assert added.sum(axis=1) == pytest.approx(apart, abs=1e-9)
    by_row = [machine.contributions(features[:3, [row]], background) for row in range(VIEWS)]
    assert added == pytest.approx(np.mean(by_row, axis=0))


def test_what_an_input_adds_is_in_calibrated_log_odds() -> None:
    features, labels = made_up(80)
    machine = fit_stage(features, labels, 1, ONE).machine
    plain = replace(machine, slope=1.0, offset=0.0)
    background = features[:10].reshape(-1, 6)
    expected = machine.slope * plain.contributions(features[:2], background)
    assert machine.contributions(features[:2], background) == pytest.approx(expected)
