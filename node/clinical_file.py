"""A table of clinical values as a hospital writes one: UTF-8 CSV, one row per patient and date, every problem named.

The text of a cell never becomes a path, a query or a formula: it is a value of its column's vocabulary, or a problem.
"""

from __future__ import annotations

import csv
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from pathlib import Path

from pipelines.clinical.dated import DatedValue, Name, Stem, named
from pipelines.clinical.items import KINDS, ClinicalUnfit, Day, Quantity, read_day, read_value
from pipelines.contract import Code, InputUnfit, Item, TimePoint

MAX_BYTES = 50 * 1000 * 1000
MAX_PROBLEMS = 50  # printed; a person mends the file and tries again
PATIENT_ID, ISSUER, DATE, EXAM = "patient_id", "issuer", "date", "exam"
KEYS = (PATIENT_ID, ISSUER, DATE, EXAM)
VALUES: Mapping[str, Name] = {str(name): name for name in (*Stem, *Item)}


@dataclass(frozen=True)
class PatientValue:
    """One value of one patient. ``issuer`` may be empty: the table does not say. ``line``: its line in the file."""

    patient_id: str
    issuer: str
    dated: DatedValue
    line: int = 0


class TableUnfit(InputUnfit):
    """A table that cannot be imported; ``problems`` has one sentence for each, with row and column."""

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = [f"  {problem}" for problem in problems[:MAX_PROBLEMS]]
        if len(problems) > MAX_PROBLEMS:
            shown.append(f"  and {len(problems) - MAX_PROBLEMS} more")
        heading = f"{file}: nothing is taken from it, because of {counted(len(problems), 'problem')}"
        super().__init__(Code.CLINICAL_UNFIT, "\n".join([heading, *shown]))


@dataclass
class _Reading:
    """What is gathered while the rows are read."""

    file: str
    today: date
    found: dict[tuple[str, str, Name, date], PatientValue] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def problem(self, line: int, column: str, what: str) -> None:
        self.problems.append(f"row {line}, column {column}: {_plain(what)}")


def read_table(path: Path, today: date) -> tuple[PatientValue, ...]:
    """The values of a table, in the order of its rows; blank cells are left out.

    Columns: ``patient_id``, ``date`` (when the values were true, ISO, not after ``today``), and, where wanted,
    ``issuer``, ``exam`` (baseline or restaging: of which exam the row speaks), and those of :class:`Item` and
    :class:`Stem`. Raises TableUnfit.
    """
    name = _plain(path.name)
    rows = csv.reader(StringIO(_text(path, name), newline=""), strict=True)
    reading = _Reading(name, today)
    try:
        columns = [cell.strip() for cell in next(rows, [])]
        reading.problems += _header_problems(columns)
        legible = {PATIENT_ID, DATE} <= set(columns) and len(set(columns)) == len(columns)
        for cells in rows:
            if legible and any(cell.strip() for cell in cells):
                _read_row(reading, rows.line_num, columns, cells)
    except csv.Error as error:
        reading.problems.append(f"row {rows.line_num}: it is no CSV: {error}")
    if reading.problems:
        raise TableUnfit(name, reading.problems)
    return tuple(reading.found.values())


def header() -> str:
    """The header line of a table with every column, those left out that name an exam."""
    return ",".join([*KEYS, *(name for name in VALUES if name not in _OF_AN_EXAM)])


def explanation() -> str:
    """What each column takes, one line each."""
    columns = [name for name in VALUES if name not in _OF_AN_EXAM]
    lines = ["One row per patient and date; a blank cell is a value that is not known."]
    lines += [f"  {column}: {_EXPLAINED[column]}" for column in KEYS]
    lines += [f"  {column}: {_explained(column)}" for column in columns]
    lines.append(f"Instead of the column exam: {', '.join(sorted(_OF_AN_EXAM))}")
    return "\n".join(lines)


_OF_AN_EXAM = {str(stem.at(time_point)) for stem in Stem for time_point in TimePoint}
_EXPLAINED = {
    PATIENT_ID: "PatientID (0010,0020), as the PACS has it",
    ISSUER: "IssuerOfPatientID (0010,0021); blank where one hospital gives all IDs",
    DATE: "YYYY-MM-DD, the day on which the row's values were true: blood draw, MRI, pathology",
    EXAM: "baseline or restaging, the exam that emvi, crm, mwt_mm, length_mm and dtav_mm speak of; blank: by the date",
}


def _explained(column: str) -> str:
    name = VALUES[column]
    kind = KINDS[name.at(TimePoint.BASELINE) if isinstance(name, Stem) else name]
    if isinstance(kind, Quantity):
        return f"a number in {kind.unit}, {kind.low:g} to {kind.high:.0f}"
    return "YYYY-MM-DD" if isinstance(kind, Day) else ", ".join(kind.allowed)


