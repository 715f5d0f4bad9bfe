"""Training of the final stages of system 2: fit, refits, out-of-fold figures, thresholds and limits of every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.conformal import conformal_limits
from pipelines.systems.logistic import COSTS, INNER_FOLDS, LogisticModel, fit_logistic, with_refits
from pipelines.systems.rp_models import FALLBACK, RpModel
from pipelines.systems.signature_table import Table
from pipelines.training.metrics import discrimination
from pipelines.training.settings import Progress, silent
from pipelines.training.signature_networks import Labels, enough
from pipelines.training.signature_stages import youden

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Learning:
    """What every stage learns from. ``folds`` (patients,); ``truth``: the true probabilities of simulated patients, by
    information set; ``refits``: of the stages that the node uses; ``costs``: what C is chosen from."""

    table: Table
    labels: Labels
    folds: NDArray[np.intp]
    seed: int
    refits: int
    truth: Mapping[InformationSet, Numbers]
    costs: Sequence[float] = COSTS
    progress: Progress = silent


@dataclass(frozen=True)
class Stages:
    """Every stage by its model's key; models, figures, and thresholds likewise."""

    stages: Mapping[str, LogisticModel]
    models: Mapping[str, RpModel]
    metrics: Mapping[str, Any]
    thresholds: Mapping[str, dict[str, float]]


def fit_stages(learning: Learning, models: Sequence[RpModel]) -> Stages:
    """Fit every model that enough patients have the inputs of; one of a sequence without networks gets no stage."""
    stages, kept, metrics, thresholds = {}, {}, {}, {}
    wanted = [model for model in models if set(model.names) <= set(learning.table.names)]
    for done, model in enumerate(wanted, start=1):
        rows = np.flatnonzero(learning.table.complete(model.names))
        if enough(learning.labels[rows], len(set(learning.folds.tolist())), INNER_FOLDS):
            probability = out_of_fold(learning, model)
            metrics[model.key], thresholds[model.key] = _figures(learning, model, probability)
            stages[model.key] = _fitted(learning, model, rows)
            kept[model.key] = model
        learning.progress("fitting the final stages", done, len(wanted))
    return Stages(stages, kept, metrics, thresholds)


def out_of_fold(learning: Learning, model: RpModel) -> Numbers:
    """Probability (patients, views) from a stage fitted on the other folds; NaN for whom it has not the inputs."""
    complete = learning.table.complete(model.names)
    values = learning.table.of(model.names)
    probability = np.full(values.shape[:2], np.nan)
    for fold in sorted(set(learning.folds.tolist())):
        train, test = (np.flatnonzero(complete & side) for side in (learning.folds != fold, learning.folds == fold))
        # Nobody of this fold may have a rare sequence or marker.
        if not test.size or np.bincount(learning.labels[train].astype(int), minlength=2).min() < INNER_FOLDS:
            continue
        stage = _fit(learning, model, values[train], learning.labels[train])
        probability[test] = 1.0 / (1.0 + np.exp(-stage.logit(values[test])))
    return probability


def _fitted(learning: Learning, model: RpModel, rows: NDArray[np.intp]) -> LogisticModel:
    values, labels = learning.table.of(model.names)[rows], learning.labels[rows]
    stage = _fit(learning, model, values, labels)
    if model.model not in FALLBACK:
        return stage
    return with_refits(stage, values, labels, learning.seed, learning.refits)


def _fit(learning: Learning, model: RpModel, values: Numbers, labels: Labels) -> LogisticModel:
    """A network that says more of those who do not respond has found nothing: alone, it moves nobody."""
    stage = fit_logistic(model.names, values, labels, learning.seed, learning.costs)
    if len(model.names) > 1 or stage.coefficients[0] >= 0.0:
        return stage
    share = float(labels.mean())
    return replace(stage, coefficients=np.array([0.0, np.log(share / (1.0 - share))]))


def _figures(learning: Learning, model: RpModel, probability: Numbers) -> tuple[dict[str, Any], dict[str, float]]:
    """Out-of-fold figures in the mask as drawn and in disturbed ones; thresholds and limits from the former."""
    rows = np.flatnonzero(np.isfinite(probability).all(axis=1))
    labels = learning.labels[rows]
    shown = InformationSet.PAIR_CLINICAL if model.markers else InformationSet.PAIR
    true = learning.truth[shown][rows] if shown in learning.truth else None
    figures: dict[str, Any] = {"patients": len(rows), "complete_responses": int(labels.sum())}
    limits = conformal_limits(labels, probability[rows, 0])
    if min(labels.sum(), (~labels).sum()) == 0:
        return figures, limits | {"youden": 0.5}
    figures |= discrimination(labels, probability[rows, 0], true)
    if probability.shape[1] > 1:
        figures["disturbed_masks"] = discrimination(labels, probability[rows, 1], true)
    return figures, limits | {"youden": youden(labels, probability[rows, 0])}
