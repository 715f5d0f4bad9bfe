"""Killed without a word: what was answered with Success is still there, and a job without a worker is done again."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from node.standin import Archive, send_files
from tests.faults.conftest import SentPatient
from tests.running_node import (
    NODE_TITLE,
    QUICK_SCORING,
    SENDER_TITLE,
    Destination,
    RunningNode,
    free_port,
    images,
    running_node,
    started,
    write_config,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


def send(node: RunningNode, paths: Sequence[Path]) -> None:
    send_files(paths, "127.0.0.1", node.port, called=NODE_TITLE, calling=SENDER_TITLE)


def test_every_acknowledged_image_survives_a_kill_and_the_node_goes_on(tmp_path: Path, patient: SentPatient) -> None:
    archive = Archive(tmp_path / "archive", "ARCHIVE")
    destination = Destination("archive", "ARCHIVE", archive.open())
    port = free_port()
    write_config(tmp_path / "node", port, [destination], f"[results]\nphantom_scores = true\n{QUICK_SCORING}")
    baseline, restaging = patient.baseline, patient.restaging
    try:
        with started(tmp_path / "node", port, worker=False) as node:
            send(node, baseline)
            node.kill()
        with started(tmp_path / "node", port) as node:
            send(node, restaging)
            node.wait_until(lambda s: images(s) == len(baseline) + len(restaging), 60)
            assert archive.wait_for(4, 120)
    finally:
        archive.close()


def test_an_image_whose_index_row_was_lost_is_found_again_at_start(tmp_path: Path, patient: SentPatient) -> None:
    baseline = patient.baseline
    port = free_port()
    write_config(tmp_path / "node", port)
    with started(tmp_path / "node", port, worker=False) as node:
        send(node, baseline)
    for name in ("restage.sqlite", "restage.sqlite-wal", "restage.sqlite-shm"):
        (tmp_path / "node" / "data" / name).unlink(missing_ok=True)
    with started(tmp_path / "node", port, worker=False) as node:
        node.wait_until(lambda s: images(s) == len(baseline), 60)


def test_a_killed_worker_is_replaced_and_its_job_done_once(tmp_path: Path, patient: SentPatient) -> None:
    archive = Archive(tmp_path / "archive", "ARCHIVE")
    destination = Destination("archive", "ARCHIVE", archive.open())
    extra = f"[results]\nphantom_scores = true\n{QUICK_SCORING}lease_seconds = 4"
    try:
        with running_node(tmp_path / "node", [destination], extra) as node:
            send(node, patient.baseline)
            send(node, patient.restaging)
            node.wait_until(lambda s: _job_states(s) == ["CLAIMED"], 60)
            for pid in node.workers:
                os.kill(pid, signal.SIGKILL)
            status = node.wait_until(lambda s: _job_states(s) == ["DONE"], 120)
            assert archive.wait_for(4, 60)
            assert len({dataset.SOPInstanceUID for dataset in archive.received}) == len(archive.received) == 4
            (job,) = status["patients"][0]["pairs"][0]["jobs"]
            assert job["attempts"] == 2
    finally:
        archive.close()


def _job_states(status: dict) -> list[str]:
    return [job["state"] for p in status["patients"] for pair in p["pairs"] for job in pair["jobs"]]
