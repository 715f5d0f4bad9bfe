"""A cohort folder: ``cohort.csv`` and one folder of DICOM files per patient and exam.

``cohort.csv`` is UTF-8 with one header row. Its columns; others are ignored, and an empty cell means "not known":

=====================================  ================================================================================
``patient_id``                         required; unique
``site``                               required; hospital or scanner, for stratified folds; may be empty
``baseline``                           required; folder of the baseline exam, relative to the cohort's
``restaging``                          required; that of the restaging exam; empty where there is none
``excluded``                           why nobody should learn from this patient, or judge by it; empty for all others
``good_response``                      1 for AJCC tumour regression grade 0–1, 0 for 2–3
``complete_response``                  1 for ypT0 ypN0, 0 otherwise
``metastasis_months``                  from surgery to distant metastasis, or to when the patient was last known free
``metastasis_event``                   1 where the metastasis was seen, 0 where it was not (censored)
``dfs_months``, ``dfs_event``          the same for recurrence or death (disease-free survival)
``baseline_date``, ``restaging_date``  days of the exams, checked against their study dates
``follow_up_date``                     day when the patient was last seen, for checks
clinical items                         as :class:`pipelines.contract.Item` names them (``therapy``, ``surgery_date``,
                                       ``ct_stage``, ``cea_ng_ml``, ``trg_ajcc`` …); what each may say stands in
                                       :mod:`pipelines.clinical.items`
``p_*``, ``hazard_*``                  simulated cohorts: the truth (:mod:`pipelines.phantom.row`)
=====================================  ================================================================================

Flags are 1 or 0, days YYYY-MM-DD, months decimal numbers. A column ``trg…`` other than those of the four known schemes
is refused: its grades might run in the other direction. So is a name that is one of these but for spaces or capitals:
an excluded patient would be used.

Masks are the reader's (SEG or RTSTRUCT in the exam's folder) or, in simulated cohorts, the truth beside it in
``PATIENT/truth/{baseline,restaging}.dcm`` (SEG).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.clinical.items import TRG_SCHEMES
from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.contradictions import check_together
from pipelines.cohort.origin import given_twice
from pipelines.cohort.row import EXAM_DATES, FOLLOW_UP_DATE, Row, read_patient
from pipelines.contract import Item, TimePoint
from pipelines.inputs.cache import file_digest, folder_digest
from pipelines.phantom.oracle import CohortTruth, read_truth
from pipelines.phantom.row import PROBABILITY_COLUMNS

FILE = "cohort.csv"
REQUIRED = ("patient_id", "site", "baseline", "restaging")
PROBABILITIES = ("p_good_response", *PROBABILITY_COLUMNS.values())
HAZARDS = ("hazard_metastasis", "hazard_local_recurrence", "hazard_death")
TRUTH = (*PROBABILITY_COLUMNS.values(), *HAZARDS, "observed_months")
OUTCOMES = (
    *("good_response", "complete_response"),
    *("metastasis_months", "metastasis_event", "dfs_months", "dfs_event"),
)
KNOWN = frozenset(
    {*REQUIRED, "excluded", *OUTCOMES, *EXAM_DATES.values(), FOLLOW_UP_DATE, *map(str, Item), *PROBABILITIES, *TRUTH}
)
_SURPLUS = "surplus cells"


class CohortError(Exception):
    """A cohort cannot be used. ``problems`` names each with its row and column; row 1 is the header."""

    def __init__(self, file: Path, problems: Sequence[str]) -> None:
        shown = "\n  ".join(problems)
        super().__init__(f"{file}: {len(problems)} problem(s)\n  {shown}")
        self.file = file
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Table:
    """``cohort.csv`` as it was read: its columns, the patients of sound rows, and the problems of the others."""

    file: Path
    columns: tuple[str, ...]
    patients: tuple[CohortPatient, ...]
    problems: tuple[str, ...]


def read_cohort(folder: Path) -> Cohort:
    """Read and check a cohort folder; every outcome may be unknown, and is for the system to demand.

    Raises
    ------
    CohortError
        Naming every problem with its row and column.
    """
    table = read_table(folder)
    if table.problems:
        raise CohortError(table.file, table.problems)
    return whole(folder, table)


def read_table(folder: Path) -> Table:
    """Read and check ``cohort.csv``; no exam is opened. Raises CohortError where there is no table to speak of."""
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise CohortError(file, ["the file does not exist; a cohort folder holds cohort.csv"]) from error
    except UnicodeDecodeError as error:
        raise CohortError(file, [f"is not UTF-8 ({error.reason}); save it as UTF-8"]) from error
    columns, rows, problems = _rows(text)
    problems = [*problems, *_column_problems(columns)]
    if any(name not in columns for name in REQUIRED):
        raise CohortError(file, problems)
    patients = []
    read = []
    for line, cells in rows:
        row, problem = _row(line, cells, columns)
        problems += problem
        if problem:
            continue
        patient = read_patient(folder, row)
        check_together(row, patient)
        _check_truth(row)
        problems += row.problems
        read.append(patient)
        patients += [] if row.problems else [patient]
    problems += [*_duplicates(read), *_shared_folders(read)]
    if not read and not problems:
        problems.append("there is no patient in it")
    return Table(file, columns, tuple(patients), tuple(problems))


def whole(folder: Path, table: Table) -> Cohort:
    """The cohort of a table without problems; reads every exam's files, for the digest.

    Raises CohortError where the files of an exam are those of another one.
    """
    patients = tuple(replace(patient, sources=_sources(patient)) for patient in table.patients)
    if twice := list(given_twice(patients)):
        raise CohortError(table.file, twice)
    digest = hashlib.sha256(table.file.read_bytes())
    for patient in patients:
        for time_point, source in patient.sources.items():
            digest.update(f"{patient.patient_id}/{time_point}/{source}\n".encode())
    return Cohort(folder, patients, digest.hexdigest(), _truth(folder, table))


def source_digest(patient: CohortPatient, time_point: TimePoint) -> str:
    """SHA-256 of the names and bytes of an exam's files, and of its truth's mask."""
    truth = patient.truth.get(time_point)
    lines = (folder_digest(patient.exams[time_point]), file_digest(truth) if truth else "")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _sources(patient: CohortPatient) -> dict[TimePoint, str]:
    return {time_point: source_digest(patient, time_point) for time_point in patient.exams}


def _truth(folder: Path, table: Table) -> CohortTruth | None:
    return read_truth(folder) if _has_truth(table.columns) else None


def _has_truth(columns: Sequence[str]) -> bool:
    return all(name in columns for name in TRUTH)


def _column_problems(columns: Sequence[str]) -> Iterator[str]:
    yield from (f"row 1: column '{name}' is missing" for name in REQUIRED if name not in columns)
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    yield from (f"row 1: column '{name}' is there {columns.count(name)} times" for name in twice)
    known = [str(item) for item in TRG_SCHEMES]
    for name in columns:
        plain = name.strip().lower()
        if name not in KNOWN and plain in KNOWN and not plain.startswith("trg"):
            yield f"row 1: column '{name}' would be ignored: write it as '{plain}', without spaces or capitals"
        if plain.startswith("trg") and name not in known:
            yield (
                f"row 1: column '{name}' is of no known scheme of tumour regression grades, and schemes run in "
                f"different directions; the columns are {', '.join(known)}"
            )


def _rows(text: str) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str | None]]], list[str]]:
    """Column names, rows with their lines, and from which row on the text is no CSV: a quote that is never closed would
    swallow every row that follows it."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=_SURPLUS, strict=True)
    columns: tuple[str, ...] = ()
    rows: list[tuple[int, dict[str, str | None]]] = []
    begun = 1
    try:
        columns = tuple(reader.fieldnames or ())
        begun = reader.line_num + 1
        for cells in reader:
            rows.append((reader.line_num, cells))
            begun = reader.line_num + 1
    except csv.Error as error:
        said = f"the quotes do not match ({error}); from here on no row was read"
        return columns, rows, [f"row {begun}: {said}"]
    return columns, rows, []


