from __future__ import annotations

import pytest

from pipelines.roles.runs import Moment, Runs, runs


def found(*series: tuple[float | None, float]) -> Runs:
    """Runs of series given as (minutes, b)."""
    return runs([Moment(None if began is None else 60 * began, b) for began, b in series])


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ([(0, 0), (2, 800)], {(0, 1)}),
        ([(2, 800), (0, 0)], {(1, 0)}),
        ([(0, 0), (15, 800)], {(0, 1)}),
        ([(0, 0), (15.1, 800)], set()),
        ([(0, 0), (10, 50), (20, 800)], {(0, 1, 2)}),  # each soon after the one before
        ([(0, 0), (2, 800), (4, 0), (6, 800)], {(0, 1), (2, 3)}),
        ([(0, 0), (2, 800), (4, 0)], set()),
        ([(0, 0), (2, 800), (4.4, 0)], set()),  # 24 s nearer to the one than to the other
        ([(0, 0), (2, 800), (5, 0)], {(0, 1)}),
        ([(0, 0), (2, 800), (30, 0), (32, 0), (34, 800)], {(0, 1), (3, 4)}),
        ([(0, 0), (0, 0), (2, 800)], set()),
        ([(0, 995), (1, 1000)], set()),
        ([(0, 0), (2, 800), (4, 0), (30, 0), (31, 50)], {(3, 4)}),  # doubt in one sequence is none in another
    ],
)
def test_series_are_one_run_where_no_other_cut_is_as_good(
    series: list[tuple[float, float]], expected: set[tuple[int, ...]]
) -> None:
    made = found(*series)
    assert set(made.certain) == expected
    inside = {index for run in made.certain for index in run}
    assert set(made.why) == set(range(len(series))) - inside
    assert all(made.why.values())


def test_without_times_only_b_values_that_all_differ_are_a_run() -> None:
    assert found((None, 0), (None, 800), (3, 50)).certain == ((0, 1, 2),)
    assert found((None, 0), (None, 0), (3, 800)).certain == ()
    assert "do not say when" in found((None, 0), (None, 0), (3, 800)).why[0]


def test_a_crowd_of_series_is_not_cut_in_every_way() -> None:
    crowd = found(*((minute, 10.0 * minute) for minute in range(40)))
    assert crowd.certain == ()
    assert "more than can be told" in crowd.why[0]
