"""A peer that says what it is told, PDU by PDU, over a socket of its own."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import build_context
from pynetdicom.dimse_messages import C_CANCEL_RQ, C_ECHO_RQ, C_FIND_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_FIND, C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification

ACCEPTED, P_DATA, RELEASED, ABORTED = 0x02, 0x04, 0x06, 0x07
RELEASE_RQ = bytes([0x05, 0, 0, 0, 0, 4, 0, 0, 0, 0])  # PS3.8 Table 9-24
ABORT_RQ = bytes([0x07, 0, 0, 0, 0, 4, 0, 0, 0, 0])  # PS3.8 Table 9-26
_HEAD = struct.Struct(">BxI")
_MESSAGES = {C_STORE: C_STORE_RQ, C_ECHO: C_ECHO_RQ, C_FIND: C_FIND_RQ, C_CANCEL: C_CANCEL_RQ}


class RawPeer:
    """Contexts get the IDs 1, 3, 5 … in the order of their abstract syntaxes; all are explicit VR little endian."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def associate(self, *classes: str, calling: str = "SENDER", most: int = 16384) -> None:
        self.say(associate_rq(classes, calling, most))
        assert self.hear()[0] == ACCEPTED

    def released(self) -> bool:
        """Ask for a release; whether it is given, and the connection closed."""
        self.say(RELEASE_RQ)
        return (self.hear()[0], self.hear()[0]) == (RELEASED, 0)

    def say(self, *pdus: bytes) -> None:
        self.connection.sendall(b"".join(pdus))

    def hear(self) -> tuple[int, bytes]:
        """Type and variable field of the next PDU; (0, b"") where the node closed the connection."""
        head = self._exactly(_HEAD.size)
        if not head:
            return 0, b""
        kind, length = _HEAD.unpack(head)
        return kind, self._exactly(length)

    def answer(self) -> C_STORE:
        """The next whole message, which is a response."""
        message = DIMSEMessage()
        while True:
            kind, field = self.hear()
            assert kind == P_DATA, f"a PDU of type {kind}: {field!r}"
            pdu = P_DATA_TF()
            pdu.decode(_HEAD.pack(kind, len(field)) + field)
            if message.decode_msg(pdu.to_primitive()):
                return message.message_to_primitive()

    def aborted(self) -> tuple[int, int]:
        """Source and reason of the A-ABORT that comes now, and is the last word."""
        kind, field = self.hear()
        assert kind == ABORTED, f"a PDU of type {kind}: {field!r}"
        self.connection.shutdown(socket.SHUT_WR)
        assert self.hear() == (0, b"")
        return field[2], field[3]

    def _exactly(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            part = self.connection.recv(count - len(content))
            if not part:
                return content
            content += part
        return content


@contextmanager
def raw_peer(port: int) -> Iterator[RawPeer]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield RawPeer(connection)


def p_data(*values: bytes) -> bytes:
    """A P-DATA-TF PDU, PS3.8 9.3.5."""
    field = b"".join(values)
    return _HEAD.pack(P_DATA, len(field)) + field


def value(content: bytes, *, command: bool = False, last: bool = True, context: int = 1) -> bytes:
    """A presentation data value, PS3.8 9.3.5.1 and Annex E.2."""
    return struct.pack(">IBB", len(content) + 2, context, command | last << 1) + content


def command_set(request: C_STORE | C_ECHO | C_FIND | C_CANCEL) -> bytes:
    """A request's command set, as pynetdicom encodes it."""
    message = _MESSAGES[type(request)]()
    message.primitive_to_message(request)
    (first, *_) = message.encode_msg(1, 0)
    ((_, content),) = first.presentation_data_value_list
    return bytes(content[1:])


def store_command(sop_uid: str, sop_class: str = MRImageStorage, message_id: int = 1) -> bytes:
    request = C_STORE()
    request.MessageID, request.Priority = message_id, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, sop_uid
    request.DataSet = BytesIO(b"follows")
    return command_set(request)


def echo_command() -> bytes:
    request = C_ECHO()
    request.MessageID, request.AffectedSOPClassUID = 1, "1.2.840.10008.1.1"
    return command_set(request)


def associate_rq(classes: Sequence[str], calling: str = "SENDER", most: int = 16384, called: str = "RESTAGE") -> bytes:
    request = A_ASSOCIATE()
    request.application_context_name = "1.2.840.10008.3.1.1.1"
    request.calling_ae_title, request.called_ae_title = calling, called
    contexts = [build_context(uid, ExplicitVRLittleEndian) for uid in classes]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    request.presentation_context_definition_list = contexts
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received, implementation.implementation_class_uid = most, "1.2.3"
    request.user_information = [length, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return bytes(pdu.encode())
