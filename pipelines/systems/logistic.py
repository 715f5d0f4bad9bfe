"""The last step of system 2: ridge logistic regression as plain numbers, fitted by scikit-learn, evaluated in NumPy.

Jin et al. 2021 fuse the sequences and blood markers by logistic regression. The scaler, the strength of the ridge and
the coefficients are fitted on the patients given and nothing else, so that a caller who gives the training patients of
a fold has everything fitted inside the fold. The intercept is not penalised: the mean probability stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

Numbers = NDArray[np.float64]
Labels = NDArray[np.bool_]

INNER_FOLDS = 5
COSTS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""What C, the inverse of the ridge's weight, is chosen from; covariates are standardised."""
INTERVAL = (0.05, 0.95)
_ARRAYS = ("centre", "scale", "coefficients", "refits")


@dataclass(frozen=True)
class LogisticModel:
    """log odds = intercept + Σ coefficient · (x − centre) / scale.

    ``names``: of the p covariates. ``centre``, ``scale`` (p,): of the training patients; ``coefficients`` (p + 1,), the
    intercept last; ``refits`` (r, p + 1): those of bootstrap refits on the same scale. ``cost``: the C that was chosen.
    """

    names: tuple[str, ...]
    centre: Numbers
    scale: Numbers
    coefficients: Numbers
    refits: Numbers
    cost: float = 1.0

    @property
    def slopes(self) -> Numbers:
        """(p,): of the log odds per unit of each covariate as it is."""
        return self.coefficients[:-1] / self.scale

    def logit(self, values: Numbers) -> Numbers:
        """Log odds (…) of covariates (…, p)."""
        return np.asarray(self._standard(values) @ self.coefficients[:-1] + self.coefficients[-1])

    def probability(self, values: Numbers) -> Numbers:
        """Probability (patients,) of covariates (patients, rows, p): from the mean of the rows' log odds."""
        return _probability(self.logit(values).mean(axis=1))

    def limits(self, values: Numbers) -> tuple[Numbers, Numbers]:
        """The central 90 % of what the refits say of every row (patients, rows, p), widened to hold ``probability``."""
        middle = self.probability(values)
        if not len(self.refits):
            return middle, middle
        again = self._standard(values) @ self.refits[:, :-1].T + self.refits[:, -1]
        low, high = np.quantile(_probability(again.reshape(len(values), -1)), INTERVAL, axis=1)
        return np.minimum(middle, low), np.maximum(middle, high)

    def _standard(self, values: Numbers) -> Numbers:
        return (values - self.centre) / self.scale

    def stored(self) -> dict[str, NDArray[Any]]:
        """The numbers that a bundle keeps."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS} | {"cost": np.array([self.cost])}

    @classmethod
    def read(cls, names: Sequence[str], stored: Mapping[str, NDArray[Any]]) -> LogisticModel:
        """The model that ``stored`` keeps."""
        arrays = {name: np.asarray(stored[name], dtype=np.float64) for name in _ARRAYS}
        return cls(tuple(names), **arrays, cost=float(stored["cost"][0]))


def fit_logistic(
    names: Sequence[str], values: Numbers, labels: Labels, seed: int, costs: Sequence[float] = COSTS
) -> LogisticModel:
    """Choose C by cross-validation and fit on all patients given.

    ``values`` (patients, rows, p): the same patient may be seen through several masks; all rows of a patient are in the
    same inner fold and weigh as much as one. Chosen is the smallest log loss of the held-out patients of all inner
    folds together, each seen through its first mask; of equals the strongest ridge. A single C is taken as it is.
    Raises ValueError where a label has fewer patients than there are inner folds.
    """
    if len(costs) == 1:
        return _fitted(names, values, labels, costs[0])
    inner = list(StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed).split(labels, labels))
    best, chosen = np.inf, costs[0]
    for cost in sorted(costs):
        held_out = np.zeros(len(labels))
        for train, test in inner:
            model = _fitted(names, values[train], labels[train], cost)
            held_out[test] = model.probability(values[test, :1])
        loss = float(log_loss(labels, held_out))
        if loss < best - 1e-9:
            best, chosen = loss, cost
    return _fitted(names, values, labels, chosen)


def with_refits(model: LogisticModel, values: Numbers, labels: Labels, seed: int, count: int) -> LogisticModel:
    """The model with bootstrap refits at its C: patients drawn anew within each outcome, so that no draw lacks one."""
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(labels == value) for value in (False, True)]
    again = []
    for _ in range(count):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        again.append(_coefficients(model, values[drawn], labels[drawn]))
    return replace(model, refits=np.array(again).reshape(count, len(model.coefficients)))


def _fitted(names: Sequence[str], values: Numbers, labels: Labels, cost: float) -> LogisticModel:
    flat = values.reshape(-1, values.shape[-1])
    spread = flat.std(axis=0)
    width = flat.shape[1] + 1
    scaled = LogisticModel(
        names=tuple(names),
        centre=flat.mean(axis=0),
        scale=np.where(spread > 0, spread, 1.0),
        coefficients=np.zeros(width),
        refits=np.empty((0, width)),
        cost=cost,
    )
    return replace(scaled, coefficients=_coefficients(scaled, values, labels))


def _coefficients(scaled: LogisticModel, values: Numbers, labels: Labels) -> Numbers:
    """Fitted on the scale of ``scaled`` at its C, the intercept last."""
    rows = values.shape[1]
    flat = scaled._standard(values.reshape(-1, values.shape[-1]))
    fitted = LogisticRegression(C=scaled.cost, solver="newton-cholesky", max_iter=1000, tol=1e-8).fit(
        flat, np.repeat(labels, rows), np.full(len(flat), 1.0 / rows)
    )
    return np.append(fitted.coef_[0], fitted.intercept_[0]).astype(np.float64)


def _probability(logit: Numbers) -> Numbers:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))
