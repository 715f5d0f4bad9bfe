"""The course of therapy that some exams are of, and which days belong to it: a patient may have had another one before,
or have one after, and its values say nothing about these exams.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.contract import Item, TimePoint

NEAR_EXAM = timedelta(days=90)
AFTER_BASELINE = timedelta(days=14)  # a marker drawn so soon after the baseline exam is still one of before therapy
BEFORE_THERAPY = timedelta(days=180)  # an older marker or stage belongs to another course of the illness
# What lies further from the exams is of another course: as far as matching pairs exams. Total neoadjuvant therapy and
# the wait for surgery after it take a year at most; an operation later than that is one of a regrowth.
NEAR_COURSE = timedelta(days=400)
SAME_AGE = timedelta(days=366)
PRETREATMENT = frozenset({Item.CEA, Item.CA19_9, Item.CT_STAGE, Item.CN_STAGE})


@dataclass(frozen=True)
class Course:
    """The days that order a course of therapy, as far as they are known."""

    exams: Mapping[TimePoint, date]
    start: date | None = None
    end: date | None = None

    @property
    def baseline(self) -> date | None:
        return self.exams.get(TimePoint.BASELINE)

    @property
    def restaging(self) -> date | None:
        return self.exams.get(TimePoint.RESTAGING)

    def time_point(self, on: date) -> TimePoint | None:
        """Of which exam a value of this day speaks: by therapy, else of the nearer one."""
        if self.start is not None and on <= self.start:
            return TimePoint.BASELINE
        if self.end is not None and on >= self.end:
            return TimePoint.RESTAGING
        return min(self.exams, key=lambda one: abs(self.exams[one] - on), default=None)

    @property
    def before_therapy(self) -> tuple[date, date] | None:
        """The first and the last day of a marker that is surely one of before this therapy."""
        if self.start is not None:
            return self.start - BEFORE_THERAPY, self.start
        return None if self.baseline is None else (self.baseline - BEFORE_THERAPY, self.baseline + AFTER_BASELINE)

    def refusal(self, item: Item, day: date) -> str:
        """Why an item of this day is not one of this course, in words; '' where it counts, or where no exam is known.

        ``day``: on which the value was true; of an item that is itself a day, that day. Items of one exam are not
        judged here.
        """
        rule = _RULES.get(item)
        return rule(self, day) if rule is not None and self.exams else ""


def is_near(day: date, exams: Collection[date], within: timedelta = NEAR_COURSE) -> bool:
    """Whether a day lies at most so long before the first or after the last of these exams. There is at least one."""
    return min(exams) - within <= day <= max(exams) + within


def _pretreatment(course: Course, day: date) -> str:
    window = course.before_therapy
    if window is None:
        return "neither a baseline exam nor the day on which therapy began is known, so it may be of after therapy"
    if day > window[1]:
        return f"only what is of {window[1]} or earlier is surely of before therapy"
    return f"more than {BEFORE_THERAPY.days} days before therapy" if day < window[0] else ""


def _near(course: Course, day: date) -> str:
    exams = sorted(course.exams.values())
    if is_near(day, exams if course.end is None else [*exams, course.end]):
        return ""
    return f"more than {NEAR_COURSE.days} days from {_said(exams)}, so of another course"


def _said(exams: Sequence[date]) -> str:
    return f"the exam{'s' if len(exams) > 1 else ''} of {' and '.join(map(str, exams))}"


def _therapy(course: Course, day: date) -> str:
    if course.baseline is not None and course.baseline - day > NEAR_EXAM:
        return f"more than {NEAR_EXAM.days} days before the baseline exam of {course.baseline}, so of an earlier course"
    return _near(course, day)


def _start(course: Course, day: date) -> str:
    if course.restaging is not None and day > course.restaging:
        return f"after the restaging exam of {course.restaging}, so of a later course"
    return _therapy(course, day)


def _end(course: Course, day: date) -> str:
    if course.baseline is not None and day < course.baseline:
        return f"before the baseline exam of {course.baseline}, so of an earlier course"
    if course.start is not None and day < course.start:
        return f"before therapy began on {course.start}, so of an earlier course"
    # Measured from the exams alone: an end cannot say of itself that it is near.
    return _near(Course(course.exams), day)


def _after_therapy(course: Course, day: date) -> str:
    if course.baseline is not None and day <= course.baseline:
        return f"not after the baseline exam of {course.baseline}, so of an earlier course"
    if course.restaging is not None and day < course.restaging:
        return f"before the restaging exam of {course.restaging}, so not of after this therapy"
    if course.end is not None and day < course.end:
        return f"before therapy ended on {course.end}, so not of after this therapy"
    if course.start is not None and day <= course.start:
        return f"not after therapy began on {course.start}, so not of after this therapy"
    return _near(course, day)


def _age(course: Course, day: date) -> str:
    first = min(course.exams.values())
    return "" if is_near(day, [first], SAME_AGE) else f"more than a year from the first exam, of {first}"


_AFTER_THERAPY = (
    Item.SURGERY_DATE,
    Item.YPT_STAGE,
    Item.YPN_STAGE,
    Item.TRG_AJCC,
    Item.TRG_MANDARD,
    Item.TRG_DWORAK,
    Item.TRG_MR,
    Item.LYMPHOVASCULAR_INVASION,
    Item.PERINEURAL_INVASION,
    Item.ADJUVANT_CHEMOTHERAPY,
)
_RULES: Mapping[Item, Callable[[Course, date], str]] = {
    Item.AGE_YEARS: _age,
    Item.THERAPY: _therapy,
    Item.THERAPY_START: _start,
    Item.THERAPY_END: _end,
    **dict.fromkeys(PRETREATMENT, _pretreatment),
    **dict.fromkeys((Item.HISTOLOGY, Item.LOCATION, Item.DIFFERENTIATION), _near),  # of a biopsy, or of the specimen
    **dict.fromkeys(_AFTER_THERAPY, _after_therapy),
}
