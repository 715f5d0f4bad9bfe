"""Reports of storage commitment that come to the listener: from whom, on what, and what each is answered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import build_role
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from dicom_templates.kinds import Kind
from node import commitment, outbox
from node.association import STORAGE_COMMITMENT
from node.commit import REQUEST_COMMITMENT, WELL_KNOWN_INSTANCE
from node.commitment import Due, Question
from node.database import Database
from node.receive import Listener
from node.schema import commitment_table, delivery_table
from node.store import Store
from tests.node.commitment_archive import AS_SCP, report_on, reporter
from tests.node.conftest import Bench, configured, peer, result

UID = "1.2.3.1"
PACS = peer("pacs", receives=True, storage_commitment=True)
OTHER = peer("other", receives=True, storage_commitment=True)
VIEWER = peer("viewer", receives=True)
SENDER = peer("sender", sends=True)
STORING_PORT = peer("pacs_store", ae_title="CLUSTER", receives=True)
ASKED_PORT = peer("pacs_commit", ae_title="CLUSTER", host="192.0.2.1", storage_commitment=True)
ROLES = {"scp": AS_SCP, "none": (), "both": (build_role(STORAGE_COMMITMENT, scu_role=True, scp_role=True),)}
AS_SCU = (build_role(STORAGE_COMMITMENT, scu_role=True),)


@pytest.fixture(scope="module")
def one_listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    folder = tmp_path_factory.mktemp("data")
    peers = (PACS, OTHER, VIEWER, SENDER, STORING_PORT, ASKED_PORT)
    listener = Listener(configured(folder, *peers), Store(folder, Database("sqlite://")))
    listener.open()
    yield listener
    listener.close()


@pytest.fixture
def listener(one_listener: Listener, store: Store) -> Listener:
    """A listener with the tables of this test."""
    one_listener.store = store
    return one_listener


@pytest.fixture
def question(bench: Bench) -> Question:
    """The PACS was asked about an object that it was sent."""
    bench.done_job([result(Kind.REPORT, UID)])
    (parcel,) = outbox.claim(bench.database, "pacs")
    outbox.sent(bench.database, parcel, 0)
    asked = commitment.ask(bench.database, Due("pacs"), "PACS")
    assert asked is not None
    return asked


@contextmanager
def associated(listener: Listener, title: str = "PACS", roles: Sequence[Any] = AS_SCP) -> Iterator[Association]:
    association = reporter("127.0.0.1", listener.config.node.port, title, roles)
    try:
        yield association
    finally:
        association.release()


def told(association: Association, report: Dataset | None, event_type: int = 1) -> Dataset:
    answer, _ = association.send_n_event_report(report, event_type, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
    return answer


def state(bench: Bench) -> str:
    (row,) = bench.rows(delivery_table)
    return str(row.state)


@pytest.mark.parametrize("roles", ROLES)
def test_the_peer_that_was_asked_may_report_under_whatever_roles_it_proposes(
    listener: Listener, bench: Bench, question: Question, roles: str
) -> None:
    with associated(listener, roles=ROLES[roles]) as association:
        assert association.is_established
        assert told(association, report_on(question.transaction_uid, [UID])).Status == 0x0000
    assert state(bench) == "COMMITTED"


def test_a_report_may_come_twice_and_counts_once(listener: Listener, bench: Bench, question: Question) -> None:
    with associated(listener) as association:
        assert told(association, report_on(question.transaction_uid, [UID])).Status == 0x0000
        assert told(association, report_on(question.transaction_uid, (), {UID: 0x0112}), 2).Status == 0x0000
    assert state(bench) == "COMMITTED"


def test_another_peer_may_not_report_on_it(
    listener: Listener, bench: Bench, question: Question, capsys: pytest.CaptureFixture[str]
) -> None:
    with associated(listener, "OTHER") as association:
        answer = told(association, report_on(question.transaction_uid, [UID]))
    assert (answer.Status, answer.ErrorComment) == (0x0115, "PACS was asked about this Transaction UID")
    assert "commitment.report_refused" in capsys.readouterr().out
    assert state(bench) == "SENT"


@pytest.mark.parametrize(
    ("make", "event_type", "status", "words"),
    [
        (lambda q: report_on("2.25.1", [UID]), 1, 0x0115, "never asked about"),
        (lambda q: report_on(q.transaction_uid, [UID, "1.2.3.9"]), 1, 0x0115, "not asked for"),
        (lambda q: report_on(q.transaction_uid), 1, 0x0115, "it names no object"),
        (lambda q: report_on(q.transaction_uid, [UID]), 3, 0x0113, "there is no event type 3"),
        (lambda q: report_on("", [UID]), 1, 0x0115, "never asked about"),
        (lambda q: None, 1, 0x0115, "it cannot be read"),
    ],
)
def test_what_is_no_report_of_what_was_asked_is_refused_with_its_reason(
    listener: Listener,
    bench: Bench,
    question: Question,
    make: Callable[[Question], Dataset | None],
    event_type: int,
    status: int,
    words: str,
) -> None:
    with associated(listener) as association:
        answer = told(association, make(question), event_type)
    assert answer.Status == status
    assert words in answer.ErrorComment
    assert state(bench) == "SENT"
    assert [row.state for row in bench.rows(commitment_table)] == ["ASKED"]


def test_bytes_that_are_no_data_set_are_refused(listener: Listener, question: Question, bench: Bench) -> None:
    request = N_EVENT_REPORT()
    request.MessageID, request.EventTypeID = 1, 1
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
    request.EventInformation = BytesIO(b"\x08\x00\x99\x11SQ\x00\x00\xff\xff\xff\x7fgarbage")
    with associated(listener) as association:
        association._reactor_checkpoint.clear()
        association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
    assert answer.Status == 0x0115
    assert state(bench) == "SENT"


def test_a_database_that_fails_is_a_processing_failure_which_the_peer_may_repeat(
    listener: Listener, bench: Bench, question: Question
) -> None:
    listener.store = Store(bench.store.folder, Database("sqlite://"))  # without any table
    with associated(listener) as association:
        assert told(association, report_on(question.transaction_uid, [UID])).Status == 0x0110
    listener.store = bench.store
    with associated(listener) as association:
        assert told(association, report_on(question.transaction_uid, [UID])).Status == 0x0000
    assert state(bench) == "COMMITTED"


def test_nobody_is_given_the_role_of_an_scu(listener: Listener) -> None:
    with associated(listener, roles=AS_SCU) as association:
        assert association.accepted_contexts == []


@pytest.mark.parametrize("roles", ROLES)
def test_the_node_never_promises_to_keep_anything(
    listener: Listener, bench: Bench, roles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A modality that is told so might delete its only copy."""
    question = report_on("2.25.1", [UID])
    with associated(listener, roles=ROLES[roles]) as association:
        # pynetdicom would not ask in a role that it was not given: a peer that does is what this is about.
        for context in association.accepted_contexts:
            context._as_scu = True
        answer, _ = association.send_n_action(question, REQUEST_COMMITMENT, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
        assert answer.Status == 0x0211
    assert "commitment.asked_of_us" in capsys.readouterr().out
    assert bench.rows(commitment_table) == []


@pytest.mark.parametrize("title", ["VIEWER", "SENDER"])
def test_who_is_not_asked_is_not_offered_to_report(listener: Listener, title: str) -> None:
    with associated(listener, title) as association:
        assert association.accepted_contexts == []


def test_one_application_may_report_from_where_another_of_its_ports_is(listener: Listener) -> None:
    with associated(listener, "CLUSTER") as association:
        assert [one.abstract_syntax for one in association.accepted_contexts] == [STORAGE_COMMITMENT]


def test_reports_are_taken_in_uncompressed_syntaxes(listener: Listener) -> None:
    with associated(listener) as association:
        assert association.accepted_contexts[0].transfer_syntax == [ExplicitVRLittleEndian]
