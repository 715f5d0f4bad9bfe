"""One peer at a time: real application entities on loopback, each wrong in one way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from node import check_peer as module
from node.check_peer import QUERY_CLASSES, RESULT_CLASSES, VERIFICATION, Finding, Level, answers_as, check_peer
from node.config import Node, Peer

NODE = Node(ae_title="RESTAGE")
Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start an application entity called PACS on a free port, for these abstract syntaxes; the port."""
    servers = []

    def start(*classes: str, calling: str = "", local_limit: bool = False, echo_status: int = 0x0000) -> int:
        ae = AE(ae_title="PACS")
        ae.require_called_aet = True
        ae.require_calling_aet = [calling] if calling else []
        if local_limit:
            ae.maximum_associations = 1
        for uid in classes:
            ae.add_supported_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        handlers = [(evt.EVT_C_ECHO, lambda _event: echo_status)]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        servers.append(server)
        return int(server.socket.getsockname()[1])

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.5)


def peer(port: int, *, title: str = "PACS", host: str = "127.0.0.1", **roles: bool) -> Peer:
    return Peer(name="pacs", ae_title=title, host=host, port=port, **(roles or {"receives": True}))


def found(looked_at: Peer) -> list[tuple[Level, str]]:
    return [(finding.level, finding.message) for finding in check_peer(NODE, looked_at)]


def only(looked_at: Peer) -> Finding:
    (finding,) = check_peer(NODE, looked_at)
    return finding


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_peer_that_takes_all_results_is_found_well(serve: Serve) -> None:
    port = serve(VERIFICATION, *RESULT_CLASSES)
    findings = found(peer(port))
    assert {level for level, _ in findings} == {Level.OK}
    messages = "\n".join(message for _, message in findings)
    assert "accepts an association from RESTAGE" in messages
    assert "takes Segmentation (SEG) in Explicit VR Little Endian" in messages
    assert "takes Comprehensive 3D SR in" in messages
    assert "takes Secondary Capture (summary page) in" in messages
    assert "answers C-ECHO" in messages


def test_each_result_class_that_a_peer_does_not_take_is_a_fault_of_its_own(serve: Serve) -> None:
    seg, report, page = RESULT_CLASSES
    findings = found(peer(serve(VERIFICATION, page)))
    failed = [message for level, message in findings if level is Level.FAIL]
    assert failed == [
        f"their side does not take {RESULT_CLASSES[seg]}; enable that SOP class for RESTAGE",
        f"their side does not take {RESULT_CLASSES[report]}; enable that SOP class for RESTAGE",
    ]


def test_a_queried_peer_is_asked_for_find_and_move_alone(serve: Serve) -> None:
    findings = found(peer(serve(VERIFICATION, *QUERY_CLASSES), queries=True))
    assert [message for _, message in findings if message.startswith("takes")] == [
        "takes Study Root FIND in Explicit VR Little Endian",
        "takes Study Root MOVE in Explicit VR Little Endian",
    ]


def test_a_peer_asked_for_storage_commitment_must_offer_it(serve: Serve) -> None:
    findings = found(peer(serve(VERIFICATION), storage_commitment=True))
    assert (Level.FAIL, "their side does not take Storage Commitment; enable that SOP class for RESTAGE") in findings


def test_a_wrong_called_title_is_our_mistake(serve: Serve) -> None:
    finding = only(peer(serve(VERIFICATION, *RESULT_CLASSES), title="PACZ"))
    assert finding.level is Level.FAIL
    assert "our side calls it by a wrong name: it is not PACZ" in finding.message
    assert finding.subject.startswith("peer pacs (PACZ at 127.0.0.1:")


def test_an_unregistered_calling_title_is_theirs_to_register(serve: Serve) -> None:
    finding = only(peer(serve(VERIFICATION, *RESULT_CLASSES, calling="SOMEBODY")))
    assert finding.level is Level.FAIL
    assert "register AE title RESTAGE" in finding.message


def test_a_peer_with_too_many_associations_is_to_be_tried_again(serve: Serve) -> None:
    port = serve(VERIFICATION, local_limit=True)
    ae = AE(ae_title="OTHER")
    ae.add_requested_context(VERIFICATION)
    holder = ae.associate("127.0.0.1", port, ae_title="PACS")
    assert holder.is_established
    try:
        assert "local limit exceeded" in only(peer(port)).message
    finally:
        holder.release()


def test_nothing_listening_is_said_of_the_port() -> None:
    finding = only(peer(free_port()))
    assert finding.level is Level.FAIL
    assert "their side: nothing listens on port" in finding.message


def test_an_unknown_host_name_is_ours_to_mend() -> None:
    assert "host name no-such-host.invalid is not known here" in only(peer(104, host="no-such-host.invalid")).message


@pytest.mark.usefixtures("quickly")
def test_a_dead_address_is_said_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(module.socket, "create_connection", never)
    message = only(peer(104)).message
    assert "the network between: no answer from 127.0.0.1:104" in message
    assert "firewall" in message


@pytest.mark.usefixtures("quickly")
def test_a_port_that_speaks_something_else_is_told_from_a_dicom_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def hang_up() -> None:
            server.settimeout(0.1)
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            finding = only(peer(server.getsockname()[1]))
        finally:
            stop.set()
            thread.join()
    assert finding.level is Level.FAIL
    assert "gives no DICOM answer" in finding.message
    assert "TLS" in finding.message


@pytest.mark.usefixtures("quickly")
def test_a_silent_port_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "gives no DICOM answer" in only(peer(server.getsockname()[1])).message


def test_a_peer_that_only_sends_need_not_answer() -> None:
    assert only(peer(free_port(), sends=True)).level is Level.WARN


def test_a_peer_without_a_role_is_pointed_out(serve: Serve) -> None:
    findings = found(peer(serve(VERIFICATION), sends=False))
    assert findings[0][0] is Level.WARN
    assert "it has no role" in findings[0][1]


def test_a_peer_whose_echo_fails_or_is_absent_is_a_warning(serve: Serve) -> None:
    assert (Level.WARN, "their side answers C-ECHO with status 0x0122: see its log") in found(
        peer(serve(VERIFICATION, *RESULT_CLASSES, echo_status=0x0122))
    )
    assert any("does not offer Verification" in message for _, message in found(peer(serve(*RESULT_CLASSES))))


def test_a_peer_that_takes_none_of_our_classes_is_told_so(serve: Serve) -> None:
    message = only(peer(serve("1.2.840.10008.5.1.4.1.1.2"))).message
    assert "none of our SOP classes" in message


def test_an_entity_is_recognised_by_its_title(serve: Serve) -> None:
    port = serve(VERIFICATION)
    assert answers_as("127.0.0.1", port, called="PACS", calling="X")
    assert not answers_as("127.0.0.1", port, called="OTHER", calling="X")
