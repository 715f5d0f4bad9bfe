"""The audit trail, forwarded to an audit record repository by syslog: every line at least once, in its order.

PS3.15 A.6 (syslog over TLS: RFC 5425) and A.7 (over UDP: RFC 5426); over TCP as RFC 6587, section 3.4.1. The header is
RFC 5424's. How far it came is kept beside the trail: what the repository missed goes out when it is back.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from node.breaker import Breaker
from node.durable import write_durably
from node.trail import SUFFIX

log = structlog.get_logger()

SECONDS = 10.0
_PRIORITY = 10 * 8 + 5  # facility "security/authorization", severity "notice" (PS3.15 A.6)
_AT_ONCE = 500
_LONGEST_DATAGRAM = 65_507
_MARK = "forwarded"
_BOM = "\ufeff"


@dataclass(frozen=True)
class Repository:
    """Where audit messages are sent. ``context``: of TLS, for ``tls://``."""

    url: str
    context: ssl.SSLContext | None = None

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    @property
    def by_datagrams(self) -> bool:
        return self.url.startswith("udp:")


@dataclass(frozen=True)
class Mark:
    """How far the trail was forwarded: all files before this one, and so many bytes of it."""

    file: str = ""
    offset: int = 0

    @classmethod
    def read(cls, folder: Path) -> Mark:
        try:
            name, offset = (folder / _MARK).read_text().split()
            return cls(name, int(offset))
        except (FileNotFoundError, ValueError):
            return cls()  # from the beginning: twice is better than not at all

    def write(self, folder: Path) -> None:
        write_durably(folder / _MARK, f"{self.file} {self.offset}\n".encode())


def forward(folder: Path, repository: Repository, breaker: Breaker) -> int:
    """Send what is new in the trail; how many lines. Never raises for what the repository does."""
    if breaker.is_open or not folder.exists():
        return 0
    count = 0
    mark = Mark.read(folder)
    try:
        while found := _next_lines(folder, mark):
            lines, mark = found
            _send(repository, lines)
            mark.write(folder)
            count += len(lines)
    except OSError as error:
        breaker.failed(f"audit messages wait: {error}")
        return count
    if count:
        breaker.succeeded()
    return count


def _next_lines(folder: Path, mark: Mark) -> tuple[list[str], Mark] | None:
    """Whole lines after the mark, of one file, and the mark behind them."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path.name < mark.file:
            continue
        begin = mark.offset if path.name == mark.file else 0
        with path.open("rb") as file:
            file.seek(begin)
            read = [line for _, line in zip(range(_AT_ONCE), file, strict=False) if line.endswith(b"\n")]
        if read:
            lines = [line.decode(errors="replace").rstrip("\n") for line in read]
            return lines, Mark(path.name, begin + sum(map(len, read)))
    return None


def _send(repository: Repository, lines: Sequence[str]) -> None:
    """Raises OSError."""
    if repository.by_datagrams:
        _send_datagrams(repository, lines)
        return
    with _connected(repository) as connection:
        for line in lines:
            message = _framed(line)
            connection.sendall(f"{len(message)} ".encode() + message)
        _await_end(connection)


def _send_datagrams(repository: Repository, lines: Sequence[str]) -> None:
    host, port = repository.address
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as sender:
        for line in lines:
            message = _framed(line)
            if len(message) > _LONGEST_DATAGRAM:
                log.error("audit.too_long_for_udp", bytes=len(message), hint="use tcp:// or tls://; the file has it")
                continue
            sender.sendto(message, where)


@contextmanager
def _connected(repository: Repository) -> Iterator[socket.socket]:
    plain: AbstractContextManager[socket.socket] = closing(socket.create_connection(repository.address, SECONDS))
    with plain as connection:
        if repository.context is None:
            yield connection
            return
        with repository.context.wrap_socket(connection, server_hostname=repository.address[0]) as secured:
            yield secured


def _await_end(connection: socket.socket) -> None:
    """End our side and wait for the other: it has read everything then. Syslog has no answer that would say so."""
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap()
        return
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def _framed(line: str) -> bytes:
    """An RFC 5424 message: header, no structured data, the audit message in UTF-8."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return f"<{_PRIORITY}>1 {at} {socket.gethostname()} restage {os.getpid()} DICOM+RFC3881 - {_BOM}{line}".encode()
