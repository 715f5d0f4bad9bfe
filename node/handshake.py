"""Connections that are TLS, or should be: each handshake in the thread of its own connection, and with a deadline."""

from __future__ import annotations

import socket
import ssl
import time
from typing import cast
from weakref import WeakKeyDictionary

import structlog
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import AssociationSocket

from node.tls import HANDSHAKE_SECONDS, names_of
from node.tls_section import Tls
from node.tls_words import why_not

log = structlog.get_logger()

_TLS_HANDSHAKE = b"\x16"  # the type of the first record, RFC 8446 5.1
_ASSOCIATE_RQ = b"\x01"  # the type of the first PDU, PS3.8 9.3.2


class Handshakes:
    """Those who call: their certificates, and what IT is told of those that do not come through."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._names: WeakKeyDictionary[Association, frozenset[str]] = WeakKeyDictionary()

    def names(self, association: Association) -> frozenset[str] | None:
        """Whose certificate was presented; None for a connection without TLS."""
        return self._names.get(association)

    def shake(self, event: Event) -> None:
        """Handler of a new connection to the TLS port: the certificate is verified, or the connection closed."""
        connection = _connection(event)
        welcome = False
        try:
            welcome = self._welcome(event, cast(ssl.SSLSocket, connection.socket))
        except OSError as error:
            self._refused(event, why_not(error))
        finally:
            if not welcome:
                connection.close()

    def _welcome(self, event: Event, caller: ssl.SSLSocket) -> bool:
        """Whether the handshake ended well. Raises OSError where it did not, or not in time."""
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        begun = _first_byte(caller)
        if begun != _TLS_HANDSHAKE:
            if begun:  # who closes without a word is a health check
                self._refused(event, self._not_tls(begun))
            return False
        # Of the whole handshake: who sends a byte now and then does not put it off.
        caller.settimeout(max(deadline - time.monotonic(), 0.001))
        caller.do_handshake()
        self._names[event.assoc] = names_of(caller)
        # pynetdicom waits for the rest of a PDU without an end.
        caller.settimeout(event.assoc.network_timeout)
        return True

    def expect_plain(self, event: Event) -> None:
        """Handler of a new connection to the plain port: a caller that begins with TLS is told of."""
        connection = _connection(event)
        read = connection.recv

        def read_first(nr_bytes: int) -> bytearray:
            connection.recv = read  # type: ignore[method-assign]  # as found
            content = read(nr_bytes)
            if content[:1] == _TLS_HANDSHAKE:
                port = f"port {self._tls.port} ([tls] port)" if self._tls.port else "a [tls] port, which is not set"
                self._refused(event, f"their side speaks TLS, and this port does not: let it call {port}")
            return content

        connection.recv = read_first  # type: ignore[method-assign]  # pynetdicom has no other place for a look

    def _not_tls(self, begun: bytes) -> str:
        what = "DICOM without TLS" if begun == _ASSOCIATE_RQ else "no TLS"
        return f"their side speaks {what}, and port {self._tls.port} is the TLS port: switch TLS on there"

    def _refused(self, event: Event, hint: str) -> None:
        log.warning("tls.refused", address=event.assoc.requestor.address, hint=hint)


def _connection(event: Event) -> AssociationSocket:
    return cast(AssociationSocket, event.assoc.dul.socket)


def _first_byte(caller: ssl.SSLSocket) -> bytes:
    """What a caller begins with, left where it is; b'' where it closes without a word."""
    caller.settimeout(HANDSHAKE_SECONDS)
    try:
        return socket.socket.recv(caller, 1, socket.MSG_PEEK)
    except ConnectionError:
        return b""
