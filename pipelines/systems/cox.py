"""A fitted Cox model as plain numbers: log hazard, event-free share over time, and their limits, in NumPy.

The model is h(t | x) = h₀(t) exp(β·(x − c)) with c the means of training (Cox 1972). Its fit leaves, beside β and its
covariance V, three step functions on the event times of training: Breslow's cumulative hazard H₀ at c, the sum of
1 / S₀² over events, and the integral of (x̄(t) − c) dH₀ over time, S₀ and x̄ being the sum and the mean of the patients
at risk, weighted by exp(β·(x − c)). The variance of H(t | x) follows from them (Link, Biometrics 1984).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

Z_95 = 1.959963984540054
_ARRAYS = ("coefficients", "centre", "covariance", "months", "hazard", "spent", "drift")


@dataclass(frozen=True)
class CoxModel:
    """A Cox model with p covariates and t event times.

    ``names``: of the covariates. ``coefficients``, ``centre`` (p,); ``covariance`` (p, p) of the coefficients;
    ``months`` (t,) ascending; ``hazard`` (t,): H₀; ``spent`` (t,): Σ 1/S₀²; ``drift`` (t, p): ∫ (x̄ − c) dH₀.
    """

    names: tuple[str, ...]
    coefficients: Numbers
    centre: Numbers
    covariance: Numbers
    months: Numbers
    hazard: Numbers
    spent: Numbers
    drift: Numbers

    def log_hazard(self, values: Numbers) -> Numbers:
        """β·(x − c), (n,), of covariates (n, p): the logarithm of the hazard relative to the training means."""
        return np.asarray((values - self.centre) @ self.coefficients)

    def cumulative_hazard(self, values: Numbers, months: Sequence[float]) -> Numbers:
        """H(t | x), (n, m), of covariates (n, p) at m times: 0 before the first event, constant from the last on."""
        return np.exp(self.log_hazard(values))[:, None] * _at(self.hazard, self.months, months)[None]

    def event_free(self, values: Numbers, months: Sequence[float]) -> Numbers:
        """exp(−H(t | x)), (n, m)."""
        return np.asarray(np.exp(-self.cumulative_hazard(values, months)))

    def limits(
        self, values: Numbers, months: Sequence[float], further: Numbers | None = None
    ) -> tuple[Numbers, Numbers]:
        """Pointwise 95 % limits (lower, upper) of the event-free share, (n, m) each, on the scale of log H.

        ``further`` (n,): variance of the log hazard that the covariance of the coefficients does not hold, for example
        of covariates that were themselves estimated.
        """
        cumulative = self.cumulative_hazard(values, months)
        deviation = np.sqrt(self._variance(values, months) + (0.0 if further is None else further[:, None]))
        return (
            np.asarray(np.exp(-cumulative * np.exp(Z_95 * deviation))),
            np.asarray(np.exp(-cumulative * np.exp(-Z_95 * deviation))),
        )

    def _variance(self, values: Numbers, months: Sequence[float]) -> Numbers:
        """Variance of log H(t | x), (n, m); 0 where H is 0."""
        hazard = _at(self.hazard, self.months, months)
        spent, drift = _at(self.spent, self.months, months), _at(self.drift, self.months, months)
        away = (values - self.centre)[:, None, :] * hazard[None, :, None] - drift[None]
        total = spent[None] + np.einsum("nmp,pq,nmq->nm", away, self.covariance, away)
        relative = np.divide(total, hazard[None] ** 2, out=np.zeros_like(total), where=hazard[None] > 0)
        return np.asarray(relative)

    def arrays(self) -> dict[str, Numbers]:
        """The numbers that a bundle stores."""
        return {name: np.asarray(getattr(self, name), dtype=np.float64) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, names: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> CoxModel:
        """The model that ``arrays`` stored."""
        return cls(tuple(names), **{name: np.asarray(arrays[name], dtype=np.float64) for name in _ARRAYS})


def _at(steps: Numbers, times: Numbers, months: Sequence[float]) -> Numbers:
    """A step function (t, …) at ``months``: the value of the last time that is not later, 0 before the first."""
    index = np.searchsorted(times, np.asarray(months, dtype=np.float64), side="right")
    padded = np.concatenate([np.zeros((1, *steps.shape[1:])), steps])
    return np.asarray(padded[index])
