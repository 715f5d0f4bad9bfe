"""Training of the machines of system 1: selection, fit, refits and out-of-fold figures of every model.

Whatever a model learns, clinical selection included, is learnt anew without the patients of a fold before these are
predicted; the figures and thresholds of a bundle come from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from pipelines.phantom.oracle import CohortTruth
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.conformal import conformal_limits
from pipelines.systems.final_stage import GRID, INNER_FOLDS, FittedStage, Grid, fit_stage, fit_with_refits
from pipelines.systems.signature_bundle import Described
from pipelines.systems.signature_models import FALLBACK, Variant
from pipelines.systems.signature_table import Table
from pipelines.training.metrics import discrimination
from pipelines.training.settings import Progress, silent
from pipelines.training.signature_clinical import Selection, select
from pipelines.training.signature_networks import Labels, enough


@dataclass(frozen=True)
class Learning:
    """What every machine learns from. ``folds`` (patients,); ``truth``: the true probabilities of simulated patients,
    by information set; ``refits``: of the machines that the node uses; ``grid``: what C and γ are chosen from."""

    table: Table
    labels: Labels
    folds: NDArray[np.intp]
    seed: int
    refits: int
    truth: Mapping[InformationSet, NDArray[np.float64]]
    grid: Grid = GRID
    progress: Progress = silent


@dataclass(frozen=True)
class Stages:
    """Every machine by its variant's key, with which rows of the table it learnt from; columns and figures likewise."""

    stages: Mapping[str, tuple[FittedStage, NDArray[np.intp]]]
    described: Mapping[str, Described]
    metrics: Mapping[str, Any]
    selection: Selection


def truth_of(
    truth: CohortTruth | None, rows: NDArray[np.intp], outcome: Outcome = Outcome.GOOD_RESPONSE
) -> dict[InformationSet, NDArray[np.float64]]:
    """The true probability of a response of these patients by information set; empty where nobody knows it."""
    if truth is None:
        return {}
    shown = (InformationSet.PAIR, InformationSet.PAIR_CLINICAL)
    return {one: truth.probability(outcome, one)[rows] for one in shown}


def fit_stages(learning: Learning, variants: Sequence[Variant]) -> Stages:
    """Fit every variant that enough patients have the inputs of; one of a sequence without networks gets no machine."""
    variants = [variant for variant in variants if set(variant.columns) <= set(learning.table.names)]
    patients = np.arange(len(learning.labels))
    every = sorted(set(learning.folds.tolist()))
    apart = {fold: np.flatnonzero(learning.folds == fold) for fold in every}
    whole = select(learning.table, learning.labels, patients)
    within = {fold: select(learning.table, learning.labels, np.setdiff1d(patients, apart[fold])) for fold in every}
    stages, described, metrics = {}, {}, {}
    for done, variant in enumerate(variants, start=1):
        columns = columns_of(variant, whole)
        rows = np.flatnonzero(learning.table.complete(columns)) if columns else np.array([], dtype=np.intp)
        if columns and enough(learning.labels[rows], len(every), INNER_FOLDS):
            probability = _out_of_fold(learning, variant, within, apart)
            metrics[variant.key], thresholds = _figures(learning, variant, probability)
            stages[variant.key] = _fitted(learning, variant, columns, rows)
            described[variant.key] = Described(variant, columns, thresholds)
        learning.progress("fitting the final stages", done, len(variants))
    return Stages(stages, described, metrics, whole)


def columns_of(variant: Variant, selection: Selection) -> tuple[str, ...]:
    """All that a variant sees: its own columns and, where it is a clinical one, what selection left."""
    return (*variant.columns, *(selection.names if variant.clinical else ()))


def _views(variant: Variant, table: Table) -> int:
    # Two dozen models that are only compared learn from the mask as drawn: that is minutes, not an hour.
    return 1 if variant.compared_only else table.values.shape[1]


def _fitted(
    learning: Learning, variant: Variant, columns: tuple[str, ...], rows: NDArray[np.intp]
) -> tuple[FittedStage, NDArray[np.intp]]:
    views = _views(variant, learning.table)
    features = learning.table.of(columns)[rows, :views]
    refits = learning.refits if variant.model in FALLBACK else 0
    stage = fit_with_refits(features, learning.labels[rows], learning.seed, refits, learning.grid)
    origin = rows[:, None] * learning.table.values.shape[1] + np.arange(views)
    return stage, origin.ravel()


def _out_of_fold(
    learning: Learning, variant: Variant, within: Mapping[int, Selection], apart: Mapping[int, NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Probability (patients, views) from a machine fitted on the other folds; NaN for whom it has not the inputs."""
    views = _views(variant, learning.table)
    probability = np.full((len(learning.labels), views), np.nan)
    for fold, held_out in apart.items():
        columns = columns_of(variant, within[fold])
        if not columns:
            continue
        features, complete = learning.table.of(columns)[:, :views], learning.table.complete(columns)
        train, test = np.setdiff1d(np.flatnonzero(complete), held_out), held_out[complete[held_out]]
        # Nobody of this fold may have a rare sequence or item.
        if not test.size or np.bincount(learning.labels[train].astype(int), minlength=2).min() < INNER_FOLDS:
            continue
        stage = fit_stage(features[train], learning.labels[train], learning.seed, learning.grid)
        probability[test] = 1.0 / (1.0 + np.exp(-stage.machine.logit(features[test])))
    return probability


def _figures(
    learning: Learning, variant: Variant, probability: NDArray[np.float64]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Out-of-fold figures in the mask as drawn and in disturbed ones, and thresholds from the former."""
    rows = np.flatnonzero(np.isfinite(probability).all(axis=1))
    labels = learning.labels[rows]
    shown = InformationSet.PAIR_CLINICAL if variant.clinical else InformationSet.PAIR
    true = learning.truth[shown][rows] if shown in learning.truth else None
    limits = conformal_limits(labels, probability[rows, 0])
    figures: dict[str, Any] = {"patients": len(rows), "good_responses": int(labels.sum())}
    if min(labels.sum(), (~labels).sum()) == 0:
        return figures, {**limits, "youden": 0.5}
    figures |= discrimination(labels, probability[rows, 0], true)
    if probability.shape[1] > 1:
        figures["disturbed_masks"] = discrimination(labels, probability[rows, 1], true)
    return figures, {**limits, "youden": youden(labels, probability[rows, 0])}


def youden(labels: Labels, probability: NDArray[np.float64]) -> float:
    """The threshold of the largest sensitivity + specificity − 1 (Youden 1950); at or above it is predicted good."""
    false_positive, true_positive, thresholds = roc_curve(labels, probability)
    # The first threshold is infinite: nobody is predicted good.
    return min(float(thresholds[int(np.argmax(true_positive - false_positive))]), 1.0)
