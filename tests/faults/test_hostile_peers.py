"""Peers that break every rule: nothing of the node crashes or stays behind, and honest peers notice nothing.

RESTAGE_FUZZ=10000 for a long run; CI has some hundreds of each. The seed is printed with a failure.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE

from node.association import AS_SCU
from tests.dicom_files import BASELINE, data_set, t2_axial
from tests.faults.hostile import Holding, associate_rq, files_outside, mutated, say, store_rq
from tests.raw_peer import ABORT_RQ, RELEASE_RQ
from tests.running_node import NODE_TITLE, SENDER_TITLE, RunningNode, running_node

COUNT = int(os.environ.get("RESTAGE_FUZZ", "300"))
SEED = int(os.environ.get("RESTAGE_FUZZ_SEED", "77"))
pytestmark = [pytest.mark.faults, pytest.mark.timeout(120 + COUNT // 2)]

VERIFICATION = "1.2.840.10008.1.1"
MOST_MORE_THREADS, MOST_MORE_FILES, MOST_MORE_MB = 4, 6, 40 + COUNT // 200
CLOCK_SECONDS = 3.0  # some turns of its quickest stations
HONEST_SECONDS = 5.0  # behind a flood an honest peer waits for a full backlog of connections, on a busy machine too
CALM_SECONDS = 75  # an association that says nothing more ends after network_timeout
OURS = ("config.toml", "log.txt", "data")


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast", "plain"])
def node(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningNode]:
    told = f"fast_ingest = {request.param}"
    with running_node(tmp_path_factory.mktemp("hostile") / "node", node=told, worker=False) as running:
        for _ in range(20):  # what a process loads once is no leak
            say(running.port, associate_rq(), RELEASE_RQ)
        wait_for_the_clock(running)
        yield running


def wait_for_the_clock(node: RunningNode) -> None:
    """Until its stations have had their first turns: the threads and connections that they open then stay."""
    before = None
    while (now := Holding.of(node.process.pid)).open != before:
        before = now.open
        time.sleep(CLOCK_SECONDS)


@pytest.fixture
def chance() -> random.Random:
    print(f"seed {SEED}")
    return random.Random(SEED)


@dataclass(frozen=True)
class Before:
    """What a node holds, and how long its log is, before somebody is hostile."""

    node: RunningNode
    holding: Holding
    logged: int

    @classmethod
    def of(cls, node: RunningNode) -> Before:
        return cls(node, Holding.of(node.process.pid), len(node.log))

    def left(self) -> str:
        """What should not be, in words; '' once the node is calm, answers, and has not crashed."""
        if self.node.process.poll() is not None:
            return "no node"
        if (seconds := echo_seconds(self.node)) >= HONEST_SECONDS:
            return f"an echo after {seconds:.1f} s"
        deadline = time.monotonic() + CALM_SECONDS
        while not calm(self.holding, after := Holding.of(self.node.process.pid)):
            if time.monotonic() > deadline:
                return f"{after} instead of {self.holding}"
            time.sleep(0.5)
        said = self.node.log[self.logged :]
        if "Traceback" in said or "thread.failed" in said:
            return said[-3000:]
        outside = files_outside(self.node.folder, OURS)
        return f"files outside the data folder: {outside}" if outside else ""


def calm(before: Holding, after: Holding) -> bool:
    return (
        after.threads <= before.threads + MOST_MORE_THREADS
        and after.files <= before.files + MOST_MORE_FILES
        and after.memory_mb <= before.memory_mb + MOST_MORE_MB
    )


def echo_seconds(node: RunningNode) -> float:
    """How long an honest peer waits for association and C-ECHO."""
    ae = AE(SENDER_TITLE)
    ae.add_requested_context(VERIFICATION)
    started = time.monotonic()
    association = ae.associate("127.0.0.1", node.port, ae_title=NODE_TITLE, evt_handlers=list(AS_SCU))
    assert association.is_established
    assert association.send_c_echo().Status == 0x0000
    association.release()
    return time.monotonic() - started


def test_health_checks_that_connect_and_close_leave_nothing(node: RunningNode) -> None:
    before = Before.of(node)
    for _ in range(COUNT):
        with socket.create_connection(("127.0.0.1", node.port), timeout=5):
            pass
    assert before.left() == ""


def test_mutated_streams_of_pdus_leave_nothing(node: RunningNode, chance: random.Random) -> None:
    before = Before.of(node)
    (image,) = t2_axial(BASELINE, 1)
    rests = (b"", store_rq(image.SOPInstanceUID, data_set(image)) + RELEASE_RQ, RELEASE_RQ, ABORT_RQ)
    for _ in range(COUNT):
        begin, rest = associate_rq(), chance.choice(rests)
        if rest and chance.random() < 0.7:
            say(node.port, begin, mutated(rest, chance))
        else:
            say(node.port, mutated(begin + rest, chance))
    assert before.left() == ""


def test_noise_leaves_nothing(node: RunningNode, chance: random.Random) -> None:
    before = Before.of(node)
    for _ in range(COUNT // 3):
        say(node.port, chance.randbytes(chance.randrange(1, 3000)))
    assert before.left() == ""


def test_mutated_objects_are_kept_or_refused_and_nothing_else(node: RunningNode, chance: random.Random) -> None:
    """Each is one content under one UID, over honest associations; what was taken is an object."""
    before = Before.of(node)
    images = t2_axial(BASELINE, 4)
    for _ in range(COUNT):
        image = chance.choice(images)
        content = mutated(data_set(image), chance)
        store = store_rq(image.SOPInstanceUID, content)
        answers = [answer[:1] for answer in say(node.port, associate_rq(), store, RELEASE_RQ, seconds=5.0)]
        assert answers == [b"\x02", b"\x04", b"\x06"], "accepted, answered and released, whatever the object is"
    for path in (node.folder / "data" / "objects").glob("*/*.dcm"):
        assert dcmread(path, stop_before_pixels=True).StudyInstanceUID
    assert node.restage("fsck").returncode == 0
    assert before.left() == ""


def test_peers_that_stop_in_the_middle_delay_nobody(node: RunningNode) -> None:
    """Half-open and slow: thirty connections that begin a PDU and say no more."""
    before = Before.of(node)
    with ExitStack() as stack:
        for number in range(30):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=5))
            connection.sendall(associate_rq()[: 1 + number * 5])
        assert echo_seconds(node) < HONEST_SECONDS
    assert before.left() == ""


def test_the_mutations_are_many_and_most_differ(chance: random.Random) -> None:
    streams = {mutated(associate_rq(), chance) for _ in range(200)}
    assert len(streams) > 150
    assert sum(stream != associate_rq() for stream in streams) > 150


def test_what_is_held_is_counted(tmp_path: Path) -> None:
    before = Holding.of(os.getpid())
    with (tmp_path / "file").open("w"):
        assert Holding.of(os.getpid()).files == before.files + 1
