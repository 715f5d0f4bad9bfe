"""Time to metastasis, local recurrence and death after surgery, and the probability of each by 36 months.

Causes are independent given everything planted, with proportional cumulative hazards H(t) = h (t / 36 months)^1.1, so
that the cumulative incidence of one cause against the others is closed: h / Σh · (1 − exp(−Σh)) at 36 months
(cause-specific hazards; Prentice et al., Biometrics 1978). After metastasis, death comes with a median of 24 months.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.random import Generator

from pipelines.phantom.words import Cells

HORIZON_MONTHS = 36.0
SHAPE = 1.1
DAYS_PER_MONTH = 30.4375
# Logarithm of the cumulative hazard by 36 months, and what is added for words and per unit of r.
METASTASIS, LOCAL = -2.10, -3.45
METASTASIS_PER_R, LOCAL_PER_R, LOCAL_PER_SPREAD = -0.60, -0.45, 0.35
METASTASIS_OF: dict[str, tuple[float, ...]] = {
    "ct_stage": (-0.30, 0.0, 0.35),
    "trg_ajcc": (-0.45, -0.15, 0.10, 0.25),
    "cea": (0.0, 0.50),
    "emvi_baseline": (0.0, 0.40),
    "ypn": (-0.25, 0.40, 0.90),
}
LOCAL_OF: dict[str, tuple[float, ...]] = {
    "trg_ajcc": (-0.6, -0.2, 0.1, 0.3),
    "crm_restaging": (0.0, 0.80),
    "ypn": (-0.1, 0.30, 0.50),
}
DECISIVE = tuple(sorted({*METASTASIS_OF, *LOCAL_OF}))
MEDIAN_AFTER_METASTASIS = 24.0
LOST_PER_MONTH = 0.0035


class Ended(StrEnum):
    """Why a follow-up ended without the event."""

    DEATH = "death"
    LOST = "lost to follow-up"
    STUDY_END = "end of study"


@dataclass(frozen=True)
class Hazards:
    """Cumulative hazards by 36 months of metastasis, local recurrence and death from other causes: the whole truth,
    from which event times can be drawn again. H(t) = h (t / 36)^1.1."""

    metastasis: float
    local_recurrence: float
    other_death: float


def other_death(age_years: float) -> float:
    """Cumulative hazard by 36 months: 3 % at 60 years, doubling every nine years."""
    return 0.03 * float(2.0 ** ((age_years - 60) / 9))


def metastasis_hazard(spread: float, cells: Cells) -> np.ndarray:
    log = METASTASIS + spread + METASTASIS_PER_R * cells.index
    return np.asarray(np.exp(log + sum(cells.of(name, values) for name, values in METASTASIS_OF.items())))


def local_hazard(spread: float, cells: Cells) -> np.ndarray:
    log = LOCAL + LOCAL_PER_SPREAD * spread + LOCAL_PER_R * cells.index
    return np.asarray(np.exp(log + sum(cells.of(name, values) for name, values in LOCAL_OF.items())))


def incidence(cause: np.ndarray, others: float) -> np.ndarray:
    """P(this cause first, within 36 months) from cumulative hazards."""
    return np.asarray(cause / (cause + others) * -np.expm1(-(cause + others)))


def any_event(total: np.ndarray) -> np.ndarray:
    return np.asarray(-np.expm1(-total))


@dataclass(frozen=True)
class FollowUp:
    """Months from surgery, and what was seen. ``metastasis_ended``, ``dfs_first`` and ``death_cause`` are words, empty
    where there is nothing to say; ``observed_months``: how long the patient would have been followed without dying."""

    metastasis_months: float
    metastasis_event: bool
    metastasis_ended: str
    dfs_months: float
    dfs_event: bool
    dfs_first: str
    death_months: float
    death_event: bool
    death_cause: str
    observed_months: float


def draw_time(uniform: np.ndarray | float, hazard: np.ndarray | float) -> np.ndarray:
    """Months, from a uniform number in (0, 1] and a cumulative hazard by 36 months."""
    return np.asarray(HORIZON_MONTHS * (-np.log(uniform) / hazard) ** (1 / SHAPE))


def draw_follow_up(rng: Generator, hazards: Hazards, months_to_study_end: float) -> FollowUp:
    """One patient's course, from five uniform numbers."""
    u = 1.0 - rng.random(5)
    spread, local = float(draw_time(u[0], hazards.metastasis)), float(draw_time(u[1], hazards.local_recurrence))
    natural = float(draw_time(u[2], hazards.other_death))
    of_cancer = spread - MEDIAN_AFTER_METASTASIS * float(np.log2(u[3]))
    lost = -float(np.log(u[4])) / LOST_PER_MONTH
    observed = min(lost, months_to_study_end)
    censored = Ended.LOST if lost < months_to_study_end else Ended.STUDY_END
    death = min(natural, of_cancer)
    first = min((spread, "metastasis"), (local, "local recurrence"), (death, "death"))
    ended = "" if spread <= min(death, observed) else Ended.DEATH if death <= observed else censored
    return FollowUp(
        metastasis_months=min(spread, death, observed),
        metastasis_event=not ended,
        metastasis_ended=ended,
        dfs_months=min(first[0], observed),
        dfs_event=first[0] <= observed,
        dfs_first=first[1] if first[0] <= observed else "",
        death_months=min(death, observed),
        death_event=death <= observed,
        death_cause=("" if death > observed else "other cause" if natural < of_cancer else "rectal cancer"),
        observed_months=observed,
    )
