from __future__ import annotations

import pytest

from pipelines.cohort.cohort import FollowUp
from pipelines.cohort.row import Row


def follow_up(months: str, event: str) -> tuple[FollowUp | None, list[str]]:
    row = Row(7, {"metastasis_months": months, "metastasis_event": event})
    return row.follow_up("metastasis"), row.problems


def test_months_and_event_make_a_follow_up() -> None:
    assert follow_up("12.5", "1") == (FollowUp(12.5, True), [])
    assert follow_up("0", "false") == (FollowUp(0.0, False), [])
    assert follow_up("", "") == (None, [])


def test_follow_up_that_ends_before_surgery_is_named() -> None:
    assert follow_up("-2", "0")[1] == [
        "row 7, column 'metastasis_months': follow-up of -2 months ends before surgery, from which months run"
    ]


@pytest.mark.parametrize("months", ["nan", "inf", "3 months", "3,5", "7000"])
def test_months_that_are_no_number_are_named(months: str) -> None:
    found, problems = follow_up(months, "0")
    assert found is None
    assert problems == [f"row 7, column 'metastasis_months': '{months}' is not a number of months from 0 to 600"]


def test_a_time_without_event_and_an_event_without_time_are_named() -> None:
    assert follow_up("12", "")[1] == [
        "row 7, column 'metastasis_event': is empty, but metastasis_months is given: "
        "an event needs its time, and a time its event"
    ]
    assert "column 'metastasis_months': is empty, but metastasis_event is given" in follow_up("", "1")[1][0]


@pytest.mark.parametrize("event", ["2", "-1", "yes", "death"])
def test_an_event_that_is_neither_0_nor_1_is_named_and_never_an_event(event: str) -> None:
    found, problems = follow_up("12", event)
    assert found is None
    assert problems == [f"row 7, column 'metastasis_event': '{event}' is not 1, 0 or empty"]
