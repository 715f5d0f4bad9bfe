"""A study that ends every worker that touches it: it waits for a person, in sight, and everybody else is scored."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.jobs import MAX_ATTEMPTS
from tests.faults.conftest import SentPatient
from tests.faults.sender import Sender
from tests.running_node import QUICK_SCORING, RunningNode, running_node

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def jobs_of(status: dict[str, Any], patient: SentPatient) -> list[dict[str, Any]]:
    theirs = [one for one in status["patients"] if one["patient_id"] == patient.patient_id]
    return [job for one in theirs for pair in one["pairs"] for job in pair["jobs"]]


def has(patient: SentPatient, state: str, attempts: int) -> Callable[[dict[str, Any]], object]:
    wanted = (state, attempts)
    return lambda status: wanted in [(job["state"], job["attempts"]) for job in jobs_of(status, patient)]


def kill_worker(node: RunningNode) -> None:
    (worker,) = node.workers
    os.kill(worker, signal.SIGKILL)


def test_it_is_tried_a_few_times_and_others_are_scored_meanwhile(
    tmp_path: Path, patients: tuple[SentPatient, SentPatient]
) -> None:
    poison, other = patients
    with running_node(tmp_path, extra=f"{QUICK_SCORING}lease_seconds = 3") as node:
        sender = Sender(node.port)
        assert sender.send([*poison.baseline, *poison.restaging, *other.baseline, *other.restaging])
        for attempt in range(1, MAX_ATTEMPTS + 1):
            node.wait_until(has(poison, "CLAIMED", attempt), 60)
            kill_worker(node)
        node.wait_until(has(poison, "FAILED", MAX_ATTEMPTS), 60)
        status = node.wait_until(has(other, "DONE", 1), 60)
        (job,) = jobs_of(status, poison)
        assert f"its worker ended {MAX_ATTEMPTS} times" in job["reason"] and "restage retry" in job["reason"]
        assert node.log.count("worker.ended") == MAX_ATTEMPTS
        assert "FAILED" in node.restage("status").stdout
