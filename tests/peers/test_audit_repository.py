"""rsyslog as an audit record repository: what a real node audits arrives there, also what it missed meanwhile."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from node.standin import send_files
from tests.dicom_files import BASELINE, t2_axial
from tests.programs import program
from tests.running_node import NODE_TITLE, SENDER_TITLE, free_port, running_node

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]


@contextmanager
def rsyslog(folder: Path, port: int) -> Iterator[Path]:
    """rsyslogd that writes what comes, by TCP and by UDP, to the file that is given."""
    folder.mkdir(exist_ok=True)
    file = folder / "repository.txt"
    (folder / "rsyslog.conf").write_text(
        f"""\
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imtcp")
module(load="imudp")
template(name="whole" type="string" string="%syslogtag% %msgid% %msg%\\n")
input(type="imtcp" address="127.0.0.1" port="{port}")
input(type="imudp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{file}" template="whole")
"""
    )
    command = [str(program("rsyslogd", "rsyslog")), "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        yield file
    finally:
        process.terminate()
        process.wait(10)


def received(file: Path, count: int) -> list[Element]:
    """The audit messages in the repository, once there are so many."""
    deadline = time.monotonic() + 30
    while True:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) >= count:
            assert all("restage" in line and "DICOM+RFC3881" in line for line in lines)
            return [fromstring(line[line.index("<AuditMessage>") :]) for line in lines]
        assert time.monotonic() < deadline, f"{len(lines)} of {count} messages arrived"
        time.sleep(0.1)


def event_of(message: Element) -> str:
    (event,) = message.iter("EventID")
    return event.attrib["originalText"]


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_a_start_and_a_transfer_arrive_in_their_order(tmp_path: Path, scheme: str) -> None:
    port = free_port()
    (image,) = t2_axial(BASELINE, 1)
    image.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    extra = f'[audit]\nrepository = "{scheme}://127.0.0.1:{port}"\n'
    with (
        rsyslog(tmp_path / "rsyslog", port) as file,
        running_node(tmp_path / "node", extra=extra, worker=False) as node,
    ):
        received(file, 1)
        send_files([tmp_path / "image.dcm"], "127.0.0.1", node.port, called=NODE_TITLE, calling=SENDER_TITLE)
        messages = received(file, 2)
    assert [event_of(one) for one in messages][:2] == ["Application Activity", "DICOM Instances Transferred"]


def test_what_a_repository_misses_while_it_is_down_follows(tmp_path: Path) -> None:
    port = free_port()
    extra = f'[audit]\nrepository = "tcp://127.0.0.1:{port}"\n'
    with running_node(tmp_path / "node", extra=extra, worker=False) as node:
        deadline = time.monotonic() + 20
        while "audit messages wait" not in node.log:
            assert time.monotonic() < deadline, node.log
            time.sleep(0.1)
        with rsyslog(tmp_path / "rsyslog", port) as file:
            (message,) = received(file, 1)
    assert event_of(message) == "Application Activity"
