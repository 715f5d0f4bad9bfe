"""Peers that are asked for storage commitment, each in its own way: on which association it reports, when, and what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom.association import Association
from sqlalchemy import update

from dicom_templates.kinds import Kind
from node import commit as module
from node import outbox
from node.breaker import Breaker
from node.commit import ask_for_commitment
from node.config import Config
from node.outbox import INDEXING_SECONDS
from node.receive import Listener
from node.schema import commitment_item_table, commitment_table, delivery_table
from tests.node.commitment_archive import CommitmentArchive, asked_for, report_on, reporter
from tests.node.conftest import Bench, configured, free_port, peer, result

UIDS = ("1.2.3.1", "1.2.3.2")
HOURS = 1e-3  # 3.6 s

Start = Callable[..., tuple[CommitmentArchive, "Asked"]]


@dataclass
class Asked:
    """A node of whose results two have arrived at the PACS, which is asked when a test says so."""

    bench: Bench
    config: Config
    breaker: Breaker

    def ask(self) -> int:
        return ask_for_commitment(self.bench.database, self.config, self.config.peers[0], self.breaker)

    def states(self) -> list[str]:
        return [row.state for row in self.bench.rows(delivery_table)]

    def reasons(self) -> list[str]:
        return [row.reason for row in self.bench.rows(commitment_item_table)]

    def pass_time(self) -> None:
        with self.bench.database.transaction() as connection:
            connection.execute(update(commitment_item_table).values(not_before=0.0))
            connection.execute(update(commitment_table).values(until=0.0))

    def wait_for(self, states: Sequence[str]) -> None:
        deadline = time.monotonic() + 5
        while self.states() != list(states):
            assert time.monotonic() < deadline, (self.states(), self.reasons())
            time.sleep(0.02)


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.5)


@pytest.fixture
def sent(bench: Bench) -> Bench:
    bench.done_job([result(Kind.SEG_BASELINE, UIDS[0]), result(Kind.REPORT, UIDS[1])])
    for parcel in outbox.claim(bench.database, "pacs"):
        outbox.sent(bench.database, parcel, 0)
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(updated_at=time.time() - INDEXING_SECONDS - 1))
    return bench


@pytest.fixture(scope="module")
def one_archive() -> Iterator[tuple[CommitmentArchive, int]]:
    archive = CommitmentArchive()
    yield archive, archive.open()
    archive.close()


@pytest.fixture
def start(sent: Bench, one_archive: tuple[CommitmentArchive, int]) -> Start:
    """An archive that behaves as a test says, and a node that asks it, or another peer at another port."""
    archive, port = one_archive

    def behave(*others: dict[str, Any], port: int = port, **behaviour: Any) -> tuple[CommitmentArchive, Asked]:
        archive.behave(**behaviour)
        values = {"receives": True, "port": port, "storage_commitment": not others}
        config = configured(sent.store.folder, peer("pacs", **values), *others, results={"commitment_hours": HOURS})
        return archive, Asked(sent, config, Breaker("pacs", 0.2))

    return behave


def everything_is_kept(archive: CommitmentArchive, association: Association, question: Dataset) -> None:
    archive.report(association, report_on(question.TransactionUID, asked_for(question)))


def test_a_report_on_the_same_association_commits_at_once(start: Start) -> None:
    archive, asked = start(then=everything_is_kept)
    begun = time.monotonic()
    assert asked.ask() == 2
    assert time.monotonic() - begun < 3
    assert asked.states() == ["COMMITTED", "COMMITTED"]
    assert archive.wait_for_answers() == [0x0000]
    assert [asked_for(one) for one in archive.questions] == [list(UIDS)]
    assert asked.ask() == 0
    assert archive.associations == 1


def test_of_many_reports_on_the_same_association_each_is_answered(start: Start) -> None:
    """The association is released only after the answer has gone out."""
    archive, asked = start(then=everything_is_kept)
    for _ in range(5):
        asked.ask()
        with asked.bench.database.transaction() as connection:
            connection.execute(update(delivery_table).values(state="SENT"))
    assert archive.wait_for_answers(5) == [0x0000] * 5


def test_failures_are_told_from_what_is_kept(start: Start) -> None:
    def one_is_missing(archive: CommitmentArchive, association: Association, question: Dataset) -> None:
        archive.report(association, report_on(question.TransactionUID, UIDS[:1], {UIDS[1]: 0x0112}), 2)

    _, asked = start(then=one_is_missing)
    assert asked.ask() == 2
    assert asked.states() == ["COMMITTED", "DUE"]


def test_a_report_on_an_association_of_its_own_is_heard_by_the_listener(start: Start) -> None:
    def elsewhere(archive: CommitmentArchive, _: Association, question: Dataset) -> None:
        own = reporter("127.0.0.1", asked.config.node.port)
        everything_is_kept(archive, own, question)
        own.release()

    archive, asked = start(then=elsewhere)
    listener = Listener(asked.config, asked.bench.store)
    listener.open()
    try:
        assert asked.ask() == 2
        asked.wait_for(["COMMITTED", "COMMITTED"])
        assert archive.wait_for_answers() == [0x0000]
    finally:
        listener.close()


def test_a_report_on_something_else_does_not_end_the_waiting(start: Start) -> None:
    def something_else_first(archive: CommitmentArchive, association: Association, question: Dataset) -> None:
        archive.report(association, report_on("2.25.77", asked_for(question)))
        archive.report(association, report_on(question.TransactionUID, UIDS[:1], {UIDS[1]: 0x0213}), 2)

    archive, asked = start(then=something_else_first)
    asked.ask()
    assert archive.wait_for_answers(2) == [0x0115, 0x0000]
    assert asked.states() == ["COMMITTED", "SENT"]


def test_an_archive_that_never_reports_is_asked_anew_and_says_what_to_mend(start: Start) -> None:
    archive, asked = start()
    assert asked.ask() == 2
    assert asked.ask() == 0
    asked.pass_time()
    assert asked.ask() == 2
    first, second = (one.TransactionUID for one in archive.questions)
    assert first != second
    asked.pass_time()
    asked.breaker.failed("it is not asked now")
    assert asked.ask() == 0
    where = f"RESTAGE, this machine's address and port {asked.config.node.port}"
    words = f"pacs was asked and did not report: it must know {where} to report on an association of its own"
    assert asked.reasons() == [f"not committed: {words}"] * 2


@pytest.mark.parametrize("status", [0x0110, 0x0124, 0x0211, 0x0213])
def test_a_question_that_is_refused_is_put_again_later(start: Start, status: int) -> None:
    archive, asked = start(status=status)
    assert asked.ask() == 0
    assert asked.states() == ["SENT", "SENT"]
    mend = "let RESTAGE ask it for Storage Commitment there"
    for reason in asked.reasons():
        assert reason == f"not committed: pacs refuses the question (N-ACTION) with status 0x{status:04X}: {mend}"
    assert asked.ask() == 0
    assert len(archive.questions) == 1
    archive.status, archive.then = 0x0000, everything_is_kept
    asked.pass_time()
    assert asked.ask() == 2
    assert asked.states() == ["COMMITTED", "COMMITTED"]


def test_an_association_that_is_aborted_midway_leaves_the_question_open(start: Start) -> None:
    archive, asked = start(before=lambda association: association.abort())
    assert asked.ask() == 0
    assert all("gave no answer to the question (N-ACTION)" in reason for reason in asked.reasons())
    (question,) = archive.questions
    listener = Listener(asked.config, asked.bench.store)
    listener.open()
    try:
        own = reporter("127.0.0.1", asked.config.node.port)
        everything_is_kept(archive, own, question)
        own.release()
    finally:
        listener.close()
    assert archive.answered == [0x0000]
    assert asked.states() == ["COMMITTED", "COMMITTED"]


def test_an_association_that_is_aborted_before_the_report_is_no_harm(start: Start) -> None:
    _, asked = start(then=lambda _archive, association, _question: association.abort())
    assert asked.ask() == 2
    assert asked.states() == ["SENT", "SENT"]


def test_a_peer_that_does_not_offer_it_is_told_once_and_left_alone_for_longer_and_longer(start: Start) -> None:
    refusing = CommitmentArchive(offers=False)
    _, asked = start(port=refusing.open())
    for _ in range(5):
        assert asked.ask() == 0
        assert asked.breaker.is_open
    refusing.close()
    assert refusing.associations == 1
    mend = "enable that SOP class there, or set storage_commitment = false"
    assert asked.reasons() == [f"not asked for commitment: pacs takes no Storage Commitment from RESTAGE: {mend}"] * 2
    assert asked.bench.rows(commitment_table) == []


def test_a_peer_that_is_down_costs_one_try_and_no_question(start: Start) -> None:
    _, asked = start(port=free_port())
    for _ in range(3):
        assert asked.ask() == 0
    assert asked.breaker.failures == 1
    assert all(row.questions == 0 for row in asked.bench.rows(commitment_item_table))
    assert asked.states() == ["SENT", "SENT"]


def test_of_one_application_the_section_that_commits_is_asked(start: Start) -> None:
    asking_port = CommitmentArchive(then=everything_is_kept)
    values = {"ae_title": "PACS", "port": asking_port.open(), "storage_commitment": True}
    storing_port, asked = start(peer("pacs_commit", **values))
    try:
        assert asked.ask() == 2
    finally:
        asking_port.close()
    assert asked.states() == ["COMMITTED", "COMMITTED"]
    assert storing_port.associations == 0


def test_a_peer_without_storage_commitment_is_not_asked(start: Start) -> None:
    archive, asked = start(peer("viewer"))
    assert asked.ask() == 0
    assert archive.associations == 0
