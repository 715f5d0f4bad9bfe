"""Kaplan–Meier shares of bootstrap draws, compared with lifelines on the patients really repeated."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from numpy.random import default_rng

from pipelines.evaluation.statistics.horizon import (
    AtHorizon,
    Observed,
    event_share,
    inverse_weights,
    known,
    still_observed,
)
from pipelines.evaluation.statistics.resample import multiplicities, once


@pytest.fixture
def observed() -> Observed:
    """With many ties: whole months, events and losses on the same one."""
    rng = default_rng(5)
    event, lost = rng.exponential(40, 120), rng.uniform(5, 80, 120)
    return Observed(np.ceil(np.minimum(event, lost)), event <= lost)


@pytest.mark.parametrize("horizon", [0.5, 12.0, 36.0, 36.5])
def test_the_share_is_one_minus_kaplan_meier_of_the_draw(observed: Observed, horizon: float) -> None:
    counts = multiplicities(observed.event, 6, seed=1)
    counts[:, 60:90] = 0.0  # a subgroup
    for share, own in zip(event_share(counts, AtHorizon(observed, horizon)), counts.astype(int), strict=True):
        fit = KaplanMeierFitter().fit(np.repeat(observed.months, own), np.repeat(observed.event, own))
        assert share == pytest.approx(1.0 - fit.predict(horizon))


def test_a_curve_that_ends_before_the_horizon_gives_no_share() -> None:
    lost = Observed(np.array([1.0, 2.0, 3.0]), np.array([True, False, False]))
    assert np.isnan(event_share(once(3), AtHorizon(lost, 10.0))[0])
    assert np.isnan(event_share(np.zeros((1, 3)), AtHorizon(lost, 2.0))[0]), "nobody is counted"
    gone = Observed(np.array([1.0, 2.0]), np.array([True, True]))
    assert event_share(once(2), AtHorizon(gone, 10.0))[0] == 1.0


def test_the_share_still_observed_is_kaplan_meier_of_being_lost(observed: Observed) -> None:
    # Events come first on a day: for the censoring curve they leave a moment before.
    shifted = observed.months - np.where(observed.event, 1e-6, 0.0)
    curve = KaplanMeierFitter().fit(shifted, ~observed.event)
    expected = [float(curve.predict(month - 1e-3)) for month in observed.months]
    assert still_observed(once(120), observed)[0] == pytest.approx(expected)


def test_weights_of_the_known_add_up_to_everybody(observed: Observed) -> None:
    outcome = AtHorizon(observed, 36.0)
    weight = inverse_weights(once(120), outcome)[0]
    assert (weight[~(outcome.had | outcome.free)] == 0).all()
    assert weight.sum() == pytest.approx(120, rel=0.03)
    share = (weight * outcome.had).sum() / 120
    assert share == pytest.approx(event_share(once(120), outcome)[0], abs=0.01)


def test_a_patient_lost_before_the_horizon_is_neither() -> None:
    outcome = AtHorizon(Observed(np.array([10.0, 36.0, 36.0, 40.0]), np.array([False, False, True, True])), 36.0)
    assert outcome.had.tolist() == [False, False, True, False]
    assert outcome.free.tolist() == [False, True, False, True]
    assert not outcome.certain


def test_a_known_outcome_is_one_without_censoring() -> None:
    event = np.array([True, False, False, True, False])
    outcome = known(event)
    assert outcome.certain and outcome.had.tolist() == event.tolist()
    assert event_share(once(5), outcome)[0] == 0.4
    assert (inverse_weights(once(5), outcome) == 1.0).all()
