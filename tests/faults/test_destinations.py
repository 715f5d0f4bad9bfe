"""A destination that is down, and one that refuses: results wait or fail in sight, and nothing else is held up."""

from __future__ import annotations

from collections.abc import Iterator
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
    running_node,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

OBJECTS = 4


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, patient: SentPatient
) -> Iterator[tuple[RunningNode, int, Archive, Path]]:
    """One pair scored, for a dead destination, a refusing one and a healthy one."""
    folder = tmp_path_factory.mktemp("faults")
    refusing = Archive(folder / "refusing", "REFUSING", answer=lambda _: 0xC123)
    healthy = Archive(folder / "healthy", "HEALTHY")
    dead_port = free_port()
    destinations = [
        Destination("dead", "DEAD", dead_port),
        Destination("refusing", "REFUSING", refusing.open()),
        Destination("healthy", "HEALTHY", healthy.open()),
    ]
    extra = f"[results]\nphantom_scores = true\nretry_seconds = 1\nretry_max_seconds = 2\n{QUICK_SCORING}"
    with running_node(folder / "node", destinations, extra) as running:
        for paths in (patient.baseline, patient.restaging):
            send_files(paths, "127.0.0.1", running.port, called=NODE_TITLE, calling=SENDER_TITLE)
        assert healthy.wait_for(OBJECTS, 120), "a dead destination must not hold up the others"
        yield running, dead_port, refusing, folder
    refusing.close()
    healthy.close()


def states(status: dict, peer: str) -> set[str]:
    return {
        d["state"] for p in status["patients"] for pair in p["pairs"] for d in pair["deliveries"] if d["peer"] == peer
    }


def test_a_refusing_destination_fails_in_sight_and_retry_delivers(
    node: tuple[RunningNode, int, Archive, Path],
) -> None:
    running, _, refusing, _ = node
    status = running.wait_until(lambda s: states(s, "refusing") == {"FAILED"}, 30)
    reasons = {
        d["reason"]
        for p in status["patients"]
        for pair in p["pairs"]
        for d in pair["deliveries"]
        if d["peer"] == "refusing"
    }
    assert all("0xC123" in reason for reason in reasons)
    refusing.answer = lambda _: 0x0000
    assert running.restage("retry").returncode == 0
    assert refusing.wait_for(OBJECTS, 30)
    running.wait_until(lambda s: states(s, "refusing") == {"SENT"}, 30)


def test_results_wait_for_a_dead_destination_and_go_out_when_it_is_back(
    node: tuple[RunningNode, int, Archive, Path],
) -> None:
    running, dead_port, _, folder = node
    status = running.status()
    assert states(status, "dead") <= {"DUE", "CLAIMED"}
    back = Archive(folder / "dead", "DEAD")
    back.open(port=dead_port)
    try:
        assert back.wait_for(OBJECTS, 60)
        running.wait_until(lambda s: states(s, "dead") == {"SENT"}, 30)
        assert len({dataset.SOPInstanceUID for dataset in back.received}) == OBJECTS
    finally:
        back.close()
