"""Whether predicted probabilities of an event by a horizon come true, where some patients are lost before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import NDArray

from pipelines.evaluation.statistics.calibration import FEWEST_TO_FIT, NEAREST, CalibrationGroup, like_risk
from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, event_share, inverse_weights
from pipelines.evaluation.statistics.resample import multiplicities, once
from pipelines.evaluation.statistics.stated import Estimate, Numbers, Stated, by_draws, missing, wald

BOOTSTRAP = "bootstrap of patients"


@dataclass(frozen=True)
class SurvivalCalibration(Stated):
    """Calibration of n probabilities of an event by ``horizon`` months.

    ``slope``: the Cox coefficient of ln(−ln(1 − p)), the log cumulative hazard that p claims (1 is right; under 1:
    too extreme), from all of the follow-up. ``expected_observed``: mean predicted over 1 − Kaplan–Meier. ``brier``:
    squared error at the horizon weighted for censoring; ``scaled_brier``: 1 − Brier over that of 1 − Kaplan–Meier for
    everybody. ``groups``: by predicted risk, observed is 1 − Kaplan–Meier.
    """

    horizon: float
    slope: Estimate
    expected_observed: Estimate
    brier: Estimate
    scaled_brier: Estimate
    groups: tuple[CalibrationGroup, ...] = ()
    not_estimable: str = ""


def survival_calibration(
    probability: Numbers, outcome: AtHorizon, draws: Numbers | None = None, groups: int = 5
) -> SurvivalCalibration:
    """Calibration of ``probability`` (n,), of an event by the outcome's horizon. Weights of the Brier score: E. Graf et
    al., Statistics in Medicine 18 (1999) 2529–2545, equation 7; the slope: P. Royston, D. G. Altman, BMC Medical
    Research Methodology 13 (2013) 33. Limits: Wald of the slope, else percentiles of ``draws`` (``multiplicities``; by
    default of the whole cohort)."""
    why = outcome.unfit(probability, fewest=1)
    if not why and (probability.min() < 0 or probability.max() > 1):
        why = "predictions outside 0 to 1 are no probabilities"
    if why:
        return SurvivalCalibration(outcome.horizon, *(missing(why),) * 4, not_estimable=why)
    drawn = multiplicities(np.zeros(probability.size)) if draws is None else draws
    errors = brier(probability, outcome, drawn)
    own = once(probability.size)
    whole = float(brier(probability, outcome, own)[0])
    return SurvivalCalibration(
        outcome.horizon,
        cox_slope(np.log(-np.log1p(-np.clip(probability, NEAREST, 1.0 - NEAREST))), outcome.observed),
        by_draws(float(_ratio(probability, outcome, own)[0]), _ratio(probability, outcome, drawn), BOOTSTRAP),
        by_draws(whole, errors, BOOTSTRAP),
        by_draws(
            1.0 - whole / float(_reference(outcome, own)[0]), 1.0 - errors / _reference(outcome, drawn), BOOTSTRAP
        ),
        tuple(_group(probability, outcome, rows) for rows in like_risk(probability, groups)),
    )


def cox_slope(log_hazard: Numbers, observed: Observed) -> Estimate:
    """The Cox coefficient of a linear predictor on the log hazard scale, e.g. a Cox model's own, with Wald limits."""
    why = ""
    if log_hazard.size != observed.months.size or not np.isfinite(log_hazard).all():
        why = "predictions are missing: give the covered patients"
    elif int(observed.event.sum()) < FEWEST_TO_FIT:
        why = f"{int(observed.event.sum())} events; at least {FEWEST_TO_FIT} are needed"
    elif np.ptp(log_hazard) == 0:
        why = "every patient has the same prediction"
    if why:
        return missing(why)
    table = pd.DataFrame({"predictor": log_hazard, "months": observed.months, "event": observed.event})
    try:
        fit = CoxPHFitter().fit(table, "months", "event")
    except ConvergenceError:
        return missing("the fit did not converge")
    return wald(float(fit.params_.iloc[0]), float(fit.standard_errors_.iloc[0]), "Cox, Wald")


def brier(probability: Numbers, outcome: AtHorizon, counts: Numbers) -> Numbers:
    """(draws,): the squared error at the horizon, known outcomes weighted by ``inverse_weights``."""
    squared = np.where(outcome.had, (1.0 - probability) ** 2, probability**2)
    return np.asarray((counts * inverse_weights(counts, outcome)) @ squared / counts.sum(axis=1))


def _reference(outcome: AtHorizon, counts: Numbers) -> Numbers:
    """(draws,): the same of saying 1 − Kaplan–Meier of everybody."""
    weighed = counts * inverse_weights(counts, outcome)
    everybody = event_share(counts, outcome)
    had, free = weighed @ outcome.had, weighed @ outcome.free
    return np.asarray((had * (1.0 - everybody) ** 2 + free * everybody**2) / counts.sum(axis=1))


def _ratio(probability: Numbers, outcome: AtHorizon, counts: Numbers) -> Numbers:
    observed = event_share(counts, outcome)
    predicted = counts @ probability / counts.sum(axis=1)
    return np.asarray(np.where(observed > 0, predicted / np.where(observed > 0, observed, 1.0), np.nan))


def _group(probability: Numbers, outcome: AtHorizon, rows: NDArray[np.intp]) -> CalibrationGroup:
    months, event = outcome.observed.months[rows], outcome.observed.event[rows]
    predicted, had = float(probability[rows].mean()), int(outcome.had[rows].sum())
    if months.max() < outcome.horizon:
        return CalibrationGroup(rows.size, had, predicted, None, None, None)
    curve = KaplanMeierFitter().fit(months, event)
    free = float(curve.predict(outcome.horizon))
    limits = curve.confidence_interval_survival_function_
    lower, upper = limits.loc[: outcome.horizon].iloc[-1]
    if not np.isfinite([lower, upper]).all():  # no event yet: log(−log 1)
        lower, upper = np.nan, np.nan
    return CalibrationGroup(rows.size, had, predicted, 1.0 - free, _share(1.0 - upper), _share(1.0 - lower))


def _share(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
