"""Conformal sets: their guarantee by simulation and exactly, their limits by hand, and what censoring does to them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.contract import PredictionSet
from pipelines.systems.conformal import conformal_limits, prediction_set


def drawn(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes, and the probabilities of a model that is neither good nor calibrated."""
    event = rng.random(count) < 0.3
    return event, 1.0 / (1.0 + np.exp(-rng.normal(np.where(event, 1.0, -0.5), 1.3)))


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_of_either_outcome_the_stated_share_of_new_patients_is_covered_and_hardly_more(coverage: float) -> None:
    rng = np.random.default_rng(4)
    held: dict[bool, list[float]] = {True: [], False: []}
    expected: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(1500):
        event, probability = drawn(rng, 60)
        limits = conformal_limits(event, probability, coverage)
        new, scored = drawn(rng, 400)
        for outcome, kept in ((True, scored >= limits["low"]), (False, scored <= limits["high"])):
            held[outcome].append(float(kept[new == outcome].mean()))
            # Of n calibration patients and a new one every order is as likely: ⌈(n + 1) · coverage⌉ / (n + 1) exactly.
            size = int((event == outcome).sum())
            expected[outcome].append(min(1.0, math.ceil((size + 1) * coverage - 1e-9) / (size + 1)))
    for outcome in (True, False):
        error = np.std(held[outcome]) / math.sqrt(len(held[outcome]))
        # Limits that would cross change places, which can only add to sets.
        assert np.mean(held[outcome]) >= np.mean(expected[outcome]) - 3 * error
        assert np.mean(held[outcome]) <= np.mean(expected[outcome]) + 3 * error + 0.002
        assert np.mean(expected[outcome]) >= coverage


def test_limits_of_a_worked_example() -> None:
    # Of 9 patients the ⌈10 · 0.9⌉ = 9th is the last; of 19 the ⌈20 · 0.9⌉ = 18th is the last but one.
    had, had_not = np.arange(1, 10) / 10, np.arange(1, 20) / 40
    event = np.repeat([True, False], [9, 19])
    limits = conformal_limits(event, np.concatenate([had, had_not]))
    assert limits == {"low": 0.1, "high": 18 / 40, "coverage": 0.9}


def test_a_patient_at_a_limit_is_inside_it() -> None:
    limits = {"low": 0.3, "high": 0.6, "coverage": 0.9}
    at = {p: prediction_set(p, limits) for p in (0.29, 0.3, 0.6, 0.61)}
    assert at[0.29] == PredictionSet(0.9, event=False, no_event=True)
    assert at[0.3] == at[0.6] == PredictionSet(0.9, event=True, no_event=True)
    assert at[0.61] == PredictionSet(0.9, event=True, no_event=False)
    assert [one.refer for one in at.values()] == [False, True, True, False]


@pytest.mark.parametrize("count", [0, 1, 8])
def test_too_few_patients_rule_nothing_out(count: int) -> None:
    event = np.repeat([True, False], [count, 50])
    limits = conformal_limits(event, np.where(event, 0.9, 0.1))
    assert limits["low"] == 0.0
    assert prediction_set(1e-9, limits).event
    assert conformal_limits(~event, np.where(event, 0.1, 0.9))["high"] == 1.0
    assert conformal_limits(np.zeros(0, bool), np.zeros(0)) == {"low": 0.0, "high": 1.0, "coverage": 0.9}


def test_limits_that_cross_change_places_so_that_no_set_is_empty() -> None:
    rng = np.random.default_rng(1)
    event = np.repeat([True, False], 100)
    probability = np.where(event, rng.uniform(0.7, 1.0, 200), rng.uniform(0.0, 0.3, 200))
    limits = conformal_limits(event, probability)
    assert limits["high"] == np.sort(probability[event])[9]  # the ⌈101 · 0.9⌉ = 91st from above
    assert limits["low"] == np.sort(probability[~event])[90]
    between = prediction_set(0.5, limits)
    assert between.refer
    sets = [prediction_set(p, limits) for p in np.linspace(0.0, 1.0, 101)]
    assert all(one.event or one.no_event for one in sets)
    # Who was inside a set stays inside it.
    covered = [
        prediction_set(p, limits).event if e else prediction_set(p, limits).no_event
        for p, e in zip(probability, event, strict=True)
    ]
    assert np.mean(covered) >= 0.9


