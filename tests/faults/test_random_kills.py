"""A node that is killed again and again, at moments nobody chose, loses nothing and delivers every result once.

RESTAGE_KILLS=200 and more for a long run; CI has 20 and some. The seed of the moments is printed with a failure.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import func, select

from node.app import opened
from node.config import load_config
from node.fsck import damages
from node.schema import object_table, result_table
from pipelines.phantom.cohort import choose_sites, write_patient
from pipelines.phantom.patient import draw_patient
from tests.faults.sender import Sender
from tests.peers.orthanc import TITLE, Orthanc, running_orthanc
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


def pairs(status: dict) -> list[dict]:
    return [pair for patient in status["patients"] for pair in patient["pairs"]]


def jobs(status: dict) -> list[dict]:
    return [job for pair in pairs(status) for job in pair["jobs"]]


def deliveries(status: dict) -> list[dict]:
    return [one for pair in pairs(status) for one in pair["deliveries"]]


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


def all_delivered(status: dict) -> bool:
    return (
        bool(deliveries(status))
        and all(one["state"] in ("SENT", "WITHDRAWN") for one in deliveries(status))
        and all(job["state"] not in ("READY", "CLAIMED") for job in jobs(status))
    )


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


def in_full(paths: set[Path]) -> Mapping[str, Dataset]:
    return {str(one.SOPInstanceUID): one for one in map(dcmread, paths)}


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
        assert_nothing_is_lost(ordeal)
        assert_one_current_result(ordeal, orthanc, len(patients))


def assert_nothing_is_lost(ordeal: Ordeal) -> None:
    sent = in_full(ordeal.sender.acknowledged)
    with opened(load_config(ordeal.folder / "config.toml")) as (database, store):
        assert list(damages(store)) == []
        with database.reading() as connection:
            current = connection.execute(select(object_table).where(object_table.c.current)).all()
            assert connection.execute(select(func.count()).select_from(object_table)).scalar_one() == len(current)
    kept = in_full({ordeal.folder / "data" / row.path for row in current})
    assert kept == sent


def assert_one_current_result(ordeal: Ordeal, orthanc: Orthanc, pair_count: int) -> None:
    """Of each pair the newest version is there, every object once, and nothing that no version explains."""
    with opened(load_config(ordeal.folder / "config.toml")) as (database, _), database.reading() as connection:
        made = connection.execute(select(result_table)).all()
    newest = {pair: max(row.version for row in made if row.pair_id == pair) for pair in {row.pair_id for row in made}}
    assert len(newest) == pair_count
    there = [str(one.SOPInstanceUID) for one in orthanc.datasets()]
    assert len(there) == len(set(there))
    assert set(there) <= {row.sop_uid for row in made}
    for pair, version in newest.items():
        current = {row.kind: row.sop_uid for row in made if (row.pair_id, row.version) == (pair, version)}
        assert set(current) == {"seg_baseline", "seg_restaging", "report", "summary"}
        assert set(current.values()) <= set(there)
