"""How many may be here at once, and that whoever hangs up is gone: limits of associations and forgotten connections."""

from __future__ import annotations

from typing import cast

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import AssociationSocket

MOST_CONNECTIONS = 1000
"""Connections of any kind, also of those that have said nothing yet. A peer is never refused because of these."""
MOST_ASSOCIATIONS = 40
MOST_OF_A_PEER = 20
MOST_BYTES_OF_A_PDU = 8 * 1024 * 1024
"""We announce 256 KiB for the values of a P-DATA-TF (PS3.8 D.1); an A-ASSOCIATE-RQ is far shorter."""
_IDLE = "Sta1"  # PS3.8 9.2.2: no association, no connection


def crowded(ae: AE, newcomer: Association, title: str) -> str:
    """Why an association cannot be taken now; '' where it can. Only established ones count."""
    others = [one for one in ae.active_associations if one.is_acceptor and one.is_established and one is not newcomer]
    if len(others) >= MOST_ASSOCIATIONS:
        return f"{len(others)} associations are open"
    own = sum(one.requestor.ae_title == title for one in others)
    return f"{own} associations of {title} are open" if own >= MOST_OF_A_PEER else ""


def limit_pdu_length(event: Event) -> None:
    """Close a connection that announces a PDU longer than anybody may send, before its bytes fill the memory."""
    connection = cast(AssociationSocket, event.assoc.dul.socket)
    read = connection.recv

    def read_at_most(nr_bytes: int) -> bytearray:
        if nr_bytes > MOST_BYTES_OF_A_PDU:
            raise ConnectionError(f"a PDU of {nr_bytes} bytes was announced")
        return read(nr_bytes)

    connection.recv = read_at_most  # type: ignore[method-assign]  # pynetdicom has no other place for a limit


def forget_a_lost_connection(event: Event) -> None:
    """End the thread of a connection that closed without an A-ASSOCIATE-RQ, as a load balancer's health checks do.

    pynetdicom would keep it, and count it, until ``acse_timeout``.
    """
    association = event.assoc
    if event.next_state == _IDLE and association.is_acceptor and association.requestor.primitive is None:
        association.dul.to_user_queue.put(None)
