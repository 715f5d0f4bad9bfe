"""What a second model adds to a first: net reclassification (NRI) and integrated discrimination improvement (IDI).

M. J. Pencina et al., Statistics in Medicine 27 (2008) 157–172, and 30 (2011) 11–21 for censoring and the continuous
NRI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation.statistics.horizon import AtHorizon, event_share, inverse_weights
from pipelines.evaluation.statistics.resample import multiplicities, once
from pipelines.evaluation.statistics.stated import Estimate, Flags, Numbers, Stated, by_draws, missing

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Net(Stated):
    """Net share moved the right way: up of those with the event, down of those without, and their sum, the NRI."""

    events: Estimate
    others: Estimate
    total: Estimate


@dataclass(frozen=True)
class Reclassification(Stated):
    """From an old model's probabilities to a new one's.

    ``categorical``: by the risk categories that ``thresholds`` part; ``continuous``: any change of probability counts
    (its total runs from −2 to 2). ``idi``: the gain in mean predicted risk of those with the event over those without;
    ``events`` and ``others`` are its two parts. ``moved_had``, ``moved_free``: patients by old (row) and new (column)
    category, of those known to have had the event and known to be free of it.
    """

    thresholds: tuple[float, ...]
    categorical: Net
    continuous: Net
    idi: Net
    moved_had: Counts
    moved_free: Counts
    not_estimable: str = ""


def reclassification(
    old: Numbers, new: Numbers, outcome: AtHorizon, thresholds: Sequence[float], draws: Numbers | None = None
) -> Reclassification:
    """NRI and IDI of ``new`` over ``old``, probabilities (n,) of the same outcome; ``known(event)`` for yes or no.

    Censoring: the NRI takes 1 − Kaplan–Meier among those moved up and down (Pencina 2011, equations 8 and 9), the IDI
    weighs known outcomes by the inverse share still observed (IPCW). Without censoring both are the plain shares of
    2008. Limits are percentiles of ``draws`` (``multiplicities``; by default of the whole cohort), p-values normal with
    the standard deviation of the draws.
    """
    edges = tuple(float(t) for t in thresholds)
    if why := outcome.unfit(old, new):
        none, empty = missing(why), np.zeros((0, 0), dtype=np.int64)
        return Reclassification(edges, *(Net(none, none, none),) * 3, empty, empty, why)
    drawn = multiplicities(np.zeros(old.size)) if draws is None else draws
    counts = np.concatenate([once(old.size), drawn])  # first the cohort itself
    before, after = (np.searchsorted(edges, p, side="right") for p in (old, new))  # at a threshold: above it
    return Reclassification(
        edges,
        _net(*_moved(after > before, after < before, outcome, counts)),
        _net(*_moved(new > old, new < old, outcome, counts)),
        _net(*_risen(new - old, outcome, counts)),
        _cross(before, after, outcome.had, len(edges) + 1),
        _cross(before, after, outcome.free, len(edges) + 1),
    )


def _moved(up: Flags, down: Flags, outcome: AtHorizon, counts: Numbers) -> tuple[Numbers, Numbers]:
    """(draws,) each: net share of those with the event moved up, and of those without moved down."""
    size, everybody = counts.sum(axis=1), event_share(counts, outcome)

    def parts(group: Flags) -> tuple[Numbers, Numbers]:
        share = counts @ group / size
        risk = np.where(share > 0, event_share(counts * group, outcome), 0.0)
        return share * risk, share * (1.0 - risk)

    (up_had, up_free), (down_had, down_free) = parts(up), parts(down)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (up_had - down_had) / everybody, (down_free - up_free) / (1.0 - everybody)


def _risen(change: Numbers, outcome: AtHorizon, counts: Numbers) -> tuple[Numbers, Numbers]:
    """(draws,) each: mean rise of the probability of those with the event, and mean fall of those without."""
    weight = counts * inverse_weights(counts, outcome)
    had, free = weight * outcome.had, weight * outcome.free
    with np.errstate(invalid="ignore", divide="ignore"):
        return had @ change / had.sum(axis=1), -(free @ change) / free.sum(axis=1)


def _net(events: Numbers, others: Numbers) -> Net:
    return Net(*(by_draws(float(v[0]), v[1:], "bootstrap", tested=True) for v in (events, others, events + others)))


def _cross(before: NDArray[np.intp], after: NDArray[np.intp], whom: Flags, categories: int) -> Counts:
    table = np.zeros((categories, categories), dtype=np.int64)
    np.add.at(table, (before[whom], after[whom]), 1)
    return table
