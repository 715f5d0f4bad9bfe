"""A Cox model drawn as a nomogram: each covariate's part of the log hazard as points (Kattan & Marasco 2010).

The points of an axis are β·x, counted from its lowest value and scaled so that the axis that moves the risk most is 100
points long. The total is then the log hazard in another unit, and a risk stands at every total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.contract import Nomogram, NomogramAxis
from pipelines.systems.cox import CoxModel

LONGEST = 100.0
RISKS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Axis:
    """How a covariate is drawn. ``ticks``: (label, value), the ends of the axis among them; ``words``: its values are
    those of the ticks alone and are written as their labels."""

    covariate: str
    name: str
    ticks: tuple[tuple[str, float], ...]
    words: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Axis:
        ticks = tuple((str(label), float(value)) for label, value in values["ticks"])
        return cls(str(values["covariate"]), str(values["name"]), ticks, bool(values["words"]))

    def written(self, value: float) -> str:
        """The value as a person reads it."""
        if self.words:
            return min(self.ticks, key=lambda tick: abs(tick[1] - value))[0]
        return f"{value:.2f}"


def numeric_axis(covariate: str, name: str, values: np.ndarray, steps: int = 6) -> Axis:
    """An axis over the range of training values, its ticks at round numbers that reach just beyond it."""
    low, high = float(values.min()), float(values.max())
    rough = max(high - low, 1e-6) / steps
    unit = 10.0 ** np.floor(np.log10(rough))
    step = float(min((one for one in (1, 2, 2.5, 5, 10)), key=lambda one: abs(one * unit - rough)) * unit)
    ticks = np.arange(np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9) + 1) * step
    return Axis(covariate, name, tuple((f"{round(tick, 6) + 0.0:g}", float(round(tick, 6))) for tick in ticks), False)


def points_per_log_hazard(model: CoxModel, axes: Sequence[Axis]) -> float:
    """Points for a unit of log hazard; raises ValueError where no axis moves the risk."""
    longest = max(_span(model, axis) for axis in axes)
    if longest <= 0:
        raise ValueError("a nomogram needs a covariate that moves the risk")
    return LONGEST / longest


def nomogram(model: CoxModel, axes: Sequence[Axis], values: np.ndarray, month: float) -> Nomogram:
    """The model with one patient's values (p,) on it; the risk is that of the event by ``month``.

    A value beyond its axis keeps its points, below 0 or above the axis' end, so that the total stands for the model's
    own log hazard. Raises ValueError where ``axes`` are not the model's covariates in their order.
    """
    if tuple(axis.covariate for axis in axes) != model.names:
        raise ValueError("the axes are not the model's covariates")
    scale = points_per_log_hazard(model, axes)
    drawn = []
    for axis, value in zip(axes, values, strict=True):
        ticks = tuple((label, scale * _above(model, axis, tick)) for label, tick in axis.ticks)
        points = scale * _above(model, axis, float(value))
        drawn.append(NomogramAxis(axis.name, ticks, axis.written(float(value)), points))
    most = sum(max(points for _, points in axis.ticks) for axis in drawn)
    risk = tuple((chance, total) for chance, total in _risks(model, axes, month, scale) if 0 <= total <= most)
    return Nomogram(tuple(drawn), sum(axis.points for axis in drawn), risk)


def log_hazard_at(model: CoxModel, axes: Sequence[Axis], total: float) -> float:
    """The log hazard, relative to the training means, that a total of points stands for."""
    return _lowest(model, axes) + total / points_per_log_hazard(model, axes)


def _risks(model: CoxModel, axes: Sequence[Axis], month: float, scale: float) -> list[tuple[float, float]]:
    """Total points of each risk: 1 − exp(−H₀ e^η) = r at η = ln(−ln(1 − r) / H₀)."""
    baseline = float(model.cumulative_hazard(model.centre[None], (month,))[0, 0])
    if baseline <= 0:
        return []
    lowest = _lowest(model, axes)
    return [(risk, scale * (float(np.log(-np.log1p(-risk) / baseline)) - lowest)) for risk in RISKS]


def _ends(model: CoxModel, axis: Axis) -> tuple[float, float]:
    """The lowest and the highest part of the log hazard on an axis."""
    coefficient = float(model.coefficients[model.names.index(axis.covariate)])
    ends = [coefficient * value for _, value in axis.ticks]
    return min(ends), max(ends)


def _span(model: CoxModel, axis: Axis) -> float:
    low, high = _ends(model, axis)
    return high - low


def _above(model: CoxModel, axis: Axis, value: float) -> float:
    """The part of the log hazard above the axis' lowest."""
    return float(model.coefficients[model.names.index(axis.covariate)]) * value - _ends(model, axis)[0]


def _lowest(model: CoxModel, axes: Sequence[Axis]) -> float:
    """The log hazard at 0 points."""
    lowest = sum(_ends(model, axis)[0] for axis in axes)
    return lowest - float(model.centre @ model.coefficients)
