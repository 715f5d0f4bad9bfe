"""What each covariate adds to a patient's log hazard in a Cox model: βⱼ (xⱼ − x̄ⱼ), exact against the training means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.contract import Contribution
from pipelines.explain.shapley import linear_shapley
from pipelines.explain.words import contributions
from pipelines.systems.cox import CoxModel, Numbers


@dataclass(frozen=True)
class Linear:
    """A linear function of inputs by name: ``coefficients`` and ``centre`` (k,), the means of training."""

    names: tuple[str, ...]
    coefficients: Numbers
    centre: Numbers

    def contributions(self, values: Numbers) -> Numbers:
        """What each input adds, (…, k), of values (…, k)."""
        return linear_shapley(self.coefficients, values, self.centre)


@dataclass(frozen=True)
class Within:
    """A covariate that is the log hazard of a model of its own: its name, that model, and what that model read."""

    covariate: str
    model: CoxModel
    values: Mapping[str, float]


def linear_of(model: CoxModel, covariate: str = "", inner: CoxModel | None = None) -> Linear:
    """The log hazard of a Cox model; where it reads ``covariate``, of the inputs of that one's own model ``inner``.

    Both are linear, so their product is: the inner coefficients times the outer one.
    """
    if inner is None or covariate not in model.names:
        return Linear(model.names, model.coefficients, model.centre)
    at = model.names.index(covariate)
    names = (*model.names[:at], *inner.names, *model.names[at + 1 :])
    coefficients = (model.coefficients[:at], model.coefficients[at] * inner.coefficients, model.coefficients[at + 1 :])
    centre = (model.centre[:at], inner.centre, model.centre[at + 1 :])
    return Linear(names, np.concatenate(coefficients), np.concatenate(centre))


def cox_contributions(
    model: CoxModel, values: Mapping[str, float], within: Within | None = None
) -> tuple[Contribution, ...]:
    """Every covariate of a Cox model, the one of ``within`` as the inputs of its own model, the largest first.

    They add up to the log hazard minus that of a patient who has the training means of all that is named here.
    """
    linear = linear_of(model) if within is None else linear_of(model, within.covariate, within.model)
    known = dict(values) if within is None else {**values, **within.values}
    seen = [float(known[name]) for name in linear.names]
    return contributions(linear.names, seen, linear.contributions(np.array(seen)).tolist())
