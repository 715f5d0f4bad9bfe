"""How many may be here at once, and that whoever hangs up is gone: limits of associations and forgotten connections."""

from __future__ import annotations

from typing import cast
from weakref import WeakKeyDictionary

import structlog
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.transport import AssociationSocket

log = structlog.get_logger()

MOST_CONNECTIONS = 1000
"""Connections of any kind, also of those that have said nothing yet. A peer is never refused because of these."""
MOST_ASSOCIATIONS = 40
MOST_OF_A_PEER = 20
MOST_BYTES_OF_A_PDU = 8 * 1024 * 1024
"""We announce 256 KiB for the values of a P-DATA-TF (PS3.8 D.1); an A-ASSOCIATE-RQ is far shorter."""
MIB = 1024 * 1024
_COMMAND, _LAST = 0b01, 0b10
_IDLE = "Sta1"  # PS3.8 9.2.2: no association, no connection


def crowded(ae: AE, newcomer: Association, title: str) -> str:
    """Why an association cannot be taken now; '' where it can. Only established ones count."""
    others = [one for one in ae.active_associations if one.is_acceptor and one.is_established and one is not newcomer]
    if len(others) >= MOST_ASSOCIATIONS:
        return f"{len(others)} associations are open"
    own = sum(one.requestor.ae_title == title for one in others)
    return f"{own} associations of {title} are open" if own >= MOST_OF_A_PEER else ""


class Sizes:
    """Closes a connection over which a longer PDU or object comes than any may be, before it fills the memory.

    Of associations that pynetdicom serves; the fast path counts for itself.
    """

    def __init__(self, most_bytes_of_an_object: int) -> None:
        self._most = most_bytes_of_an_object
        self._received: WeakKeyDictionary[Association, int] = WeakKeyDictionary()

    def watch(self, event: Event) -> None:
        """Handler of a new connection."""
        association = event.assoc
        connection = cast(AssociationSocket, association.dul.socket)
        read = connection.recv

        def read_at_most(nr_bytes: int) -> bytearray:
            if nr_bytes > MOST_BYTES_OF_A_PDU:
                raise ConnectionError(f"a PDU of {nr_bytes} bytes was announced")
            if self._received.get(association, 0) > self._most:
                reason = too_long(self._most)
                log.warning("association.broken", peer=association.requestor.ae_title, reason=reason)
                raise ConnectionError(reason)
            return read(nr_bytes)

        connection.recv = read_at_most  # type: ignore[method-assign]  # pynetdicom has no other place for a limit

    def count(self, event: Event) -> None:
        """Handler of each PDU: how much of one data set has come (message control header, PS3.8 E.2)."""
        if not isinstance(event.pdu, P_DATA_TF):
            return
        received = self._received.get(event.assoc, 0)
        for item in event.pdu.presentation_data_value_items:
            value = item.presentation_data_value or b"\0"
            received = 0 if value[0] & (_COMMAND | _LAST) else received + len(value)
        self._received[event.assoc] = received


def too_long(most_bytes: int) -> str:
    """Why an object is not taken to its end."""
    return f"an object of more than {most_bytes // MIB} MiB ([node] largest_object_mib)"


def limit_silence(event: Event) -> None:
    """End a connection that stops in the middle of a PDU: pynetdicom's reader would wait for the rest for ever."""
    connection = cast(AssociationSocket, event.assoc.dul.socket)
    if connection.socket is not None:
        connection.socket.settimeout(event.assoc.network_timeout)


def forget_a_lost_connection(event: Event) -> None:
    """End the thread of a connection that closed without an A-ASSOCIATE-RQ, as a load balancer's health checks do.

    pynetdicom would keep it, and count it, until ``acse_timeout``.
    """
    association = event.assoc
    if event.next_state == _IDLE and association.is_acceptor and association.requestor.primitive is None:
        association.dul.to_user_queue.put(None)
