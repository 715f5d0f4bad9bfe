"""Which inputs move a model's log odds or log hazard, and by how much in each patient: Shapley values, ranked.

S. M. Lundberg, S.-I. Lee, NeurIPS 2017; the values are exact, from :mod:`pipelines.explain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.statistics.stated import Numbers, Stated


@dataclass(frozen=True)
class Shapley(Stated):
    """Shapley values of n patients and k inputs, all inputs in falling order of importance.

    ``names`` (k,); ``importance`` (k,): mean |value|; ``values`` (n, k): what the input adds to the patient's result,
    in ``unit``, against patients of training; ``inputs`` (n, k): its own value, for the colour of a beeswarm.
    """

    names: tuple[str, ...]
    importance: Numbers
    values: Numbers
    inputs: Numbers
    unit: str = ""
    not_estimable: str = ""


def ranked(names: Sequence[str], values: Numbers, inputs: Numbers, unit: str) -> Shapley:
    """The inputs (n, k) by the mean size of what they add, ``values`` (n, k), in ``unit``."""
    if len(values) < 2 or not np.isfinite(values).all():
        missing = int((~np.isfinite(values).all(axis=1)).sum())
        why = f"{missing} patients lack an input" if missing else "fewer than two patients"
        nothing = np.empty((0, 0))
        return Shapley((), np.empty(0), nothing, nothing, unit, why)
    importance = np.abs(values).mean(axis=0)
    order = np.argsort(-importance, kind="stable")
    return Shapley(tuple(names[i] for i in order), importance[order], values[:, order], inputs[:, order], unit)
