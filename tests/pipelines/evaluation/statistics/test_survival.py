"""Kaplan–Meier curves and the log-rank test on the trial that every textbook uses."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluation.statistics.horizon import Observed
from pipelines.evaluation.statistics.survival import kaplan_meier, log_rank

# Weeks of remission of 42 children with leukaemia; + still in remission. E. J. Freireich et al., Blood 21 (1963)
# 699–716; worked in D. R. Cox, D. Oakes, Analysis of Survival Data, 1984, and many others.
TREATED = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


def trial() -> tuple[Observed, list[str]]:
    words = TREATED.split() + PLACEBO.split()
    weeks = np.array([float(word.rstrip("+")) for word in words])
    relapse = np.array([not word.endswith("+") for word in words])
    return Observed(weeks, relapse), ["6-MP"] * 21 + ["placebo"] * 21


def test_the_curve_is_the_published_one() -> None:
    treated, placebo = kaplan_meier(*trial(), ticks=[0, 6, 7, 20])
    shares = dict(zip(treated.months, treated.event_free, strict=True))
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {week: shares[week] for week in published} == pytest.approx(published, abs=6e-4)
    assert (treated.group, treated.patients, treated.events) == ("6-MP", 21, 9)
    assert treated.at_risk == ((0.0, 21), (6.0, 21), (7.0, 17), (20.0, 8))
    assert placebo.events == 21 and placebo.event_free[-1] == 0.0


def test_the_log_rank_statistic_is_the_published_one() -> None:
    found = log_rank(*trial())
    assert found.statistic == pytest.approx(16.79, abs=0.005)
    assert found.degrees == 1 and found.p_value is not None and found.p_value < 1e-4


def test_limits_hold_the_curve() -> None:
    (treated, _) = kaplan_meier(*trial(), ticks=[])
    inside = np.isfinite(treated.lower) & (treated.months > 0)
    assert (treated.lower[inside] <= treated.event_free[inside]).all()
    assert (treated.upper[inside] >= treated.event_free[inside]).all()


def test_one_group_or_no_event_has_no_test() -> None:
    observed, groups = trial()
    assert log_rank(observed, ["all"] * 42).not_estimable == "there is one group only"
    nobody = Observed(observed.months, np.zeros(42, bool))
    assert log_rank(nobody, groups).p_value is None
    missing = Observed(np.where(observed.months > 30, np.nan, observed.months), observed.event)
    assert log_rank(missing, groups).statistic is None
    assert kaplan_meier(missing, groups, [])[0].patients == 17
