"""What is known of patients at a horizon, as counted in bootstrap draws: the Kaplan–Meier share and censoring weights.

A yes-or-no outcome is the same without censoring (``known``), so that each figure is computed by one piece of code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.statistics.stated import FEWEST, Flags, Numbers


@dataclass(frozen=True)
class Observed:
    """Shape (n,) each: months to the event, or to the end of observation without it (``event`` False)."""

    months: Numbers
    event: Flags

    def of(self, chosen: Flags) -> Observed:
        """These patients alone."""
        return Observed(self.months[chosen], self.event[chosen])


@dataclass(frozen=True)
class AtHorizon:
    """The outcome of n patients by ``horizon`` months. Whoever was lost before it counts as neither.

    ``timed``: False of a yes-or-no outcome, whose months mean nothing.
    """

    observed: Observed
    horizon: float
    timed: bool = True

    @property
    def had(self) -> Flags:
        """(n,): the event happened by the horizon."""
        return np.asarray(self.observed.event & (self.observed.months <= self.horizon))

    @property
    def free(self) -> Flags:
        """(n,): known to be free of it at the horizon; observation may end on that very day."""
        months, event = self.observed.months, self.observed.event
        return np.asarray((months > self.horizon) | ((months == self.horizon) & ~event))

    @property
    def certain(self) -> bool:
        """Whether everybody's outcome is known, so that no method for censoring is needed."""
        return bool((self.had | self.free).all())

    def unfit(self, *scores: Numbers, fewest: int = FEWEST) -> str:
        """Why nothing can be estimated; '' where it can."""
        size = self.observed.months.size
        if not np.isfinite(self.observed.months).all():
            return f"{int((~np.isfinite(self.observed.months)).sum())} follow-up times are missing"
        for score in scores:
            if score.size != size:
                return f"{score.size} predictions for {size} patients"
            if (lost := int((~np.isfinite(score)).sum())) > 0:
                return f"{lost} of {size} predictions are missing: give the covered patients"
        had, free = int(self.had.sum()), int(self.free.sum())
        if min(had, free) < fewest and not self.timed:
            return f"{had} patients had the outcome and {free} had not; at least {fewest} of each are needed"
        if min(had, free) < fewest:
            return (
                f"{had} patients had the event by {self.horizon:g} months and {free} are known to be free of it; "
                f"at least {fewest} of each are needed"
            )
        return ""


def known(event: Flags) -> AtHorizon:
    """A yes-or-no outcome, known for everybody, as an outcome at a horizon."""
    return AtHorizon(Observed(np.ones(event.size), event), 1.0, timed=False)


def event_share(counts: Numbers, outcome: AtHorizon) -> Numbers:
    """(draws,): 1 − Kaplan–Meier at the horizon in each draw; NaN where nobody is counted or all are lost before it.

    ``counts`` (draws, n): how often a draw holds each patient; a subgroup is one with zeros elsewhere.
    """
    observed = outcome.observed
    order = np.argsort(observed.months, kind="stable")
    months, event = observed.months[order], observed.event[order]
    drawn = counts[:, order]
    early = int(np.searchsorted(months, outcome.horizon, side="right"))
    behind = np.cumsum(drawn[:, ::-1], axis=1)[:, ::-1]
    if early == 0:
        return np.where(behind[:, 0] > 0, 0.0, np.nan)
    starts = np.flatnonzero(np.r_[True, np.diff(months[:early]) > 0])  # ties together
    events = np.add.reduceat(drawn[:, :early] * event[:early], starts, axis=1)
    at_risk = behind[:, starts]
    share = 1.0 - np.prod(1.0 - events / np.where(at_risk > 0, at_risk, 1.0), axis=1)
    # Lost before the horizon, some of them free: the curve ends too early to be read there.
    reaching = (drawn * (months >= outcome.horizon)).sum(axis=1) > 0
    counted = behind[:, 0] > 0
    return np.where(counted & (reaching | (share >= 1.0)), share, np.nan)


def still_observed(counts: Numbers, observed: Observed) -> Numbers:
    """(draws, n): the Kaplan–Meier share still under observation just before each patient's own time, per draw.

    Its inverse weighs an event for those who would have had it and were lost (IPCW). Of equal times events come first.
    """
    times, after = _censoring(counts, observed)
    before = np.concatenate([np.ones((len(counts), 1)), after[:, :-1]], axis=1)
    return np.asarray(before[:, np.searchsorted(times, observed.months)])


def inverse_weights(counts: Numbers, outcome: AtHorizon) -> Numbers:
    """(draws, n): for each patient whose outcome at the horizon is known, 1 over the share still observed, just before
    the event or just before the horizon; 0 for those lost before it, and for those of whom a draw has none like them.

    E. Graf et al., Statistics in Medicine 18 (1999) 2529–2545, equation 7.
    """
    times, after = _censoring(counts, outcome.observed)
    earlier = int(np.searchsorted(times, outcome.horizon, side="left"))
    at_horizon = after[:, earlier - 1 : earlier] if earlier else np.ones((len(counts), 1))
    share = np.where(outcome.had, still_observed(counts, outcome.observed), at_horizon)
    used = (share > 0) & (outcome.had | outcome.free)
    return np.where(used, 1.0 / np.where(used, share, 1.0), 0.0)


def _censoring(counts: Numbers, observed: Observed) -> tuple[Numbers, Numbers]:
    """Distinct times (k,), and the Kaplan–Meier share still under observation just after each (draws, k)."""
    order = np.argsort(observed.months, kind="stable")
    months, lost = observed.months[order], ~observed.event[order]
    drawn = counts[:, order]
    starts = np.flatnonzero(np.r_[True, np.diff(months) > 0])
    leaving = np.add.reduceat(drawn * lost, starts, axis=1)
    dying = np.add.reduceat(drawn * ~lost, starts, axis=1)
    at_risk = np.cumsum(drawn[:, ::-1], axis=1)[:, ::-1][:, starts] - dying
    return months[starts], np.asarray(np.cumprod(1.0 - leaving / np.where(at_risk > 0, at_risk, 1.0), axis=1))