def _row(line: int, cells: dict[str, str | None], columns: Sequence[str]) -> tuple[Row, list[str]]:
    """The row with stripped cells, and what is wrong with it as a whole."""
    problems = []
    surplus = cells.get(_SURPLUS) or ()
    if any(cell.strip() for cell in surplus):
        said = "has more cells than there are columns; a cell with a comma in it stands in quotes"
        problems.append(f"row {line}: {said}")
    for name in REQUIRED:
        if cells[name] is None:
            problems.append(f"row {line}, column '{name}': is missing: the row ends before it")
    return Row(line, {name: (cells[name] or "").strip() for name in columns}), problems


def _check_truth(row: Row) -> None:
    """Probabilities lie between 0 and 1; hazards and months are not negative. All or none of a row's are there."""
    demanded = _has_truth(tuple(row.cells))
    for column in (*PROBABILITIES, *HAZARDS, "observed_months"):
        text = row.text(column)
        if not text:
            if demanded and column in TRUTH:
                row.say(column, "is empty; in a simulated cohort the truth of every patient is known")
        elif not _in_range(text, 1.0 if column in PROBABILITIES else 1e6):
            row.say(column, f"'{text}' is not {'between 0 and 1' if column in PROBABILITIES else 'a positive number'}")


def _in_range(text: str, high: float) -> bool:
    try:
        return 0.0 <= float(text) <= high
    except ValueError:
        return False


def _duplicates(patients: Sequence[CohortPatient]) -> Iterator[str]:
    first: dict[str, int] = {}
    for patient in patients:
        name = patient.patient_id
        if name and name in first:
            yield f"row {patient.line}, column 'patient_id': '{name}' stands in row {first[name]} already"
        first.setdefault(name, patient.line)


def _shared_folders(patients: Sequence[CohortPatient]) -> Iterator[str]:
    """An exam that is given twice would be two exams, or two patients, in different folds."""
    given = [
        (path.resolve(), patient.line, time_point) for patient in patients for time_point, path in patient.exams.items()
    ]
    first: dict[Path, tuple[int, TimePoint]] = {}
    for path, line, time_point in given:
        if path in first:
            other = "row {}, column '{}'".format(*first[path])
            yield f"row {line}, column '{time_point}': the folder is that of {other}: one exam, given twice"
        first.setdefault(path, (line, time_point))
    for path, line, time_point in given:
        inner = next((first[parent] for parent in path.parents if parent in first), None)
        if inner is not None:
            other = "row {}, column '{}'".format(*inner)
            yield f"row {line}, column '{time_point}': the folder lies inside that of {other}: one exam, given twice"
