"""PDUs and DIMSE messages as bytes: P-DATA-TF taken apart in place, command sets read and answered.

Sources: PS3.8 9.3 (PDUs), 9.3.5 (P-DATA-TF), Annex E.2 (message control header); PS3.7 6.3.1 (command sets are implicit
VR little endian), 9.3 (their elements), Annex E.1 (their tags).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from node.errors import ProtocolError

# PDU types, PS3.8 9.3.1.
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(0x01, 0x08)
PDU_HEAD = struct.Struct(">BxI")

# Command fields, PS3.7 Annex E.1. A response has its request's with the highest bit set.
C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
RESPONSE = 0x8000

# Who aborts, and why: PS3.8 Table 9-26.
BY_USER, BY_PROVIDER = 0, 2
NOT_SPECIFIED, UNRECOGNIZED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 0, 1, 2, 6

RELEASE_RESPONSE = PDU_HEAD.pack(RELEASE_RP, 4) + bytes(4)

_COMMAND, _LAST = 0b01, 0b10  # message control header, PS3.8 E.2
_PDV_HEAD = struct.Struct(">IBB")
_ELEMENT_HEAD = struct.Struct("<HHI")
_UNSIGNED_SHORT = struct.Struct("<H")
_NO_DATA_SET = 0x0101
_LONGEST_UID = 64
_LONGEST_COMMENT = 64  # Error Comment is an LO
_MOST_BYTES_OF_A_COMMAND = 64 * 1024

# Elements of group 0000H, PS3.7 Annex E.1.
_SOP_CLASS, _FIELD, _MESSAGE_ID, _ANSWERED_ID = 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET_TYPE, _STATUS, _COMMENT, _SOP_INSTANCE, _MOVE_ORIGINATOR = 0x0800, 0x0900, 0x0902, 0x1000, 0x1030


@dataclass(frozen=True)
class Fragment:
    """One presentation data value: a fragment of a command set or of a data set. ``value`` is part of the PDU."""

    context_id: int
    is_command: bool
    is_last: bool
    value: memoryview


@dataclass(frozen=True)
class Command:
    """What a request's command set says; '' and None for what it does not."""

    field: int
    message_id: int | None
    sop_class_uid: str
    sop_uid: str
    move_originator: str
    has_data_set: bool


def fragments(variable_field: memoryview) -> Iterator[Fragment]:
    """The presentation data values of a P-DATA-TF's variable field. Raises ProtocolError."""
    at, end = 0, len(variable_field)
    while at < end:
        if end - at < _PDV_HEAD.size:
            raise ProtocolError("a presentation data value is cut off", BY_PROVIDER, INVALID_PARAMETER)
        length, context_id, control = _PDV_HEAD.unpack_from(variable_field, at)
        start, at = at + _PDV_HEAD.size, at + 4 + length
        if start > at or at > end:
            raise ProtocolError(f"a presentation data value of {length} bytes", BY_PROVIDER, INVALID_PARAMETER)
        yield Fragment(context_id, bool(control & _COMMAND), bool(control & _LAST), variable_field[start:at])


def read_command(encoded: bytes) -> Command:
    """A command set. Raises ProtocolError where it is none."""
    values = dict(_elements(encoded))
    if _FIELD not in values or _DATA_SET_TYPE not in values:
        raise ProtocolError("a command set without command field or data set type", BY_PROVIDER, INVALID_PARAMETER)
    return Command(
        field=_number(values[_FIELD]),
        message_id=_number(values[_MESSAGE_ID]) if _MESSAGE_ID in values else None,
        sop_class_uid=_uid(values.get(_SOP_CLASS, b"")),
        sop_uid=_uid(values.get(_SOP_INSTANCE, b"")),
        move_originator=values.get(_MOVE_ORIGINATOR, b"").strip(b" \0").decode("latin-1"),
        has_data_set=_number(values[_DATA_SET_TYPE]) != _NO_DATA_SET,
    )


class Content(Protocol):
    """What a data set is put into."""

    def write(self, part: memoryview, /) -> object: ...


Into = TypeVar("Into", bound=Content)


@dataclass(frozen=True)
class Message(Generic[Into]):
    """A whole message. ``content``: its data set, in what ``begin`` gave for it; None without one."""

    context_id: int
    command: Command
    content: Into | None


