"""Questions for storage commitment in the tables: what each report, refusal and silence does to a delivery."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import update

from dicom_templates.kinds import Kind
from node import commitment, outbox
from node.commitment import (
    MOST_OBJECTS,
    MOST_QUESTIONS,
    MOST_SENT_AGAIN,
    UNANSWERED_SECONDS,
    VERIFIED_FIRST_SECONDS,
    Due,
    Patience,
    Question,
)
from node.commitment_failure import FAILURES, NO_SUCH_OBJECT
from node.errors import ReportError
from node.outbox import INDEXING_SECONDS, LOOKED_FOR_SECONDS
from node.records import CommitmentReport, PairState, Parcel
from node.schema import commitment_item_table, commitment_table, delivery_table, pair_table
from node.status import read_status
from tests.node.conftest import Bench, result

DAY = 86400.0
PATIENCE = Patience(DAY)
PACS = Due("pacs")
UIDS = ("1.2.3.1", "1.2.3.2")
LONG_AGO = INDEXING_SECONDS + 1


@pytest.fixture
def sent(bench: Bench) -> Bench:
    """Two objects of one pair have arrived at the PACS, long enough ago to be indexed there."""
    bench.done_job([result(Kind.SEG_BASELINE, UIDS[0]), result(Kind.REPORT, UIDS[1])])
    send(bench)
    return bench


def send(bench: Bench, ago: float = LONG_AGO) -> None:
    for parcel in outbox.claim(bench.database, "pacs"):
        outbox.sent(bench.database, parcel, 0)
        set_rows(bench, delivery_table, updated_at=time.time() - ago)


def set_rows(bench: Bench, table: Any, **values: object) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(table).values(**values))


def states(bench: Bench) -> list[str]:
    return [row.state for row in bench.rows(delivery_table)]


def items(bench: Bench) -> Sequence[Any]:
    return bench.rows(commitment_item_table)


def ask(bench: Bench, due: Due = PACS) -> Question:
    question = commitment.ask(bench.database, due, "PACS")
    assert question is not None
    return question


def uids_of(question: Question | None) -> list[str]:
    return [uid for _, uid in question.objects] if question else []


def report(
    bench: Bench, question: Question, failed: Mapping[str, int] | None = None, committed: Sequence[str] | None = None
) -> None:
    """All that is not named as failed is committed, unless ``committed`` says otherwise."""
    failed = failed or {}
    named = set(uids_of(question)) - failed.keys() if committed is None else committed
    said = CommitmentReport(question.transaction_uid, frozenset(named), failed)
    commitment.report(bench.database, "PACS", said, PATIENCE)


def pass_time(bench: Bench) -> None:
    """Everything that waits has waited long enough."""
    set_rows(bench, commitment_item_table, not_before=0.0)
    set_rows(bench, commitment_table, until=0.0)


def shown(bench: Bench) -> list[str]:
    """The reasons of `restage status`."""
    (patient,) = read_status(bench.database)["patients"]
    return [one["reason"] for pair in patient["pairs"] for one in pair["deliveries"]]


def test_what_is_reported_as_kept_is_committed(sent: Bench) -> None:
    question = ask(sent)
    assert uids_of(question) == list(UIDS)
    commitment.taken(sent.database, question, "pacs", PATIENCE)
    assert shown(sent) == ["pacs was asked whether it keeps this safe, and its report is awaited"] * 2
    report(sent, question)
    assert states(sent) == ["COMMITTED", "COMMITTED"]
    assert shown(sent) == ["", ""]
    assert not commitment.is_due(sent.database, PACS)


def test_a_report_that_comes_before_the_answer_to_the_question_counts(sent: Bench) -> None:
    question = ask(sent)
    report(sent, question)
    commitment.taken(sent.database, question, "pacs", PATIENCE)
    assert states(sent) == ["COMMITTED", "COMMITTED"]
    assert [row.state for row in sent.rows(commitment_table)] == ["REPORTED"]
    assert commitment.is_reported(sent.database, question)


def test_what_is_verified_is_committed_too(sent: Bench) -> None:
    set_rows(sent, delivery_table, state="VERIFIED", reason="by its presence alone")
    report(sent, ask(sent))
    assert states(sent) == ["COMMITTED", "COMMITTED"]
    assert shown(sent) == ["by its presence alone"] * 2


def test_one_question_holds_a_bounded_number(bench: Bench) -> None:
    bench.done_job([result(Kind.REPORT, f"1.2.3.{number}") for number in range(1, MOST_OBJECTS + 2)])
    for _ in range(5):
        for parcel in outbox.claim(bench.database, "pacs"):
            outbox.sent(bench.database, parcel, 0)
    assert len(ask(bench).objects) == MOST_OBJECTS
    assert uids_of(ask(bench)) == [f"1.2.3.{MOST_OBJECTS + 1}"]
    assert commitment.ask(bench.database, PACS, "PACS") is None


def test_a_peer_is_asked_for_its_own_deliveries_alone(sent: Bench) -> None:
    assert not commitment.is_due(sent.database, Due("archive"))
    assert commitment.ask(sent.database, Due("archive"), "ARCHIVE") is None
    assert sent.rows(commitment_table) == []


def test_what_is_being_compared_by_queries_is_asked_for_after_that(sent: Bench) -> None:
    queried = Due("pacs", verified_first=True)
    assert not commitment.is_due(sent.database, queried)
    with sent.database.transaction() as connection:
        verified = update(delivery_table).where(delivery_table.c.id == 1).values(state="VERIFIED")
        connection.execute(verified)
    assert uids_of(ask(sent, queried)) == [UIDS[0]]
    set_rows(sent, delivery_table, updated_at=time.time() - VERIFIED_FIRST_SECONDS - 1)
    assert uids_of(ask(sent, queried)) == [UIDS[1]]


def test_what_arrived_long_ago_is_not_asked_for_any_more(sent: Bench) -> None:
    set_rows(sent, delivery_table, updated_at=time.time() - LOOKED_FOR_SECONDS - 1)
    assert not commitment.is_due(sent.database, PACS)


def test_what_an_archive_may_hide_is_not_asked_for(bench: Bench) -> None:
    bench.done_job([result(Kind.REJECTION_RESTAGING, UIDS[0])])
    send(bench)
    assert not commitment.is_due(bench.database, PACS)


@pytest.mark.parametrize("code", [0x0110, 0x0131, 0x0213, 0xC0DE])
def test_what_may_pass_is_asked_again_later_and_not_for_ever(sent: Bench, code: int) -> None:
    for number in range(1, MOST_QUESTIONS + 1):
        question = ask(sent)
        before = time.time()
        report(sent, question, dict.fromkeys(UIDS, code))
        assert states(sent) == ["SENT", "SENT"]
        assert {row.questions for row in items(sent)} == {number}
        waits = min(DAY, DAY / 24 * 2 ** (number - 1))
        for row in items(sent):
            assert 0.8 * waits <= row.not_before - before <= 1.21 * waits
        assert not commitment.is_due(sent.database, PACS)
        pass_time(sent)
    assert not commitment.is_due(sent.database, PACS)
    for reason in shown(sent):
        assert f"(0x{code:04X}); asked {MOST_QUESTIONS} times and not any more" in reason
    assert commitment.ask_anew(sent.database) == 2
    assert uids_of(ask(sent)) == list(UIDS)


def test_every_new_question_has_a_transaction_of_its_own(sent: Bench) -> None:
    asked = set()
    for _ in range(3):
        question = ask(sent)
        asked.add(question.transaction_uid)
        report(sent, question, dict.fromkeys(UIDS, 0x0131))
        pass_time(sent)
    assert len(asked) == 3
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in asked)


def test_a_class_that_is_not_committed_stays_sent_and_is_not_asked_for_again(sent: Bench) -> None:
    report(sent, ask(sent), {UIDS[1]: 0x0122})
    assert states(sent) == ["COMMITTED", "SENT"]
    assert "commits no objects of this SOP class" in shown(sent)[1]
    pass_time(sent)
    assert not commitment.is_due(sent.database, PACS)


def test_another_class_under_the_uid_waits_for_a_person(sent: Bench) -> None:
    report(sent, ask(sent), {UIDS[1]: 0x0119})
    assert states(sent) == ["COMMITTED", "FAILED"]
    assert shown(sent)[1].endswith("(0x0119); `restage retry` sends it again")
    outbox.retry(sent.database, 2)
    send(sent)
    assert uids_of(ask(sent)) == [UIDS[1]]


def test_what_is_not_there_is_sent_again_and_after_some_times_waits_for_a_person(sent: Bench) -> None:
    for number in range(1, MOST_SENT_AGAIN + 1):
        report(sent, ask(sent), {UIDS[1]: NO_SUCH_OBJECT})
        assert states(sent) == ["COMMITTED", "DUE"]
        assert shown(sent)[1] == "sent again: pacs does not commit it: it has no such object (0x0112)"
        assert [row.sent_again for row in items(sent)] == [number]
        send(sent)
    report(sent, ask(sent), {UIDS[1]: NO_SUCH_OBJECT})
    assert states(sent) == ["COMMITTED", "FAILED"]
    assert "it has no such object (0x0112); `restage retry` sends it again" in shown(sent)[1]
    outbox.retry(sent.database, 2)
    send(sent)
    report(sent, ask(sent))
    assert states(sent) == ["COMMITTED", "COMMITTED"]


def test_what_may_still_be_indexed_is_not_sent_again(bench: Bench) -> None:
    bench.done_job([result(Kind.REPORT, UIDS[0])])
    send(bench, ago=0.0)
    report(bench, ask(bench), {UIDS[0]: NO_SUCH_OBJECT})
    assert states(bench) == ["SENT"]
    assert items(bench)[0].not_before > time.time()


def test_what_was_withdrawn_meanwhile_is_neither_sent_nor_asked_for_again(sent: Bench) -> None:
    question = ask(sent)
    set_rows(sent, pair_table, state=PairState.WITHDRAWN)
    report(sent, question, dict.fromkeys(UIDS, NO_SUCH_OBJECT))
    assert states(sent) == ["SENT", "SENT"]
    pass_time(sent)
    assert not commitment.is_due(sent.database, PACS)


def test_a_delivery_that_went_elsewhere_meanwhile_stays_there(sent: Bench) -> None:
    question = ask(sent)
    set_rows(sent, delivery_table, state="FAILED")
    report(sent, question)
    assert states(sent) == ["FAILED", "FAILED"]


def test_an_object_that_the_report_leaves_out_is_asked_for_again(sent: Bench) -> None:
    report(sent, ask(sent), committed=[UIDS[0]])
    assert states(sent) == ["COMMITTED", "SENT"]
    assert shown(sent)[1] == "not committed: the report of pacs does not name it"
    pass_time(sent)
    assert uids_of(ask(sent)) == [UIDS[1]]


def test_a_second_report_changes_nothing(sent: Bench) -> None:
    question = ask(sent)
    report(sent, question, {UIDS[1]: 0x0122})
    before = [tuple(row) for row in (*sent.rows(delivery_table), *items(sent))]
    report(sent, question, {UIDS[0]: NO_SUCH_OBJECT})
    assert [tuple(row) for row in (*sent.rows(delivery_table), *items(sent))] == before


@pytest.mark.parametrize(
    ("title", "change", "words"),
    [
        ("PACS", {"transaction_uid": "2.25.1"}, "never asked about"),
        ("VIEWER", {}, "PACS was asked about this Transaction UID"),
        ("PACS", {"committed": frozenset({*UIDS, "1.2.3.9"})}, "objects that were not asked for"),
        ("PACS", {"failed": {"1.2.3.9": 0x0112}}, "objects that were not asked for"),
        ("PACS", {"committed": frozenset()}, "it names no object"),
    ],
)
def test_a_report_that_nobody_waits_for_is_refused(sent: Bench, title: str, change: dict[str, Any], words: str) -> None:
    question = ask(sent)
    said = {"transaction_uid": question.transaction_uid, "committed": frozenset(UIDS), "failed": {}, **change}
    with pytest.raises(ReportError, match=words) as refused:
        commitment.report(sent.database, title, CommitmentReport(**said), PATIENCE)
    assert refused.value.status == 0x0115
    assert states(sent) == ["SENT", "SENT"]
    assert [row.state for row in sent.rows(commitment_table)] == ["ASKED"]
    report(sent, question)
    assert states(sent) == ["COMMITTED", "COMMITTED"]


def test_a_question_waits_for_its_report_and_then_is_asked_anew(sent: Bench) -> None:
    question = ask(sent)
    commitment.taken(sent.database, question, "pacs", PATIENCE)
    (row,) = sent.rows(commitment_table)
    assert 0.8 * DAY - 5 <= row.until - time.time() <= 1.2 * DAY
    assert commitment.end_overdue(sent.database, "pacs", "RESTAGE") == 0
    assert not commitment.is_due(sent.database, PACS)
    pass_time(sent)
    assert commitment.end_overdue(sent.database, "archive", "RESTAGE") == 0
    assert commitment.end_overdue(sent.database, "pacs", "RESTAGE, port 11112") == 1
    words = "pacs was asked and did not report: it must know RESTAGE, port 11112 to report on an association of its own"
    assert shown(sent) == [f"not committed: {words}"] * 2
    assert uids_of(ask(sent)) == list(UIDS)


def test_who_never_reports_is_asked_a_bounded_number_of_times(sent: Bench) -> None:
    for _ in range(MOST_QUESTIONS):
        commitment.taken(sent.database, ask(sent), "pacs", PATIENCE)
        pass_time(sent)
        assert commitment.end_overdue(sent.database, "pacs", "RESTAGE") == 1
    assert not commitment.is_due(sent.database, PACS)
    assert states(sent) == ["SENT", "SENT"]
    assert f"asked {MOST_QUESTIONS} times and not any more, `restage retry` asks again" in shown(sent)[0]


def test_a_question_whose_asker_died_is_soon_asked_anew(sent: Bench) -> None:
    ask(sent)
    (row,) = sent.rows(commitment_table)
    assert row.until - time.time() <= UNANSWERED_SECONDS


def test_a_late_report_counts_until_the_same_is_asked_anew(sent: Bench) -> None:
    late = ask(sent)
    commitment.taken(sent.database, late, "pacs", PATIENCE)
    pass_time(sent)
    commitment.end_overdue(sent.database, "pacs", "RESTAGE")
    report(sent, late, {UIDS[1]: 0x0213})
    assert states(sent) == ["COMMITTED", "SENT"]
    pass_time(sent)
    overtaken = ask(sent)
    commitment.not_taken(sent.database, overtaken, "pacs", "it broke off", PATIENCE)
    assert shown(sent)[1] == "not committed: it broke off"
    pass_time(sent)
    newest = ask(sent)
    report(sent, overtaken)
    assert states(sent) == ["COMMITTED", "SENT"]
    report(sent, newest)
    assert states(sent) == ["COMMITTED", "COMMITTED"]


def test_who_cannot_be_asked_costs_no_question_and_is_said_with_each_delivery(sent: Bench) -> None:
    for _ in range(2):
        commitment.not_asked(sent.database, PACS, "no association with pacs")
    assert shown(sent) == ["not asked for commitment: no association with pacs"] * 2
    assert {row.questions for row in items(sent)} == {0}
    set_rows(sent, delivery_table, updated_at=time.time() - LOOKED_FOR_SECONDS - 1)
    assert uids_of(ask(sent)) == list(UIDS), "who was away for a week is asked all the same"


def test_what_is_retried_counts_as_sent_anew(sent: Bench) -> None:
    late = ask(sent)
    set_rows(sent, delivery_table, state="FAILED")
    outbox.retry_failed(sent.database)
    claimed: tuple[Parcel, ...] = outbox.claim(sent.database, "pacs")
    report(sent, late)
    assert states(sent) == ["CLAIMED", "CLAIMED"], "what is on its way again was not asked for"
    assert len(claimed) == 2


def test_every_reason_of_the_standard_has_words_and_a_consequence() -> None:
    assert set(FAILURES) == {0x0110, 0x0112, 0x0119, 0x0122, 0x0131, 0x0213}
