"""Figures that a manifest records about out-of-fold predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Probabilities = NDArray[np.float64]


def expected_auc(true: Probabilities, score: Probabilities) -> float:
    """The AUC of ``score`` averaged over outcomes drawn anew from the ``true`` probabilities.

    A pair (i, j) counts as (good, poor) with weight p_i (1 − p_j); one draw of labels would be off by chance.
    """
    weight = np.outer(true, 1.0 - true)
    np.fill_diagonal(weight, 0.0)
    order = np.sign(score[:, None] - score[None, :])
    return float((weight * (order + 1.0) / 2.0).sum() / weight.sum())


def brier(labels: NDArray[np.bool_], probability: Probabilities) -> float:
    """Mean squared difference of probability and outcome (Brier 1950)."""
    return float(np.mean((probability - labels) ** 2))


def discrimination(
    labels: NDArray[np.bool_], probability: Probabilities, true: Probabilities | None
) -> dict[str, float]:
    """AUC and Brier score; with known true probabilities also the expected AUC, its ceiling and the share reached."""
    figures = {"auc": float(roc_auc_score(labels, probability)), "brier": brier(labels, probability)}
    if true is None:
        return figures
    reached, ceiling = expected_auc(true, probability), expected_auc(true, true)
    return figures | {
        "expected_auc": reached,
        "oracle_auc": ceiling,
        "oracle_share": (reached - 0.5) / (ceiling - 0.5),
    }


def cut_offs(labels: NDArray[np.bool_], probability: Probabilities) -> dict[str, float]:
    """``low``: nine in ten good responders lie above it; ``high``: nine in ten others lie below it.

    Where the two would cross, which only a nearly perfect separation does, they change places.
    """
    ends = np.quantile(probability[labels], 0.1), np.quantile(probability[~labels], 0.9)
    return {"low": float(min(ends)), "high": float(max(ends))}
