"""The bootstrap over patients: how often each patient is in each draw, so that all draws are one matrix product."""

from __future__ import annotations

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from pipelines.evaluation.statistics.stated import Numbers

DRAWS = 1000


def multiplicities(strata: NDArray[np.generic], draws: int = DRAWS, seed: int = 0) -> Numbers:
    """(draws, n): how often each draw holds each of n patients. Every stratum keeps its size in every draw.

    ``strata`` (n,): any labels, e.g. the event, or site and event together. The same arguments give the same draws, so
    that two models are compared on the same patients.
    """
    counts = np.zeros((draws, strata.size))
    rng = default_rng(seed)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        counts[:, members] = rng.multinomial(members.size, np.full(members.size, 1.0 / members.size), size=draws)
    return counts


def once(size: int) -> Numbers:
    """(1, n): the cohort itself, each patient once: the draw that gives the figure, not its spread."""
    return np.ones((1, size))
