"""TLS as DICOM profiles it: versions, cipher suites, and certificates of both sides (PS3.15 B.12; RFC 9325).

The files of ``[tls]`` are read once for a process; ``certificates.py`` says what is wrong with them.
"""

from __future__ import annotations

import socket
import ssl
from functools import cache
from ipaddress import ip_address
from typing import Any

from node.tls_section import Tls

HANDSHAKE_SECONDS = 10.0
# Ephemeral keys and authenticated encryption alone: RFC 9325 4.2, with ChaCha20-Poly1305 for processors without AES.
# TLS 1.3 has no other kinds (RFC 8446 B.4).
CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
_WORDS_SECONDS = 0.5


class Noting(ssl.SSLSocket):
    """A connection that remembers why it broke: pynetdicom says only that it did."""

    trouble: OSError | None = None

    def do_handshake(self, block: bool = False) -> None:
        self.trouble = None  # Python reads once before there is a connection
        try:
            super().do_handshake(block)
        except OSError as error:
            self.trouble = error
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except TimeoutError:
            raise  # it is silent, and TLS is not why
        except OSError as error:
            self.trouble = self.trouble or error
            raise

    def send(self, data: Any, flags: int = 0) -> int:
        try:
            return super().send(data, flags)
        except OSError as error:
            self.trouble = self.trouble or self._last_words() or error
            raise

    def _last_words(self) -> OSError | None:
        """A peer that refuses our certificate says why, and closes, while we speak already (RFC 8446 4.4.2.4)."""
        self.settimeout(_WORDS_SECONDS)
        try:
            super().recv(1)
        except ssl.SSLError as said:
            return said
        except OSError:
            pass
        return None


class Calling:
    """The context of one call, as pynetdicom takes it; afterwards it tells why there was no connection."""

    def __init__(self, tls: Tls) -> None:
        self.connection: Noting | None = None
        self._context = as_client(tls)

    def wrap_socket(self, sock: socket.socket, server_side: bool, server_hostname: str) -> ssl.SSLSocket:
        wrapped = self._context.wrap_socket(sock, server_side=server_side, server_hostname=server_hostname)
        assert isinstance(wrapped, Noting)
        self.connection = wrapped
        return wrapped

    @property
    def trouble(self) -> OSError | None:
        return None if self.connection is None else self.connection.trouble


class _HandshakeLater(ssl.SSLContext):
    """pynetdicom would do the handshake in the thread that accepts connections: who says nothing would stop it."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *args, **{**options, "do_handshake_on_connect": False})


def as_server(tls: Tls) -> ssl.SSLContext:
    """For those who call us: a certificate is asked of each, and the handshake is left to who takes the call."""
    context = _profiled(_HandshakeLater(ssl.PROTOCOL_TLS_SERVER), tls)
    context.verify_mode = ssl.CERT_REQUIRED
    # A session that is resumed would come without its certificate being looked at again.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


@cache
def as_client(tls: Tls) -> ssl.SSLContext:
    """For those we call: their certificate is verified, and that it is theirs."""
    context = _profiled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls)
    context.sslsocket_class = Noting
    return context


def as_onlooker(tls: Tls) -> ssl.SSLContext:
    """Believes everybody: to see which certificate is shown, and never to say anything after that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if tls.is_set_up:
        certificate, key, _ = tls.files()
        context.load_cert_chain(certificate, key, password="")
    return context


def _profiled(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    certificate, key, authorities = tls.files()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHER_SUITES))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # Whatever stands in the file is believed: a root, an intermediate one, or a peer's own certificate.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_cert_chain(certificate, key, password="")
    context.load_verify_locations(authorities)
    return context


def names_of(connection: ssl.SSLSocket) -> frozenset[str]:
    """Whose certificate was presented: DNS names and IP addresses of its subject alternative name (RFC 9525 6.1).

    Its common name counts only where it has neither.
    """
    certificate: Any = connection.getpeercert() or {}
    found = [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    if not found:
        found = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return frozenset(map(same_name, found))


def same_name(name: str) -> str:
    """A host name or an IP address in the one way of writing that is compared: letter by letter, also a wildcard."""
    text = name.strip().rstrip(".").lower()
    try:
        return str(ip_address(text))
    except ValueError:
        return text
