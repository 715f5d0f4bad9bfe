"""Whose exams a row has, and of which days: what their DICOM headers say against the row and against each other.

A patient of whom they disagree is refused, with the reason in ``left_out``: it shows only once the exams are read, and
one typing error must not cost the hours of preparing all others. That one exam stands in two rows shows when the cohort
is read, and nobody but its owner can say which row is wrong: that is a problem of the cohort, before anything is
prepared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from pipelines.cohort.cohort import CohortPatient
from pipelines.contract import Code, ExamFiles, TimePoint


@dataclass(frozen=True)
class Origin:
    """What an exam says of itself: its study date, and PatientID ('' where there is none)."""

    study_date: date
    patient_id: str

    @classmethod
    def of(cls, files: ExamFiles) -> Origin:
        return cls(files.study_date, files.patient.patient_id)

    def as_json(self) -> dict[str, str]:
        return asdict(self) | {"study_date": self.study_date.isoformat()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Origin:
        return cls(date.fromisoformat(said["study_date"]), str(said["patient_id"]))


def contradictions(patient: CohortPatient, origins: Mapping[TimePoint, Origin]) -> Iterator[str]:
    """Why these exams cannot be those of the row. A day or a PatientID that is not given says nothing."""
    for time_point, origin in origins.items():
        stated = patient.days.get(time_point)
        if stated is not None and stated != origin.study_date:
            yield f"{time_point}: its study date is {origin.study_date}, column '{time_point}_date' says {stated}"
    before, after = origins.get(TimePoint.BASELINE), origins.get(TimePoint.RESTAGING)
    if before is None or after is None:
        return
    # The same day is let pass: de-identified cohorts may bear one day throughout.
    if after.study_date < before.study_date:
        yield f"restaging: its study date {after.study_date} is before that of the baseline, {before.study_date}"
    if before.patient_id and after.patient_id and before.patient_id != after.patient_id:
        said = f"PatientID is '{before.patient_id}' in the baseline and '{after.patient_id}' in the restaging exam"
        yield f"{Code.PATIENTS_DIFFER}: {said}"


def given_twice(patients: Sequence[CohortPatient]) -> Iterator[str]:
    """Exams with the same files, by ``sources``, under another name: they would be in different folds.

    A patient who is excluded, as the copy of another one may be, is learnt from by nobody. A folder without files is
    no exam.
    """
    first: dict[str, tuple[int, TimePoint]] = {}
    for patient in patients:
        for time_point, source in patient.sources.items():
            if patient.excluded or not any(patient.exams[time_point].rglob("*")):
                continue
            if source in first:
                other = "row {}, column '{}'".format(*first[source])
                said = f"its files are those of {other}: one exam, given twice"
                yield f"row {patient.line}, column '{time_point}': {said}"
            first.setdefault(source, (patient.line, time_point))
