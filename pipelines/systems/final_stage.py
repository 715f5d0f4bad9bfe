"""The last step of system 1: a support vector machine on signatures and features, calibrated by Platt's method.

Zhang et al. fuse the signatures with a support vector machine whose C and γ come from five-fold cross-validation. Here
the scaler, C and γ, the machine and its calibration are all fitted on the patients given and nothing else, so that a
caller who gives the training patients of a fold has everything fitted inside the fold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from pipelines.explain.shapley import gaussian_shapley

Features = NDArray[np.float64]
Labels = NDArray[np.bool_]
Split = tuple[NDArray[np.intp], NDArray[np.intp]]

INNER_FOLDS = 5


@dataclass(frozen=True)
class Grid:
    """What C and γ are chosen from; ``widths``: γ as multiples of 1 / number of features, which are standardised."""

    costs: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)
    widths: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)


GRID = Grid()


@dataclass(frozen=True)
class Machine:
    """A fitted machine: f(x) = Σ wᵢ exp(−γ |x − vᵢ|²) + b, and the log odds slope · f + offset.

    ``support`` (vectors,): which rows of the training table its vectors are, so that machines of one bundle share
    them. ``vectors`` (vectors, names) are standardised, ``centre`` and ``scale`` (names,) of the training rows.
    """

    support: NDArray[np.intp]
    vectors: Features
    weights: Features
    centre: Features
    scale: Features
    gamma: float
    bias: float
    slope: float = 1.0
    offset: float = 0.0

    def decision(self, rows: Features) -> Features:
        """f of features (rows, names)."""
        standard = (rows - self.centre) / self.scale
        return np.asarray(rbf_kernel(standard, self.vectors, gamma=self.gamma) @ self.weights + self.bias)

    def logit(self, features: Features) -> Features:
        """Log odds of the outcome, (patients, rows), of features (patients, rows, names)."""
        flat = self.decision(features.reshape(-1, features.shape[-1]))
        return (self.slope * flat + self.offset).reshape(features.shape[:-1])

    def probability(self, features: Features) -> Features:
        """Probability of the outcome, (patients,), of features (patients, rows, names): the mean of the rows' odds."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.logit(features).mean(axis=1))))

    def contributions(self, features: Features, background: Features) -> Features:
        """What each input adds to the log odds, (patients, names), of features (patients, rows, names).

        Exact Shapley values against ``background`` (m, names), the mean over a patient's rows: they add up to the
        patient's log odds minus the mean of the background's.
        """
        standard = ((one - self.centre) / self.scale for one in (features.reshape(-1, features.shape[-1]), background))
        added = gaussian_shapley(self.weights, self.vectors, self.gamma, *standard)
        return np.asarray(self.slope * added.reshape(features.shape).mean(axis=1))

    def calibrated(self, decisions: Features, labels: Labels) -> Machine:
        """The machine with Platt's curve fitted to held-out decisions (patients, rows)."""
        slope, offset = _platt(decisions, labels)
        return replace(self, slope=slope, offset=offset)

    def stored(self, origin: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """All but the vectors, as a bundle keeps it; ``origin`` (rows,): which row of the bundle's table each is."""
        return {
            "support": origin[self.support].astype(np.int32),
            "weights": self.weights.astype(np.float32),
            "numbers": np.array([self.gamma, self.bias, self.slope, self.offset]),
            "centre": self.centre,
            "scale": self.scale,
        }

    @classmethod
    def read(cls, stored: Mapping[str, NDArray[Any]], rows: Features) -> Machine:
        """The machine that ``stored`` describes; ``rows`` (rows, names): the table that it was trained on."""
        gamma, bias, slope, offset = (float(value) for value in stored["numbers"])
        support, centre, scale = stored["support"].astype(np.intp), stored["centre"], stored["scale"]
        vectors = (rows[support] - centre) / scale
        weights = stored["weights"].astype(np.float64)
        return cls(support, vectors, weights, centre, scale, gamma, bias, slope, offset)


@dataclass(frozen=True)
class FittedStage:
    """The machine, the C and γ chosen for it, and bootstrap refits."""

    machine: Machine
    chosen: Mapping[str, float]
    refits: tuple[Machine, ...] = ()


def fit_stage(features: Features, labels: Labels, seed: int, grid: Grid = GRID) -> FittedStage:
    """Choose C and γ by cross-validation, fit the machine on all patients given, calibrate on held-out decisions.

    ``features`` (patients, rows, names): the same patient may be seen through several masks; all rows of a patient are
    in the same inner fold. Chosen is the largest AUC of the held-out decisions of all inner folds together, each
    patient seen through its first mask; of equals the smoothest machine.
    """
    inner = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    splits = list(inner.split(labels, labels))
    best, chosen = -1.0, {}
    for cost in grid.costs:
        for width in grid.widths:
            tried = {"C": cost, "gamma": width / features.shape[2]}
            auc = float(roc_auc_score(labels, _held_out(features[:, :1], labels, splits, tried)[:, 0]))
            if auc > best:
                best, chosen = auc, tried
    machine = _fitted(features, labels, np.arange(len(labels)), chosen)
    return FittedStage(machine.calibrated(_held_out(features, labels, splits, chosen), labels), chosen)


def fit_with_refits(features: Features, labels: Labels, seed: int, refits: int, grid: Grid = GRID) -> FittedStage:
    """The final stage and ``refits`` bootstrap refits at the same C and γ, each calibrated on the patients left out."""
    stage = fit_stage(features, labels, seed, grid)
    rng = np.random.default_rng(seed)
    again = tuple(_refit(features, labels, stage.chosen, rng) for _ in range(refits))
    return FittedStage(stage.machine, stage.chosen, again)


def _held_out(features: Features, labels: Labels, splits: list[Split], tried: Mapping[str, float]) -> Features:
    """The decision value (patients, rows) of each patient from a machine fitted without its inner fold."""
    decisions = np.zeros(features.shape[:2])
    for train, test in splits:
        machine = _fitted(features, labels, train, tried)
        decisions[test] = machine.logit(features[test])
    return decisions


def _fitted(features: Features, labels: Labels, patients: NDArray[np.intp], chosen: Mapping[str, float]) -> Machine:
    """A machine on all rows of these patients (one may be drawn more than once), not calibrated."""
    count, names = features.shape[1:]
    rows = (patients[:, None] * count + np.arange(count)).ravel()
    values = features[patients].reshape(-1, names)
    centre, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    # A cost per patient, not per row: more rows of a patient are no more patients.
    svc = SVC(C=chosen["C"] / count, gamma=chosen["gamma"], kernel="rbf", class_weight="balanced")
    svc.fit((values - centre) / scale, np.repeat(labels[patients], count))
    # The same row drawn twice is one vector with both weights.
    support, where = np.unique(rows[svc.support_], return_inverse=True)
    weights = np.bincount(where, svc.dual_coef_[0], len(support)).astype(np.float32).astype(np.float64)
    vectors = (features.reshape(-1, names)[support] - centre) / scale
    return Machine(support, vectors, weights, centre, scale, float(chosen["gamma"]), float(svc.intercept_[0]))


def _platt(decisions: Features, labels: Labels) -> tuple[float, float]:
    """Platt's logistic curve with his smoothed targets, (N₊ + 1) / (N₊ + 2) and 1 / (N₋ + 2) (Platt 1999, eq. 2.4).

    ``decisions`` (patients, rows). Each counts once as good and once as poor, weighted by its target; dividing by their
    spread makes the fit independent of the machine's scale.
    """
    positive, negative = int(labels.sum()), int((~labels).sum())
    target = np.where(labels, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weight = np.repeat(target, decisions.shape[1])
    spread = float(decisions.std()) or 1.0
    twice = np.tile(decisions.ravel() / spread, 2)[:, None]
    outcome = np.repeat([True, False], decisions.size)
    curve = LogisticRegression(C=1e4).fit(twice, outcome, np.concatenate([weight, 1 - weight]))
    return float(curve.coef_[0, 0]) / spread, float(curve.intercept_[0])


def _refit(features: Features, labels: Labels, chosen: Mapping[str, float], rng: np.random.Generator) -> Machine:
    # Drawn within each outcome, so that no draw lacks one; the left-out patients (37 %) calibrate.
    groups = [np.flatnonzero(labels == value) for value in (False, True)]
    drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
    left_out = np.setdiff1d(np.arange(len(labels)), drawn)
    machine = _fitted(features, labels, drawn, chosen)
    return machine.calibrated(machine.logit(features[left_out]), labels[left_out])
