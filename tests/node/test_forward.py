"""Every line of the audit trail reaches the repository, in its order, whatever that does meanwhile."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.audit import Role, activity
from node.breaker import Breaker
from node.forward import Repository, forward
from node.trail import Trail
from tests.running_node import free_port

HEADER = re.compile(r"<85>1 \S+T\S+ \S+ restage \d+ DICOM\+RFC3881 - \ufeff(?P<xml><AuditMessage>.*</AuditMessage>)")


@dataclass
class Collector:
    """A syslog receiver over TCP: reads frames of RFC 6587 until the sender is done."""

    port: int
    received: list[str] = field(default_factory=list)

    def read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            while length := b"".join(iter(lambda: file.read(1).strip(), b"")):
                found = HEADER.fullmatch(file.read(int(length)).decode())
                assert found
                self.received.append(found["xml"])


@contextmanager
def collecting(port: int) -> Iterator[Collector]:
    collector = Collector(port)
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                collector.read(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield collector
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path / "audit", "RESTAGE")


def add(trail: Trail, count: int = 1) -> None:
    for _ in range(count):
        trail.record(activity(trail.us(Role.APPLICATION, requestor=False), starts=True))


def written(trail: Trail) -> list[str]:
    assert trail.folder is not None
    return [line for path in sorted(trail.folder.glob("*.xml")) for line in path.read_text().splitlines()]


def to(trail: Trail, port: int, scheme: str = "tcp", breaker: Breaker | None = None) -> int:
    assert trail.folder is not None
    patience = breaker or Breaker("audit repository", 0.0)
    return forward(trail.folder, Repository(f"{scheme}://127.0.0.1:{port}"), patience)


def test_each_line_goes_out_once_and_new_ones_follow(trail: Trail) -> None:
    add(trail, 1200)
    with collecting(free_port()) as collector:
        assert to(trail, collector.port) == 1200
        assert to(trail, collector.port) == 0
        add(trail)
        assert to(trail, collector.port) == 1
    assert collector.received == written(trail)


def test_what_is_written_while_the_repository_is_down_follows_when_it_is_back(trail: Trail) -> None:
    port = free_port()
    add(trail, 3)
    assert to(trail, port) == 0
    with collecting(port) as collector:
        assert to(trail, port) == 3
    assert collector.received == written(trail)


def test_a_repository_that_is_down_is_not_tried_each_time(trail: Trail) -> None:
    breaker = Breaker("audit repository", 60.0)
    add(trail)
    assert to(trail, free_port(), breaker=breaker) == 0
    assert breaker.is_open
    with collecting(free_port()) as collector:
        assert to(trail, collector.port, breaker=breaker) == 0


def test_a_line_that_is_being_written_waits_until_it_is_whole(trail: Trail) -> None:
    add(trail, 2)
    assert trail.folder is not None
    (file,) = trail.folder.glob("*.xml")
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with collecting(free_port()) as collector:
        assert to(trail, collector.port) == 1
        file.write_bytes(whole)
        assert to(trail, collector.port) == 1
    assert collector.received == written(trail)


def test_the_next_month_has_a_file_of_its_own(trail: Trail) -> None:
    add(trail, 2)
    assert trail.folder is not None
    (file,) = trail.folder.glob("*.xml")
    with collecting(free_port()) as collector:
        to(trail, collector.port)
        (trail.folder / "9999-01.xml").write_bytes(file.read_bytes())
        assert to(trail, collector.port) == 2
    assert collector.received == written(trail)


def test_over_udp_each_message_is_a_datagram_and_what_is_too_long_for_one_is_left_in_the_file(trail: Trail) -> None:
    add(trail, 2)
    assert trail.folder is not None
    (file,) = trail.folder.glob("*.xml")
    file.write_bytes(b"<AuditMessage>" + b"x" * 70_000 + b"</AuditMessage>\n" + file.read_bytes())
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        assert to(trail, receiver.getsockname()[1], "udp") == 3
        received = [HEADER.fullmatch(receiver.recv(70_000).decode()) for _ in range(2)]
    assert [found and found["xml"] for found in received] == written(trail)[1:]
