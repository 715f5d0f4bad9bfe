"""PDUs from a socket, however its bytes come, and within what a peer may take of length and time."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from node import pdu_stream
from node.errors import ProtocolError
from node.pdu_stream import ConnectionGone, Limits, PduStream, PeerSilent
from node.pdv import P_DATA, PDU_HEAD, RELEASE_RESPONSE, RELEASE_RP

Pair = tuple[socket.socket, PduStream]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The peer's end, and what reads ours."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, PduStream(ours, Limits(100_000, 5.0))


def pdu(content: bytes) -> bytes:
    return PDU_HEAD.pack(P_DATA, len(content)) + content


@pytest.mark.parametrize("buffer", [64, 1000, 512 * 1024])
def test_pdus_come_whole_however_their_bytes_come(buffer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdu_stream, "_BUFFER_BYTES", buffer)
    chance = random.Random(buffer)
    contents = [chance.randbytes(chance.choice((0, 1, 50, 999, 3000))) for _ in range(60)]
    theirs, ours = socket.socketpair()

    def send() -> None:
        rest = b"".join(map(pdu, contents))
        while rest:
            count = chance.randrange(1, 2000)
            theirs.sendall(rest[:count])
            rest = rest[count:]

    sender = threading.Thread(target=send)
    sender.start()
    with theirs, ours:
        stream = PduStream(ours, Limits(100_000, 5.0))
        assert [bytes(stream.next()[1]) for _ in contents] == contents
        sender.join()


def test_two_pdus_in_one_segment_are_two(pair: Pair) -> None:
    theirs, stream = pair
    theirs.sendall(pdu(b"one") + RELEASE_RESPONSE)
    assert (stream.next()[0], stream.next()[0]) == (P_DATA, RELEASE_RP)


@pytest.mark.parametrize("kind", [0x00, 0x08, 0x47, 0xFF])
def test_an_unknown_type_is_named_before_its_length_is_believed(pair: Pair, kind: int) -> None:
    theirs, stream = pair
    theirs.sendall(PDU_HEAD.pack(kind, 0xFFFFFFFF))
    with pytest.raises(ProtocolError, match=f"0x{kind:02X}"):
        stream.next()


def test_a_pdu_that_is_announced_too_long_ends_the_connection(pair: Pair) -> None:
    theirs, stream = pair
    theirs.sendall(PDU_HEAD.pack(P_DATA, 100_001))
    with pytest.raises(ConnectionGone, match="100001"):
        stream.next()


@pytest.mark.parametrize("said", [b"", b"\4\0", pdu(b"abc")[:-1]], ids=["nothing", "half a head", "half a PDU"])
def test_a_peer_that_hangs_up_is_gone_and_it_is_known_whether_midway(pair: Pair, said: bytes) -> None:
    theirs, stream = pair
    theirs.sendall(said)
    theirs.close()
    with pytest.raises(ConnectionGone) as caught:
        stream.next()
    assert caught.value.midway == bool(said)


@pytest.mark.parametrize("trickles", [False, True])
def test_a_peer_that_stops_or_trickles_is_not_waited_for(trickles: bool) -> None:
    theirs, ours = socket.socketpair()
    done = threading.Event()

    def trickle() -> None:
        for byte in pdu(bytes(200))[1:]:
            if done.wait(0.05):
                return
            theirs.sendall(bytes([byte]))

    with theirs, ours:
        stream = PduStream(ours, Limits(1000, 0.3))
        theirs.sendall(b"\4")
        thread = threading.Thread(target=trickle if trickles else done.wait)
        thread.start()
        started = time.monotonic()
        with pytest.raises(PeerSilent):
            stream.next()
        assert time.monotonic() - started < 2.0
        done.set()
        thread.join()


def test_a_closed_socket_is_a_connection_gone() -> None:
    theirs, ours = socket.socketpair()
    theirs.close()
    ours.close()
    with pytest.raises(ConnectionGone):
        PduStream(ours, Limits(1000, 1.0))
