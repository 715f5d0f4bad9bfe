"""What a threshold on a probability means for a thousand patients: whom it calls at high risk, and who of them has the
event; and the ROC curve taken apart by threshold.

K. F. Kerr et al., Journal of Clinical Oncology 34 (2016) 2534–2540 (clinical impact curve, ROC components).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.statistics.decision import THRESHOLDS
from pipelines.evaluation.statistics.horizon import AtHorizon, event_share
from pipelines.evaluation.statistics.resample import multiplicities, once
from pipelines.evaluation.statistics.stated import Numbers, Stated

PER = 1000.0
DRAWS_OF_BANDS = 500


@dataclass(frozen=True)
class Band(Stated):
    """A curve (k,) with pointwise 95 % limits of the bootstrap; NaN where it is not defined."""

    values: Numbers
    lower: Numbers
    upper: Numbers


@dataclass(frozen=True)
class Impact(Stated):
    """Curves over k thresholds; at or above one is high risk.

    Of 1000 patients: ``high_risk`` are called so, ``with_event`` of these have the event by the horizon.
    ``true_positive``: share called high risk of those with the event; ``false_positive``: of those without it.
    """

    thresholds: Numbers
    high_risk: Band
    with_event: Band
    true_positive: Band
    false_positive: Band
    not_estimable: str = ""


def impact(
    probability: Numbers, outcome: AtHorizon, thresholds: Numbers = THRESHOLDS, draws: Numbers | None = None
) -> Impact:
    """Clinical impact and ROC components of ``probability`` (n,); ``known(event)`` for a yes-or-no outcome.

    Shares of those at high risk and of all are 1 − Kaplan–Meier at the horizon, as in the decision curve. ``draws``:
    ``multiplicities``; by default 500 of the whole cohort.
    """
    if why := outcome.unfit(probability):
        empty = Band(np.empty(0), np.empty(0), np.empty(0))
        return Impact(thresholds, empty, empty, empty, empty, why)
    size = probability.size
    drawn = multiplicities(np.zeros(size), DRAWS_OF_BANDS) if draws is None else draws
    counts = np.concatenate([once(size), drawn])  # first the cohort itself
    everybody = event_share(counts, outcome)
    high, had = (np.empty((len(counts), thresholds.size)) for _ in range(2))
    for column, threshold in enumerate(thresholds):
        above = probability >= threshold
        high[:, column] = counts @ above / counts.sum(axis=1)
        share = event_share(counts * above, outcome)
        had[:, column] = np.where(high[:, column] > 0, high[:, column] * share, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        true = np.clip(had / everybody[:, None], 0.0, 1.0)
        false = np.clip((high - had) / (1.0 - everybody[:, None]), 0.0, 1.0)
    return Impact(thresholds, _band(PER * high), _band(PER * had), _band(true), _band(false))


def _band(curves: Numbers) -> Band:
    """Limits only where 90 % of the draws have a value."""
    drawn = curves[1:]
    defined = np.isfinite(drawn).mean(axis=0) >= 0.9
    lower, upper = np.full((2, curves.shape[1]), np.nan)
    if defined.any():
        lower[defined], upper[defined] = np.nanpercentile(drawn[:, defined], [2.5, 97.5], axis=0)
    return Band(curves[0], lower, upper)
