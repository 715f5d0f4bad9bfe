"""Who is let in: a peer under its AE title, from an address of its own, with its certificate where it has one.

An AE title alone is no password.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from node.peer import Peer, titled
from node.tls import same_name

Address = IPv4Address | IPv6Address
Resolve = Callable[[str], frozenset[Address]]

_REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True)
class Caller:
    """Who asks for an association: the calling AE title, the IP address that the connection comes from, and the names
    in the certificate; None without TLS."""

    title: str
    address: str
    certified: frozenset[str] | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is this machine: `restage check` calls from here, under any peer's title."""
        return plain(self.address).is_loopback


def resolved(host: str) -> frozenset[Address]:
    """The IP addresses of a host; none where the name is not known now."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    return frozenset(plain(str(one[4][0])) for one in found)


def plain(address: str) -> Address:
    """Without scope; an IPv4 address that an IPv6 socket shows as ::ffff:10.0.0.1 is that IPv4 address."""
    found = ip_address(address.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


@dataclass
class Gate:
    """The peers of the configuration, and where they may call from. Host names are asked for once a minute."""

    peers: tuple[Peer, ...]
    resolve: Resolve = resolved
    _known: dict[str, tuple[float, frozenset[Address]]] = field(default_factory=dict)

    def let_in(self, caller: Caller) -> tuple[Peer, ...]:
        """The peers that the caller may be; none where it is no peer, calls from elsewhere, or cannot prove it."""
        named = titled(self.peers, caller.title)
        return tuple(peer for peer in named if self._calls_from(peer, caller) and _proves(caller, peer))

    def refusal(self, caller: Caller) -> str:
        """Why a peer's AE title is not let in, and what to mend; '' where it is, or is no peer's.

        This machine may call under any title, as `restage check` does; :meth:`let_in` gives it nothing to do.
        """
        named = titled(self.peers, caller.title)
        if not named or self.let_in(caller):
            return ""
        near = [peer for peer in named if caller.is_local or self._calls_from(peer, caller)]
        if near:
            return "" if any(_proves(caller, peer) for peer in near) else _unproved(caller, near)
        expected = "; ".join(f"[[peer]] {peer.name} calls from {self._places(peer)}" for peer in named)
        return (
            f"{caller.title} called from {caller.address}, and {expected}: if it is that peer, add the address to its "
            "calls_from; if not, somebody else uses its AE title"
        )

    def _calls_from(self, peer: Peer, caller: Caller) -> bool:
        address = plain(caller.address)
        if peer.calls_from:
            return any(address in ip_network(one) for one in peer.calls_from)
        return address in self._addresses(peer.host)

    def _addresses(self, host: str) -> frozenset[Address]:
        asked_at, known = self._known.get(host, (float("-inf"), frozenset()))
        if time.monotonic() - asked_at > _REMEMBERED_SECONDS:
            # What a name server does not answer just now stays as it was.
            known = self.resolve(host) or known
            self._known[host] = (time.monotonic(), known)
        return known

    def _places(self, peer: Peer) -> str:
        if peer.calls_from:
            return " or ".join(peer.calls_from)
        known = " or ".join(sorted(map(str, self._addresses(peer.host)))) or "an address that is not known now"
        return f"{peer.host} ({known})" if known != peer.host else known


def _proves(caller: Caller, peer: Peer) -> bool:
    """Whether the caller can be this peer. Without ``tls`` nobody said what its certificate is, so none is needed."""
    return not peer.tls or (caller.certified is not None and same_name(peer.certified_name) in caller.certified)


def _unproved(caller: Caller, near: Sequence[Peer]) -> str:
    called = f"{caller.title} called from {caller.address}"
    if caller.certified is None:
        names = " and ".join(peer.name for peer in near)
        mend = "let it call the [tls] port, or, where it cannot, set tls = false"
        return f"{called} without TLS, and [[peer]] {names} has tls = true: {mend}"
    shown = ", ".join(sorted(caller.certified)) or "nobody"
    expected = "; ".join(f"[[peer]] {peer.name} is {peer.certified_name}" for peer in near)
    mend = "if it is that peer, set its tls_name to one of these; if not, another machine uses its AE title"
    return f"{called} with a certificate of {shown}, and {expected}: {mend}"
