"""Many at once: whoever hangs up is forgotten at once, and one peer's associations leave room for another's."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import structlog
from pydicom.uid import MRImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

from node import crowd
from node.crowd import MIB
from node.receive import Listener
from node.store import Store
from tests.node.conftest import configured, peer
from tests.raw_peer import p_data, raw_peer, store_command, value


@pytest.fixture(params=["fast", "plain"])
def listener(store: Store, request: pytest.FixtureRequest) -> Iterator[Listener]:
    peers = [peer("one", sends=True), peer("other", sends=True)]
    listener = Listener(
        configured(store.folder, *peers, node={"fast_ingest": request.param == "fast", "largest_object_mib": 8}), store
    )
    listener.open()
    yield listener
    listener.close()


def associated(listener: Listener, calling: str) -> Association:
    ae = AE(ae_title=calling)
    ae.add_requested_context("1.2.840.10008.1.1")
    node = listener.config.node
    return ae.associate(node.host, node.port, ae_title=node.ae_title)


def all_gone(listener: Listener) -> bool:
    """Whether soon no connection is left: an honest association is accepted after all that came before it."""
    last = associated(listener, "OTHER")
    assert last.is_established
    last.release()
    return soon(lambda: not [one for one in listener._ae.active_associations if one.is_acceptor])


def soon(reached: object) -> bool:
    """Whether it holds within 15 seconds: half of what a connection that stays open has."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if reached():  # type: ignore[operator]  # a function without arguments
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("said", [b"", b"\x01\x00", b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "half", "HTTP"])
def test_connections_that_close_without_an_association_are_forgotten_at_once(listener: Listener, said: bytes) -> None:
    for _ in range(30):
        with socket.create_connection((listener.config.node.host, listener.config.node.port)) as connection:
            connection.sendall(said)
    assert all_gone(listener)


def test_one_peer_has_its_share_and_another_finds_room(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MOST_OF_A_PEER", 3)
    with ExitStack() as stack:
        for _ in range(3):
            one = associated(listener, "ONE")
            assert one.is_established
            stack.callback(one.release)
        refused = associated(listener, "ONE")
        assert refused.is_rejected
        answer = refused.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)  # PS3.8 Table 9-21
        other = associated(listener, "OTHER")
        assert other.is_established
        other.release()
    assert soon(lambda: associated(listener, "ONE").is_established)


def test_all_together_have_a_limit(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MOST_ASSOCIATIONS", 2)
    with ExitStack() as stack:
        for calling in ("ONE", "OTHER"):
            open_one = associated(listener, calling)
            assert open_one.is_established
            stack.callback(open_one.release)
        assert associated(listener, "ONE").is_rejected


def test_connections_that_say_nothing_take_nobodys_place(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MOST_ASSOCIATIONS", 2)
    address = (listener.config.node.host, listener.config.node.port)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(address))
        one = associated(listener, "ONE")
        assert one.is_established
        one.release()
    assert all_gone(listener)


def test_a_pdu_that_is_announced_far_too_long_ends_its_connection_at_once(listener: Listener) -> None:
    header = struct.pack(">BBI", 0x01, 0, 0xFFFFFFFF)
    with socket.create_connection((listener.config.node.host, listener.config.node.port)) as connection:
        connection.settimeout(10)
        connection.sendall(header + bytes(100))
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b"", "closed, not waited for"
    assert all_gone(listener)
    assert associated(listener, "ONE").is_established


def test_an_object_that_is_longer_than_any_may_be_ends_its_association_before_it_fills_the_memory(
    listener: Listener,
) -> None:
    most = listener.config.node.largest_object_mib * MIB
    part = p_data(value(bytes(MIB // 4), last=False))
    with structlog.testing.capture_logs() as events, raw_peer(listener.config.node.port) as peer:
        with suppress(ConnectionError):
            peer.associate(MRImageStorage, calling="ONE")
            peer.say(p_data(value(store_command("1.2.3"), command=True)))
            for _ in range(4 * most // len(part)):
                peer.say(part)
        assert soon(lambda: [one for one in events if one["event"] == "association.broken"])
    assert "largest_object_mib" in events[-1]["reason"]
    assert all_gone(listener)
    assert associated(listener, "ONE").is_established
