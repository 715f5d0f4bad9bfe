from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pipelines.systems import final_stage
from pipelines.systems.final_stage import FittedStage, fit_stage, fit_with_refits, out_of_fold

VIEWS = 2


def stratified(labels: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Five folds with the same share of each outcome, as training deals them."""
    folds = np.empty(len(labels), dtype=np.intp)
    folds[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % 5
    return folds


def made_up(count: int = 150, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(count, 1, 6))
    labels = true[:, 0, 0] + 0.5 * true[:, 0, 1] + rng.normal(0, 0.7, count) > 0.3
    views = true + rng.normal(0, 0.2, size=(count, VIEWS, 6))
    return views, labels, stratified(labels)


def test_out_of_fold_probabilities_find_a_planted_signal() -> None:
    features, labels, folds = made_up()
    assert roc_auc_score(labels, out_of_fold(features, labels, folds, seed=1)[:, 0]) > 0.8


def test_shuffled_labels_give_half() -> None:
    """What leaks from a fold into its own fit would show here."""
    features, labels, _ = made_up(120)
    found = []
    for seed in range(4):
        shuffled = np.random.default_rng(seed).permutation(labels)
        found.append(roc_auc_score(shuffled, out_of_fold(features, shuffled, stratified(shuffled), seed)[:, 0]))
    assert abs(float(np.mean(found)) - 0.5) < 0.1


def test_scaler_choice_machine_and_calibration_see_only_the_other_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, folds = made_up(60)
    seen = []

    def recorded(rows: NDArray[np.float64], outcomes: NDArray[np.bool_], seed: int):  # type: ignore[no-untyped-def]
        seen.append({row.tobytes() for row in rows})
        return fit_stage(rows, outcomes, seed)

    monkeypatch.setattr(final_stage, "fit_stage", recorded)
    out_of_fold(features, labels, folds, seed=1)
    for fold, rows in enumerate(seen):
        assert rows.isdisjoint({row.tobytes() for row in features[folds == fold]})


def test_a_held_out_patients_values_do_not_change_the_others_fit() -> None:
    features, labels, folds = made_up(80)
    first = out_of_fold(features, labels, folds, seed=1)
    changed = features.copy()
    changed[0] += 5.0
    beside = folds == folds[0]
    beside[0] = False
    assert out_of_fold(changed, labels, folds, seed=1)[beside] == pytest.approx(first[beside])


def test_probabilities_are_calibrated_on_the_whole() -> None:
    features, labels, folds = made_up(400)
    assert out_of_fold(features, labels, folds, seed=1).mean() == pytest.approx(labels.mean(), abs=0.05)


def test_the_refits_spread_around_the_stage_and_are_read_back() -> None:
    features, labels, _ = made_up()
    fitted = fit_with_refits(features, labels, seed=1, refits=8)
    again = FittedStage.from_estimators(fitted.estimators(), fitted.chosen)
    assert len(again.refits) == 8
    assert np.array_equal(again.stage.probability(features[:, 0]), fitted.stage.probability(features[:, 0]))
    point = features[:1, 0]
    spread = np.array([refit.probability(point)[0] for refit in again.refits])
    assert 0.005 < spread.std() < 0.3
    assert abs(spread.mean() - fitted.stage.probability(point)[0]) < 0.2


def test_one_case_gets_what_it_gets_among_eight() -> None:
    features, labels, _ = made_up()
    stage, _ = fit_stage(features, labels, seed=1)
    together = stage.probability(features[:8, 0])
    assert np.concatenate([stage.probability(features[i : i + 1, 0]) for i in range(8)]) == pytest.approx(together)


def test_more_views_of_the_same_patients_are_no_more_patients() -> None:
    features, labels, _ = made_up(100)
    once, _ = fit_stage(features[:, :1], labels, seed=1)
    thrice, _ = fit_stage(np.repeat(features[:, :1], 3, axis=1), labels, seed=1)
    assert thrice.probability(features[:9, 0]) == pytest.approx(once.probability(features[:9, 0]), abs=0.02)
