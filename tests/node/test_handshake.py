"""Connections to the TLS port, within this process: what a real node would need another machine or a minute for."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from pynetdicom import AE
from pynetdicom.association import Association

from node.association import VERIFICATION, called, entity
from node.config import Config
from node.gate import Caller
from node.peer import Peer
from node.receive import Listener
from node.store import Store
from tests.certificates import Authority, Wanted
from tests.faults.hostile import associate_rq
from tests.node.conftest import configured, free_port, peer


@pytest.fixture
def events() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def listener(store: Store, tmp_path: Path) -> Iterator[Listener]:
    """Peers with TLS alone: the plain port is closed. All present one certificate here, of localhost."""
    authority = Authority(tmp_path)
    pair = authority.issue("ours", Wanted("restage", ("localhost", "192.0.2.1")))
    files = {"certificate": str(pair.certificate), "key": str(pair.key), "authorities": str(authority.file)}
    secure = peer("secure", sends=True, tls=True, tls_name="localhost")
    far = peer("far", host="192.0.2.1", sends=True, tls=True)
    config = configured(store.folder, secure, far, tls={"port": free_port(), **files})
    closed = config.node.model_copy(update={"port": 0})
    listener = Listener(config.model_copy(update={"node": closed}), store)
    listener.open()
    yield listener
    listener.close()


@contextmanager
def calling(config: Config, title: str) -> Iterator[Association]:
    """The node's own way to call, to its own port."""
    ours = Peer(name="node", ae_title="RESTAGE", host="127.0.0.1", port=config.tls.port, tls=True, tls_name="localhost")
    ours.call_with(config.tls)
    ae: AE = entity(title, 5, 5)
    association, trouble = called(ae, ours)
    assert trouble is None
    yield association
    if association.is_established:
        association.release()


def test_the_node_calls_over_tls_as_it_is_called(listener: Listener) -> None:
    with calling(listener.config, "SECURE") as association:
        assert association.is_established
        assert association.send_c_echo().Status == 0x0000


def test_a_closed_plain_port_is_closed(listener: Listener) -> None:
    assert len(listener._ae._servers) == 1


def test_a_certificate_from_a_wrong_address_opens_nothing(
    listener: Listener, events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with calling(listener.config, "FAR") as association:
        assert [one.abstract_syntax for one in association.accepted_contexts] == [VERIFICATION]
    monkeypatch.setattr(Caller, "is_local", False)
    with calling(listener.config, "FAR") as association:
        assert association.is_rejected
    (said,) = [event for event in events if event["event"] == "association.rejected"]
    assert "FAR called from 127.0.0.1, and [[peer]] far calls from 192.0.2.1" in said["hint"]


def test_who_stops_within_a_pdu_is_not_waited_for_without_an_end(listener: Listener) -> None:
    listener._ae.network_timeout = 0.5
    tls = listener.config.tls
    certificate, key, authorities = tls.files()
    context = ssl.create_default_context(cafile=authorities)
    context.load_cert_chain(certificate, key)
    plain = socket.create_connection(("127.0.0.1", tls.port), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname="localhost") as connection:
        connection.sendall(associate_rq("SECURE")[:50])
        assert connection.recv(1) == b"", "closed"
