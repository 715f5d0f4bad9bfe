"""A node that is killed again and again, at moments nobody chose, loses nothing and delivers every result once.

RESTAGE_KILLS=200 and more for a long run; CI has 20 and some. The seed of the moments is printed with a failure.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.phantom.cohort import choose_sites, write_patient
from pipelines.phantom.patient import draw_patient
from tests.faults.aftermath import all_delivered, assert_nothing_is_lost, assert_one_current_result, deliveries, jobs
from tests.faults.sender import Sender
from tests.peers.orthanc import TITLE, running_orthanc
from tests.running_node import QUICK_SCORING, Destination, RunningNode, free_port, started, write_config

pytestmark = [pytest.mark.faults]

KILLS = int(os.environ.get("RESTAGE_KILLS", "20"))
SEED = int(os.environ.get("RESTAGE_KILL_SEED", "4127"))
PHANTOMS, SITES = 913, choose_sites("A")
SETTINGS = (
    f"[results]\nphantom_scores = true\nretry_seconds = 1\nretry_max_seconds = 5\n{QUICK_SCORING}lease_seconds = 3\n"
)


@dataclass
class Ordeal:
    """A node, its sender and its destination, and how often it was killed so far."""

    folder: Path
    port: int
    sender: Sender
    moments: random.Random
    kills: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def killed(self, phase: str) -> Iterator[RunningNode]:
        """A node that runs, with its worker, and at the end of the block is killed with it, as by a power cut."""
        with started(self.folder, self.port) as node:
            yield node
            node.kill()
        self.kills[phase] = self.kills.get(phase, 0) + 1

    def wait(self, longest: float) -> None:
        time.sleep(self.moments.uniform(0.0, longest))

    def in_the_middle_of_sending(self, paths: list[Path]) -> None:
        with self.killed("ingest"):
            sending = self.sender.sending(paths)
            self.wait(1.5)
        sending.join()

    def once(self, phase: str, reached: Callable[[dict], object], longest: float) -> None:
        """Kill some time after the node has reached a state."""
        with self.killed(phase) as node:
            node.wait_until(reached, 90)
            self.wait(longest)


def in_its_turn(name: str) -> Callable[[dict], object]:
    """Whether this patient's exams are being scored, or have been."""

    def reached(status: dict) -> bool:
        states = [
            job["state"]
            for patient in status["patients"]
            if patient["patient_id"] == name
            for pair in patient["pairs"]
            for job in pair["jobs"]
        ]
        return bool({"CLAIMED", "DONE"} & set(states))

    return reached


def torment(ordeal: Ordeal, patient: Path) -> None:
    """One patient's exams through a node that is killed at every station; what was not acknowledged is sent again."""
    exams = [sorted((patient / name).glob("*.dcm")) for name in ("baseline", "restaging")]
    for paths in exams:
        ordeal.in_the_middle_of_sending(paths)
        with ordeal.killed("settle"):
            assert ordeal.sender.send(paths)
            ordeal.wait(5.0)
    name = patient.name
    ordeal.once("work", in_its_turn(name), 15.0)
    ordeal.once("work", in_its_turn(name), 25.0)
    ordeal.once("send", deliveries, 0.3)


@pytest.mark.timeout(120 + 60 * KILLS)
def test_nothing_acknowledged_is_lost_and_every_pair_has_one_current_result(tmp_path: Path) -> None:
    patients: list[Path] = []
    print(f"moments by seed {SEED}")
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        port = free_port()
        write_config(tmp_path / "node", port, [Destination("archive", TITLE, orthanc.dicom_port)], SETTINGS)
        ordeal = Ordeal(tmp_path / "node", port, Sender(port), random.Random(SEED))
        whole = (index for index in range(100 * KILLS) if not any(draw_patient(PHANTOMS, index, SITES).missing))
        while sum(ordeal.kills.values()) < KILLS:
            row = write_patient(tmp_path / "patients", PHANTOMS, next(whole), sites=SITES)
            patients.append(tmp_path / "patients" / row.patient_id)
            torment(ordeal, patients[-1])
        with started(ordeal.folder, ordeal.port) as node:
            node.wait_until(lambda status: not any(job["state"] == "CLAIMED" for job in jobs(status)), 120)
            node.restage("retry")  # a job whose worker died three times waits for a person
            node.wait_until(all_delivered, 90 * len(patients) + 60)
        print(f"killed: {ordeal.kills}")
        assert_nothing_is_lost(ordeal.folder, ordeal.sender.acknowledged)
        arrived = [str(one.SOPInstanceUID) for one in orthanc.datasets()]
        assert_one_current_result(ordeal.folder, arrived, len(patients))
