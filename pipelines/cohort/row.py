"""One row of ``cohort.csv``, read cell by cell; what is wrong with a cell is said with its row and column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pipelines.clinical.items import ClinicalUnfit, read_day, read_value
from pipelines.cohort.cohort import CohortPatient, FollowUp
from pipelines.contract import ClinicalRecord, Item, TimePoint, Value

BASELINE_DATE, RESTAGING_DATE, FOLLOW_UP_DATE = "baseline_date", "restaging_date", "follow_up_date"
EXAM_DATES = {TimePoint.BASELINE: BASELINE_DATE, TimePoint.RESTAGING: RESTAGING_DATE}
FLAGS = {"1": True, "true": True, "0": False, "false": False}
LONGEST_MONTHS = 600.0


@dataclass
class Row:
    """A row while it is read. ``cells``: by column, stripped; a column that the table lacks is ''.

    ``problems`` grows with every cell that cannot be used, which then counts as unknown.
    """

    line: int
    cells: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def say(self, column: str, words: str) -> None:
        """Note a problem of one cell."""
        self.problems.append(f"row {self.line}, column '{column}': {words}")

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def flag(self, column: str) -> bool | None:
        """1 or 0; None where the cell is empty."""
        text = self.text(column)
        if text and text.lower() not in FLAGS:
            self.say(column, f"'{text}' is not 1, 0 or empty")
        return FLAGS.get(text.lower())

    def follow_up(self, stem: str) -> FollowUp | None:
        """``stem``_months and ``stem``_event, both or neither; months run from surgery."""
        months, event = self._months(f"{stem}_months"), self.flag(f"{stem}_event")
        given = {column: bool(self.text(column)) for column in (f"{stem}_months", f"{stem}_event")}
        for column, there in given.items():
            if not there and any(given.values()):
                (other,) = given.keys() - {column}
                self.say(column, f"is empty, but {other} is given: an event needs its time, and a time its event")
        return None if months is None or event is None else FollowUp(months, event)

    def _months(self, column: str) -> float | None:
        text = self.text(column)
        if not text:
            return None
        try:
            months = float(text)
        except ValueError:
            months = math.nan
        if months < 0:
            self.say(column, f"follow-up of {text} months ends before surgery, from which months run")
        elif not months <= LONGEST_MONTHS:
            self.say(column, f"'{text}' is not a number of months from 0 to {LONGEST_MONTHS:g}")
        else:
            return months
        return None

    def day(self, column: str) -> date | None:
        """A date that is no item of the clinical record; None where it is empty or unfit."""
        try:
            return read_day(self.text(column)) if self.text(column) else None
        except ClinicalUnfit as unfit:
            self.say(column, str(unfit))
            return None

    def record(self) -> ClinicalRecord:
        """All clinical items of the row that are given."""
        values: dict[Item, Value] = {}
        for item in Item:
            try:
                if self.text(item):
                    values[item] = read_value(item, self.text(item))
            except ClinicalUnfit as unfit:
                self.say(item, str(unfit))
        return ClinicalRecord(values, dict.fromkeys(values, f"cohort.csv, row {self.line}"))

    def exams(self, folder: Path, excluded: bool) -> dict[TimePoint, Path]:
        """The folders of the exams that there are. Only an excluded patient may lack the baseline."""
        found = {}
        for time_point in TimePoint:
            text = self.text(time_point)
            path = (folder / text).resolve()
            if not text:
                if time_point is TimePoint.BASELINE and not excluded:
                    self.say(time_point, "is empty; give the exam's folder")
            elif not path.is_relative_to(folder.resolve()):
                self.say(time_point, f"'{text}' lies outside the cohort's folder")
            elif not path.is_dir():
                self.say(time_point, f"folder '{text}' does not exist")
            else:
                found[time_point] = folder / text
        return found


def read_patient(folder: Path, row: Row) -> CohortPatient:
    """The patient of a row; what is wrong with single cells is then in ``row.problems``."""
    if not row.text("patient_id"):
        row.say("patient_id", "is empty")
    excluded = row.text("excluded")
    exams = row.exams(folder, bool(excluded))
    truth = {time_point: exam.parent / "truth" / f"{time_point}.dcm" for time_point, exam in exams.items()}
    return CohortPatient(
        line=row.line,
        patient_id=row.text("patient_id"),
        site=row.text("site"),
        exams=exams,
        truth={time_point: path for time_point, path in truth.items() if path.is_file()},
        record=row.record(),
        good_response=row.flag("good_response"),
        complete_response=row.flag("complete_response"),
        metastasis=row.follow_up("metastasis"),
        recurrence=row.follow_up("dfs"),
        excluded=excluded,
        days={time_point: day for time_point, column in EXAM_DATES.items() if (day := row.day(column)) is not None},
    )
