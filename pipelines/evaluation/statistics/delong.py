"""The AUC with DeLong's variance, and his test of two AUCs of the same patients.

E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988) 837–845; by midranks as X. Sun, W. Xu, IEEE
Signal Processing Letters 21 (2014) 1389–1393, equations 5–10.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

from pipelines.evaluation.statistics.resample import multiplicities
from pipelines.evaluation.statistics.stated import Estimate, Flags, Numbers, Z, by_draws, missing, unfit, wald

Scale = Literal["logit", "plain"]


def auc(score: Numbers, event: Flags, scale: Scale = "logit") -> Estimate:
    """The area under the ROC curve (ties half) with DeLong's 95 % limits, by default symmetric on the logit scale.

    ``score`` (n,): higher where the event is likelier; ``event`` (n,). On the logit scale the limits stay within 0 to 1
    (M. S. Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2.3).
    """
    if why := unfit(event, score):
        return missing(why)
    areas, covariance = areas_with_covariance(score[None], event)
    area, error = float(areas[0]), float(np.sqrt(covariance[0, 0]))
    if error == 0.0:
        return Estimate(area, method="DeLong", not_estimable="limits: every event scores on one side of all others")
    if scale == "plain":
        return Estimate(area, max(0.0, area - Z * error), min(1.0, area + Z * error), None, "DeLong")
    reach = Z * error / (area * (1.0 - area))
    return Estimate(area, float(expit(logit(area) - reach)), float(expit(logit(area) + reach)), None, "DeLong, logit")


def auc_bootstrap(score: Numbers, event: Flags, draws: Numbers | None = None) -> Estimate:
    """The AUC with percentile limits of the bootstrap. ``draws`` (draws, n): ``multiplicities``; by default of the
    event."""
    if why := unfit(event, score):
        return missing(why)
    drawn = multiplicities(event) if draws is None else draws
    areas, _ = areas_with_covariance(score[None], event)
    return by_draws(float(areas[0]), drawn_auc(score, event, drawn), "bootstrap of patients")


def compare_auc(first: Numbers, second: Numbers, event: Flags) -> Estimate:
    """AUC of ``first`` minus AUC of ``second`` on the same patients, with limits and two-sided p by DeLong's test."""
    if why := unfit(event, first, second):
        return missing(why)
    areas, covariance = areas_with_covariance(np.stack([first, second]), event)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])
    return wald(float(areas[0] - areas[1]), np.sqrt(max(variance, 0.0)), "DeLong", tested=True)


def areas_with_covariance(scores: Numbers, event: Flags) -> tuple[Numbers, Numbers]:
    """((k,), (k, k)): AUCs of k scores (k, n) of the same patients, and the covariance of these AUCs."""
    cases, controls = scores[:, event], scores[:, ~event]
    m, n = cases.shape[1], controls.shape[1]
    together = rankdata(np.concatenate([cases, controls], axis=1), axis=1)
    of_cases = (together[:, :m] - rankdata(cases, axis=1)) / n
    of_controls = 1.0 - (together[:, m:] - rankdata(controls, axis=1)) / m
    covariance = np.atleast_2d(np.cov(of_cases)) / m + np.atleast_2d(np.cov(of_controls)) / n
    return of_cases.mean(axis=1), covariance


def drawn_auc(score: Numbers, event: Flags, counts: Numbers) -> Numbers:
    """(draws,): the AUC in each draw."""
    _, place = np.unique(score, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(place[order]) > 0])
    drawn = counts[:, order]
    cases = np.add.reduceat(drawn * event[order], starts, axis=1)
    controls = np.add.reduceat(drawn * ~event[order], starts, axis=1)
    below = np.cumsum(controls, axis=1) - controls / 2.0
    with np.errstate(invalid="ignore"):
        area: Numbers = (cases * below).sum(axis=1) / (cases.sum(axis=1) * controls.sum(axis=1))
    return area
