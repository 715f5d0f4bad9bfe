"""Patients that are sent to nodes in trouble: made once for each worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.phantom.cohort import write_patient

SEED = 910


@dataclass(frozen=True)
class SentPatient:
    """A phantom patient's files, exam by exam."""

    patient_id: str
    baseline: Sequence[Path]
    restaging: Sequence[Path]


@pytest.fixture(scope="session")
def patients(tmp_path_factory: pytest.TempPathFactory) -> tuple[SentPatient, SentPatient]:
    folder = tmp_path_factory.mktemp("patients")
    first, second = (_written(folder, number) for number in range(2))
    return first, second


@pytest.fixture(scope="session")
def patient(patients: tuple[SentPatient, SentPatient]) -> SentPatient:
    return patients[0]


def _written(folder: Path, number: int) -> SentPatient:
    name = write_patient(folder, SEED, number).patient_id
    baseline, restaging = (sorted((folder / name / exam).glob("*.dcm")) for exam in ("baseline", "restaging"))
    return SentPatient(name, baseline, restaging)
