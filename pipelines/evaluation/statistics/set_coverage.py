"""Whether prediction sets hold what comes true as often as they promise.

Limits are found within each outcome, so the promise is kept for patients with the outcome and for those without it
(V. Vovk et al., Algorithmic Learning in a Random World, 2nd ed. 2022, section 4.6). Shares have exact binomial limits
(C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404–413); weighted ones those of the effective number of patients,
(Σw)² / Σw² (L. Kish, Survey Sampling, 1965, section 11.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from pipelines.evaluation.statistics.stated import Estimate, Flags, Numbers, Stated, missing

METHOD = "Clopper–Pearson"


@dataclass(frozen=True)
class SetCoverage(Stated):
    """Of patients whose outcome is known: the share whose set holds it, of all and within each outcome; ``referred``:
    the share whose set holds both. ``promised``: the coverage. ``expected``: the share ``covered`` averaged over all
    outcomes that simulated patients could have had, None of real ones."""

    promised: float
    covered: Estimate
    of_event: Estimate
    of_no_event: Estimate
    referred: Estimate
    expected: float | None = None

    @property
    def kept(self) -> bool | None:
        """Whether the 95 % interval of the share holds the promise; None where there is no share."""
        if self.covered.lower is None or self.covered.upper is None:
            return None
        return self.covered.lower <= self.promised <= self.covered.upper


def set_coverage(
    promised: float,
    holds: tuple[Flags, Flags],
    outcome: tuple[Flags, Flags],
    true: Numbers | None = None,
    weights: Numbers | None = None,
) -> SetCoverage:
    """``holds``: whether each set holds the outcome, and its absence. ``outcome``: whether each patient is known to
    have it, and known not to (neither: nobody knows yet). ``true``: their probability of it. ``weights``: where some
    are lost, how many like them each patient whose outcome is known stands for. All (n,)."""
    (event_in, other_in), (had, free) = holds, outcome
    right = (had & event_in) | (free & other_in)
    counted = np.ones(right.size) if weights is None else weights
    expected = None
    if true is not None and true.size:
        expected = float(np.mean(true * event_in + (1.0 - true) * other_in))
    return SetCoverage(
        promised,
        covered=_exact(right, counted * (had | free)),
        of_event=_exact(event_in, counted * had),
        of_no_event=_exact(other_in, counted * free),
        referred=_exact(event_in & other_in, np.ones(right.size)),
        expected=expected,
    )


def _exact(found: Flags, weights: Numbers) -> Estimate:
    if not weights.any():
        return missing("there are no such patients")
    share = float(weights[found].sum() / weights.sum())
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    lower, upper = proportion_confint(share * effective, effective, method="beta")
    # Where all or none are held, rounding must not leave a limit beside the share.
    return Estimate(share, 0.0 if share == 0.0 else float(lower), 1.0 if share == 1.0 else float(upper), None, METHOD)
