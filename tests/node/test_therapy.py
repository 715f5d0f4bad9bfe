"""What the days of a therapy say against an exam."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from node.therapy import UNKNOWN_THERAPY, Therapy

START, END = date(2024, 2, 1), date(2024, 4, 1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("therapy", "exam", "denied"),
    [
        (Therapy(START, END), START, ""),
        (Therapy(START, END), START + DAY, "after therapy began on 2024-02-01"),
        (Therapy(None, END), END, ""),
        (Therapy(None, END), END + DAY, "after therapy ended on 2024-04-01"),
        (UNKNOWN_THERAPY, END, ""),
    ],
)
def test_after_its_start_no_exam_is_a_baseline(therapy: Therapy, exam: date, denied: str) -> None:
    found = therapy.denies_baseline(exam)
    assert found.endswith(denied) and bool(found) is bool(denied)


@pytest.mark.parametrize(
    ("therapy", "exam", "denied"),
    [
        (Therapy(START, END), END, ""),
        (Therapy(START, END), END - DAY, "before therapy ended on 2024-04-01"),
        (Therapy(START, None), START, ""),
        (Therapy(START, None), START - DAY, "before therapy began on 2024-02-01"),
        (UNKNOWN_THERAPY, END, ""),
    ],
)
def test_before_its_end_no_exam_is_a_restaging_exam(therapy: Therapy, exam: date, denied: str) -> None:
    found = therapy.denies_restaging(exam)
    assert found.endswith(denied) and bool(found) is bool(denied)


@pytest.mark.parametrize(
    ("exams", "belongs"),
    [
        ([START - 10 * DAY, END + 10 * DAY], Therapy(START, END)),
        ([START + 400 * DAY], Therapy(START, END)),
        ([END + 400 * DAY], Therapy(None, END)),
        ([END + 401 * DAY], UNKNOWN_THERAPY),
        ([START - 500 * DAY, START - 400 * DAY], Therapy(START, None)),
        ([START - 500 * DAY, START - 401 * DAY], UNKNOWN_THERAPY),
        ([], UNKNOWN_THERAPY),
    ],
)
def test_a_therapy_of_other_years_says_nothing(exams: list[date], belongs: Therapy) -> None:
    assert Therapy(START, END).among(exams, 400) == belongs


def test_the_end_of_an_earlier_course_is_not_the_end_of_this_one() -> None:
    assert Therapy(START, START - 30 * DAY).among([START - DAY], 400) == Therapy(START, None)
