"""Which clinical and radiological values the CR model uses: univariate, then multivariate logistic regression.

Zhang et al., section 2.6: values with p < 0.10 alone go together into one model, and those with p < 0.05 in it are
kept. Wald tests of an unpenalised logistic regression; each on the patients whose values are known, nothing imputed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from statsmodels.tools.sm_exceptions import ModelWarning, PerfectSeparationError

from pipelines.systems.signature_clinical import CLINICAL
from pipelines.systems.signature_table import Table

UNIVARIATE, MULTIVARIATE = 0.10, 0.05


@dataclass(frozen=True)
class Tested:
    """Odds ratio per standard deviation with its 95 % interval and p; NaN where no fit was possible."""

    name: str
    patients: int
    odds_ratio: float
    lower: float
    upper: float
    p: float

    def as_json(self) -> dict[str, Any]:
        numbers = {"odds_ratio": self.odds_ratio, "lower": self.lower, "upper": self.upper, "p": self.p}
        known = {name: (value if np.isfinite(value) else None) for name, value in numbers.items()}
        return {"name": self.name, "patients": self.patients} | known


@dataclass(frozen=True)
class Selection:
    """Both tables, and the names that are left."""

    univariate: tuple[Tested, ...]
    multivariate: tuple[Tested, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(found.name for found in self.multivariate if found.p < MULTIVARIATE)

    def as_json(self) -> dict[str, Any]:
        tables = {"univariate": self.univariate, "multivariate": self.multivariate}
        said: dict[str, Any] = {name: [one.as_json() for one in found] for name, found in tables.items()}
        return said | {"selected": list(self.names)}


def select(table: Table, labels: NDArray[np.bool_], rows: NDArray[np.intp]) -> Selection:
    """Select on these rows of a table alone. No name is left where nothing is significant."""
    values = table.of(CLINICAL)[rows, 0]
    univariate = tuple(_tested([name], values[:, [index]], labels[rows])[0] for index, name in enumerate(CLINICAL))
    promising = [index for index, found in enumerate(univariate) if found.p < UNIVARIATE]
    if not promising:
        return Selection(univariate, ())
    names = [CLINICAL[index] for index in promising]
    return Selection(univariate, tuple(_tested(names, values[:, promising], labels[rows])))


def _tested(names: Sequence[str], values: NDArray[np.float64], labels: NDArray[np.bool_]) -> list[Tested]:
    complete = np.isfinite(values).all(axis=1)
    known, outcome = values[complete], labels[complete].astype(float)
    spread = known.std(axis=0) if len(known) else np.zeros(len(names))
    nothing = [Tested(name, len(known), *[np.nan] * 4) for name in names]
    if not (spread > 0).all() or outcome.std() == 0:
        return nothing
    standard = sm.add_constant((known - known.mean(axis=0)) / spread)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ModelWarning)  # did not converge, or separates perfectly: p means nothing
            warnings.simplefilter("error", RuntimeWarning)
            fitted = sm.Logit(outcome, standard).fit(disp=0)
            limits = np.exp(fitted.conf_int())
            ratios = np.exp(fitted.params)
    except (ModelWarning, RuntimeWarning, PerfectSeparationError, np.linalg.LinAlgError):
        return nothing
    columns = zip(names, ratios[1:], limits[1:], fitted.pvalues[1:], strict=True)
    return [
        Tested(name, len(known), float(ratio), float(low), float(high), float(p))
        for name, ratio, (low, high), p in columns
    ]
