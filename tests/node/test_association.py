"""One association as SCU: what is proposed, and why there is none."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_ECHO

from node.association import SYNTAXES, VERIFICATION, associate, entity, propose
from node.errors import PeerError
from node.peer import Peer
from node.tls_section import Tls
from tests.certificates import Authority, Wanted
from tests.node.conftest import free_port

SEG = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """An archive that would rather have everything in Implicit VR Little Endian."""
    ae = AE(ae_title="PACS")
    ae.require_called_aet = True
    for uid in (VERIFICATION, SEG):
        ae.add_supported_context(uid, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    server = ae.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    yield int(server.socket.getsockname()[1])
    ae.shutdown()


def pacs(port: int, title: str = "PACS", host: str = "127.0.0.1") -> Peer:
    return Peer(name="pacs", ae_title=title, host=host, port=port)


@pytest.mark.parametrize(
    ("profile", "accepted"),
    [
        ("explicit", [ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
        ("implicit", [ImplicitVRLittleEndian]),
    ],
)
def test_each_transfer_syntax_is_accepted_by_itself_in_our_order(port: int, profile: str, accepted: list[str]) -> None:
    ae = entity("RESTAGE")
    propose(ae, [SEG], SYNTAXES[profile])
    association = associate(ae, pacs(port))
    contexts = [one for one in association.accepted_contexts if one.abstract_syntax == SEG]
    association.release()
    assert [one.transfer_syntax[0] for one in contexts] == accepted


def test_each_object_goes_out_without_waiting_for_the_one_before(port: int) -> None:
    association = associate(entity("RESTAGE"), pacs(port))
    connection = association.dul.socket
    assert connection is not None and connection.socket is not None
    assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    association.release()


def test_an_association_stands_where_nothing_else_is_accepted(port: int) -> None:
    ae = entity("RESTAGE")
    propose(ae, ["1.2.3"], SYNTAXES["explicit"])
    association = associate(ae, pacs(port))
    assert [one.abstract_syntax for one in association.accepted_contexts] == [VERIFICATION]
    association.release()


def test_no_association_is_told_with_the_peer_and_may_come_another_time(port: int) -> None:
    for wrong, words in (
        (pacs(free_port()), "no association with pacs (PACS@127.0.0.1:"),
        (pacs(port, title="OTHER"), "rejected the association: Called AE title not recognised"),
        (pacs(port, host="no-such-host.invalid"), "no association with pacs (PACS@no-such-host.invalid:"),
    ):
        with pytest.raises(PeerError) as failed:
            associate(entity("RESTAGE"), wrong)
        assert words in str(failed.value)
        assert not failed.value.permanent


@pytest.fixture
def secured(tmp_path: Path) -> Tls:
    """What both sides present: one certificate, of localhost."""
    authority = Authority(tmp_path)
    pair = authority.issue("both", Wanted("both", ("localhost",)))
    return Tls(certificate=pair.certificate, key=pair.key, authorities=authority.file)


@contextmanager
def silent(context: ssl.SSLContext | None) -> Iterator[int]:
    """A port that takes connections, ends the handshake where it has a context, and says nothing more."""
    connections = []

    def take() -> None:
        with suppress(OSError):
            connections.append(server.accept()[0])
            if context is not None:
                connections[0] = context.wrap_socket(connections[0], server_side=True)
                connections[0].do_handshake()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=take)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join()
        for one in connections:
            one.close()


@pytest.mark.parametrize(("shakes_hands", "words"), [(False, "no TLS with pacs"), (True, "does not answer")])
def test_a_peer_with_tls_that_says_nothing_is_not_waited_for(secured: Tls, shakes_hands: bool, words: str) -> None:
    """After a handshake a ticket may come, which is no answer, and pynetdicom would read on without an end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # with tickets
    certificate, key, _ = secured.files()
    context.load_cert_chain(certificate, key)
    threads = threading.active_count()
    with silent(context if shakes_hands else None) as port:
        peer = pacs(port, host="127.0.0.1").model_copy(update={"tls": True, "tls_name": "localhost"})
        peer.call_with(secured)
        begun = time.monotonic()
        with pytest.raises(PeerError, match=words):
            associate(entity("RESTAGE", connect=1, answer=60), peer)
        assert time.monotonic() - begun < 5
        while threading.active_count() > threads:  # no thread of the association stays
            assert time.monotonic() - begun < 5, threading.enumerate()
            time.sleep(0.05)


def test_an_answer_that_comes_at_once_is_left_to_who_waits_for_it(port: int) -> None:
    """The association's own thread has passed its checkpoint, and looks for messages just after a request went out."""
    association = associate(entity("RESTAGE"), pacs(port))
    association._reactor_checkpoint.clear()
    time.sleep(0.05)  # that thread has stopped: now it is played by this one
    answer = (1, C_ECHO())
    association.dimse.msg_queue.put(answer)
    assert association.dimse.get_msg(block=False) == (None, None)
    assert association.dimse.get_msg(block=True) == answer
    association._reactor_checkpoint.set()
    assert association.send_c_echo().Status == 0x0000
    association.release()


def test_nobody_takes_the_sign_away_while_a_message_is_taken(port: int) -> None:
    association = associate(entity("RESTAGE"), pacs(port))
    checkpoint = association._reactor_checkpoint
    cleared = threading.Thread(target=checkpoint.clear)
    with checkpoint.lock:
        cleared.start()
        cleared.join(0.1)
        assert cleared.is_alive() and checkpoint.is_set()
    cleared.join(5)
    assert not checkpoint.is_set()
    checkpoint.set()
    association.release()
