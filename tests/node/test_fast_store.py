"""C-STORE straight from the socket: right for whatever a peer sends, and the same as pynetdicom wherever that answers.

What the listener keeps and refuses is in test_receive.py, on both paths.
"""

from __future__ import annotations

import importlib.metadata
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_FIND, C_STORE

from node.association import AS_SCU
from node.crowd import MIB, Sizes, limit_silence
from node.fast_store import KNOWN_RELEASE, STORE_FAILED, FastStore, arrived
from node.incoming import Incoming
from node.room import Room
from tests.node.conftest import free_port
from tests.raw_peer import (
    ABORT_RQ,
    RELEASE_RQ,
    RawPeer,
    associate_rq,
    command_set,
    echo_command,
    p_data,
    raw_peer,
    store_command,
    value,
)

VERIFICATION = "1.2.840.10008.1.1"
DATA = bytes(range(256)) * 40
UID = "1.2.3.4"
BY_USER, BY_PROVIDER = 0, 2  # PS3.8 Table 9-26
RELEASE_RP = b"\6\0\0\0\0\4\0\0\0\0"


class Receiver:
    """A storage SCP that keeps what it gets in a list; with the fast path, or all by pynetdicom."""

    def __init__(self, folder: Path, fast: bool) -> None:
        self.folder = folder
        self.port = free_port()
        self.received: list[bytes] = []
        self.ended: list[str] = []
        self.failing = False
        self.ae = AE(ae_title="RESTAGE")
        self.ae.network_timeout = 30
        for uid in (VERIFICATION, MRImageStorage, CTImageStorage):
            self.ae.add_supported_context(uid, ExplicitVRLittleEndian)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_CONN_OPEN, Sizes(MIB).watch),
            (evt.EVT_CONN_OPEN, limit_silence),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, lambda _: 0x0000),
            *((event, self._note) for event in (evt.EVT_RELEASED, evt.EVT_ABORTED, evt.EVT_CONN_CLOSE)),
        ]
        if fast:
            handlers += FastStore([MRImageStorage, VERIFICATION], MIB, self._begin).handlers
        self.ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def _begin(self) -> Incoming:
        return Incoming(self.folder, Room(self.folder, 0))

    def _store(self, event: evt.Event) -> int:
        if self.failing:
            raise RuntimeError("the handler fails")
        incoming = arrived(event)
        self.received.append(event.encoded_dataset() if incoming is None else incoming.whole().read())
        return 0x0000

    def _note(self, event: evt.Event) -> None:
        self.ended.append(event.event.name)

    @property
    def associations(self) -> list[Association]:
        return [one for one in self.ae.active_associations if one.is_acceptor]

    def is_calm(self) -> bool:
        return soon(lambda: not self.associations)


def soon(reached: Callable[[], object], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if reached():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Receiver]]:
    both = {way: Receiver(tmp_path_factory.mktemp(way), fast=way == "fast") for way in ("fast", "plain")}
    yield both
    for one in both.values():
        one.ae.shutdown()


@pytest.fixture(params=["fast", "plain"])
def either(receivers: dict[str, Receiver], request: pytest.FixtureRequest) -> Iterator[Receiver]:
    yield from _fresh(receivers[request.param])


@pytest.fixture
def fast(receivers: dict[str, Receiver]) -> Iterator[Receiver]:
    yield from _fresh(receivers["fast"])


def _fresh(receiver: Receiver) -> Iterator[Receiver]:
    receiver.received.clear()
    receiver.ended.clear()
    yield receiver
    receiver.failing, receiver.ae.network_timeout = False, 30
    assert receiver.is_calm(), "an association was left behind"
    assert list(receiver.folder.iterdir()) == [], "a file was left behind"


@contextmanager
def associated(receiver: Receiver, *classes: str, most: int = 16384) -> Iterator[RawPeer]:
    with raw_peer(receiver.port) as peer:
        peer.associate(*(classes or (MRImageStorage, VERIFICATION)), most=most)
        yield peer


def store(data: bytes = DATA, context: int = 1) -> list[bytes]:
    return [
        p_data(value(store_command(UID), command=True, context=context)),
        *(
            p_data(value(data[at : at + 4000], last=at + 4000 >= len(data), context=context))
            for at in range(0, len(data), 4000)
        ),
    ]


