"""PDUs straight from a socket: read into one buffer that is used again and again, and taken apart where they lie.

Source: PS3.8 9.3.1 (every PDU begins with its type, a reserved byte and its length). The socket may be a TLS socket:
nothing but ``recv_into`` and ``sendall`` is asked of it.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from dataclasses import dataclass
from ssl import SSLSocket

from node.errors import ProtocolError
from node.pdv import ABORT, ASSOCIATE_RQ, BY_PROVIDER, PDU_HEAD, UNRECOGNIZED_PDU

_TIMEVAL = struct.Struct("@ll")  # seconds and microseconds, as this system has them
_BUFFER_BYTES = 512 * 1024  # two PDUs of the length that we announce


class ConnectionGone(Exception):
    """The peer has closed the connection, or it broke. ``midway``: in the middle of a PDU."""

    def __init__(self, reason: str, *, midway: bool) -> None:
        super().__init__(reason)
        self.midway = midway


class PeerSilent(Exception):
    """No whole PDU came in the time that a peer has for one."""


def wait_at_most(connection: socket.socket, seconds: float | None) -> None:
    """How long one call may wait for the peer; None for any time. Raises OSError.

    The kernel waits, and raises BlockingIOError: Python's own waiting is one more system call for each that is made,
    and another wait for the interpreter. TLS has to see each wait, and raises TimeoutError.
    """
    if isinstance(connection, SSLSocket):
        connection.settimeout(seconds)
        return
    connection.settimeout(None)
    fraction, whole = math.modf(seconds or 0.0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(int(whole), int(fraction * 1e6)))


@dataclass(frozen=True)
class Limits:
    """``most_bytes``: of one PDU after its head; ``seconds``: from one whole PDU to the next, None for any time."""

    most_bytes: int
    seconds: float | None


class PduStream:
    """The PDUs that arrive over one connection, one after the other. Raises ConnectionGone where it is closed."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._begin = self._end = 0
        try:
            wait_at_most(connection, limits.seconds)
        except OSError as error:
            raise ConnectionGone(str(error), midway=False) from error

    def next(self) -> tuple[int, memoryview]:
        """Type and variable field of the next PDU; the field is good until the next call.

        Raises ProtocolError for an unknown type, ConnectionGone, and PeerSilent.
        """
        deadline = None if self._limits.seconds is None else time.monotonic() + self._limits.seconds
        self._read(PDU_HEAD.size, deadline)
        kind, length = PDU_HEAD.unpack_from(self._buffer, self._begin)
        if not ASSOCIATE_RQ <= kind <= ABORT:
            raise ProtocolError(f"a PDU of the unknown type 0x{kind:02X}", BY_PROVIDER, UNRECOGNIZED_PDU)
        if length > self._limits.most_bytes:
            raise ConnectionGone(f"a PDU of {length} bytes was announced", midway=True)
        self._read(PDU_HEAD.size + length, deadline)
        start = self._begin + PDU_HEAD.size
        self._begin = start + length
        return kind, self._buffer[start : self._begin]

    def _read(self, count: int, deadline: float | None) -> None:
        """Read until ``count`` bytes lie from the begin of the PDU on."""
        if self._begin == self._end:
            self._begin = self._end = 0
        if self._begin + count > len(self._buffer):
            self._make_room(count)
        while self._end - self._begin < count:
            if deadline is not None and time.monotonic() > deadline:
                raise PeerSilent
            self._end += self._received()

    def _make_room(self, count: int) -> None:
        """Move the begun PDU to the front, of a longer buffer where it has to be."""
        begun = bytes(self._buffer[self._begin : self._end])
        if count > len(self._buffer):
            self._buffer = memoryview(bytearray(count))
        self._buffer[: len(begun)] = begun
        self._begin, self._end = 0, len(begun)

    def _received(self) -> int:
        try:
            count = self._connection.recv_into(self._buffer[self._end :])
        except (TimeoutError, BlockingIOError) as error:
            raise PeerSilent from error
        except OSError as error:
            raise ConnectionGone(str(error), midway=self._end > self._begin) from error
        if not count:
            raise ConnectionGone("the peer closed the connection", midway=self._end > self._begin)
        return count

    def drain(self, seconds: float) -> None:
        """Read and forget until the peer closes: what it still sends must not reset the connection before it has read
        our last PDU (PS3.8 9.2.3, Sta13)."""
        deadline = time.monotonic() + seconds
        try:
            wait_at_most(self._connection, seconds)
            while time.monotonic() < deadline and self._connection.recv_into(self._buffer):
                pass
        except OSError:
            pass
