"""The wall clock of a real node is set back and forward while it works: it goes on, and nothing is done twice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from node.standin import Archive
from tests.faults.conftest import SentPatient
from tests.faults.sender import Sender
from tests.programs import program
from tests.running_node import QUICK_SCORING, Destination, free_port, images, started, write_config

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

OBJECTS = 4
HOUR = 3600
SOURCE = Path(__file__).parent / "stepped_clock.c"


@contextmanager
def stepped_clock(folder: Path, file: Path) -> Iterator[None]:
    """Processes that start in here have a wall clock ahead of the true one by the seconds written in ``file``."""
    library = folder / "stepped_clock.so"
    subprocess.run([str(program("gcc", "gcc")), "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    file.write_text("0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(library))
        patch.setenv("STEPPED_CLOCK", str(file))
        yield


def test_a_clock_that_jumps_back_and_forth_delays_and_doubles_nothing(tmp_path: Path, patient: SentPatient) -> None:
    baseline, restaging = patient.baseline, patient.restaging
    archive = Archive(tmp_path / "archive", "ARCHIVE")
    destination = Destination("archive", "ARCHIVE", archive.open())
    port, clock = free_port(), tmp_path / "clock"
    write_config(tmp_path / "node", port, [destination], f"[results]\nphantom_scores = true\n{QUICK_SCORING}")
    sender = Sender(port)
    try:
        with ExitStack() as stack:
            with stepped_clock(tmp_path, clock):
                node = stack.enter_context(started(tmp_path / "node", port))
            assert sender.send(baseline)
            clock.write_text(str(-HOUR))
            node.wait_until(lambda status: images(status) == len(baseline), 30)
            assert sender.send(restaging)
            node.wait_until(lambda status: images(status) == len(baseline) + len(restaging), 30)
            clock.write_text(str(24 * HOUR))
            assert archive.wait_for(OBJECTS, 120)
            clock.write_text(str(-HOUR))
            status = node.wait_until(_all_sent, 30)
            (pair,) = status["patients"][0]["pairs"]
            assert [job["state"] for job in pair["jobs"]] == ["DONE"]
            assert len(archive.received) == len({one.SOPInstanceUID for one in archive.received}) == OBJECTS
    finally:
        archive.close()


def _all_sent(status: dict) -> bool:
    sent = [one["state"] for p in status["patients"] for pair in p["pairs"] for one in pair["deliveries"]]
    return bool(sent) and set(sent) == {"SENT"}