class Assembly(Generic[Into]):
    """Messages out of their fragments, which come in order and of one message after the other (PS3.8 E.2, PS3.7 9.1).

    ``begin`` is called with context and command as soon as a data set is announced, and says what it is put into.
    """

    def __init__(self, begin: Callable[[int, Command], Into]) -> None:
        self._begin = begin
        self._context_id = 0
        self._encoded = bytearray()
        self._command: Command | None = None
        self._content: Into | None = None

    @property
    def is_midway(self) -> bool:
        """Whether a message has begun and is not whole."""
        return self._command is not None or bool(self._encoded)

    def take(self, fragment: Fragment) -> Message[Into] | None:
        """The message that this fragment makes whole. Raises ProtocolError."""
        if self.is_midway and fragment.context_id != self._context_id:
            said = f"a fragment for context {fragment.context_id} within a message of context {self._context_id}"
            raise ProtocolError(said, BY_PROVIDER, INVALID_PARAMETER)
        self._context_id = fragment.context_id
        return self._take_command(fragment) if fragment.is_command else self._take_data(fragment)

    def _take_command(self, fragment: Fragment) -> Message[Into] | None:
        if self._command is not None:
            raise ProtocolError("a command within a data set", BY_PROVIDER, INVALID_PARAMETER)
        self._encoded += fragment.value
        if len(self._encoded) > _MOST_BYTES_OF_A_COMMAND:
            raise ProtocolError("a command set without an end", BY_PROVIDER, INVALID_PARAMETER)
        if not fragment.is_last:
            return None
        self._command = read_command(bytes(self._encoded))
        if not self._command.has_data_set:
            return self._whole(self._command)
        self._content = self._begin(self._context_id, self._command)
        return None

    def _take_data(self, fragment: Fragment) -> Message[Into] | None:
        if self._command is None or self._content is None:
            raise ProtocolError("a data set without a command", BY_PROVIDER, INVALID_PARAMETER)
        self._content.write(fragment.value)
        return self._whole(self._command) if fragment.is_last else None

    def _whole(self, command: Command) -> Message[Into]:
        message = Message(self._context_id, command, self._content)
        self._encoded, self._command, self._content = bytearray(), None, None
        return message


def response_to(command: Command, status: int, comment: str = "") -> bytes:
    """The command set of a C-STORE or C-ECHO response, PS3.7 9.3.1.2 and 9.3.5.2; ``comment``: Error Comment."""
    elements = [
        _element(_SOP_CLASS, _padded(command.sop_class_uid, b"\0")),
        _element(_FIELD, _UNSIGNED_SHORT.pack(command.field | RESPONSE)),
        _element(_ANSWERED_ID, _UNSIGNED_SHORT.pack(command.message_id or 0)),
        _element(_DATA_SET_TYPE, _UNSIGNED_SHORT.pack(_NO_DATA_SET)),
        _element(_STATUS, _UNSIGNED_SHORT.pack(status)),
    ]
    if comment:
        elements.append(_element(_COMMENT, _padded(comment[:_LONGEST_COMMENT], b" ")))
    if command.sop_uid:
        elements.append(_element(_SOP_INSTANCE, _padded(command.sop_uid, b"\0")))
    content = b"".join(elements)
    return _element(0x0000, struct.pack("<I", len(content))) + content


def command_pdus(context_id: int, command_set: bytes, most: int) -> bytes:
    """A command set as P-DATA-TF PDUs whose variable fields have at most ``most`` bytes; 0: no limit (PS3.8 D.1)."""
    step = max(1, most - _PDV_HEAD.size) if most else len(command_set)
    pdus = []
    for start in range(0, len(command_set), step):
        value = command_set[start : start + step]
        control = _COMMAND | (_LAST if start + step >= len(command_set) else 0)
        head = PDU_HEAD.pack(P_DATA, _PDV_HEAD.size + len(value))
        pdus += [head, _PDV_HEAD.pack(2 + len(value), context_id, control), value]
    return b"".join(pdus)


def abort_pdu(source: int, reason: int) -> bytes:
    """A-ABORT, PS3.8 9.3.8."""
    return PDU_HEAD.pack(ABORT, 4) + bytes([0, 0, source, reason])


def _elements(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(encoded):
        if len(encoded) - at < _ELEMENT_HEAD.size:
            raise ProtocolError("a command set is cut off", BY_PROVIDER, INVALID_PARAMETER)
        group, element, length = _ELEMENT_HEAD.unpack_from(encoded, at)
        start, at = at + _ELEMENT_HEAD.size, at + _ELEMENT_HEAD.size + length
        if group != 0x0000 or at > len(encoded):
            raise ProtocolError("no command set where one is due", BY_PROVIDER, INVALID_PARAMETER)
        yield element, encoded[start:at]


def _number(value: bytes) -> int:
    if len(value) != _UNSIGNED_SHORT.size:
        raise ProtocolError(f"a number of {len(value)} bytes in a command set", BY_PROVIDER, INVALID_PARAMETER)
    return int(_UNSIGNED_SHORT.unpack(value)[0])


def _uid(value: bytes) -> str:
    text = value.rstrip(b"\0 ")
    if len(text) > _LONGEST_UID or not text.isascii():
        raise ProtocolError("no UID where one is due in a command set", BY_PROVIDER, INVALID_PARAMETER)
    return text.decode("ascii")


def _element(element: int, value: bytes) -> bytes:
    return _ELEMENT_HEAD.pack(0x0000, element, len(value)) + value


def _padded(text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    return value + padding * (len(value) % 2)
