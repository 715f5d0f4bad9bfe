"""NRI and IDI: the Framingham table of Pencina 2008, by hand, and with censoring by lifelines."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from numpy.random import default_rng

from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, known
from pipelines.evaluation.statistics.reclassification import reclassification
from pipelines.evaluation.statistics.resample import multiplicities
from pipelines.evaluation.statistics.stated import Numbers


def test_the_framingham_reclassification_is_the_published_one() -> None:
    """Adding HDL cholesterol: of 183 with an event 29 move up and 7 down, of 3081 without 173 up and 174 down; NRI
    0.121, z = 3.616, p < 0.001 (M. J. Pencina et al., Statistics in Medicine 27 (2008) 157–172, section 5)."""
    moves = {True: (29, 7, 147), False: (173, 174, 2734)}
    old, new, event = [], [], []
    for had, (up, down, still) in moves.items():
        old += [0.1] * (up + down + still)
        new += [0.3] * up + [0.02] * down + [0.1] * still
        event += [had] * (up + down + still)
    labels = np.array(event)
    draws = multiplicities(np.zeros(labels.size), 400)
    found = reclassification(np.array(old), np.array(new), known(labels), (0.06, 0.20), draws)
    net = found.categorical
    assert net.events.value == pytest.approx(22 / 183) and net.others.value == pytest.approx(1 / 3081)
    assert net.total.value == pytest.approx(0.121, abs=5e-4)
    assert net.total.p_value is not None and net.total.p_value < 0.001
    assert net.total.lower is not None and net.total.upper is not None
    error = (net.total.upper - net.total.lower) / (2 * 1.96)
    assert net.total.value is not None and net.total.value / error == pytest.approx(3.616, rel=0.1)
    assert found.moved_had.tolist() == [[0, 0, 0], [7, 147, 29], [0, 0, 0]]
    assert found.moved_free.sum() == 3081


def test_continuous_nri_and_idi_are_their_definitions() -> None:
    rng = default_rng(1)
    old = rng.beta(2, 4, 300)
    event = rng.random(300) < old
    new = np.clip(old + rng.normal(0.04 * np.where(event, 1, -1), 0.1), 0, 1)
    found = reclassification(old, new, known(event), (0.3,))
    up, down = new > old, new < old
    events = up[event].mean() - down[event].mean()
    others = down[~event].mean() - up[~event].mean()
    assert found.continuous.events.value == pytest.approx(events)
    assert found.continuous.total.value == pytest.approx(events + others)
    slope = (new[event].mean() - new[~event].mean()) - (old[event].mean() - old[~event].mean())
    assert found.idi.total.value == pytest.approx(slope)
    change = new - old
    error = np.sqrt(change[event].var(ddof=1) / event.sum() + change[~event].var(ddof=1) / (~event).sum())
    assert found.idi.total.lower is not None and found.idi.total.upper is not None
    assert found.idi.total.upper - found.idi.total.lower == pytest.approx(2 * 1.96 * error, rel=0.1)


def censored(seed: int, size: int) -> tuple[Numbers, Numbers, Observed, Numbers]:
    rng = default_rng(seed)
    hazard = np.exp(rng.normal(-1, 1, size))
    event, lost = 36 * rng.exponential(1, size) / hazard, rng.uniform(10, 80, size)
    old = -np.expm1(-np.exp(np.log(hazard) + rng.normal(0, 1, size)))
    return old, -np.expm1(-hazard), Observed(np.minimum(event, lost), event <= lost), event


def test_with_censoring_the_nri_is_pencinas_of_2011() -> None:
    old, new, observed, _ = censored(2, 400)
    found = reclassification(old, new, AtHorizon(observed, 36.0), (0.3,))

    def risk(group: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
        return 1 - float(KaplanMeierFitter().fit(observed.months[group], observed.event[group]).predict(36.0))

    up, down = (new >= 0.3) & (old < 0.3), (new < 0.3) & (old >= 0.3)
    all_of_them = risk(np.ones(400, bool))
    events = (risk(up) * up.mean() - risk(down) * down.mean()) / all_of_them
    others = ((1 - risk(down)) * down.mean() - (1 - risk(up)) * up.mean()) / (1 - all_of_them)
    assert found.categorical.events.value == pytest.approx(events)
    assert found.categorical.others.value == pytest.approx(others)


def test_with_censoring_both_estimate_what_nobody_lost_would_show() -> None:
    old, new, observed, event = censored(3, 12000)
    few = np.ones((20, 12000))
    found = reclassification(old, new, AtHorizon(observed, 36.0), (0.3,), few)
    whole = reclassification(old, new, known(event <= 36.0), (0.3,), few)
    for one, two in ((found.categorical, whole.categorical), (found.continuous, whole.continuous)):
        assert one.total.value == pytest.approx(two.total.value, abs=0.03)
    assert found.idi.total.value == pytest.approx(whole.idi.total.value, abs=0.01)
    assert found.moved_had.sum() + found.moved_free.sum() < 12000 == whole.moved_had.sum() + whole.moved_free.sum()


def test_a_model_adds_nothing_to_itself() -> None:
    old, _, observed, _ = censored(4, 200)
    found = reclassification(old, old, AtHorizon(observed, 36.0), (0.3,))
    for net in (found.categorical, found.continuous, found.idi):
        assert net.total.value == 0.0 and net.total.p_value == 1.0


def test_without_enough_outcomes_there_is_no_figure() -> None:
    found = reclassification(np.full(30, 0.2), np.full(30, 0.4), known(np.zeros(30, bool)), (0.3,))
    assert found.not_estimable and found.idi.total.value is None
