"""A figure with its interval and how it was had, or why there is none: what every statistic here returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Z = float(norm.ppf(0.975))  # of all intervals here


def json_form(value: object) -> object:
    """Records as objects, arrays as lists, and None for a number that is not finite."""
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: json_form(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, np.ndarray):
        return json_form(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): json_form(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_form(entry) for entry in value]
    if isinstance(value, np.generic):
        return json_form(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Stated:
    """A result that can be written as JSON: by the names of its fields."""

    def as_json(self) -> dict[str, object]:
        form = json_form(self)
        assert isinstance(form, dict)
        return form


@dataclass(frozen=True)
class Estimate(Stated):
    """A figure with its 95 % limits, and the p-value where something was tested.

    ``method``: how limits and p were had. ``not_estimable``: why ``value`` is None, or why its limits are; else ''.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    method: str = ""
    not_estimable: str = ""


def missing(why: str) -> Estimate:
    """No figure, and why."""
    return Estimate(None, not_estimable=why)


def wald(value: float, error: float, method: str, tested: bool = False) -> Estimate:
    """``value`` ± 1.96 standard errors; ``tested``: with the two-sided p of value 0."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return missing("the fit did not converge")
    value, error = float(value), float(error)
    p = _two_sided(value, error) if tested else None
    return Estimate(value, value - Z * error, value + Z * error, p, method)


def by_draws(value: float, drawn: Numbers, method: str, tested: bool = False) -> Estimate:
    """``value`` with the 2.5th and 97.5th percentiles of its bootstrap draws (NaN: a draw without the figure).

    ``tested``: with the two-sided p of value 0, normal with the standard deviation of the draws.
    """
    kept = drawn[np.isfinite(drawn)]
    if not math.isfinite(value):
        return missing("it is not defined for these patients")
    if kept.size < 0.9 * drawn.size or kept.size < 20:
        return Estimate(value, method=method, not_estimable="limits: it is not defined in most bootstrap draws")
    lower, upper = np.percentile(kept, [2.5, 97.5])
    p = _two_sided(value, float(kept.std(ddof=1))) if tested else None
    return Estimate(value, float(lower), float(upper), p, f"{method}, {drawn.size} draws")


def _two_sided(value: float, error: float) -> float | None:
    if error > 0:
        return float(2.0 * norm.sf(abs(value) / error))
    return 1.0 if value == 0 else None


FEWEST = 5  # events, and patients without: under this a figure says more of chance than of a model


def unfit(event: Flags, *scores: Numbers, fewest: int = FEWEST) -> str:
    """Why nothing can be estimated from these scores of these outcomes; '' where it can."""
    for score in scores:
        if score.shape != event.shape:
            return f"{score.shape[0]} predictions for {event.shape[0]} patients"
        if (lost := int((~np.isfinite(score)).sum())) > 0:
            return f"{lost} of {score.size} predictions are missing: give the covered patients"
    events, others = int(event.sum()), int((~event).sum())
    if min(events, others) < fewest:
        return f"{events} patients with the event and {others} without; at least {fewest} of each are needed"
    return ""
