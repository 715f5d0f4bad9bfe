"""One association as SCU: what is proposed, and why there is none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_ECHO

from node.association import SYNTAXES, VERIFICATION, associate, entity, propose
from node.errors import PeerError
from node.peer import Peer
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
