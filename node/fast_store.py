"""C-STORE and C-ECHO straight from the socket: pynetdicom negotiates, and the association's own thread does the rest.

pynetdicom moves every PDU through two threads that poll each other, 1 ms a turn. Here its reader of the connection
(``DULServiceProvider``) ends as soon as it has sent A-ASSOCIATE-AC. It cannot have read a P-DATA-TF by then: in Sta3,
where it waits for our answer, every PDU of the peer ends the association (PS3.8 Table 9-10), the turn in which it takes
our answer reads nothing (``run_reactor``: it sends or it reads), and before the next one it looks whether it is to end.
It reads a PDU by its length, so nothing of the next one is with it either.

Only associations all of whose accepted contexts are Verification or Storage are served here; with any other the whole
association stays with pynetdicom. Sources: PS3.8 9.2 (state Sta6 and what ends it), 9.3 and Annex E.2; PS3.7 9.1.1,
9.1.5 and 9.3. This knows pynetdicom from inside: ``KNOWN_RELEASE`` is the one that pyproject.toml pins.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import structlog
from pydicom import Dataset
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationSocket

from node import pdv
from node.crowd import MOST_BYTES_OF_A_PDU, too_long
from node.errors import ProtocolError
from node.incoming import Incoming
from node.part10 import Writer, file_head
from node.pdu_stream import ConnectionGone, Limits, PduStream, PeerSilent
from node.pdv import BY_PROVIDER, BY_USER, NOT_SPECIFIED, UNEXPECTED_PDU, Command, Message

log = structlog.get_logger()

KNOWN_RELEASE = "3.0.4"
STORE_FAILED = 0xC211  # what pynetdicom answers where a handler of C-STORE fails

_ESTABLISHED, _IDLE = "Sta6", "Sta1"  # PS3.8 9.2.2
_ACCEPTED = "AE-7"  # the action that sends A-ASSOCIATE-AC, PS3.8 Table 9-6
_WRITER = Writer(PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION)
_DRAIN_SECONDS = 1.0
_STOP_SECONDS = 10.0


class FastStore:
    """Handlers that take an association over from pynetdicom once it is accepted."""

    def __init__(self, served: Collection[str], most_bytes_of_an_object: int, begin: Callable[[], Incoming]) -> None:
        self._served = {*served}
        self._most_bytes = most_bytes_of_an_object
        self._begin = begin

    @property
    def handlers(self) -> list[evt.EventHandlerType]:
        return [(evt.EVT_FSM_TRANSITION, self._end_reader), (evt.EVT_ESTABLISHED, self._take_over)]

    def serves(self, association: Association) -> bool:
        """Whether nothing was accepted that pynetdicom has to serve."""
        classes = {str(context.abstract_syntax) for context in association.accepted_contexts}
        return association.is_acceptor and classes <= self._served

    def _end_reader(self, event: evt.Event) -> None:
        """In the reader's own thread, right after it has sent A-ASSOCIATE-AC."""
        if event.action == _ACCEPTED and self.serves(event.assoc):
            event.assoc.dul.kill_dul()

    def _take_over(self, event: evt.Event) -> None:
        """In the association's thread, before it would run pynetdicom's loop."""
        association = event.assoc
        if self.serves(association):
            established = _Established(association, self._most_bytes, self._begin)
            theirs = association._run_reactor
            association._run_reactor = lambda: _serve(established, association, theirs)  # type: ignore[method-assign]


def _serve(established: _Established, association: Association, theirs: Callable[[], None]) -> None:
    association.dul.join()
    if association.dul.state_machine.current_state == _ESTABLISHED:
        established.serve()
    else:
        theirs()  # the peer was gone before it was accepted: pynetdicom's loop finds its reader ended, and ends too


class _File:
    """A Part 10 file as it arrives: its head, and as much of a data set as an object may have."""

    def __init__(self, incoming: Incoming, head: bytes, most_bytes: int) -> None:
        self.incoming = incoming
        self._most_bytes = most_bytes
        self.write(head)

    def write(self, part: bytes | memoryview) -> None:
        if self.incoming.size + len(part) > self._most_bytes:
            raise ProtocolError(too_long(self._most_bytes), BY_USER, NOT_SPECIFIED)
        self.incoming.write(part)


