"""Values with the day on which each was true, and which of them count for one pair of exams.

A value of an exam counts for the exam that it names or lies near; markers and clinical stages before therapy; the rest
by the newest. Nothing is used silently for another time than its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from pipelines.clinical.items import ClinicalUnfit
from pipelines.clinical.phrase import phrase, written
from pipelines.contract import CaseFiles, ClinicalRecord, Code, Item, Statement, TimePoint, Value

NEAR_EXAM = timedelta(days=90)
AFTER_BASELINE = timedelta(days=14)  # a marker drawn so soon after the baseline exam is still one of before therapy
BEFORE_THERAPY = timedelta(days=180)  # an older marker or stage belongs to another course of the illness
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
PRETREATMENT = frozenset({Item.CEA, Item.CA19_9, Item.CT_STAGE, Item.CN_STAGE})
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


@dataclass(frozen=True)
class Resolved:
    """A record, and what could not be used for it."""

    record: ClinicalRecord
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Course:
    """The days that order a course of therapy, as far as they are known."""

    exams: Mapping[TimePoint, date]
    start: date | None = None
    end: date | None = None

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
        baseline = self.exams.get(TimePoint.BASELINE)
        if self.start is not None:
            return self.start - BEFORE_THERAPY, self.start
        return None if baseline is None else (baseline - BEFORE_THERAPY, baseline + AFTER_BASELINE)


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
    they are more than 180 days older; everything else counts by its newest value. What an item has, and none of it
    counts, is stated (CLINICAL_UNFIT).
    """
    values = list(values)
    exams = {TimePoint.BASELINE: baseline, TimePoint.RESTAGING: restaging}
    known = {time_point: on for time_point, on in exams.items() if on is not None}
    days = therapy_days(values)
    course = Course(known, days.day(Item.THERAPY_START), days.day(Item.THERAPY_END))
    return _resolved(values, course)


def with_record(case: CaseFiles, values: Iterable[DatedValue]) -> CaseFiles:
    """The case with what of its patient's values counts for its exams."""
    before, after = (None if exam is None else exam.study_date for exam in (case.baseline, case.restaging))
    resolved = record_of(values, before, after)
    return replace(case, record=resolved.record, stated=resolved.statements)


def therapy_days(values: Iterable[DatedValue]) -> ClinicalRecord:
    """When therapy began and ended: those two items alone."""
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


def _resolved(values: Sequence[DatedValue], course: Course) -> Resolved:
    ranked: dict[Item, list[tuple[tuple[int, int], DatedValue]]] = {}
    unused: dict[Item, DatedValue] = {}
    for one in sorted(values, key=lambda one: (one.on, str(one.name), written(one.value), one.source)):
        item = _item(one, course)
        if item is None:
            continue
        rank = _rank(item, one.on, course)
        if rank is None:
            unused[item] = one  # the newest of them
        else:
            ranked.setdefault(item, []).append((rank, one))
    chosen: dict[Item, DatedValue] = {}
    statements = [_unused(item, one, course) for item, one in unused.items() if item not in ranked]
    for item, found in ranked.items():
        best = min(rank for rank, _ in found)
        equals = [one for rank, one in found if rank == best]
        value = finest([one.value for one in equals])
        if value is None:
            statements.append(_conflict(item, equals))
        else:
            chosen[item] = next(one for one in equals if one.value == value)
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


def _rank(item: Item, on: date, course: Course) -> tuple[int, int] | None:
    """Which value of an item goes first (the lowest); None where one of this day does not count."""
    if item in TIME_POINT_OF:
        distance = abs(course.exams[TIME_POINT_OF[item]] - on)
        return (distance.days, -on.toordinal()) if distance <= NEAR_EXAM else None
    if item in PRETREATMENT:
        window = course.before_therapy
        if window is None or not window[0] <= on <= window[1]:
            return None
    return (0, -on.toordinal())


def _unused(item: Item, one: DatedValue, course: Course) -> Statement:
    window = course.before_therapy
    if item in TIME_POINT_OF:
        time_point = TIME_POINT_OF[item]
        why = f"more than {NEAR_EXAM.days} days from the {time_point} exam of {course.exams[time_point]}"
    elif window is None:
        why = "neither a baseline exam nor the day on which therapy began is known, so it may be of after therapy"
    elif one.on > window[1]:
        why = f"only what is of {window[1]} or earlier is surely of before therapy"
    else:
        why = f"more than {BEFORE_THERAPY.days} days before therapy"
    reason = f"{phrase(item, one.value)} {one.origin}: not used, {why}"
    return Statement(Code.CLINICAL_UNFIT, f"{SUBJECT}: {item}", reason, warning=True)


def _conflict(item: Item, equals: Sequence[DatedValue]) -> Statement:
    said = " and ".join(sorted({f"{phrase(item, one.value)} {one.origin}" for one in equals}))
    return Statement(Code.CLINICAL_CONFLICT, f"{SUBJECT}: {item}", f"{said} contradict each other; neither is used")
