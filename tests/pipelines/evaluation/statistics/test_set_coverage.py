"""Sets that hold what comes true as often as they promise, and sets that do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, inverse_weights
from pipelines.evaluation.statistics.set_coverage import set_coverage

HAD = np.array([True, True, True, False, False, False, False])
FREE = np.array([False, False, False, True, True, True, False])  # of the last nobody knows


def test_a_set_is_right_where_it_holds_what_came_true() -> None:
    event_in = np.array([True, True, False, False, True, True, True])
    other_in = np.array([False, True, True, True, True, False, True])
    found = set_coverage(0.9, (event_in, other_in), (HAD, FREE))
    assert found.covered.value == pytest.approx(4 / 6)  # the third had it and the sixth had not
    assert found.of_event.value == found.of_no_event.value == pytest.approx(2 / 3)
    assert found.referred.value == pytest.approx(3 / 7)
    assert found.covered.lower == pytest.approx(beta.ppf(0.025, 4, 3))
    assert found.covered.upper == pytest.approx(beta.ppf(0.975, 5, 2))
    assert found.kept is True and found.expected is None


def test_the_expected_share_needs_no_outcomes() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(0.05, 0.95, 400)
    holds = true >= 0.3, true <= 0.6
    drawn = [
        set_coverage(0.9, holds, (had, ~had)).covered.value for had in (rng.random(400) < true for _ in range(300))
    ]
    found = set_coverage(0.9, holds, (true > 0.5, true <= 0.5), true).expected
    assert found == pytest.approx(np.mean([value for value in drawn if value is not None]), abs=0.004)


def test_a_promise_is_broken_by_too_few_and_by_far_too_many() -> None:
    had = np.arange(500) < 200
    every, none = np.ones(500, dtype=bool), np.zeros(500, dtype=bool)
    assert set_coverage(0.9, (every, every), (had, ~had)).kept is False
    assert set_coverage(0.9, (every, none), (had, ~had)).kept is False
    nine = np.arange(500) % 10 > 0
    assert set_coverage(0.9, (nine, nine), (had, ~had)).kept is True
    assert set_coverage(0.9, (every, none), (none, none)).kept is None


def test_who_is_lost_is_counted_by_those_who_are_known() -> None:
    """Late events are missed by the sets, and lost more often: unweighted, the sets look better than they are."""
    rng = np.random.default_rng(3)
    months, lost = rng.exponential(40.0, 4000), rng.uniform(0.0, 60.0, 4000)
    held = (months < 25.0) | (months > 36.0)
    truly = float(held.mean())
    observed = Observed(np.minimum(months, lost), months <= lost)
    outcome = AtHorizon(observed, 36.0)
    known = outcome.had, outcome.free
    weights = inverse_weights(np.ones((1, 4000)), outcome)[0]
    weighted = set_coverage(0.9, (held, held), known, weights=weights)
    assert weighted.covered.value == pytest.approx(truly, abs=0.012)
    of_events = set_coverage(0.9, (held, held), known).of_event.value
    assert of_events is not None and weighted.of_event.value is not None
    assert of_events > weighted.of_event.value + 0.03
    # Fewer patients than the known ones stand behind it: the interval is wider than theirs.
    plain = set_coverage(0.9, (held, held), known).covered
    assert plain.lower is not None and plain.upper is not None
    assert weighted.covered.lower is not None and weighted.covered.upper is not None
    assert weighted.covered.upper - weighted.covered.lower > plain.upper - plain.lower


def test_equal_weights_count_patients() -> None:
    holds = np.arange(60) % 4 > 0, np.arange(60) % 5 > 0
    had = np.arange(60) < 25
    plain, doubled = (set_coverage(0.9, holds, (had, ~had), weights=one) for one in (None, np.full(60, 2.0)))
    for name in ("covered", "of_event", "of_no_event", "referred"):
        one, other = getattr(plain, name), getattr(doubled, name)
        assert (one.value, one.lower, one.upper) == pytest.approx((other.value, other.lower, other.upper))
