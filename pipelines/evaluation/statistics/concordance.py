"""How well a risk ranks patients by when they have the event: the C-index as Harrell's and as Uno's.

F. E. Harrell et al., Statistics in Medicine 15 (1996) 361–387; H. Uno et al., Statistics in Medicine 30 (2011)
1105–1117. Bootstrap draws are matrix products, which is why they are not left to a library.
"""

from __future__ import annotations

import numpy as np
from lifelines.utils import concordance_index

from pipelines.evaluation.statistics.horizon import Observed, still_observed
from pipelines.evaluation.statistics.resample import multiplicities, once
from pipelines.evaluation.statistics.stated import FEWEST, Estimate, Flags, Numbers, Z, by_draws, missing


def harrell_c(risk: Numbers, observed: Observed, draws: Numbers | None = None) -> Estimate:
    """Harrell's C of ``risk`` (n,), higher: earlier; ties of risk half. Limits: percentiles of ``draws``
    (``multiplicities``; by default within the event indicator)."""
    if why := unfit(observed, risk):
        return missing(why)
    drawn = multiplicities(observed.event) if draws is None else draws
    value = float(concordance_index(observed.months, -risk, observed.event))
    return by_draws(value, drawn_c(risk, observed, drawn), "bootstrap of patients")


def harrell_c_analytic(risk: Numbers, observed: Observed) -> Estimate:
    """The same with limits by the infinitesimal jackknife: standard error √Σ(nᵢ − C dᵢ)² / D, nᵢ and dᵢ the concordant
    and comparable pairs that patient i is part of, D all comparable pairs (L. Kang et al., Statistics in Medicine 34
    (2015) 685–703; T. Therneau, E. Atkinson, Concordance, vignette of the R package survival)."""
    if why := unfit(observed, risk):
        return missing(why)
    comparable = _comparable(observed)
    concordant = comparable * _ordered(risk)
    total = comparable.sum()
    value = float(concordant.sum() / total)
    own = (concordant - value * comparable).sum(axis=0) + (concordant - value * comparable).sum(axis=1)
    error = float(np.sqrt((own**2).sum()) / total)
    if error == 0.0:
        return Estimate(value, method="jackknife", not_estimable="limits: every pair is ordered the same way")
    lower, upper = max(0.0, value - Z * error), min(1.0, value + Z * error)
    return Estimate(value, lower, upper, None, "infinitesimal jackknife")


def uno_c(risk: Numbers, observed: Observed, until: float, draws: Numbers | None = None) -> Estimate:
    """Uno's C of events before ``until`` months: Harrell's with each pair weighted by 1 / G² just before its event, G
    the Kaplan–Meier share still observed, estimated anew in every draw. It does not depend on the censoring."""
    if why := unfit(observed, risk):
        return missing(why)
    if int((observed.event & (observed.months < until)).sum()) < FEWEST:
        return missing(f"fewer than {FEWEST} events before {until:g} months")
    drawn = multiplicities(observed.event) if draws is None else draws
    value = float(drawn_c(risk, observed, once(risk.size), until)[0])
    return by_draws(value, drawn_c(risk, observed, drawn, until), f"bootstrap of patients, IPCW to {until:g} months")


def compare_c(first: Numbers, second: Numbers, observed: Observed, draws: Numbers | None = None) -> Estimate:
    """Harrell's C of ``first`` minus that of ``second`` on the same patients, by the same bootstrap draws for both; the
    p-value is normal with the standard deviation of the drawn differences."""
    if why := unfit(observed, first, second):
        return missing(why)
    counts = multiplicities(observed.event) if draws is None else draws
    one, two = (float(drawn_c(risk, observed, once(first.size))[0]) for risk in (first, second))
    difference = drawn_c(first, observed, counts) - drawn_c(second, observed, counts)
    return by_draws(one - two, difference, "paired bootstrap of patients", tested=True)


def drawn_c(risk: Numbers, observed: Observed, counts: Numbers, until: float | None = None) -> Numbers:
    """(draws,): the C-index in each draw; with ``until`` Uno's."""
    rows = observed.event if until is None else observed.event & (observed.months < until)
    comparable = _comparable(observed)[rows]
    concordant = comparable * _ordered(risk, rows)
    weight = counts[:, rows]
    if until is not None:
        share = still_observed(counts, observed)[:, rows]
        weight = weight * np.where(share > 0, 1.0 / np.where(share > 0, share, 1.0) ** 2, 0.0)
    found = (weight * (counts @ concordant.T)).sum(axis=1)
    pairs = (weight * (counts @ comparable.T)).sum(axis=1)
    return np.asarray(np.where(pairs > 0, found / np.where(pairs > 0, pairs, 1.0), np.nan))


def unfit(observed: Observed, *risks: Numbers) -> str:
    """Why no C-index can be estimated; '' where it can."""
    size, events = observed.months.size, int(observed.event.sum())
    for values in (observed.months, *risks):
        if values.size != size:
            return f"{values.size} predictions for {size} patients"
        if (lost := int((~np.isfinite(values)).sum())) > 0:
            return f"{lost} of {size} predictions or times are missing: give the covered patients"
    if events < FEWEST:
        return f"{events} events; at least {FEWEST} are needed"
    return "" if _comparable(observed).any() else "no two patients can be compared"


def _comparable(observed: Observed) -> Numbers:
    """(n, n): 1 where the row's patient has the event while the column's is observed, and free of it on that day."""
    months, event = observed.months, observed.event
    later = (months[:, None] < months) | ((months[:, None] == months) & ~event)
    return np.asarray((event[:, None] & later).astype(np.float64))


def _ordered(risk: Numbers, rows: Flags | None = None) -> Numbers:
    """1 where the row's risk is higher than the column's, half where they are equal."""
    own = risk if rows is None else risk[rows]
    return np.asarray((np.sign(own[:, None] - risk) + 1.0) / 2.0)
