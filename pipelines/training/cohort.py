"""A training cohort: a folder with ``cohort.csv`` and one DICOM folder per patient and exam.

``cohort.csv`` (UTF-8, one header row) has these columns; others are ignored:

===================  ======================================================================================
``patient_id``       unique
``site``             hospital or scanner, for stratified folds; may be empty
``baseline``         folder of the baseline exam, relative to the cohort's
``restaging``        folder of the restaging exam, relative to the cohort's
``good_response``    1 for AJCC tumour regression grade 0–1, 0 for 2–3; empty where unknown
``p_good_response``  optional, simulated cohorts only: the true probability the outcome was drawn with
===================  ======================================================================================

Masks are the reader's (SEG or RTSTRUCT in the exam's folder) or, in simulated cohorts, the truth beside them in
``PATIENT/truth/{baseline,restaging}.dcm`` (SEG).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.contract import TimePoint
from pipelines.inputs.cache import folder_digest

REQUIRED = ("patient_id", "site", "baseline", "restaging", "good_response")
TRUE_PROBABILITY = "p_good_response"
_SURPLUS = "surplus cells"
OUTCOMES = {"1": True, "true": True, "0": False, "false": False}


class CohortError(Exception):
    """A cohort cannot be trained on. ``problems`` names each with its row and column; row 1 is the header."""

    def __init__(self, file: Path, problems: Sequence[str]) -> None:
        shown = "\n  ".join(problems)
        super().__init__(f"{file}: {len(problems)} problem(s)\n  {shown}")
        self.file = file
        self.problems = tuple(problems)


@dataclass(frozen=True)
class CohortPatient:
    """One row of ``cohort.csv``. ``truth`` are the files of a simulated cohort's masks, where they exist."""

    patient_id: str
    site: str
    exams: Mapping[TimePoint, Path]
    truth: Mapping[TimePoint, Path]
    good_response: bool
    true_probability: float | None = None


@dataclass(frozen=True)
class Cohort:
    """A readable cohort. ``digest``: SHA-256 of ``cohort.csv`` and of the names and bytes of all exam files."""

    folder: Path
    patients: tuple[CohortPatient, ...]
    digest: str
    skipped: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether true probabilities are known, which is so for simulated patients only."""
        return any(patient.true_probability is not None for patient in self.patients)


def read_cohort(folder: Path) -> Cohort:
    """Read and check ``cohort.csv``; patients without an outcome are left out and listed in ``skipped``.

    Raises
    ------
    CohortError
        Naming every problem with its row and column.
    """
    file = folder / "cohort.csv"
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise CohortError(file, ["the file does not exist; a cohort folder holds cohort.csv"]) from error
    except UnicodeDecodeError as error:
        raise CohortError(file, [f"is not UTF-8 ({error.reason}); save it as UTF-8"]) from error
    reader = csv.DictReader(text.splitlines(), restkey=_SURPLUS)
    missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
    if missing:
        raise CohortError(file, [f"row 1: column '{name}' is missing" for name in missing])
    rows = [(reader.line_num, row) for row in reader]
    problems = [problem for number, row in rows for problem in _row_problems(folder, number, row)]
    problems += _duplicates(rows)
    if not rows:
        problems.append("there is no patient in it")
    if problems:
        raise CohortError(file, problems)
    patients = tuple(_patient(folder, row) for _, row in rows if row["good_response"].strip())
    skipped = tuple(row["patient_id"] for _, row in rows if not row["good_response"].strip())
    for value in (False, True):
        if not any(patient.good_response is value for patient in patients):
            raise CohortError(file, [f"column 'good_response': no patient has {int(value)}; both outcomes are needed"])
    return Cohort(folder, patients, _digest(file, patients), skipped)


def _row_problems(folder: Path, number: int, row: Mapping[str, str | None]) -> Iterator[str]:
    if any(cell.strip() for cell in row.get(_SURPLUS) or ()):
        yield f"row {number}: has more cells than there are columns; a cell with a comma in it stands in quotes"
    if cut_off := [name for name in REQUIRED if row[name] is None]:
        yield from (f"row {number}, column '{name}': is missing: the row ends before it" for name in cut_off)
        return
    value = {name: (row.get(name) or "").strip() for name in (*REQUIRED, TRUE_PROBABILITY)}
    if not value["patient_id"]:
        yield f"row {number}, column 'patient_id': is empty"
    for name in ("baseline", "restaging"):
        path = (folder / value[name]).resolve()
        if not value[name]:
            yield f"row {number}, column '{name}': is empty; give the exam's folder"
        elif not path.is_relative_to(folder.resolve()):
            yield f"row {number}, column '{name}': '{value[name]}' lies outside the cohort's folder"
        elif not path.is_dir():
            yield f"row {number}, column '{name}': folder '{value[name]}' does not exist"
    if value["good_response"] and value["good_response"].lower() not in OUTCOMES:
        yield f"row {number}, column 'good_response': '{value['good_response']}' is not 1, 0 or empty"
    if value[TRUE_PROBABILITY] and not _is_probability(value[TRUE_PROBABILITY]):
        yield f"row {number}, column '{TRUE_PROBABILITY}': '{value[TRUE_PROBABILITY]}' is not between 0 and 1"


def _is_probability(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False


def _duplicates(rows: Sequence[tuple[int, Mapping[str, str | None]]]) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, row in rows:
        patient_id = (row.get("patient_id") or "").strip()
        if patient_id and patient_id in first:
            yield f"row {number}, column 'patient_id': '{patient_id}' stands in row {first[patient_id]} already"
        first.setdefault(patient_id, number)


def _patient(folder: Path, row: Mapping[str, str]) -> CohortPatient:
    exams = {time_point: folder / row[str(time_point)].strip() for time_point in TimePoint}
    truth = {time_point: exam.parent / "truth" / f"{time_point}.dcm" for time_point, exam in exams.items()}
    probability = (row.get(TRUE_PROBABILITY) or "").strip()
    return CohortPatient(
        patient_id=row["patient_id"].strip(),
        site=row["site"].strip(),
        exams=exams,
        truth={time_point: path for time_point, path in truth.items() if path.is_file()},
        good_response=OUTCOMES[row["good_response"].strip().lower()],
        true_probability=float(probability) if probability else None,
    )


def _digest(file: Path, patients: Sequence[CohortPatient]) -> str:
    digest = hashlib.sha256(file.read_bytes())
    for patient in patients:
        for time_point, exam in patient.exams.items():
            digest.update(f"{patient.patient_id}/{time_point}/{folder_digest(exam)}\n".encode())
    return digest.hexdigest()