def test_no_set_is_empty() -> None:
    with pytest.raises(ValueError, match="at least one outcome"):
        PredictionSet(0.9, event=False, no_event=False)


def test_outside_the_training_cohorts_range_nothing_is_ruled_out() -> None:
    limits = {"low": 0.3, "high": 0.6, "coverage": 0.9}
    assert prediction_set(0.99, limits, inside=False).refer
    assert prediction_set(0.01, limits, inside=False).refer


def test_equal_weights_change_nothing_and_patients_of_unknown_outcome_do_not_count() -> None:
    rng = np.random.default_rng(2)
    event, probability = drawn(rng, 80)
    plain = conformal_limits(event, probability)
    assert conformal_limits(event, probability, weights=np.full(80, 1.7)) == plain
    more = np.concatenate([probability, np.linspace(0.0, 1.0, 40)])
    lost = np.concatenate([event, np.zeros(40, bool)])
    assert conformal_limits(lost, more, weights=np.repeat([1.0, 0.0], [80, 40])) == plain
    gone = np.concatenate([probability, np.full(40, np.nan)])
    assert conformal_limits(lost, gone, weights=np.repeat([1.0, 0.0], [80, 40])) == plain


def test_weighted_limits_of_a_worked_example() -> None:
    # Events with weights 1, 1, 2, 4 and a new patient who counts 4: 12 in all. At a coverage of half, 6 are needed:
    # from above 0.9 (1), 0.8 (1), 0.6 (2), 0.5 (4) they are reached at 0.5, and at a third (4 of 12) at 0.6.
    probability, weights = np.array([0.9, 0.8, 0.6, 0.5]), np.array([1.0, 1.0, 2.0, 4.0])
    event = np.ones(4, bool)
    assert conformal_limits(event, probability, 0.5, weights)["low"] == 0.5
    assert conformal_limits(event, probability, 1 / 3, weights)["low"] == 0.6
    assert conformal_limits(event, probability, 0.9, weights)["low"] == 0.0


def test_censoring_that_takes_late_events_is_weighed_out() -> None:
    """Late events have low probabilities and are lost more often: without weights the limit is too high for them."""
    rng = np.random.default_rng(8)
    held: dict[str, list[float]] = {"weighted": [], "plain": []}
    for _ in range(300):
        months, probability = late_events(rng, 300)
        lost = rng.uniform(0.0, 45.0, 300)
        observed = np.minimum(months, lost)
        known = (months <= lost) & (months <= 36.0) | (observed >= 36.0)
        event = (months <= lost) & (months <= 36.0)
        share = 1.0 - np.minimum(observed, 36.0) / 45.0  # still observed, as this censoring is drawn
        weights = np.where(known, 1.0 / share, 0.0)
        new, scored = late_events(rng, 300)
        for name, counted in (("weighted", weights), ("plain", known.astype(float))):
            limits = conformal_limits(event, probability, 0.9, counted)
            held[name].append(float((scored >= limits["low"])[new <= 36.0].mean()))
    assert np.mean(held["plain"]) < 0.87
    assert 0.895 < np.mean(held["weighted"]) < 0.96


def late_events(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    months = rng.exponential(30.0, count)
    early = np.clip(0.9 - months / 60.0 + rng.normal(0.0, 0.05, count), 0.0, 1.0)
    return months, np.where(months <= 36.0, early, rng.uniform(0.0, 1.0, count))


@pytest.mark.parametrize("coverage", [0.0, 1.0])
def test_a_coverage_of_all_or_nothing_is_refused(coverage: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        conformal_limits(np.array([True, False]), np.array([0.5, 0.5]), coverage)


def test_a_patient_without_a_probability_is_no_calibration() -> None:
    with pytest.raises(ValueError, match="a probability of every patient"):
        conformal_limits(np.array([True, False]), np.array([0.5, np.nan]))
