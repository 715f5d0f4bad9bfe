"""One peer at a time: real application entities on loopback, each wrong in one way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from node import check_peer as module
from node.ask import STUDY_ROOT_GET
from node.association import STORAGE_COMMITMENT, VERIFICATION
from node.check_classes import (
    COMPREHENSIVE_3D_SR,
    COMPREHENSIVE_SR,
    KEY_OBJECTS,
    NAMES,
    SECONDARY_CAPTURE,
    SEG,
    STUDY_ROOT_MOVE,
)
from node.check_peer import answers_as, check_peer
from node.config import Node
from node.finding import Finding, Level
from node.peer import Peer, Profile
from tests.dicom_files import BASELINE, mask
from tests.node.query_archive import Answers, QueryArchive, answer_of

NODE = Node(ae_title="RESTAGE")
RESULT_CLASSES = (SEG, COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, KEY_OBJECTS)
Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start an application entity called PACS on a free port, for these abstract syntaxes; the port."""
    servers = []

    def start(
        *classes: str,
        calling: str = "",
        local_limit: bool = False,
        echo_status: int = 0x0000,
        syntaxes: Sequence[str] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    ) -> int:
        ae = AE(ae_title="PACS")
        ae.require_called_aet = True
        ae.require_calling_aet = [calling] if calling else []
        if local_limit:
            ae.maximum_associations = 1
        for uid in classes:
            ae.add_supported_context(uid, list(syntaxes))
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


def peer(
    port: int, *, title: str = "PACS", host: str = "127.0.0.1", profile: Profile | None = None, **roles: bool
) -> Peer:
    values = roles or {"receives": True}
    return Peer(name="pacs", ae_title=title, host=host, port=port, profile=profile or Profile(), **values)


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
    findings = found(peer(serve(VERIFICATION, SECONDARY_CAPTURE, KEY_OBJECTS)))
    failed = [message for level, message in findings if level is Level.FAIL]
    assert failed == [
        f"their side does not take {NAMES[SEG]}; enable that SOP class, or leave "
        '"seg" out of objects in its [peer.profile]',
        f"their side does not take {NAMES[COMPREHENSIVE_3D_SR]}; enable that SOP class, or leave "
        '"report" out of objects in its [peer.profile]',
    ]


def test_a_peer_of_comprehensive_sr_alone_is_told_the_key_that_mends_it(serve: Serve) -> None:
    port = serve(VERIFICATION, SEG, COMPREHENSIVE_SR, SECONDARY_CAPTURE, KEY_OBJECTS)
    (failed,) = [message for level, message in found(peer(port)) if level is Level.FAIL]
    assert failed == (
        "their side does not take Comprehensive 3D SR; it takes Comprehensive SR: "
        'set report_class = "comprehensive" in its [peer.profile]'
    )
    mended = found(peer(port, profile=Profile(report_class="comprehensive")))
    assert {level for level, _ in mended} == {Level.OK}
    assert any(message.startswith("takes Comprehensive SR in") for _, message in mended)


def test_a_peer_that_takes_no_rejection_note_can_be_sent_to_and_is_pointed_out(serve: Serve) -> None:
    findings = found(peer(serve(VERIFICATION, SEG, COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE)))
    (warning,) = [message for level, message in findings if level is not Level.OK]
    assert warning.startswith("their side does not take Key Object Selection (withdrawals); enable that SOP class")


def test_what_a_profile_does_not_ask_for_is_not_looked_for(serve: Serve) -> None:
    profile = Profile(objects=["summary", "pdf"])
    messages = [message for _, message in found(peer(serve(*RESULT_CLASSES), profile=profile))]
    assert [message for message in messages if "Segmentation" in message or "SR" in message] == []
    assert any(message.startswith("takes Secondary Capture") for message in messages)
    assert any('does not take Encapsulated PDF; enable that SOP class, or leave "pdf" out' in one for one in messages)


def test_the_transfer_syntax_is_the_one_that_results_are_sent_in(serve: Serve) -> None:
    implicit_first = serve(VERIFICATION, *RESULT_CLASSES, syntaxes=(ImplicitVRLittleEndian, ExplicitVRLittleEndian))
    assert (Level.OK, f"takes {NAMES[SEG]} in Explicit VR Little Endian") in found(peer(implicit_first))
    profile = Profile(transfer_syntax="implicit")
    assert (Level.OK, f"takes {NAMES[SEG]} in Implicit VR Little Endian") in found(
        peer(implicit_first, profile=profile)
    )
    explicit_alone = serve(VERIFICATION, *RESULT_CLASSES, syntaxes=(ExplicitVRLittleEndian,))
    failed = [message for level, message in found(peer(explicit_alone, profile=profile)) if level is Level.FAIL]
    assert len(failed) == 3
    assert all('as transfer_syntax = "implicit" says' in message for message in failed)


