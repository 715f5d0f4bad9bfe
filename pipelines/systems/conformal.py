"""Conformal sets: which outcomes remain possible for a patient, at a stated coverage.

Each outcome has a limit of its own, found among the training patients who had that outcome, so that the coverage holds
for either of them however rare it is (label-conditional conformal prediction: V. Vovk et al., Algorithmic Learning in
a Random World, 2nd ed. 2022, section 4.6; Y. Romano et al., NeurIPS 2020). The probabilities are out of fold, that is
of models fitted without the patient (cross-conformal: V. Vovk, Ann Math Artif Intell 74, 2015, 9–28): the guarantee is
exact for draws exchangeable with them. A new patient gets the mean of the networks of all folds, which is steadier than
the one network of an out-of-fold probability, so sets hold somewhat more often than they state. Limits found by
``pipelines.calibration`` on patients of neither fold have no such gap (split conformal prediction).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import PredictionSet

Numbers = NDArray[np.float64]
COVERAGE = 0.9
LOW, HIGH = "low", "high"
ROUNDING = 1e-9
"""Of a share of weights: 0.9 of 10 is 9, however it was added up."""


def conformal_limits(
    event: NDArray[np.bool_], probability: Numbers, coverage: float = COVERAGE, weights: Numbers | None = None
) -> dict[str, float]:
    """``low``, ``high`` and ``coverage``: the event is in a patient's set from ``low`` on, its absence up to ``high``.

    ``event``, ``probability``, ``weights`` (n,): of patients who were not learnt from. Of patients with the event, at
    most a share 1 − ``coverage`` of new ones lie below ``low``; of those without it, at most as many above ``high``.
    Where patients are too few to say so, the limit is 0 or 1 and rules nothing out. Where ``low`` would lie above
    ``high`` the two change places: nobody's set is empty, and between them both outcomes remain.

    ``weights``: of patients whose outcome may be censored, the inverse of the probability that it was seen, 0 for those
    of whom it was not. A new patient counts as much as the heaviest one, which can only make sets larger (weighted
    conformal prediction: R. J. Tibshirani et al., NeurIPS 2019, equation 7).
    """
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"a coverage lies between 0 and 1, not at {coverage}")
    counted = np.ones(len(event)) if weights is None else weights
    if not np.isfinite(probability[counted > 0]).all() or not np.isfinite(counted).all() or (counted < 0).any():
        raise ValueError("limits need a probability of every patient who counts, and finite weights")
    seen, new = counted > 0, float(counted.max(initial=0.0))
    had, had_not = seen & event, seen & ~event
    low = max(0.0, -_reached(-probability[had], counted[had], new, coverage))
    high = min(1.0, _reached(probability[had_not], counted[had_not], new, coverage))
    return {LOW: min(low, high), HIGH: max(low, high), "coverage": coverage}


def prediction_set(probability: float, limits: Mapping[str, float], inside: bool = True) -> PredictionSet:
    """The outcomes that remain possible at the limits' coverage.

    ``inside``: False for a patient unlike those that the limits were found on, for whom nothing can be ruled out.
    """
    return PredictionSet(
        limits["coverage"],
        event=not inside or probability >= limits[LOW],
        no_event=not inside or probability <= limits[HIGH],
    )


def stated_set(probability: float, thresholds: Mapping[str, float], inside: bool = True) -> PredictionSet | None:
    """The prediction set by a model's thresholds; None where they state no coverage, as those of a model that was
    judged on patients it had learnt from."""
    return prediction_set(probability, thresholds, inside) if "coverage" in thresholds else None


def _reached(score: Numbers, weights: Numbers, new: float, coverage: float) -> float:
    """The smallest score at which patients up to it have the share ``coverage`` of all weight, a new patient's
    included; infinite where there is none. With equal weights it is the ⌈(n + 1) · coverage⌉-th of n."""
    order = np.argsort(score, kind="stable")
    needed = coverage * (float(weights.sum()) + new)
    enough = np.flatnonzero(np.cumsum(weights[order]) >= needed * (1.0 - ROUNDING))
    return float(score[order[enough[0]]]) if enough.size else np.inf
