"""Values with the day on which each was true, and which of them count for one pair of exams.

A value of an exam counts for the exam that it names or lies near; markers and clinical stages before therapy; therapy,
pathology and the like within the course of these exams. Nothing is used silently for another time than its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from pipelines.clinical.course import NEAR_EXAM, Course
from pipelines.clinical.items import ClinicalUnfit
from pipelines.clinical.phrase import phrase, written
from pipelines.contract import CaseFiles, ClinicalRecord, Code, Item, Statement, TimePoint, Value

SUBJECT = "clinical record"


class Stem(StrEnum):
    """What an exam shows, where a table leaves it to the date of which exam it speaks."""

    EMVI = "emvi"
    CRM = "crm"
    MWT = "mwt_mm"
    LENGTH = "length_mm"
    DTAV = "dtav_mm"

    def at(self, time_point: TimePoint) -> Item:
        """The item of this exam: ``mwt_mm`` at baseline is ``mwt_baseline_mm``."""
        name, *unit = self.split("_")
        return Item("_".join((name, time_point, *unit)))


Name = Item | Stem
TIME_POINT_OF: Mapping[Item, TimePoint] = {stem.at(one): one for stem in Stem for one in TimePoint}
NEAREST_FIRST = frozenset({Item.AGE_YEARS, *TIME_POINT_OF})  # the others: the newest first
_STAGE = re.compile(r"(c|yp)[TN]\d")


@dataclass(frozen=True)
class DatedValue:
    """One value, true on a day, from a table. Its ``name`` is a stem where the table does not say of which exam."""

    name: Name
    value: Value
    on: date
    source: str

    @property
    def origin(self) -> str:
        """Where it comes from: "of 2026-03-02, imported from labs.csv"."""
        return f"of {self.on}, imported from {self.source}"

    @property
    def day(self) -> date:
        """The day that a course has or has not: of a value that is itself a day, that day."""
        return self.value if isinstance(self.value, date) else self.on


@dataclass(frozen=True)
class Resolved:
    """A record, and what could not be used for it."""

    record: ClinicalRecord
    statements: tuple[Statement, ...] = ()


def named(column: Name, exam: TimePoint | None) -> Name:
    """What a column speaks of in a row that may name its exam.

    Raises ClinicalUnfit where the column and the row name different exams.
    """
    if exam is None:
        return column
    if isinstance(column, Stem):
        return column.at(exam)
    if TIME_POINT_OF.get(column, exam) is not exam:
        raise ClinicalUnfit(f"stands in a row of the {exam} exam")
    return column


def record_of(values: Iterable[DatedValue], baseline: date | None, restaging: date | None) -> Resolved:
    """What is known for these exams. An item with two values of one day has none (CLINICAL_CONFLICT).

    A value of an exam counts where it lies at most 90 days from it, the nearest first. CEA, CA 19-9, cT and cN count up
    to the day on which therapy began or, where that is not known, up to 14 days after the baseline exam, and not where
    they are more than 180 days older. An age counts within a year of the first exam, the nearest first. The rest counts
    by its newest value within the course of these exams (:meth:`pipelines.clinical.course.Course.refusal`); sex always.
    Of an item's values that do not count the newest is stated (CLINICAL_UNFIT); where another one counts, only if that
    is older, and not of what goes by the nearest.
    """
    values = list(values)
    exams = {TimePoint.BASELINE: baseline, TimePoint.RESTAGING: restaging}
    return _resolved(values, _course(values, {one: on for one, on in exams.items() if on is not None}))


def with_record(case: CaseFiles, values: Iterable[DatedValue]) -> CaseFiles:
    """The case with what of its patient's values counts for its exams."""
    before, after = (None if exam is None else exam.study_date for exam in (case.baseline, case.restaging))
    resolved = record_of(values, before, after)
    return replace(case, record=resolved.record, stated=resolved.statements)


def therapy_days(values: Iterable[DatedValue]) -> ClinicalRecord:
    """When therapy began and ended, by the newest values of all: whose exams they are near is not asked."""
    days = [one for one in values if one.name in (Item.THERAPY_START, Item.THERAPY_END)]
    return _resolved(days, Course({})).record


def finest(values: Collection[Value]) -> Value | None:
    """The value that all of them give, the finest of them: cT3b refines cT3, 11.2 refines 11. None: they contradict."""
    best = max(values, key=lambda value: len(written(value)))
    return best if all(_refines(best, one) for one in values) else None


