"""A cohort: patients with exams, clinical records and outcomes, as ``cohort.csv`` lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import ClinicalRecord, TimePoint
from pipelines.phantom.oracle import CohortTruth


@dataclass(frozen=True)
class FollowUp:
    """Months from surgery to the event, or to when the patient was last known free of it (``event`` False)."""

    months: float
    event: bool


@dataclass(frozen=True)
class CohortPatient:
    """One row of ``cohort.csv``. ``line``: its line in the file, the header being line 1.

    ``exams``: folders, those there are. ``truth``: mask files of a simulated patient. An outcome is None where it is
    not known. ``excluded``: why its owner leaves this patient out, or ''. ``days``: of the exams, where the row gives
    them. ``sources``: SHA-256 of each exam's files and its truth, as they were when the cohort was read.
    """

    line: int
    patient_id: str
    site: str
    exams: Mapping[TimePoint, Path]
    truth: Mapping[TimePoint, Path]
    record: ClinicalRecord
    good_response: bool | None = None
    complete_response: bool | None = None
    metastasis: FollowUp | None = None
    recurrence: FollowUp | None = None
    excluded: str = ""
    days: Mapping[TimePoint, date] = field(default_factory=dict)
    sources: Mapping[TimePoint, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """All patients of a cohort folder, those excluded too, in the order of the file.

    ``digest``: SHA-256 of ``cohort.csv`` and of the names and bytes of all exam and truth files. ``truth``: the true
    probabilities and hazards of a simulated cohort, its rows those of ``patients``.
    """

    folder: Path
    patients: tuple[CohortPatient, ...]
    digest: str
    truth: CohortTruth | None = None

    @property
    def simulated(self) -> bool:
        """Whether any patient is simulated: the true probabilities are known, or planted masks lie beside an exam."""
        return self.truth is not None or any(patient.truth for patient in self.patients)

    def places(self, patients: Iterable[CohortPatient]) -> NDArray[np.intp]:
        """The rows of these patients among all, as ``truth`` has them."""
        place = {patient.patient_id: row for row, patient in enumerate(self.patients)}
        return np.array([place[patient.patient_id] for patient in patients], dtype=np.intp)