def _text(path: Path, name: str) -> str:
    """The whole file; TableUnfit where it is too large, no plain file or no UTF-8. OSError where it is not there."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise TableUnfit(name, ["it is no file"])
    if status.st_size > MAX_BYTES:
        raise TableUnfit(name, [f"it has {status.st_size} bytes; {MAX_BYTES} are allowed"])
    try:
        return path.read_bytes()[: MAX_BYTES + 1].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableUnfit(name, [f"it is not UTF-8 text (byte {error.start})"]) from error


def _header_problems(columns: Sequence[str]) -> list[str]:
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        return ["row 1: its columns are separated by semicolons or tabs; write commas"]
    known = (*KEYS, *VALUES)
    problems = [
        f"row 1, column {_plain(repr(column))}: not known here; the known ones are {', '.join(known)}"
        for column in dict.fromkeys(columns)
        if column not in known
    ]
    problems += [f"row 1, column {column}: stands there twice" for column in known if columns.count(column) > 1]
    problems += [f"row 1: has no column {column}" for column in (PATIENT_ID, DATE) if column not in columns]
    if not problems and not any(column in VALUES for column in columns):
        problems.append(f"row 1: has no column with values; the known ones are {', '.join(VALUES)}")
    return problems


def _read_row(reading: _Reading, line: int, columns: Sequence[str], cells: Sequence[str]) -> None:
    if len(cells) != len(columns):
        what = (
            f"row {line}: has {counted(len(cells), 'cell')}, the header {len(columns)}; text with commas needs quotes"
        )
        reading.problems.append(what)
        return
    row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    patient_id, issuer = (_identifier(reading, line, row, column) for column in (PATIENT_ID, ISSUER))
    on = _day(reading, line, row[DATE])
    exam = _exam(reading, line, row.get(EXAM, ""))
    values = dict(_values(reading, line, row, exam))
    start, end = values.get(Item.THERAPY_START), values.get(Item.THERAPY_END)
    if isinstance(start, date) and isinstance(end, date) and end < start:
        reading.problem(line, Item.THERAPY_END, f"is before {Item.THERAPY_START}")
    if patient_id and on is not None:
        for name, value in values.items():
            _keep(reading, PatientValue(patient_id, issuer, DatedValue(name, value, on, reading.file), line))


def _identifier(reading: _Reading, line: int, row: Mapping[str, str], column: str) -> str:
    """A PatientID or an issuer (VR LO, PS3.5 6.2): up to 64 characters, no backslash, no control character."""
    text = row.get(column, "")
    if column == PATIENT_ID and not text:
        reading.problem(line, column, "is blank")
    if len(text) > 64 or "\\" in text or not text.isprintable():
        reading.problem(line, column, "is no identifier: up to 64 characters, without backslash or control character")
        return ""
    return text


def _day(reading: _Reading, line: int, text: str) -> date | None:
    try:
        on = read_day(text)
    except ClinicalUnfit as unfit:
        reading.problem(line, DATE, str(unfit))
        return None
    if on > reading.today:
        reading.problem(line, DATE, f"{on} is in the future")
    return on


def _exam(reading: _Reading, line: int, text: str) -> TimePoint | None:
    if not text:
        return None
    try:
        return TimePoint(text.lower())
    except ValueError:
        reading.problem(line, EXAM, f"'{text}' is none of {', '.join(TimePoint)}; blank where the date says it")
        return None


def _values(
    reading: _Reading, line: int, row: Mapping[str, str], exam: TimePoint | None
) -> Iterator[tuple[Name, float | str | date]]:
    for column, text in row.items():
        if column not in VALUES or not text:
            continue
        name = VALUES[column]
        try:
            value = read_value(name.at(TimePoint.BASELINE) if isinstance(name, Stem) else name, text)
            yield named(name, exam), value
        except ClinicalUnfit as unfit:
            reading.problem(line, column, str(unfit))


def _keep(reading: _Reading, one: PatientValue) -> None:
    dated = one.dated
    key = (one.patient_id, one.issuer, dated.name, dated.on)
    before = reading.found.setdefault(key, one)
    if before.dated.value != dated.value:
        reading.problem(one.line, dated.name, f"another value than row {before.line} gives this patient and day")


def counted(number: int, what: str) -> str:
    """A number of things: "1 value", "2 values"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _plain(text: str) -> str:
    """Text from a file for a terminal: no control character, no direction mark, not longer than it need be."""
    kept = "".join(char if unicodedata.category(char)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return kept if len(kept) <= 1500 else f"{kept[:1500]}…"
