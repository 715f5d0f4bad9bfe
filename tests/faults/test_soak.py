"""Half an hour of a busy day: two senders, three destinations of which one comes and goes; nothing is lost or grows.

RESTAGE_SOAK=30 runs it for so many minutes, and prints its figures as JSON; without it there is nothing to run.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import dcmread

from pipelines.phantom.cohort import choose_sites, write_patient
from pipelines.phantom.patient import draw_patient
from tests.faults.aftermath import all_delivered, assert_nothing_is_lost, assert_one_current_result, deliveries
from tests.faults.hostile import Holding
from tests.faults.sender import Sender
from tests.faults.storescp import storescp
from tests.peers.orthanc import TITLE, running_orthanc
from tests.running_node import QUICK_SCORING, Destination, RunningNode, free_port, started, write_config

MINUTES = float(os.environ.get("RESTAGE_SOAK", "0"))
pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600 + 120 * MINUTES),
    pytest.mark.skipif(not MINUTES, reason="RESTAGE_SOAK=30 soaks a node for 30 minutes"),
]

SEED, SITES = 916, choose_sites("A")
PACE_SECONDS = 45.0
"""From one patient of a sender to the next: two senders bring as many pairs as two cores can score."""
UP_SECONDS, DOWN_SECONDS = (20.0, 90.0), (5.0, 60.0)
MOST_MORE_MB = {"listener": 30.0, "worker": 150.0}
WARM_MINUTES = 10.0
"""Before that a worker has not met every kind of exam, and what it loads once would count as growth."""
SETTINGS = f"[results]\nphantom_scores = true\nretry_seconds = 1\nretry_max_seconds = 30\n{QUICK_SCORING}"


@dataclass
class Receiver:
    """DCMTK's storescp on a port and a folder of its own."""

    folder: Path
    port: int

    def running(self) -> AbstractContextManager[Path]:
        return storescp(self.port, (), self.folder)

    @property
    def arrived(self) -> list[str]:
        paths = (path for path in self.folder.iterdir() if path.is_file())
        return [str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths]

    def flap(self, stop: threading.Event, chance: random.Random) -> int:
        """Come and go until told to stop, and stay then; how often it went."""
        times = 0
        while not stop.is_set():
            with self.running():
                stop.wait(chance.uniform(*UP_SECONDS))
            if not stop.is_set():
                times += 1
                stop.wait(chance.uniform(*DOWN_SECONDS))
        return times


@dataclass
class Route:
    """A sender that brings one patient after another; what was not acknowledged it sends again."""

    sender: Sender
    folder: Path
    numbers: Iterator[int]
    patients: int = 0

    def bring(self, until: float) -> None:
        while time.monotonic() < until:
            begun = time.monotonic()
            row = write_patient(self.folder, SEED, next(self.numbers), sites=SITES)
            for exam in ("baseline", "restaging"):
                paths = sorted((self.folder / row.patient_id / exam).glob("*.dcm"))
                while not self.sender.send(paths):
                    time.sleep(1.0)
            self.patients += 1
            time.sleep(max(0.0, PACE_SECONDS - (time.monotonic() - begun)))


@dataclass
class Memory:
    """Resident memory of the listener and of its worker, in MB, as it was from time to time."""

    seen: dict[str, list[float]] = field(default_factory=lambda: {"listener": [], "worker": []})

    def watch(self, node: RunningNode, stop: threading.Event) -> None:
        while not stop.wait(10.0):
            with suppress(FileNotFoundError, ProcessLookupError, ValueError):
                (worker,) = node.workers
                self.seen["listener"].append(Holding.of(node.process.pid).memory_mb)
                self.seen["worker"].append(Holding.of(worker).memory_mb)

    def growth(self, name: str) -> float:
        """From the most of the second quarter to the most of the last: what is loaded once is no growth."""
        quarter = max(1, len(self.seen[name]) // 4)
        return max(self.seen[name][-quarter:]) - max(self.seen[name][quarter : 2 * quarter])


def whole_patients(start: int) -> Iterator[int]:
    """Every second patient's number, of those whose series are all there."""
    return (number for number in range(start, 100_000, 2) if not any(draw_patient(SEED, number, SITES).missing))


def test_a_busy_day_loses_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    steady, flapping = Receiver(tmp_path / "steady", free_port()), Receiver(tmp_path / "flapping", free_port())
    port, folder = free_port(), tmp_path / "node"
    stop, memory, chance = threading.Event(), Memory(), random.Random(SEED)
    with running_orthanc(tmp_path / "orthanc") as orthanc, steady.running():
        orthanc.know("RESTAGE", port)
        destinations = [
            Destination("archive", TITLE, orthanc.dicom_port, "queries = true\nstorage_commitment = true"),
            Destination("steady", "STEADY", steady.port),
            Destination("flapping", "FLAPPING", flapping.port),
        ]
        write_config(folder, port, destinations, SETTINGS)
        with started(folder, port) as node:
            routes = [Route(Sender(port), tmp_path / f"sent{one}", whole_patients(one)) for one in range(2)]
            until = time.monotonic() + 60 * MINUTES
            gone: list[int] = []
            flaps = threading.Thread(target=lambda: gone.append(flapping.flap(stop, chance)))
            threads = [threading.Thread(target=route.bring, args=(until,)) for route in routes]
            threads += [flaps, threading.Thread(target=memory.watch, args=(node, stop))]
            for thread in threads:
                thread.start()
            for thread in threads[: len(routes)]:
                thread.join()
            stop.set()
            flaps.join()
            patients = sum(route.patients for route in routes)
            drained = time.monotonic()
            with flapping.running():
                node.wait_until(lambda status: all_delivered(status) and _committed(status), 120 + 30 * patients)
            drained = time.monotonic() - drained
            arrived = [str(one.SOPInstanceUID) for one in orthanc.datasets()]
    figures = {
        "minutes": MINUTES,
        "pairs": patients,
        "objects_received": sum(len(route.sender.acknowledged) for route in routes),
        "objects_delivered": len(arrived) + len(steady.arrived) + len(flapping.arrived),
        "times_a_destination_went": gone[0],
        "seconds_until_all_was_delivered": round(drained, 1),
        "listener_mb": round(max(memory.seen["listener"]), 1),
        "listener_growth_mb": round(memory.growth("listener"), 1),
        "worker_mb": round(max(memory.seen["worker"]), 1),
        "worker_growth_mb": round(memory.growth("worker"), 1),
    }
    print(json.dumps(figures))
    assert_nothing_is_lost(folder, set().union(*(route.sender.acknowledged for route in routes)))
    for received in (arrived, steady.arrived, flapping.arrived):
        assert_one_current_result(folder, received, patients)
    if MINUTES >= WARM_MINUTES:
        assert all(memory.growth(name) < most for name, most in MOST_MORE_MB.items()), memory.seen


def _committed(status: dict) -> bool:
    return all(one["state"] == "COMMITTED" for one in deliveries(status) if one["peer"] == "archive")