class _Arrived(evt.Event):
    """A C-STORE request as the handler of pynetdicom's event knows it, with its object already in a file."""

    def __init__(self, association: Association, asked: dict[str, Any], incoming: Incoming) -> None:
        super().__init__(association, evt.EVT_C_STORE, asked)
        self.incoming = incoming


def arrived(event: evt.Event) -> Incoming | None:
    """The object that a C-STORE brought; None where pynetdicom received it."""
    return event.incoming if isinstance(event, _Arrived) else None


class _Established:
    """One association in state Sta6, until it is released, aborted or lost."""

    def __init__(self, association: Association, most_bytes_of_an_object: int, begin: Callable[[], Incoming]) -> None:
        self._most_bytes = most_bytes_of_an_object
        self._begin_object = begin
        self._incoming: Incoming | None = None
        self._association = association
        self._transport = cast(AssociationSocket, association.dul.socket)
        self._title = association.requestor.ae_title
        self._contexts = {one.context_id: one for one in association.accepted_contexts}
        self._assembly = pdv.Assembly(self._begin)
        self._closing = threading.Lock()
        self._is_told_to_stop = False
        # What pynetdicom's abort() does; `shutdown` of the application entity calls it from another thread.
        association._abort_blocking = self._stop  # type: ignore[method-assign]

    def serve(self) -> None:
        """Until the end of the association, whoever ends it."""
        connection = self._transport.socket
        try:
            self._end(released=connection is not None and self._talk(connection))
        except ConnectionGone:
            self._end(released=False)
        finally:
            try:
                self._discard()
            finally:
                self._close(connection)

    def _talk(self, connection: socket.socket) -> bool:
        """Answer what is asked; whether the peer released the association."""
        stream = PduStream(connection, Limits(MOST_BYTES_OF_A_PDU, self._association.network_timeout))
        words = (BY_USER, NOT_SPECIFIED)
        try:
            while not self._has_to_stop:
                kind, field = stream.next()
                if kind == pdv.P_DATA:
                    self._take(field)
                elif kind == pdv.RELEASE_RQ:
                    self._send(pdv.RELEASE_RESPONSE)
                    return True
                elif kind == pdv.ABORT:
                    return False
                else:
                    # A-RELEASE-RP too: we never ask for a release, so there is no collision of two (PS3.8 Table 9-10).
                    raise ProtocolError(f"a PDU of type 0x{kind:02X} here", BY_PROVIDER, UNEXPECTED_PDU)
        except ProtocolError as error:
            self._note(str(error))
            words = (error.source, error.reason)
        except PeerSilent:
            self._note("it said nothing for too long")
        except ConnectionGone as gone:
            if not self._has_to_stop:
                if gone.midway or self._assembly.is_midway:
                    self._note(f"in the middle of a message: {gone}")
                return False
        with suppress(ConnectionGone):
            self._send(pdv.abort_pdu(*words))
            stream.drain(_DRAIN_SECONDS)
        return False

    @property
    def _has_to_stop(self) -> bool:
        # The second: told by pynetdicom's own abort(), a moment before it was replaced.
        return self._is_told_to_stop or self._association._sent_abort

    def _note(self, reason: str) -> None:
        log.warning("association.broken", peer=self._title, reason=reason)

    def _take(self, variable_field: memoryview) -> None:
        for fragment in pdv.fragments(variable_field):
            message = self._assembly.take(fragment)
            if message is not None:
                try:
                    self._answer(message)
                finally:
                    self._discard()

    def _begin(self, context_id: int, command: Command) -> _File:
        """The file that a data set becomes, as far as it is known before its first byte."""
        syntax = str(self._context(context_id).transfer_syntax[0])
        self._incoming = self._begin_object()
        head = file_head(command.sop_class_uid, command.sop_uid, syntax, _WRITER)
        return _File(self._incoming, head, self._most_bytes)

    def _discard(self) -> None:
        if self._incoming is not None:
            self._incoming.discard()
            self._incoming = None

    def _context(self, context_id: int) -> PresentationContext:
        if context_id not in self._contexts:
            raise ProtocolError(f"context {context_id} was not accepted", BY_USER, NOT_SPECIFIED)
        return self._contexts[context_id]

    def _answer(self, message: Message[_File]) -> None:
        command, context = message.command, self._context(message.context_id)
        if command.field & pdv.RESPONSE or command.field == pdv.C_CANCEL_RQ:
            return  # nothing was asked by us, and nothing here takes long enough to be cancelled
        if command.message_id is None or not command.sop_class_uid:
            raise ProtocolError("a request without message ID or SOP class", BY_USER, NOT_SPECIFIED)
        if command.field == pdv.C_STORE_RQ and command.sop_uid:
            answer = self._stored(context, message)
        elif command.field == pdv.C_ECHO_RQ:
            answer = self._handled(evt.Event(self._association, evt.EVT_C_ECHO, _asked(command, context)))
        else:
            raise ProtocolError(f"command 0x{command.field:04X} is not served here", BY_USER, NOT_SPECIFIED)
        most = self._association.requestor.maximum_length or 0
        self._send(pdv.command_pdus(message.context_id, pdv.response_to(command, *answer), most))

    def _stored(self, context: PresentationContext, message: Message[_File]) -> tuple[int, str]:
        file = message.content or self._begin(message.context_id, message.command)
        return self._handled(_Arrived(self._association, _asked(message.command, context), file.incoming))

    def _handled(self, event: evt.Event) -> tuple[int, str]:
        """Status and Error Comment that the handler of pynetdicom's event gives."""
        handler, *_ = cast("tuple[Callable[[evt.Event], object], Any]", self._association.get_handlers(event.event))
        try:
            said = handler(event)
        except Exception:  # one object must not end an association; pynetdicom answers the same
            log.exception("object.failed", peer=self._title)
            return STORE_FAILED, ""
        if isinstance(said, Dataset):
            return int(said.Status), str(said.get("ErrorComment") or "")
        return cast(int, said), ""

    def _send(self, pdus: bytes) -> None:
        try:
            cast(socket.socket, self._transport.socket).sendall(pdus)
        except OSError as error:
            raise ConnectionGone(f"an answer could not be sent: {error}", midway=True) from error

    def _end(self, *, released: bool) -> None:
        """Tell pynetdicom, and whoever listens to its events."""
        association = self._association
        association.is_released, association.is_aborted = released, not released
        association.is_established = False
        evt.trigger(association, evt.EVT_RELEASED if released else evt.EVT_ABORTED, {})

    def _close(self, connection: socket.socket | None) -> None:
        association = self._association
        association.is_established = False
        with self._closing:
            self._transport.close()
            if connection is not None:
                connection.close()
        association.dul.state_machine.current_state = _IDLE
        address = association.requestor.address_info
        evt.trigger(association, evt.EVT_CONN_CLOSE, {"address": address.as_tuple if address else None})

    def _stop(self, block: bool = True) -> None:
        """End with an A-ABORT, from another thread: all that is sent goes through the association's own one."""
        self._is_told_to_stop = True
        with self._closing, suppress(OSError):
            connection = self._transport.socket
            if connection is not None:
                # Of the connection below TLS too: whoever waits for the peer's next byte wakes up, and it can be told.
                socket.socket.shutdown(connection, socket.SHUT_RD)
        if block and threading.current_thread() is not self._association:
            self._association.join(_STOP_SECONDS)


def _asked(command: Command, context: PresentationContext) -> dict[str, Any]:
    """What a handler reads of a request and its context; a primitive of pynetdicom's takes its time to be made."""
    request = SimpleNamespace(
        MessageID=command.message_id,
        AffectedSOPClassUID=command.sop_class_uid,
        AffectedSOPInstanceUID=command.sop_uid,
        MoveOriginatorApplicationEntityTitle=command.move_originator or None,
    )
    return {"request": request, "context": context.as_tuple}