def test_it_knows_the_release_of_pynetdicom_that_is_installed() -> None:
    installed = importlib.metadata.version("pynetdicom")
    pinned = Path(__file__).parents[2].joinpath("pyproject.toml").read_text()
    assert f'"pynetdicom=={KNOWN_RELEASE}"' in pinned, "pyproject.toml pins another pynetdicom than fast_store knows"
    assert installed == KNOWN_RELEASE, (
        f"pynetdicom {installed} is installed, and node/fast_store.py knows {KNOWN_RELEASE} from inside: read its "
        "dul.py, fsm.py, association.py and transport.py again, run this file and tests/faults, set KNOWN_RELEASE"
    )


# --- who serves --------------------------------------------------------------------------------------------------


def test_pynetdicoms_reader_is_gone_and_the_association_counts(fast: Receiver) -> None:
    with associated(fast) as peer:
        (association,) = fast.associations
        assert soon(lambda: association.is_established and not association.dul.is_alive())
        assert peer.released()
    assert fast.is_calm()
    assert fast.ended == ["EVT_RELEASED", "EVT_CONN_CLOSE"]


def test_an_association_with_another_class_stays_with_pynetdicom(fast: Receiver) -> None:
    with associated(fast, MRImageStorage, CTImageStorage) as peer:
        (association,) = fast.associations
        assert soon(lambda: association.is_established)
        assert association.dul.is_alive()
        peer.say(*store())
        assert peer.answer().Status == 0x0000
        assert peer.released()


def test_a_request_right_behind_the_acceptance_is_never_lost(fast: Receiver) -> None:
    for _ in range(25):
        with associated(fast) as peer:
            peer.say(*store())
            assert peer.answer().Status == 0x0000
            assert peer.released()
    assert len(fast.received) == 25


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # pynetdicom's own reader ends so
def test_data_before_the_acceptance_hang_nothing(either: Receiver) -> None:
    with raw_peer(either.port) as peer:
        peer.say(associate_rq([MRImageStorage]), *store())
        heard = [peer.hear()[0] for _ in range(2)]
    assert heard[0] in (0x02, 0x07)  # whichever of pynetdicom's threads was first


# --- messages ----------------------------------------------------------------------------------------------------

