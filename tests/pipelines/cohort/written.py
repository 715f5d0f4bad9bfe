"""A cohort folder with a table as given, and exams that are only looked at, never opened."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.contract import TimePoint


def row(name: str, **cells: str) -> dict[str, str]:
    """A patient of site A with both exams and a good response; ``cells`` add to that or replace it."""
    return {
        "patient_id": name,
        "site": "A",
        "baseline": f"{name}/baseline",
        "restaging": f"{name}/restaging",
        "good_response": "1",
    } | cells


def written(folder: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """The folder, with the columns of all rows in the order of their first mention."""
    columns = list(dict.fromkeys(column for cells in rows for column in cells))
    for cells in rows:
        exams(folder, cells["patient_id"])
    with (folder / "cohort.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def exams(folder: Path, name: str) -> None:
    """Both exams of a patient, a byte or two in each."""
    for time_point in TimePoint:
        (folder / name / time_point).mkdir(parents=True, exist_ok=True)
        (folder / name / time_point / "1.dcm").write_bytes(f"{name}{time_point}".encode())
