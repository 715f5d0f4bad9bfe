"""Whether predicted probabilities of a yes-or-no outcome come true.

Levels and terms as B. Van Calster et al., BMC Medicine 17 (2019) 230; slope and intercept: D. R. Cox, Biometrika 45
(1958) 562–565.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy.special import logit
from scipy.stats import norm
from sklearn.metrics import brier_score_loss
from statsmodels.nonparametric.smoothers_lowess import lowess
from statsmodels.stats.proportion import proportion_confint

from pipelines.evaluation.statistics.resample import multiplicities
from pipelines.evaluation.statistics.stated import Estimate, Flags, Numbers, Stated, by_draws, missing, unfit, wald

FEWEST_TO_FIT = 10  # events, and patients without: of a slope
NEAREST = 1e-6  # a probability of 0 or 1 has no logit: it is taken as this far from it
ERROR_BINS = 10


@dataclass(frozen=True)
class CalibrationGroup(Stated):
    """Patients of like predicted risk: how many, how many had the event, mean predicted and observed share with limits.

    ``events`` of a survival outcome are those by the horizon; ``observed`` is then 1 − Kaplan–Meier, None where the
    curve ends before the horizon.
    """

    patients: int
    events: int
    predicted: float
    observed: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Calibration(Stated):
    """Calibration of n probabilities.

    ``slope``: of the outcome's log odds on the predicted ones (1 is right; under 1: predictions too extreme).
    ``intercept``: calibration in the large, with the slope held at 1 (0 is right; above 0: risks are underestimated).
    ``expected_observed``: predicted events per observed one. ``brier``: mean squared error; ``scaled_brier``: 1 − Brier
    over that of the observed share for everybody (1 is perfect, 0 worthless). ``expected_error``: |observed −
    predicted| averaged over the patients of 10 bins of equal width. ``groups``: tenths of predicted risk.
    ``smooth``: (predicted, observed) of a lowess curve through all patients.
    """

    slope: Estimate
    intercept: Estimate
    expected_observed: Estimate
    brier: Estimate
    scaled_brier: Estimate
    expected_error: Estimate
    groups: tuple[CalibrationGroup, ...] = ()
    smooth: tuple[tuple[float, float], ...] = ()
    not_estimable: str = ""


def calibration(probability: Numbers, event: Flags, draws: Numbers | None = None, groups: int = 10) -> Calibration:
    """Calibration of ``probability`` (n,) against ``event`` (n,). Slope and intercept have Wald limits, the expected to
    observed ratio a log-normal one (T. P. A. Debray et al., BMJ 356 (2017) i6460), the rest percentiles of ``draws``
    (``multiplicities``; by default of the whole cohort, so that the share of events varies)."""
    why = unfit(event, probability, fewest=1) or _not_probabilities(probability)
    if why:
        return Calibration(*(missing(why),) * 6, not_estimable=why)
    drawn = multiplicities(np.zeros(event.size)) if draws is None else draws
    slope, intercept = recalibrated(probability, event)
    return Calibration(
        slope,
        intercept,
        expected_observed(probability, event),
        _brier(probability, event, drawn),
        _scaled_brier(probability, event, drawn),
        _expected_error(probability, event),
        tuple(_group(probability[rows], event[rows]) for rows in like_risk(probability, groups)),
        _smooth(probability, event),
    )


def _not_probabilities(values: Numbers) -> str:
    return "predictions outside 0 to 1 are no probabilities" if values.min() < 0 or values.max() > 1 else ""


def recalibrated(probability: Numbers, event: Flags) -> tuple[Estimate, Estimate]:
    """(slope, intercept) of logistic recalibration; the intercept's model holds the slope at 1."""
    if why := unfit(event, probability, fewest=FEWEST_TO_FIT):
        return missing(why), missing(why)
    odds = logit(np.clip(probability, NEAREST, 1.0 - NEAREST))
    label = event.astype(float)
    large = sm.GLM(label, np.ones_like(odds), family=sm.families.Binomial(), offset=odds).fit()
    intercept = wald(float(large.params[0]), float(large.bse[0]), "logistic, offset, Wald")
    if np.ptp(odds) == 0:
        return missing("every patient has the same prediction"), intercept
    if odds[event].min() >= odds[~event].max() or odds[event].max() <= odds[~event].min():
        return missing("the predictions part the outcomes without an error: the slope has no limit"), intercept
    fit = sm.Logit(label, sm.add_constant(odds)).fit(disp=0, warn_convergence=False)
    if not fit.mle_retvals["converged"]:
        return missing("the fit did not converge"), intercept
    return wald(float(fit.params[1]), float(fit.bse[1]), "logistic, Wald"), intercept


