"""Kaplan–Meier curves of groups with the numbers at risk, and whether groups differ; and the ranking figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test

from pipelines.evaluation.statistics.concordance import compare_c, harrell_c, harrell_c_analytic, uno_c
from pipelines.evaluation.statistics.horizon import AtHorizon, Observed
from pipelines.evaluation.statistics.stated import Numbers, Stated
from pipelines.evaluation.statistics.time_roc import TimeRoc, compare_time_auc, time_roc

__all__ = [
    "AtHorizon",
    "KaplanMeier",
    "LogRank",
    "Observed",
    "TimeRoc",
    "compare_c",
    "compare_time_auc",
    "harrell_c",
    "harrell_c_analytic",
    "kaplan_meier",
    "log_rank",
    "time_roc",
    "uno_c",
]


@dataclass(frozen=True)
class KaplanMeier(Stated):
    """One group's curve: ``event_free`` just after each of ``months`` (k,), a step function from (0, 1) on, with
    log-log limits (NaN where nobody is at risk). ``at_risk``: (month, patients) at the ticks asked for."""

    group: str
    patients: int
    events: int
    months: Numbers
    event_free: Numbers
    lower: Numbers
    upper: Numbers
    at_risk: tuple[tuple[float, int], ...]


def kaplan_meier(observed: Observed, groups: Sequence[str], ticks: Sequence[float]) -> tuple[KaplanMeier, ...]:
    """A curve for each distinct name in ``groups`` (n,), in order of first appearance; ``ticks``: months of the table.

    Patients without a time are left out, and so is a group that has none.
    """
    names = np.array(groups, dtype=object)
    timed = np.isfinite(observed.months)
    curves = []
    for name in dict.fromkeys(groups):
        own = observed.of((names == name) & timed)
        if own.months.size:
            curves.append(_curve(name, own, ticks))
    return tuple(curves)


def _curve(name: str, own: Observed, ticks: Sequence[float]) -> KaplanMeier:
    fit = KaplanMeierFitter().fit(own.months, own.event)
    limits = fit.confidence_interval_survival_function_.to_numpy(dtype=float)
    return KaplanMeier(
        name,
        own.months.size,
        int(own.event.sum()),
        fit.survival_function_.index.to_numpy(dtype=float),
        fit.survival_function_.iloc[:, 0].to_numpy(dtype=float),
        limits[:, 0],
        limits[:, 1],
        tuple((float(tick), int((own.months >= tick).sum())) for tick in ticks),
    )


@dataclass(frozen=True)
class LogRank(Stated):
    """The log-rank test that all groups have the same curve: χ² with ``degrees`` of freedom."""

    statistic: float | None
    degrees: int
    p_value: float | None
    not_estimable: str = ""


def log_rank(observed: Observed, groups: Sequence[str]) -> LogRank:
    """The log-rank test between the distinct names in ``groups`` (n,)."""
    degrees = len(set(groups)) - 1
    if degrees < 1:
        return LogRank(None, 0, None, "there is one group only")
    if not np.isfinite(observed.months).all():
        return LogRank(None, degrees, None, "follow-up times are missing")
    if not observed.event.any():
        return LogRank(None, degrees, None, "there are no events")
    tested = multivariate_logrank_test(observed.months, list(groups), observed.event)
    return LogRank(float(tested.test_statistic), degrees, float(tested.p_value))
