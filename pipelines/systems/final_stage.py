"""The last step of system 1: a support vector machine on signatures and features, calibrated by Platt's method.

Zhang et al. fuse the signatures with a support vector machine whose C and γ come from five-fold cross-validation. Here
the scaler, C and γ, the machine and its calibration are all fitted on the patients given and nothing else, so that a
caller who gives the training patients of a fold has everything fitted inside the fold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

Features = NDArray[np.float64]
Labels = NDArray[np.bool_]

INNER_FOLDS = 5
COSTS = (1.0, 3.0, 10.0, 30.0, 100.0)
WIDTHS = (0.01, 0.03, 0.1, 0.3)
"""γ as multiples of 1 / number of features (the features are standardised)."""


@dataclass(frozen=True)
class FinalStage:
    """A fitted machine and the logistic curve from its decision value to a probability."""

    classifier: Pipeline
    calibration: Pipeline

    def probability(self, features: Features) -> NDArray[np.float64]:
        """Probability of the outcome, (patients,), from features (patients, names)."""
        decision = self.classifier.decision_function(features)[:, None]
        return np.asarray(self.calibration.predict_proba(decision)[:, 1])


@dataclass(frozen=True)
class FittedStage:
    """The final stage, the C and γ chosen for it, and its bootstrap refits."""

    stage: FinalStage
    chosen: Mapping[str, float]
    refits: tuple[FinalStage, ...]

    def estimators(self) -> dict[str, Any]:
        """The named estimators that a bundle stores."""
        stages = [("stage", self.stage), *((f"refit_{i:02d}", refit) for i, refit in enumerate(self.refits))]
        named = {f"{name}_classifier": stage.classifier for name, stage in stages}
        return named | {f"{name}_calibration": stage.calibration for name, stage in stages}

    @classmethod
    def from_estimators(cls, named: Mapping[str, Any], chosen: Mapping[str, float]) -> FittedStage:
        """The stage that ``estimators`` stored."""
        names = sorted(key.removesuffix("_classifier") for key in named if key.endswith("_classifier"))
        stages = {name: FinalStage(named[f"{name}_classifier"], named[f"{name}_calibration"]) for name in names}
        refits = tuple(stage for name, stage in stages.items() if name != "stage")
        return cls(stages["stage"], chosen, refits)


def fit_stage(features: Features, labels: Labels, seed: int) -> tuple[FinalStage, dict[str, float]]:
    """Choose C and γ by cross-validation, fit the machine on all patients given, calibrate on held-out decisions.

    ``features`` (patients, views, names): the same patient may be seen through several masks; all views of a patient
    are in the same inner fold. Chosen is the largest AUC of the held-out decisions of all inner folds together, the
    decisions that the calibration then sees; of equals the smoothest machine.
    """
    inner = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    splits = list(inner.split(labels, labels))
    outcome = np.repeat(labels, features.shape[1])
    best, chosen, held_out = -1.0, {}, np.zeros(features.shape[:2])
    for cost in COSTS:
        for width in WIDTHS:
            tried = {"C": cost, "gamma": width / features.shape[2]}
            decisions = _held_out(features, labels, splits, tried)
            auc = float(roc_auc_score(outcome, decisions.ravel()))
            if auc > best:
                best, chosen, held_out = auc, tried, decisions
    return FinalStage(_fitted(features, labels, chosen), _platt(held_out, labels)), chosen


def fit_with_refits(features: Features, labels: Labels, seed: int, refits: int) -> FittedStage:
    """The final stage and ``refits`` bootstrap refits at the same C and γ, each calibrated on the patients left out."""
    stage, chosen = fit_stage(features, labels, seed)
    rng = np.random.default_rng(seed)
    return FittedStage(stage, chosen, tuple(_refit(features, labels, chosen, rng) for _ in range(refits)))


def out_of_fold(features: Features, labels: Labels, folds: NDArray[np.intp], seed: int) -> NDArray[np.float64]:
    """Probability (patients, views) of each patient from a stage fitted on the other folds. ``folds``: per patient."""
    probability = np.full(features.shape[:2], np.nan)
    for fold in np.unique(folds):
        held_out = folds == fold
        stage, _ = fit_stage(features[~held_out], labels[~held_out], seed)
        rows = features[held_out]
        probability[held_out] = stage.probability(rows.reshape(-1, rows.shape[2])).reshape(rows.shape[:2])
    return probability


def _held_out(
    features: Features,
    labels: Labels,
    splits: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    tried: Mapping[str, float],
) -> NDArray[np.float64]:
    """The decision value (patients, views) of each patient from a machine fitted without its inner fold."""
    decisions = np.zeros(features.shape[:2])
    for train, test in splits:
        decisions[test] = _decisions(_fitted(features[train], labels[train], tried), features[test])
    return decisions


def _fitted(features: Features, labels: Labels, chosen: Mapping[str, float]) -> Pipeline:
    views, names = features.shape[1:]
    # A cost per patient, not per view: more views of a patient are no more patients.
    machine = _machine(chosen["C"] / views, chosen["gamma"])
    return machine.fit(features.reshape(-1, names), np.repeat(labels, views))


def _decisions(machine: Pipeline, features: Features) -> NDArray[np.float64]:
    found = machine.decision_function(features.reshape(-1, features.shape[2]))
    return np.asarray(found.reshape(features.shape[:2]))


def _machine(C: float, gamma: float) -> Pipeline:
    return Pipeline(
        [("scale", StandardScaler()), ("svm", SVC(C=C, gamma=gamma, kernel="rbf", class_weight="balanced"))]
    )


def _platt(decisions: NDArray[np.float64], labels: Labels) -> Pipeline:
    """Platt's logistic curve with his smoothed targets, (N₊ + 1) / (N₊ + 2) and 1 / (N₋ + 2) (Platt 1999, eq. 2.4).

    ``decisions`` (patients, views). Each counts once as good and once as poor, weighted by its target; the scaler makes
    the fit independent of the machine's scale.
    """
    positive, negative = int(labels.sum()), int((~labels).sum())
    target = np.where(labels, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weight = np.repeat(target, decisions.shape[1])
    twice = np.tile(decisions.ravel(), 2)[:, None]
    outcome = np.repeat([True, False], decisions.size)
    curve = Pipeline([("scale", StandardScaler()), ("curve", LogisticRegression(C=1e4))])
    return curve.fit(twice, outcome, curve__sample_weight=np.concatenate([weight, 1 - weight]))


def _refit(features: Features, labels: Labels, chosen: Mapping[str, float], rng: np.random.Generator) -> FinalStage:
    # Drawn within each outcome, so that no draw lacks one; the left-out patients (37 %) calibrate.
    groups = [np.flatnonzero(labels == value) for value in (False, True)]
    drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
    left_out = np.setdiff1d(np.arange(len(labels)), drawn)
    machine = _fitted(features[drawn], labels[drawn], chosen)
    return FinalStage(machine, _platt(_decisions(machine, features[left_out]), labels[left_out]))
