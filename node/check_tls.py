"""TLS, as a commissioning doctor sees it: our own files, and what is spoken at an address."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from node.certificates import described, examined, today
from node.errors import ConfigError
from node.finding import Finding, Level
from node.peer import Peer
from node.tls import as_onlooker
from node.tls_section import Tls

_SECONDS = 5.0


def check_tls(tls: Tls) -> Iterator[Finding]:
    """Whether our certificate, its key and the authorities can be used, and for how long."""
    if not tls.is_set_up:
        return
    try:
        yield from examined(tls).findings(today())
    except ConfigError as error:
        yield Finding(Level.FAIL, "TLS", f"our side: {error}")


def shows_our_certificate(tls: Tls, host: str) -> bool:
    """Whether who listens on our TLS port is this node."""
    try:
        shown = _shown(tls, host, tls.port, _SECONDS)
        return shown is not None and shown == examined(tls).certificate.public_bytes(Encoding.DER)
    except (OSError, ConfigError):
        return False


def certificate_at(peer: Peer, seconds: float) -> str:
    """Which certificate a peer shows, in words; '' where it shows none."""
    try:
        shown = _shown(peer.ours, peer.host, peer.port, seconds)
        return described(x509.load_der_x509_certificate(shown)) if shown else ""
    except (OSError, ValueError):
        return ""


def speaks_tls(peer: Peer, seconds: float) -> bool:
    """Whether it answers a handshake, well or not."""
    try:
        return _shown(peer.ours, peer.host, peer.port, seconds) is not None
    except ssl.SSLError as error:
        return "_ALERT_" in (error.reason or "")
    except OSError:
        return False


def _shown(tls: Tls, host: str, port: int, seconds: float) -> bytes | None:
    context = as_onlooker(tls)
    connection = socket.create_connection((host, port), timeout=seconds)
    with connection, context.wrap_socket(connection) as onlooker:
        return onlooker.getpeercert(binary_form=True)
