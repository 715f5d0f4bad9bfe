"""System calls of a real node fail while it receives: the sender is told, and what it sends again is kept.

strace makes them fail, thread by thread: each association meets some failures in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.conftest import SentPatient
from tests.faults.sender import Sender
from tests.programs import program
from tests.running_node import free_port, images, started, write_config

pytestmark = [pytest.mark.faults, pytest.mark.timeout(200)]

IMAGES = 30
TRIES = 3  # of a PACS that sends again what was not taken
OUT_OF_RESOURCES = "Refused: OutOfResources"  # 0xA7xx: the sender is to try again (PS3.4 Table B.2-1)
# Which calls of a thread: later than those that a start needs, and some of an association's.
FAILURES = {
    "a disk that fails to flush": "fsync:error=EIO:when=11..16",
    "a disk that fails to rename": "rename:error=EIO:when=11..16",
    "a disk without room for a file": "write:error=ENOSPC:when=11..16",
    "a disk without room for the index": "pwrite64:error=ENOSPC:when=150..155",
    "a disk that turned read-only under the index": "pwrite64:error=EROFS:when=150..155",
    "an index that fails to flush": "fdatasync:error=EIO:when=11..16",
}
# A new object's row is made again from its file where a power cut takes it: only what comes again waits for a flush.
SENT_BEFORE = {FAILURES["an index that fails to flush"]}


@pytest.fixture
def sent(patient: SentPatient) -> Sequence[Path]:
    return patient.baseline[:IMAGES]


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_the_sender_is_told_to_come_back_and_everything_is_kept_in_the_end(
    tmp_path: Path, sent: Sequence[Path], failure: str
) -> None:
    call = failure.partition(":")[0]
    under = [str(program("strace", "strace")), "--follow-forks", "--seccomp-bpf", f"--trace={call}"]
    under += [f"--inject={failure}", f"--output={tmp_path / 'trace.txt'}"]
    port = free_port()
    write_config(tmp_path, port)
    sender = Sender(port)
    with started(tmp_path, port, worker=False, under=under) as node:
        if failure in SENT_BEFORE:
            assert sender.send(sent)
            sender.acknowledged.clear()
        assert not sender.send(sent)
        assert set(sender.refusals) == {OUT_OF_RESOURCES}
        for _ in range(TRIES):
            if missing := sorted(set(sent) - sender.acknowledged):
                sender.send(missing)
        assert sender.acknowledged == set(sent)
        assert "INJECTED" in (tmp_path / "trace.txt").read_text()
        node.wait_until(lambda status: images(status) == len(sent), 60)
        assert f"whole and indexed (objects: {len(sent)}, results: 0)" in node.restage("fsck").stdout
