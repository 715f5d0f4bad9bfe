"""One association with a peer, as SCU: with time limits, and with words for why there is none (PS3.8 section 7)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType

from node.errors import PeerError
from node.peer import Peer
from node.tls import Calling
from node.tls_words import why_not

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"  # Storage Commitment Push Model, PS3.4 J.3
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 120.0

# What a profile's transfer_syntax stands for, the preferred one first. Implicit VR Little Endian is DICOM's default,
# which every peer takes (PS3.5 10.1); a profile asks for it alone where a peer is wrong in what it says of the other.
SYNTAXES: Mapping[str, tuple[str, ...]] = {
    "explicit": (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    "implicit": (ImplicitVRLittleEndian,),
}


def entity(our_title: str, connect: float = CONNECT_SECONDS, answer: float = ANSWER_SECONDS) -> AE:
    """Our application entity as SCU, with the seconds it waits for a connection and for each answer."""
    ae = AE(ae_title=our_title)
    ae.connection_timeout = connect
    ae.acse_timeout = connect
    ae.dimse_timeout = answer
    ae.network_timeout = answer
    # Verification is accepted everywhere: the association stands where nothing else is, and says what is not.
    ae.add_requested_context(VERIFICATION, list(SYNTAXES["explicit"]))
    return ae


def propose(ae: AE, sop_class_uids: Sequence[str], syntaxes: Sequence[str]) -> None:
    """A context for each SOP class and transfer syntax: in one context for several, the peer chooses, not we."""
    for uid in sop_class_uids:
        for syntax in syntaxes:
            ae.add_requested_context(uid, [syntax])


def without_delay(event: Event) -> None:
    """Handler of a new connection: every PDU goes out at once.

    TCP would hold back the data set after each command until the peer has acknowledged it, which that delays in turn:
    some 40 ms for each object (J. Nagle, RFC 896; RFC 1122, section 4.2.3.2).
    """
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Checkpoint(threading.Event):
    """pynetdicom's sign that an association's own thread may go on; taken away only while that takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.set()

    def clear(self) -> None:
        with self.lock:
            super().clear()


def answers_to_the_sender(event: Event) -> None:
    """Handler of a new connection: whoever waits for an answer gets it.

    pynetdicom's own thread of an association looks for messages of the peer, and stops while one of ours is sent. It
    may have passed its checkpoint a moment before, and then takes an answer that comes at once for an unexpected
    message: the sender would wait for it until its time is up.
    """
    association = event.assoc
    checkpoint, take = _Checkpoint(), association.dimse.get_msg

    def get_msg(block: bool = False) -> Any:
        if block:
            return take(block)
        with checkpoint.lock:
            return take(block) if checkpoint.is_set() else (None, None)

    association._reactor_checkpoint = checkpoint
    association.dimse.get_msg = get_msg  # type: ignore[method-assign]  # pynetdicom has no other place for it


AS_SCU: tuple[EventHandlerType, ...] = (
    (evt.EVT_CONN_OPEN, without_delay),
    (evt.EVT_CONN_OPEN, answers_to_the_sender),
)


def associate(ae: AE, peer: Peer, handlers: Sequence[EventHandlerType] = (), **options: Any) -> Association:
    """An established association; ``options`` as of AE.associate. Raises PeerError, not permanent: peers come back."""
    where = f"{peer.name} ({peer.ae_title}@{peer.host}:{peer.port})"
    try:
        association, trouble = called(ae, peer, handlers, **options)
    except OSError as error:
        raise PeerError(f"no association with {where}: {error}", permanent=False) from error
    if association.is_established:
        return association
    if association.is_rejected:
        raise PeerError(f"{where} rejected the association: {_rejection(association)}", permanent=False)
    if trouble:
        raise PeerError(f"no TLS with {where}: {why_not(trouble)}", permanent=False) from trouble
    raise PeerError(f"no association with {where}: it does not answer, or aborted", permanent=False)


def called(
    ae: AE, peer: Peer, handlers: Sequence[EventHandlerType] = (), **options: Any
) -> tuple[Association, OSError | None]:
    """An association, established or not, and what TLS came to grief with. Raises OSError: no such host."""
    told = [*AS_SCU, *handlers]
    if not peer.tls:
        return ae.associate(peer.host, peer.port, ae_title=peer.ae_title, evt_handlers=told, **options), None
    call = Calling(peer.ours)
    secured: Any = (call, peer.certified_name)
    told += [(evt.EVT_CONN_OPEN, _wait_for_an_answer), (evt.EVT_ACCEPTED, _wait_for_more)]
    association = ae.associate(
        peer.host, peer.port, ae_title=peer.ae_title, evt_handlers=told, tls_args=secured, **options
    )
    return association, call.trouble


def _wait_for_an_answer(event: Event) -> None:
    """Handler of a new connection with TLS: its reader does not wait for ever.

    pynetdicom reads where something has come; that may be no data, but a ticket for another session (RFC 8446 4.6.1).
    """
    _limit_reading(event, event.assoc.acse_timeout)


def _wait_for_more(event: Event) -> None:
    _limit_reading(event, event.assoc.network_timeout)


def _limit_reading(event: Event, seconds: float | None) -> None:
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.settimeout(seconds)


def _rejection(association: Association) -> str:
    primitive = association.acceptor.primitive
    return str(getattr(primitive, "reason_str", "no reason given"))
