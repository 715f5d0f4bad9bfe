"""Calibration curves: what a model's predictions mean among patients it has not learnt from.

A logistic curve over the log odds of a response (D. R. Cox, Biometrika 45, 1958, 562–565; E. W. Steyerberg, Clinical
Prediction Models, 2nd ed. 2019, section 20.3), and its counterpart over the log cumulative hazard of an event in time
(P. Royston, D. G. Altman, BMC Med Res Methodol 13, 2013, 33): slope 1 and intercept 0 change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST = 20
"""Fewer patients with the outcome, or without it, say too little of a slope."""
SMALLEST = 1e-6
_STEPS = 60  # bisections: far below rounding


class NoCurve(ValueError):
    """These patients give no curve; the text says why."""


@dataclass(frozen=True)
class Curve:
    """``intercept`` + ``slope`` · x, x the log odds, or the log cumulative hazard at the horizon, of a model."""

    intercept: float
    slope: float

    def odds(self, probability: Numbers) -> Numbers:
        """The calibrated probability of a response, (n,), of what the model says."""
        return np.asarray(1.0 / (1.0 + np.exp(-self._of(_log_odds(probability)))))

    def hazard(self, probability: Numbers) -> Numbers:
        """The calibrated probability of an event by the horizon, (n,), of what the model says."""
        return np.asarray(-np.expm1(-np.exp(self._of(_log_hazard(probability)))))

    def _of(self, x: Numbers) -> Numbers:
        return self.intercept + self.slope * x


def response_curve(had: Flags, probability: Numbers) -> Curve:
    """The curve of n patients who had a response or not.

    Raises NoCurve where too few had it, or had it not, and of a model that does not tell them apart.
    """
    _demand(had, ~had)
    x = _log_odds(probability)
    fitted = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(x[:, None], had)
    return Curve(float(fitted.intercept_[0]), _slope(float(fitted.coef_[0, 0])))


def event_curve(months: Numbers, event: Flags, probability: Numbers, horizon: float) -> Curve:
    """The curve of n patients followed for ``months``, to an event or not; ``probability`` of it by the ``horizon``.

    The slope is that of a Cox model; the intercept makes the mean calibrated probability the Kaplan–Meier estimate.
    Raises NoCurve where too few had the event by the horizon, or were followed up to it without, and of a model that
    does not tell them apart.
    """
    _demand(event & (months <= horizon), months > horizon)
    x = _log_hazard(probability)
    if x.std() < SMALLEST:
        raise NoCurve("the model says the same of all of them")
    frame = pd.DataFrame({"x": x, "months": months, "event": event})
    slope = _slope(float(CoxPHFitter().fit(frame, "months", "event").params_["x"]))
    share = 1.0 - float(KaplanMeierFitter().fit(months, event).predict(horizon))
    return Curve(_intercept(slope * x, share), slope)


def _demand(had: Flags, had_not: Flags) -> None:
    fewest = min(int(had.sum()), int(had_not.sum()))
    if fewest < LEAST:
        raise NoCurve(f"{fewest} patients are known with the outcome or without it, and {LEAST} are needed of either")


def _slope(found: float) -> float:
    if found <= 0.0:
        raise NoCurve(f"the model ranks these patients the wrong way round (slope {found:.2f})")
    return found


def _intercept(x: Numbers, share: float) -> float:
    """What added to log hazards makes the mean probability ``share``."""
    low, high = (float(np.log(-np.log1p(-share))) - bound for bound in (float(x.max()), float(x.min())))
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        mean = float(-np.expm1(-np.exp(middle + x)).mean())
        low, high = (middle, high) if mean < share else (low, middle)
    return (low + high) / 2.0


def _log_odds(probability: Numbers) -> Numbers:
    inside = np.clip(probability, SMALLEST, 1.0 - SMALLEST)
    return np.asarray(np.log(inside / (1.0 - inside)))


def _log_hazard(probability: Numbers) -> Numbers:
    return np.asarray(np.log(-np.log1p(-np.clip(probability, SMALLEST, 1.0 - SMALLEST))))