CUTS = {
    "in one PDU": [p_data(value(store_command(UID), command=True), value(DATA))],
    "command in pieces": [
        *(p_data(value(bytes([one]), command=True, last=False)) for one in store_command(UID)[:-1]),
        p_data(value(store_command(UID)[-1:], command=True)),
        p_data(value(DATA)),
    ],
    "data in pieces": [
        p_data(value(store_command(UID), command=True), value(DATA[:10], last=False)),
        p_data(value(DATA[10:11], last=False), value(b"", last=False), value(DATA[11:5000], last=False)),
        p_data(value(DATA[5000:], last=False)),
        p_data(value(b"")),
    ],
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_message_is_taken_however_it_is_cut(either: Receiver, cut: str) -> None:
    with associated(either) as peer:
        peer.say(*CUTS[cut])
        answer = peer.answer()
        assert (answer.Status, answer.MessageIDBeingRespondedTo) == (0x0000, 1)
        assert (answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID) == (MRImageStorage, UID)
        assert peer.released()
    (content,) = either.received
    assert content.endswith(DATA)


def test_both_paths_keep_the_same_bytes(receivers: dict[str, Receiver]) -> None:
    for receiver in receivers.values():
        receiver.received.clear()
        with associated(receiver) as peer:
            peer.say(*store())
            peer.answer()
            peer.released()
    assert receivers["fast"].received == receivers["plain"].received != []


def test_bytes_that_come_one_by_one_are_a_message(either: Receiver) -> None:
    with associated(either) as peer:
        for byte in b"".join(store(DATA[:40])):
            peer.say(bytes([byte]))
        assert peer.answer().Status == 0x0000
        assert peer.released()


def test_requests_that_do_not_wait_are_answered_in_their_order(either: Receiver) -> None:
    with associated(either) as peer:
        echo = p_data(value(echo_command(), command=True, context=3))
        peer.say(*store(), echo, *store(DATA[:100]))
        assert [type(peer.answer()) for _ in range(3)] == [C_STORE, C_ECHO, C_STORE]
        assert peer.released()
    assert [len(one) > 5000 for one in either.received] == [True, False]


def test_a_data_set_that_belongs_to_no_c_store_is_left_aside(fast: Receiver) -> None:
    without, announced = (struct.pack("<HHIH", 0, 0x0800, 2, kind) for kind in (0x0101, 0x0000))
    echo = echo_command().replace(without, announced)
    with associated(fast) as peer:
        for _ in range(3):
            peer.say(p_data(value(echo, command=True, context=3)), p_data(value(DATA, context=3)))
            assert isinstance(peer.answer(), C_ECHO)
            assert soon(lambda: not list(fast.folder.iterdir()))
        assert peer.released()
    assert fast.received == []


def test_a_cancel_is_nothing_to_answer(either: Receiver) -> None:
    cancel = C_CANCEL()
    cancel.MessageIDBeingRespondedTo = 1
    with associated(either) as peer:
        peer.say(p_data(value(command_set(cancel), command=True)), *store())
        assert peer.answer().Status == 0x0000
        assert peer.released()


def test_an_answer_fits_what_the_peer_can_take(either: Receiver) -> None:
    with associated(either, most=64) as peer:
        peer.say(*store())
        kind, field = peer.hear()
        assert (kind, len(field) <= 64) == (0x04, True)
        while not field[5] & 0b10:
            kind, field = peer.hear()
            assert len(field) <= 64
        assert peer.released()


def test_a_handler_that_fails_fails_one_object(either: Receiver) -> None:
    with structlog.testing.capture_logs(), associated(either) as peer:
        either.failing = True
        peer.say(*store())
        assert peer.answer().Status == STORE_FAILED
        either.failing = False
        peer.say(*store())
        assert peer.answer().Status == 0x0000
        assert peer.released()


# --- what ends an association ------------------------------------------------------------------------------------


def find_command() -> bytes:
    request = C_FIND()
    request.MessageID, request.AffectedSOPClassUID, request.Priority = 1, MRImageStorage, 2
    return command_set(request)


BREAKING: dict[str, tuple[bytes, tuple[int, int]]] = {
    "an unknown PDU": (b"\x47\0\0\0\0\0", (BY_PROVIDER, 1)),
    "a second request": (associate_rq([MRImageStorage]), (BY_PROVIDER, 2)),
    "an answer to no release": (RELEASE_RP, (BY_PROVIDER, 2)),
    "data without a command": (p_data(value(DATA)), (BY_PROVIDER, 6)),
    "a context that was not accepted": (b"".join(store(context=7)), (BY_USER, 0)),
    "a command that is not served": (p_data(value(find_command(), command=True), value(DATA)), (BY_USER, 0)),
}
BREAKING_HERE: dict[str, tuple[bytes, tuple[int, int]]] = {
    # pynetdicom takes these, or ends without a word.
    "a length past the end": (p_data(b"\0\0\xff\xff\1\3"), (BY_PROVIDER, 6)),
    "no control header": (p_data(b"\0\0\0\1\1"), (BY_PROVIDER, 6)),
    "no command where one is due": (p_data(value(DATA, command=True)), (BY_PROVIDER, 6)),
    "data for another context": (
        p_data(value(store_command(UID), command=True), value(DATA, context=3)),
        (BY_PROVIDER, 6),
    ),
    "a command within data": (
        p_data(value(store_command(UID), command=True), value(store_command(UID), command=True)),
        (BY_PROVIDER, 6),
    ),
}


@pytest.mark.parametrize("what", BREAKING)
def test_what_no_peer_may_send_aborts(either: Receiver, receivers: dict[str, Receiver], what: str) -> None:
    said, (source, reason) = BREAKING[what]
    with structlog.testing.capture_logs() as events, associated(either) as peer:
        peer.say(said)
        heard = peer.aborted()
    assert heard[0] == source
    assert either.is_calm()
    assert either.received == []
    assert either.ended == ["EVT_ABORTED", "EVT_CONN_CLOSE"] or either is receivers["plain"]
    if either is receivers["fast"]:
        assert heard[1] == reason
        assert [event["event"] for event in events] == ["association.broken"]


@pytest.mark.parametrize("what", BREAKING_HERE)
def test_what_pynetdicom_does_not_notice_aborts_too(fast: Receiver, what: str) -> None:
    said, expected = BREAKING_HERE[what]
    with structlog.testing.capture_logs(), associated(fast) as peer:
        peer.say(said)
        assert peer.aborted() == expected
    assert fast.received == []


def test_an_abort_of_the_peer_ends_it_without_a_word(either: Receiver) -> None:
    with associated(either) as peer:
        peer.say(*store()[:2], ABORT_RQ)
        assert peer.hear() == (0, b"")
        assert either.is_calm()
    assert either.received == []
    assert set(either.ended) == {"EVT_ABORTED", "EVT_CONN_CLOSE"}


def test_a_release_in_the_middle_of_a_message_is_given_and_keeps_nothing(either: Receiver) -> None:
    with associated(either) as peer:
        peer.say(*store()[:2])
        assert peer.released()
    assert either.received == []


@pytest.mark.parametrize("midway", [False, True])
def test_a_peer_that_hangs_up_is_gone_at_once(either: Receiver, midway: bool) -> None:
    with structlog.testing.capture_logs(), associated(either) as peer:
        if midway:
            peer.say(*store()[:2], store()[2][:99])
        time.sleep(0.05)
    assert either.is_calm()
    assert either.received == []
    assert set(either.ended) == {"EVT_ABORTED", "EVT_CONN_CLOSE"}


def test_a_peer_that_says_nothing_more_is_aborted_in_time(either: Receiver) -> None:
    either.ae.network_timeout = 0.5
    with structlog.testing.capture_logs(), associated(either) as peer:
        assert peer.aborted() == (BY_USER, 0)


def test_a_peer_that_stops_within_a_pdu_is_ended_in_time(either: Receiver, receivers: dict[str, Receiver]) -> None:
    either.ae.network_timeout = 0.5
    with structlog.testing.capture_logs(), associated(either) as peer:
        peer.say(*store()[:2], store()[2][:99])
        if either is receivers["fast"]:
            assert peer.aborted() == (BY_USER, 0)
        else:
            assert peer.hear()[0] in (0x00, 0x07)
        assert either.is_calm()


def test_a_pdu_that_is_announced_far_too_long_ends_the_connection(either: Receiver) -> None:
    with structlog.testing.capture_logs(), associated(either) as peer:
        peer.say(b"\4\0\xff\xff\xff\xff")
        assert peer.hear() == (0, b"")


# --- the node's own end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("midway", [False, True])
def test_a_node_that_stops_aborts_whoever_is_there(tmp_path: Path, midway: bool) -> None:
    receiver = Receiver(tmp_path, fast=True)
    with ExitStack() as stack:
        peers = [stack.enter_context(associated(receiver)) for _ in range(3)]
        assert soon(lambda: all(one.is_established for one in receiver.associations))
        if midway:
            for peer in peers:
                peer.say(*store()[:2], store()[2][:99])
        started = time.monotonic()
        receiver.ae.shutdown()
        assert time.monotonic() - started < 5.0
        assert [peer.aborted() for peer in peers] == [(BY_USER, 0)] * 3
    assert receiver.associations == []
    assert receiver.ended.count("EVT_ABORTED") == receiver.ended.count("EVT_CONN_CLOSE") == 3


def test_nothing_is_left_of_many_associations(fast: Receiver) -> None:
    threads = threading.active_count()
    for end in (RELEASE_RQ, ABORT_RQ, b"", b"\x47\0\0\0\0\0", store()[0]):
        for _ in range(6):
            with structlog.testing.capture_logs(), associated(fast) as peer:
                peer.say(end)
    assert fast.is_calm()
    assert soon(lambda: threading.active_count() <= threads)


def test_a_real_sender_sees_no_difference(either: Receiver) -> None:
    ae = AE("SENDER")
    for uid in (MRImageStorage, VERIFICATION):
        ae.add_requested_context(uid, ExplicitVRLittleEndian)
    handlers: list[Any] = list(AS_SCU)
    association = ae.associate("127.0.0.1", either.port, ae_title="RESTAGE", evt_handlers=handlers)
    assert [association.send_c_echo().Status for _ in range(3)] == [0x0000] * 3
    association.release()
    assert association.is_released
