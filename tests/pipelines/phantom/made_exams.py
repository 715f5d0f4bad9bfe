"""One complete patient of each site, simulated once and written once for all tests of the phantom's files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pydicom

from pipelines.contract import TimePoint
from pipelines.phantom.cohort import SimulatedPatient, simulate_patient
from pipelines.phantom.dicom import write_exam
from pipelines.phantom.patient import draw_patient
from pipelines.phantom.site import SITES
from pipelines.phantom.truth import write_truth

SEED = 41


@cache
def patient_of(site: str, parity: int | None = None) -> SimulatedPatient:
    """The first patient of a site who lacks no series; ``parity``: with an even (0) or odd (1) index."""
    for index in range(400):
        patient = draw_patient(SEED, index)
        if patient.site.name == site and not any(patient.missing) and parity in (None, index % 2):
            return simulate_patient(SEED, index)
    raise AssertionError(f"no complete patient of site {site}")


def written(folder: Path, simulated: SimulatedPatient) -> Path:
    """Both exams and their truth, as folders baseline, restaging and truth."""
    for time_point, exam in zip(TimePoint, simulated.exams, strict=True):
        write_exam(folder / time_point, simulated.patient, time_point, exam)
        write_truth(folder / "truth", simulated.patient, time_point, exam)
    return folder


def one_of_each_site(folder: Path) -> Mapping[str, Path]:
    return {site.name: written(folder / site.name, patient_of(site.name)) for site in SITES}


def series(folder: Path) -> dict[str, list[pydicom.Dataset]]:
    """The files of an exam by their series description, in the order of their instance numbers."""
    found: dict[str, list[pydicom.Dataset]] = {}
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        found.setdefault(str(dataset.SeriesDescription), []).append(dataset)
    return found
