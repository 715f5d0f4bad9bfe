"""PDUs and command sets as bytes: what the standard allows is read, however it is cut, and all else is named."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import MRImageStorage
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ABORT_RQ, A_RELEASE_RP, P_DATA_TF

from node import pdv
from node.errors import ProtocolError
from node.pdv import Assembly, Command, Fragment, Message

UID = "1.2.3.4"
CONTEXT = 3


def store_rq(data: bytes = b"data", most: int = 0) -> list[bytes]:
    """The variable fields of a C-STORE request as pynetdicom writes it."""
    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MRImageStorage, UID
    request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID = "MOVER", 1
    request.DataSet = BytesIO(data)
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    fields = []
    for primitive in message.encode_msg(CONTEXT, most):
        pdu = P_DATA_TF()
        pdu.from_primitive(primitive)
        fields.append(bytes(pdu.encode())[6:])
    return fields


def assembled(*fields: bytes) -> list[Message[BytesIO]]:
    assembly = Assembly(lambda _context, _command: BytesIO())
    taken = (assembly.take(one) for field in fields for one in pdv.fragments(memoryview(field)))
    return [message for message in taken if message is not None]


def value(content: bytes, *, command: bool = False, last: bool = True, context: int = CONTEXT) -> bytes:
    return struct.pack(">IBB", len(content) + 2, context, command | last << 1) + content


@given(st.binary(max_size=3000), st.sampled_from([0, 20, 64, 1000]))
def test_a_request_is_read_however_it_is_cut(data: bytes, most: int) -> None:
    data = data or b"\0"
    (message,) = assembled(*store_rq(data, most))
    assert message.command == Command(pdv.C_STORE_RQ, 7, MRImageStorage, UID, "MOVER", True)
    assert message.context_id == CONTEXT
    assert message.content is not None
    assert message.content.getvalue() == data


def test_command_and_data_may_share_a_pdu_and_the_next_message_too() -> None:
    joined = b"".join(store_rq(b"first") + store_rq(b"second"))
    assert [one.content.getvalue() for one in assembled(joined) if one.content] == [b"first", b"second"]


@pytest.mark.parametrize("most", [0, 8, 7, 100])
@pytest.mark.parametrize("comment", ["", "the study is missing", "x" * 100, "à la carte"])
def test_a_response_is_what_pynetdicom_reads(most: int, comment: str) -> None:
    asked = Command(pdv.C_STORE_RQ, 7, MRImageStorage, UID, "", True)
    pdus = pdv.command_pdus(CONTEXT, pdv.response_to(asked, 0xC001, comment), most)
    message, at = DIMSEMessage(), 0
    while at < len(pdus):
        length = pdv.PDU_HEAD.unpack_from(pdus, at)[1]
        assert not most or length <= most or length == 7, "a fragment has a byte at least"
        pdu = P_DATA_TF()
        pdu.decode(pdus[at : at + 6 + length])
        is_whole = message.decode_msg(pdu.to_primitive())
        at += 6 + length
    assert is_whole
    answer = message.message_to_primitive()
    assert (answer.MessageIDBeingRespondedTo, answer.Status) == (7, 0xC001)
    assert (answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID) == (MRImageStorage, UID)
    assert (answer.ErrorComment or "") == comment[:64].replace("à", "?")


def test_an_echo_is_answered_without_an_instance() -> None:
    command = pdv.response_to(Command(pdv.C_ECHO_RQ, 1, "1.2.840.10008.1.1", "", "", False), 0)
    read = pdv.read_command(command)
    assert (read.field, read.sop_uid, read.has_data_set) == (pdv.C_ECHO_RQ | pdv.RESPONSE, "", False)


def test_release_and_abort_are_what_pynetdicom_reads() -> None:
    release, abort = A_RELEASE_RP(), A_ABORT_RQ()
    release.decode(pdv.RELEASE_RESPONSE)
    abort.decode(pdv.abort_pdu(pdv.BY_PROVIDER, pdv.UNEXPECTED_PDU))
    assert (abort.source, abort.reason_diagnostic) == (2, 2)


WRONG_FIELDS = {
    "a length past the end": struct.pack(">IBB", 100, CONTEXT, 3) + b"short",
    "a length of nothing": struct.pack(">IBB", 0, CONTEXT, 3),
    "no control header": struct.pack(">IB", 1, CONTEXT) + b"\0",
    "half a head": b"\0\0\0",
    "a command that is none": value(b"\x08\0\x16\0\x04\0\0\0abcd", command=True),
    "a command cut off": value(b"\0\0\0\1\2\0\0", command=True),
    "a value cut off": value(struct.pack("<HHI", 0, 0x0100, 2) + b"\1", command=True),
    "a command without field": value(struct.pack("<HHIH", 0, 0x0800, 2, 0x0101), command=True),
    "a field of three bytes": value(struct.pack("<HHI3s", 0, 0x0100, 3, b"abc"), command=True),
    "data without a command": value(b"data"),
}


@pytest.mark.parametrize("field", WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_what_is_no_message_is_an_invalid_parameter(field: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        assembled(field)
    assert (caught.value.source, caught.value.reason) == (pdv.BY_PROVIDER, pdv.INVALID_PARAMETER)


def test_a_uid_of_more_than_64_characters_is_none() -> None:
    asked = Command(pdv.C_STORE_RQ, 1, "1" * 65, UID, "", True)
    with pytest.raises(ProtocolError, match="no UID"):
        pdv.read_command(pdv.response_to(asked, 0))


def test_fragments_of_two_messages_do_not_mix() -> None:
    command, *_ = store_rq()
    for strange in (value(b"data", context=CONTEXT + 2), value(b"more", command=True)):
        with pytest.raises(ProtocolError, match="within"):
            assembled(command, strange)


def test_a_command_set_without_an_end_is_cut_short() -> None:
    piece = Fragment(CONTEXT, True, False, memoryview(bytes(32 * 1024)))
    assembly = Assembly(lambda _context, _command: BytesIO())
    with pytest.raises(ProtocolError, match="without an end"):
        for _ in range(3):
            assembly.take(piece)