@pytest.fixture
def queried() -> Iterator[Callable[..., int]]:
    """Start an archive that can be queried and takes the usual results; the port."""
    archives: list[QueryArchive] = []

    def start(**changes: object) -> int:
        archives.append(QueryArchive(**{"storage": RESULT_CLASSES, **changes}))  # type: ignore[arg-type]  # as asked
        return archives[-1].open()

    yield start
    for archive in archives:
        archive.close()


def test_a_queried_peer_is_really_asked(queried: Callable[..., int]) -> None:
    findings = found(peer(queried(), receives=True, queries=True))
    assert (Level.OK, "answers C-FIND for a study that does not exist: there is none") in findings
    assert (Level.OK, "gives back what it was sent by C-GET, so results are verified") in findings
    assert [message for level, message in findings if level is not Level.OK] == [
        "their side does not take Study Root MOVE; without it, priors cannot be fetched from there: see retrieve of "
        "this [[peer]]",
    ]


def test_a_peer_that_knows_this_node_as_a_destination_or_does_not_say_is_told_apart(
    queried: Callable[..., int],
) -> None:
    findings = found(peer(queried(destinations={"RESTAGE": 104}), queries=True))
    (said,) = [(level, message) for level, message in findings if "C-MOVE" in message]
    assert said[0] is Level.OK
    assert "whether it knows RESTAGE as a destination it says only of a study that it has" in said[1]
    findings = found(peer(queried(destinations={"OTHER": 104}), queries=True))
    (said,) = [(level, message) for level, message in findings if "C-MOVE" in message]
    assert said[0] is Level.WARN
    assert "does not know RESTAGE as a move destination (C-MOVE status 0xA801): add RESTAGE there" in said[1]


def test_a_peer_from_which_priors_are_got_must_give_images(queried: Callable[..., int]) -> None:
    def by_get(port: int) -> list[tuple[Level, str]]:
        pacs = Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=port, queries=True, retrieve="get")
        return found(pacs)

    with_images = by_get(queried(storage=(*RESULT_CLASSES, "1.2.840.10008.5.1.4.1.1.4")))
    assert (Level.OK, "gives MR images by C-GET, so priors can be fetched") in with_images
    warned = "\n".join(message for level, message in by_get(queried()) if level is Level.WARN)
    assert 'does not give MR images by C-GET: enable it there, or set retrieve = "move"' in warned


def test_a_peer_without_c_get_is_told_that_presence_is_all_that_is_verified(queried: Callable[..., int]) -> None:
    findings = found(peer(queried(offers_get=False), receives=True, queries=True))
    words = "their side does not give back results by C-GET: they are verified by their presence alone"
    assert (Level.WARN, words) in findings


def test_a_peer_that_answers_a_query_with_what_was_not_asked_for_cannot_be_queried(
    queried: Callable[..., int],
) -> None:
    def everything(_: evt.Event) -> Answers:
        yield 0xFF00, answer_of(mask(BASELINE))

    failed = [
        message
        for level, message in found(peer(queried(find=everything), receives=True, queries=True))
        if level is Level.FAIL
    ]
    assert len(failed) == 1
    assert "cannot be queried: pacs answers with other studies than it was asked for" in failed[0]
    assert failed[0].endswith("or set queries = false: until then no result is sent to it")


@pytest.mark.usefixtures("quickly")
def test_a_peer_that_never_answers_a_query_is_given_up(queried: Callable[..., int]) -> None:
    silence = threading.Event()

    def never(_: evt.Event) -> Answers:
        silence.wait(5)
        yield 0x0000, None

    findings = found(peer(queried(find=never), queries=True))
    silence.set()
    assert any("cannot be queried: pacs gives no answer to C-FIND" in message for _, message in findings)


def test_a_peer_that_is_queried_and_does_not_offer_it_is_a_fault(serve: Serve) -> None:
    findings = found(peer(serve(VERIFICATION, STUDY_ROOT_GET, STUDY_ROOT_MOVE), queries=True))
    (failed,) = [message for level, message in findings if level is Level.FAIL]
    assert "does not offer Study Root C-FIND; let RESTAGE ask it by Study Root C-FIND, or set queries = false" in failed
    assert any(message == "takes Study Root MOVE in Implicit VR Little Endian" for _, message in findings)


def test_a_peer_asked_for_storage_commitment_must_offer_it(serve: Serve) -> None:
    findings = found(peer(serve(VERIFICATION), storage_commitment=True))
    assert (
        Level.FAIL,
        "their side does not take Storage Commitment; enable that SOP class, or set storage_commitment = false",
    ) in findings


def test_a_peer_that_offers_storage_commitment_is_to_know_where_it_reports_to(serve: Serve) -> None:
    findings = found(peer(serve(VERIFICATION, STORAGE_COMMITMENT), storage_commitment=True))
    words = "may report on storage commitment to RESTAGE at this machine, port 11112: register it there"
    assert (Level.OK, words) in findings
    assert (Level.OK, "takes Storage Commitment in Implicit VR Little Endian") in findings


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
    assert "another protocol" in finding.message and "TLS" not in finding.message


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
