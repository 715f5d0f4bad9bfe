"""The ROC curve and its area at a month: of those who had the event by then against those free of it (cumulative and
dynamic), weighted for censoring.

H. Uno et al., JASA 102 (2007) 527–537; P. Blanche et al., Biometrical Journal 55 (2013) 687–704, equation 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, inverse_weights
from pipelines.evaluation.statistics.resample import multiplicities, once
from pipelines.evaluation.statistics.stated import Estimate, Numbers, Stated, by_draws, missing


@dataclass(frozen=True)
class TimeRoc(Stated):
    """At ``month``: the area with bootstrap limits, the curve's corners (k,) from (0, 0) to (1, 1), and how many had
    the event by then and are known to be free of it."""

    month: float
    auc: Estimate
    had: int
    free: int
    false_positive: Numbers
    true_positive: Numbers


def time_roc(
    risk: Numbers, observed: Observed, months: Sequence[float], draws: Numbers | None = None
) -> tuple[TimeRoc, ...]:
    """The ROC of ``risk`` (n,), higher: likelier, at each of ``months``. Ties count half. ``draws``:
    ``multiplicities``, by default within the event indicator; the censoring is estimated anew in every draw."""
    drawn = multiplicities(observed.event) if draws is None else draws
    return tuple(_at(risk, AtHorizon(observed, float(month)), drawn) for month in months)


def compare_time_auc(first: Numbers, second: Numbers, outcome: AtHorizon, draws: Numbers | None = None) -> Estimate:
    """Area of ``first`` minus area of ``second`` at the outcome's horizon, by the same bootstrap draws for both; the
    p-value is normal with the standard deviation of the drawn differences."""
    if why := outcome.unfit(first, second):
        return missing(why)
    counts = multiplicities(outcome.observed.event) if draws is None else draws
    own = once(first.size)
    value = float(drawn_time_auc(first, outcome, own)[0] - drawn_time_auc(second, outcome, own)[0])
    difference = drawn_time_auc(first, outcome, counts) - drawn_time_auc(second, outcome, counts)
    return by_draws(value, difference, "paired bootstrap of patients, IPCW", tested=True)


def _at(risk: Numbers, outcome: AtHorizon, draws: Numbers) -> TimeRoc:
    had, free = int(outcome.had.sum()), int(outcome.free.sum())
    if why := outcome.unfit(risk):
        return TimeRoc(outcome.horizon, missing(why), had, free, np.empty(0), np.empty(0))
    own = once(risk.size)
    value = float(drawn_time_auc(risk, outcome, own)[0])
    area = by_draws(value, drawn_time_auc(risk, outcome, draws), "bootstrap of patients, IPCW")
    weight = inverse_weights(own, outcome)[0]
    _, place = np.unique(-risk, return_inverse=True)
    gained = [np.bincount(place, weights=weight * part) for part in (outcome.had, outcome.free)]
    true, false = (np.r_[0.0, np.cumsum(part) / part.sum()] for part in gained)
    return TimeRoc(outcome.horizon, area, had, free, false, true)


def drawn_time_auc(risk: Numbers, outcome: AtHorizon, counts: Numbers) -> Numbers:
    """(draws,): the area at the horizon in each draw."""
    weight = counts * inverse_weights(counts, outcome)
    had, free = weight[:, outcome.had], weight[:, outcome.free]
    higher = (np.sign(risk[outcome.had][:, None] - risk[outcome.free]) + 1.0) / 2.0
    pairs = had.sum(axis=1) * free.sum(axis=1)
    found = ((had @ higher) * free).sum(axis=1)
    return np.asarray(np.where(pairs > 0, found / np.where(pairs > 0, pairs, 1.0), np.nan))