def _refines(fine: Value, coarse: Value) -> bool:
    if isinstance(fine, float) and isinstance(coarse, float):
        return fine == coarse or (coarse.is_integer() and not fine.is_integer() and abs(fine - coarse) <= 0.5)
    if isinstance(fine, str) and isinstance(coarse, str) and _STAGE.fullmatch(coarse):
        return fine.startswith(coarse)
    return fine == coarse


def _course(values: Collection[DatedValue], exams: Mapping[TimePoint, date]) -> Course:
    """The course of these exams: when therapy began decides when it can have ended."""
    course = Course(exams)
    starts, ends = ([one for one in values if one.name is item] for item in (Item.THERAPY_START, Item.THERAPY_END))
    course = replace(course, start=_resolved(starts, course).record.day(Item.THERAPY_START))
    return replace(course, end=_resolved(ends, course).record.day(Item.THERAPY_END))


def _resolved(values: Iterable[DatedValue], course: Course) -> Resolved:
    found: dict[Item, list[DatedValue]] = {}
    unused: dict[Item, tuple[DatedValue, str]] = {}
    for one in sorted(values, key=lambda one: (one.on, str(one.name), written(one.value), one.source)):
        item = _item(one, course)
        if item is None:
            continue
        if why := _refusal(item, one, course):
            unused[item] = one, why  # the newest of them
        else:
            found.setdefault(item, []).append(one)
    chosen: dict[Item, DatedValue] = {}
    statements = []
    for item, ones in found.items():
        best = min(_rank(item, one.on, course) for one in ones)
        equals = [one for one in ones if _rank(item, one.on, course) == best]
        value = finest([one.value for one in equals])
        if value is None:
            statements.append(_conflict(item, equals))
        else:
            chosen[item] = next(one for one in equals if one.value == value)
    for item, (one, why) in unused.items():
        if item not in found or (item not in NEAREST_FIRST and one.on > max(other.on for other in found[item])):
            statements.append(_unused(item, one, why))
    order = [item for item in Item if item in chosen]
    record = ClinicalRecord(
        values={item: chosen[item].value for item in order},
        origins={item: f"{phrase(item, chosen[item].value)} {chosen[item].origin}" for item in order},
        dates={item: chosen[item].on for item in order},
    )
    return Resolved(record, tuple(sorted(statements, key=lambda statement: statement.reason)))


def _item(one: DatedValue, course: Course) -> Item | None:
    """The item that a value would be of; None where its exam is not here, or none lies near it."""
    if not isinstance(one.name, Stem):
        return one.name if TIME_POINT_OF.get(one.name) in (None, *course.exams) else None
    time_point = course.time_point(one.on)
    if time_point is None or time_point not in course.exams or abs(course.exams[time_point] - one.on) > NEAR_EXAM:
        return None
    return one.name.at(time_point)


def _refusal(item: Item, one: DatedValue, course: Course) -> str:
    """Why a value does not count for these exams; '' where it does."""
    time_point = TIME_POINT_OF.get(item)
    if time_point is None:
        return course.refusal(item, one.day)
    exam = course.exams[time_point]
    return (
        f"more than {NEAR_EXAM.days} days from the {time_point} exam of {exam}"
        if abs(exam - one.on) > NEAR_EXAM
        else ""
    )


def _rank(item: Item, on: date, course: Course) -> tuple[int, int]:
    """Which value of an item goes first (the lowest): the nearest to its exam, or the newest."""
    exam = course.exams.get(TIME_POINT_OF[item]) if item in TIME_POINT_OF else None
    if item is Item.AGE_YEARS:
        exam = min(course.exams.values(), default=None)
    return (0 if exam is None else abs(exam - on).days, -on.toordinal())


def _unused(item: Item, one: DatedValue, why: str) -> Statement:
    reason = f"{phrase(item, one.value)} {one.origin}: not used, {why}"
    return Statement(Code.CLINICAL_UNFIT, f"{SUBJECT}: {item}", reason, warning=True)


def _conflict(item: Item, equals: Sequence[DatedValue]) -> Statement:
    said = " and ".join(sorted({f"{phrase(item, one.value)} {one.origin}" for one in equals}))
    return Statement(Code.CLINICAL_CONFLICT, f"{SUBJECT}: {item}", f"{said} contradict each other; neither is used")
