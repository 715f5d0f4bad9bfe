"""What a stored Cox model says of one patient whose covariates several networks gave: log hazard, curve, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import Envelope, Likelihood, SurvivalCurve
from pipelines.systems.cox import CoxModel, Numbers

HORIZON = 36.0
CURVE_MONTHS = tuple(3.0 * step for step in range(21))


@dataclass(frozen=True)
class Risk:
    """What one model says of one patient: log hazard (against the training means), event-free share and limits at the
    months asked for, (m,) each."""

    log_hazard: float
    event_free: Numbers
    lower: Numbers
    upper: Numbers


def risk_of(model: CoxModel, rows: Numbers, months: Sequence[float]) -> Risk:
    """Of the mean of ``rows`` (networks, covariates); what the networks differ by widens the limits."""
    middle = rows.mean(axis=0, keepdims=True)
    spread = model.log_hazard(rows).var(ddof=1) if len(rows) > 1 else 0.0
    lower, upper = model.limits(middle, months, np.array([spread]))
    event_free = model.event_free(middle, months)[0]
    return Risk(float(model.log_hazard(middle)[0]), event_free, lower[0], upper[0])


def curve_of(risk: Risk, months: Sequence[float], time_zero: str) -> SurvivalCurve:
    """The curve over ``months``, which are the first that the risk was asked for."""
    event_free, lower, upper = (
        tuple(float(share) for share in column[: len(months)]) for column in (risk.event_free, risk.lower, risk.upper)
    )
    return SurvivalCurve(tuple(months), event_free, lower, upper, time_zero)


def stored_cox(stored: Mapping[str, NDArray[np.float64]], name: str, covariates: Sequence[str]) -> CoxModel:
    """The model that a bundle's arrays hold as ``name``.array."""
    own = {key.rpartition(".")[2]: array for key, array in stored.items() if key.rpartition(".")[0] == name}
    return CoxModel.from_arrays(covariates, own)


def category(probability: float, cut_off: float, envelope: Envelope) -> Likelihood:
    """High from the cut-off of training (Youden) on, else low, as in the paper; uncertain outside the envelope."""
    if not envelope.inside:
        return Likelihood.UNCERTAIN
    return Likelihood.HIGH if probability >= cut_off else Likelihood.LOW
