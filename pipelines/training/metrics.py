"""Figures that a manifest records about out-of-fold predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pipelines.phantom.oracle import expected_auc

__all__ = ["brier", "discrimination", "expected_auc"]

Probabilities = NDArray[np.float64]


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
