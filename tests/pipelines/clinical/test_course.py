"""Which days belong to the course of therapy of some exams."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pipelines.clinical.course import NEAR_COURSE, Course, is_near
from pipelines.contract import Item, TimePoint

BASELINE, RESTAGING = date(2024, 1, 10), date(2024, 5, 10)
EXAMS = {TimePoint.BASELINE: BASELINE, TimePoint.RESTAGING: RESTAGING}


def days(number: int) -> timedelta:
    return timedelta(days=number)


@pytest.mark.parametrize(
    ("day", "near"),
    [
        (BASELINE - NEAR_COURSE, True),
        (BASELINE - NEAR_COURSE - days(1), False),
        (RESTAGING + NEAR_COURSE, True),
        (RESTAGING + NEAR_COURSE + days(1), False),
        (date(2024, 3, 1), True),
    ],
)
def test_a_day_is_near_exams_by_the_first_and_the_last_of_them(day: date, near: bool) -> None:
    assert is_near(day, [BASELINE, RESTAGING]) is near
    assert is_near(day, [RESTAGING, BASELINE]) is near


def test_how_near_is_a_matter_of_who_asks() -> None:
    assert is_near(BASELINE - days(30), [BASELINE], days(30))
    assert not is_near(BASELINE - days(31), [BASELINE], days(30))


@pytest.mark.parametrize("item", list(Item))
def test_without_an_exam_nothing_is_refused(item: Item) -> None:
    assert Course({}).refusal(item, date(1999, 1, 1)) == ""


@pytest.mark.parametrize(
    ("item", "day", "exams", "refused"),
    [
        (Item.THERAPY_START, BASELINE - days(90), EXAMS, False),
        (Item.THERAPY_START, BASELINE - days(91), EXAMS, True),
        (Item.THERAPY_START, RESTAGING, EXAMS, False),
        (Item.THERAPY_START, RESTAGING + days(1), EXAMS, True),
        (Item.THERAPY_START, RESTAGING - days(400), {TimePoint.RESTAGING: RESTAGING}, False),
        (Item.THERAPY_START, RESTAGING - days(401), {TimePoint.RESTAGING: RESTAGING}, True),
        (Item.THERAPY_START, BASELINE + days(401), {TimePoint.BASELINE: BASELINE}, True),
        (Item.THERAPY_END, BASELINE, EXAMS, False),
        (Item.THERAPY_END, BASELINE - days(1), EXAMS, True),
        (Item.THERAPY_END, RESTAGING + days(400), EXAMS, False),
        (Item.THERAPY_END, RESTAGING + days(401), EXAMS, True),
        (Item.THERAPY, RESTAGING + days(400), EXAMS, False),
        (Item.THERAPY, RESTAGING + days(401), EXAMS, True),
        (Item.HISTOLOGY, BASELINE - days(400), EXAMS, False),
        (Item.HISTOLOGY, BASELINE - days(401), EXAMS, True),
        (Item.LOCATION, RESTAGING + days(401), EXAMS, True),
        (Item.SURGERY_DATE, BASELINE, EXAMS, True),
    ],
)
def test_each_item_has_its_time(item: Item, day: date, exams: dict[TimePoint, date], refused: bool) -> None:
    assert bool(Course(exams).refusal(item, day)) is refused


def test_what_is_not_of_this_course_is_told_in_words() -> None:
    course = Course(EXAMS, start=date(2024, 1, 20))
    assert course.refusal(Item.THERAPY_START, date(2024, 12, 1)) == (
        "after the restaging exam of 2024-05-10, so of a later course"
    )
    assert course.refusal(Item.HISTOLOGY, date(2020, 1, 1)) == (
        "more than 400 days from the exams of 2024-01-10 and 2024-05-10, so of another course"
    )
    lone = Course({TimePoint.BASELINE: BASELINE}, start=date(2024, 1, 20))
    assert lone.refusal(Item.YPT_STAGE, date(2024, 1, 20)) == (
        "not after therapy began on 2024-01-20, so not of after this therapy"
    )
