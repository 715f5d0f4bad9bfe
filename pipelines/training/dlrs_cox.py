"""The Cox models of system 4: fitted by lifelines, kept as plain numbers, judged on patients they never saw."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.exceptions import StatisticalWarning
from lifelines.utils import concordance_index
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from pipelines.cohort.cohort import FollowUp
from pipelines.systems.cox import CoxModel, Numbers

HORIZON = 36.0
LEAST_EVENTS = 10
"""Fewer events than this carry no coefficient; the rule of thumb is ten for each."""
FAR, APART = 15.0, 1e-7


@dataclass(frozen=True)
class Times:
    """Months to the event or to when the patient was last known free of it, and which it is; (n,) each."""

    months: Numbers
    event: NDArray[np.bool_]

    def of(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Times:
        return Times(self.months[rows], self.event[rows])

    @property
    def status(self) -> Numbers:
        """1: event by 36 months; 0: known to be free of it then, censored on that very day included; NaN: censored
        before, so nobody knows."""
        early = self.event & (self.months <= HORIZON)
        return np.where(early, 1.0, np.where(self.months >= HORIZON, 0.0, np.nan))

    @property
    def weights(self) -> Numbers:
        """Of whom the status is known, 1 over the Kaplan–Meier share still observed just before the event or 36 months;
        0 of the others (Graf et al., Statistics in Medicine 1999, equation 7)."""
        # Of equal times events come first: they are at risk of being lost no longer.
        observed = KaplanMeierFitter().fit(self.months + APART * ~self.event, ~self.event)
        share = observed.predict(np.minimum(self.months, HORIZON)).to_numpy()
        known = np.isfinite(self.status)
        return np.where(known, 1.0 / np.where(known, share, 1.0), 0.0)


def times_from(courses: Sequence[FollowUp | None]) -> Times:
    """The times of these courses; NaN, without the event, where none is known."""
    return Times(
        np.array([np.nan if one is None else one.months for one in courses]),
        np.array([one is not None and one.event for one in courses], dtype=bool),
    )


def fit_cox(
    names: Sequence[str], values: Numbers, times: Times, penalty: float, weights: Numbers | None = None
) -> CoxModel:
    """A Cox model of covariates (n, p) with ridge ``penalty`` on the standardised coefficients; Efron's ties.

    ``weights`` (n,): of rows that are views of the same patients, adding up to 1 for each. A covariate that never
    differs gets the coefficient 0. Death counts as censored. A fit of few events is too extreme for new patients: the
    coefficients are multiplied by (χ² − p) / χ², χ² the likelihood ratio's (van Houwelingen & le Cessie, Statistics in
    Medicine 1990).
    """
    spread = values.std(axis=0)
    varied = np.flatnonzero(spread > 1e-9)
    coefficients, covariance = np.zeros(len(names)), np.zeros((len(names), len(names)))
    if varied.size:
        centre, scale = values.mean(axis=0)[varied], spread[varied]
        frame = pd.DataFrame((values[:, varied] - centre) / scale, columns=[f"x{i}" for i in varied])
        counted = np.ones(len(values)) if weights is None else weights
        # lifelines multiplies the penalty by the number of rows, whatever they weigh.
        fitter = CoxPHFitter(penalizer=penalty * float(counted.mean()))
        # Rows of one patient are no ties, for which Efron would correct.
        months = times.months + (0.0 if weights is None else APART * np.arange(len(values)))
        frame = frame.assign(months=months, event=times.event, weight=counted)
        with warnings.catch_warnings():
            # lifelines asks for its sandwich estimator with such weights; views that add up to one patient need none.
            warnings.simplefilter("ignore", StatisticalWarning)
            fitter.fit(frame, "months", "event", weights_col="weight")
        shrinkage = shrunk(float(fitter.log_likelihood_ratio_test().test_statistic), varied.size)
        coefficients[varied] = shrinkage * fitter.params_.to_numpy() / scale
        covariance[np.ix_(varied, varied)] = fitter.variance_matrix_.to_numpy() / np.outer(scale, scale)
    return with_baseline(names, coefficients, covariance, values, times)


def shrunk(chi_square: float, covariates: int) -> float:
    """The share of a coefficient that new patients can be expected to show; 0 where a fit says no more than chance."""
    return max(0.0, (chi_square - covariates) / chi_square) if chi_square > 0 else 0.0


def with_baseline(
    names: Sequence[str], coefficients: Numbers, covariance: Numbers, values: Numbers, times: Times
) -> CoxModel:
    """The model of given coefficients with Breslow's baseline of these patients."""
    centre = values.mean(axis=0)
    away = values - centre
    weight = np.exp(np.clip(away @ coefficients, -FAR, FAR))
    months = np.unique(times.months[times.event])
    at_risk = times.months[None, :] >= months[:, None]
    total = at_risk @ weight
    mean = (at_risk @ (weight[:, None] * away)) / total[:, None]
    counts = (times.event[None, :] & (times.months[None, :] == months[:, None])).sum(axis=1)
    steps = counts / total
    return CoxModel(
        names=tuple(names),
        coefficients=coefficients,
        centre=centre,
        covariance=covariance,
        months=months,
        hazard=np.cumsum(steps),
        spent=np.cumsum(counts / total**2),
        drift=np.cumsum(mean * steps[:, None], axis=0),
    )


def out_of_fold(
    names: Sequence[str], values: Numbers, times: Times, folds: NDArray[np.intp], penalty: float
) -> tuple[Numbers, Numbers]:
    """Log hazard and probability by 36 months, (n,) each, of every patient from a model fitted on the other folds."""
    log_hazard, probability = np.full(len(folds), np.nan), np.full(len(folds), np.nan)
    for fold in np.unique(folds):
        apart = folds == fold
        model = fit_cox(names, values[~apart], times.of(~apart), penalty)
        log_hazard[apart] = model.log_hazard(values[apart])
        probability[apart] = 1.0 - model.event_free(values[apart], (HORIZON,))[:, 0]
    return log_hazard, probability


def youden(status: Numbers, probability: Numbers) -> float:
    """The probability at which sensitivity + specificity is largest (Youden 1950), of patients whose status is known.

    The lowest of equals. Raises ValueError where nobody, or everybody, is known to have had the event.
    """
    known = np.isfinite(status)
    if np.unique(status[known]).size < 2:
        raise ValueError("a cut-off needs patients with and without the event by 36 months")
    wrong, right, cuts = roc_curve(status[known], probability[known], drop_intermediate=False)
    best = np.flatnonzero(np.isclose(right - wrong, (right - wrong)[1:].max()))
    return float(cuts[best[best > 0]].min())


def figures(times: Times, log_hazard: Numbers, probability: Numbers) -> dict[str, float]:
    """Harrell's C-index and the AUC of the status at 36 months (those censored before left out)."""
    status = times.status
    known = np.isfinite(status)
    return {
        "patients": len(log_hazard),
        "events": int(times.event.sum()),
        "c_index": float(concordance_index(times.months, -log_hazard, times.event)),
        "auc_36_months": float(roc_auc_score(status[known], probability[known])),
    }
