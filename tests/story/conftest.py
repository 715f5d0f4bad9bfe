"""One running node with one archive for the stories of a folder: each story has a patient of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from node.standin import Archive, send_files
from pipelines.phantom.cohort import choose_sites, write_patient
from pipelines.phantom.patient import draw_patient
from tests.running_node import NODE_TITLE, QUICK_SCORING, SENDER_TITLE, Destination, RunningNode, running_node

SEED, SITES = 909, choose_sites("A")
RESULT_SECONDS = 120


@dataclass(frozen=True)
class Story:
    """A node at work, and the archive that it sends to."""

    node: RunningNode
    archive: Archive
    folder: Path

    def patient(self, number: int) -> Path:
        """A phantom patient's folder, with ``baseline`` and ``restaging`` in it, no sequence missing."""
        tried = range(100 * number, 100 * number + 100)
        index = next(index for index in tried if not any(draw_patient(SEED, index, SITES).missing))
        row = write_patient(self.folder, SEED, index, sites=SITES)
        return self.folder / row.patient_id

    def send(self, paths: Sequence[Path]) -> None:
        send_files(paths, "127.0.0.1", self.node.port, called=NODE_TITLE, calling=SENDER_TITLE)

    def about(self, patient_id: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
        """Finds one patient in a status."""
        return lambda status: next((p for p in status["patients"] if p["patient_id"] == patient_id), None)

    def when(self, patient_id: str, reached: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The patient's status once ``reached`` holds for it."""
        find = self.about(patient_id)

        def holds(status: dict[str, Any]) -> bool:
            patient = find(status)
            return patient is not None and bool(reached(patient))

        found = find(self.node.wait_until(holds, RESULT_SECONDS))
        assert found is not None
        return found

    def results_of(self, patient_id: str) -> list[Dataset]:
        return [dataset for dataset in self.archive.received if dataset.PatientID == patient_id]


@contextmanager
def told(folder: Path, more: str = QUICK_SCORING) -> Iterator[Story]:
    """A story in a folder of its own; ``more``: further settings of the node."""
    archive = Archive(folder / "archive", "ARCHIVE")
    destination = Destination("archive", "ARCHIVE", archive.open())
    extra = f"[results]\nphantom_scores = true\nretry_seconds = 1\n{more}"
    try:
        with running_node(folder / "node", [destination], extra) as node:
            yield Story(node, archive, folder / "patients")
    finally:
        archive.close()


@pytest.fixture(scope="package")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with told(tmp_path_factory.mktemp("story")) as one:
        yield one


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))


def edited(paths: Sequence[Path], out: Path, change: Callable[[Dataset], None]) -> list[Path]:
    """Copies of some files with a change made to each dataset."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for path in paths:
        dataset = dcmread(path)
        change(dataset)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(out / path.name, enforce_file_format=True)
        written.append(out / path.name)
    return written


def all_sent(version: int) -> Callable[[dict[str, Any]], bool]:
    """Whether every object of a version of the patient's pairs has arrived."""

    def reached(patient: dict[str, Any]) -> bool:
        sent = [one for pair in patient["pairs"] for one in pair["deliveries"] if one["version"] == version]
        return bool(sent) and all(one["state"] == "SENT" for one in sent)

    return reached


def in_state(state: str) -> Callable[[dict[str, Any]], bool]:
    """Whether one of the patient's pairs is in this state."""
    return lambda patient: any(pair["state"] == state for pair in patient["pairs"])


def exam_in_state(state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda patient: any(exam["state"] == state for exam in patient["exams"])