def expected_observed(probability: Numbers, event: Flags) -> Estimate:
    """Predicted events over observed ones; limits exp(ln ratio ± 1.96 √((1 − o) / (n o))), o the observed share."""
    observed = float(event.mean())
    if observed == 0.0:
        return missing("no patient had the event")
    ratio = float(probability.mean()) / observed
    reach = float(norm.ppf(0.975)) * np.sqrt((1.0 - observed) / event.sum())
    return Estimate(ratio, float(ratio * np.exp(-reach)), float(ratio * np.exp(reach)), None, "log-normal")


def _brier(probability: Numbers, event: Flags, draws: Numbers) -> Estimate:
    drawn = draws @ (probability - event) ** 2 / draws.sum(axis=1)
    return by_draws(float(brier_score_loss(event, probability)), drawn, "bootstrap of patients")


def _scaled_brier(probability: Numbers, event: Flags, draws: Numbers) -> Estimate:
    def scaled(counts: Numbers) -> Numbers:
        size = counts.sum(axis=1)
        observed = counts @ event.astype(float) / size
        spread = observed * (1.0 - observed)
        brier = counts @ (probability - event) ** 2 / size
        return np.asarray(np.where(spread > 0, 1.0 - brier / np.where(spread > 0, spread, 1.0), np.nan))

    return by_draws(float(scaled(np.ones((1, event.size)))[0]), scaled(draws), "bootstrap of patients")


def _expected_error(probability: Numbers, event: Flags) -> Estimate:
    """M. P. Naeini, G. F. Cooper, M. Hauskrecht, AAAI 2015, equation 4. No limits: chance within the bins adds to it,
    and a bootstrap adds it again."""
    bins = np.minimum((probability * ERROR_BINS).astype(int), ERROR_BINS - 1)
    gaps = np.bincount(bins, weights=event - probability, minlength=ERROR_BINS)
    return Estimate(float(np.abs(gaps).sum() / event.size), method=f"{ERROR_BINS} bins of equal width")


def like_risk(probability: Numbers, groups: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]:
    """Rows of at most ``groups`` groups of about equal size by rising probability; equal ones are never parted."""
    edges = np.quantile(probability, np.arange(1, groups) / groups)
    place = np.searchsorted(np.unique(edges), probability, side="left")
    return tuple(np.flatnonzero(place == group) for group in np.unique(place))


def _group(probability: Numbers, event: Flags) -> CalibrationGroup:
    count, had = event.size, int(event.sum())
    lower, upper = proportion_confint(had, count, method="wilson")
    return CalibrationGroup(count, had, float(probability.mean()), had / count, float(lower), float(upper))


def _smooth(probability: Numbers, event: Flags) -> tuple[tuple[float, float], ...]:
    """Fewer patients than 20, or all with one prediction, give none."""
    if event.size < 20 or np.ptp(probability) == 0:
        return ()
    low, high = np.quantile(probability, [0.01, 0.99])
    at = np.linspace(float(low), float(high), 50)
    curve = lowess(event.astype(float), probability, frac=2 / 3, it=0, xvals=at)
    kept = np.isfinite(curve)
    return tuple((float(x), float(y)) for x, y in zip(at[kept], np.clip(curve[kept], 0.0, 1.0), strict=True))
