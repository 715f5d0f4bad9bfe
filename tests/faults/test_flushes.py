"""Success is answered only for what a power cut cannot take back: seen from the system calls of a real node.

SIGKILL does not show it, because what a killed process has written is still in the system's memory.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.conftest import SentPatient
from tests.faults.sender import Sender
from tests.faults.trace import COMMAND, durable_at_answers
from tests.programs import program
from tests.running_node import free_port, images, started, write_config

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

IMAGES = 40


def stored(folder: Path) -> set[Path]:
    return set((folder / "data" / "objects").glob("*/*.dcm"))


@pytest.mark.parametrize("fast", ["true", "false"], ids=["fast", "plain"])
def test_at_every_success_as_many_objects_are_durable_and_they_are_enough_to_go_on_with(
    tmp_path: Path, patient: SentPatient, fast: str
) -> None:
    strace = program("strace", "strace")
    paths = patient.baseline[:IMAGES]
    port, trace = free_port(), tmp_path / "trace.txt"
    write_config(tmp_path / "node", port, node=f"fast_ingest = {fast}")
    under = [str(strace), *COMMAND, f"--output={trace}"]
    with started(tmp_path / "node", port, worker=False, under=under):
        assert Sender(port).send(paths)
    answers = list(durable_at_answers(trace.read_text()))
    assert len(answers) == len(paths)
    objects = stored(tmp_path / "node")
    for number, durable in enumerate(answers, start=1):
        assert len(durable & objects) >= number

    # What a power cut at the last answer leaves, without the index: the files alone have to be enough.
    after = tmp_path / "after"
    port = free_port()
    write_config(after, port)
    for path in answers[-1] & objects:
        copy = after / path.relative_to(tmp_path / "node")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    with started(after, port, worker=False) as node:
        node.wait_until(lambda status: images(status) == len(paths), 60)
        assert node.restage("fsck").returncode == 0


@pytest.mark.parametrize(
    "order",
    [("rename", "file", "folder"), ("file", "rename"), ("file", "folder", "rename")],
    ids=["named before it is flushed", "folder not flushed", "folder flushed too early"],
)
def test_another_order_of_calls_is_not_durable(order: tuple[str, ...]) -> None:
    call = {
        "file": "7 fsync(3</d/a.part>) = 0",
        "rename": '7 rename("/d/a.part", "/d/a.dcm") = 0',
        "folder": "7 fsync(3</d>) = 0",
    }
    answer = '7 sendto(9<socket:[1]>, "\\4\\0\\0"..., 150, 0, NULL, 0) = 150'
    right = [call["file"], call["rename"], call["folder"], answer]
    assert list(durable_at_answers("\n".join(right))) == [{Path("/d/a.dcm")}]
    assert list(durable_at_answers("\n".join([*(call[one] for one in order), answer]))) == [set()]
