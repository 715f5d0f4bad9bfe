"""The prediction sets that a model states of a cohort's patients, by the limits that the node reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.evaluation.prediction import Numbers, Sets
from pipelines.systems.conformal import stated_set

Thresholds = Mapping[str, float]


def stated_sets(probability: Numbers, thresholds: Thresholds | Sequence[Thresholds | None]) -> Sets | None:
    """The sets of n patients by their model's thresholds, or by those of the model that each is scored by.

    ``probability`` (n,): NaN where nothing is predicted; thresholds of those patients are not read. The envelope widens
    nobody's set, as it removes nobody from any figure. None where a model states no coverage, or several state others.
    """
    own = [thresholds] * len(probability) if isinstance(thresholds, Mapping) else thresholds
    stated = [
        stated_set(float(value), by) if by is not None and np.isfinite(value) else None
        for value, by in zip(probability, own, strict=True)
    ]
    coverages = {one.coverage for one in stated if one is not None}
    silent = sum(one is None for one in stated) > int((~np.isfinite(probability)).sum())
    if len(coverages) != 1 or silent:
        return None
    return Sets(
        coverages.pop(),
        event=np.array([one is not None and one.event for one in stated]),
        no_event=np.array([one is not None and one.no_event for one in stated]),
    )
