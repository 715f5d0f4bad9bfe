"""What of a pair may be somewhere, and what the next version of it replaces."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from node import jobs, ledger, outbox
from node.errors import SendError
from node.outbox import RetryPolicy
from node.schema import delivery_table, pair_table
from tests.node.conftest import Bench, result

ONCE = RetryPolicy(0.0, 0.0, 1)
LATER = RetryPolicy(0.0, 0.0, 9)


def sent_uids(bench: Bench, pair_id: int = 1) -> list[str]:
    return [file.sop_uid for file in ledger.recall(bench.database, pair_id).sent]


def all_sent(bench: Bench) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).where(delivery_table.c.state == "DUE").values(state="SENT"))


def replaced_by_next(bench: Bench, rendering: str = "", peers: tuple[str, ...] = ("pacs",)) -> list[str]:
    return [one.sop_uid for one in ledger.previous_results(bench.database, bench.claim(), rendering, peers)]


def test_a_new_version_replaces_the_newest_that_arrived(bench: Bench) -> None:
    pair_id = bench.make_pair()
    for version, arrives in ((1, True), (2, True), (3, False)):
        bench.put_job(pair_id, f"inputs {version}")
        ticket = bench.claim()
        found = [one.sop_uid for one in ledger.previous_results(bench.database, ticket, "", ["pacs"])]
        assert found == {1: [], 2: ["1.2.1.1", "1.2.1.2"], 3: ["1.2.2.1", "1.2.2.2"]}[version]
        bench.finish(ticket, [result("seg", f"1.2.{version}.1"), result("report", f"1.2.{version}.2")])
        if arrives:
            all_sent(bench)
    bench.put_job(pair_id, "inputs 4")
    assert replaced_by_next(bench) == ["1.2.2.1", "1.2.2.2"]


def test_another_pair_is_replaced_by_nothing_of_this_one(bench: Bench) -> None:
    bench.done_job([result()])
    bench.put_job(bench.make_pair())
    assert replaced_by_next(bench) == []


def test_what_a_peer_got_in_another_rendering_is_replaced_where_its_profile_has_changed(bench: Bench) -> None:
    pair_id = bench.done_job([result()])
    all_sent(bench)
    bench.put_job(pair_id, "later inputs")
    ticket = bench.claim()
    assert ledger.previous_results(bench.database, ticket, '{"prefix": "KI"}', ["another"]) == ()
    changed = ledger.previous_results(bench.database, ticket, '{"prefix": "KI"}', ["pacs"])
    assert [one.sop_uid for one in changed] == ["1.2.3.4"]


def test_only_what_was_never_tried_or_was_refused_is_certainly_nowhere(bench: Bench) -> None:
    names = ["untried", "sent", "refused", "unanswered", "in flight"]
    bench.done_job([result(name, f"1.2.{number}") for number, name in enumerate(names)])
    assert sent_uids(bench) == []
    untried, sent, refused, unanswered, _ = outbox.claim(bench.database, "pacs")
    outbox.sent(bench.database, sent, 0)
    outbox.expose(bench.database, [refused, unanswered])
    outbox.failed(bench.database, refused, SendError("refused", permanent=True, status=0xC000), ONCE)
    outbox.failed(bench.database, unanswered, SendError("no answer", permanent=False), ONCE)
    with bench.database.transaction() as connection:
        never = delivery_table.c.id == untried.claim.id
        connection.execute(update(delivery_table).where(never).values(state="WITHDRAWN", attempts=0))
    assert sent_uids(bench) == ["1.2.1", "1.2.3", "1.2.4"]


def test_a_recall_names_the_peers_of_each_object_and_the_reason(bench: Bench) -> None:
    pair_id = bench.done_job([result()], ["pacs", "archive"])
    all_sent(bench)
    with bench.database.transaction() as connection:
        connection.execute(
            update(pair_table).values(state="WITHDRAWN", reason="taken apart by a person", issuer="HOSPITAL")
        )
    recall = ledger.recall(bench.database, pair_id)
    assert recall.reason == "taken apart by a person"
    assert ledger.owner(bench.database, pair_id) == ("HOSPITAL", "P1")
    assert list(recall.sent.values()) == [("archive", "pacs")]


def test_what_was_withdrawn_is_not_withdrawn_again_and_has_no_successor(bench: Bench) -> None:
    pair_id = bench.done_job([result()])
    all_sent(bench)
    with bench.database.transaction() as connection:
        connection.execute(update(pair_table).values(state="WITHDRAWN", inputs_digest=""))
        assert jobs.put_withdrawal(connection, pair_id)
    assert bench.finish(bench.claim(), [result("withdrawn", "1.2.3.9")]) == "DONE"
    assert sent_uids(bench) == []
    with bench.database.transaction() as connection:
        assert not jobs.put_withdrawal(connection, pair_id)
        connection.execute(update(pair_table).values(state="READY"))
    bench.put_job(pair_id, "later inputs")
    assert replaced_by_next(bench) == []


def test_where_no_association_was_made_nothing_can_have_arrived(bench: Bench) -> None:
    bench.done_job([result()])
    (parcel,) = outbox.claim(bench.database, "pacs")
    outbox.failed(bench.database, parcel, SendError("connection refused", permanent=False), LATER)
    assert sent_uids(bench) == []


@pytest.mark.parametrize("status", [0xA700, 0xC000])
def test_a_refusal_does_not_undo_the_doubt_that_an_earlier_try_left(bench: Bench, status: int) -> None:
    bench.done_job([result()])
    for error in (SendError("no answer", permanent=False), SendError("refused", permanent=False, status=status)):
        (parcel,) = outbox.claim(bench.database, "pacs")
        outbox.expose(bench.database, [parcel])
        outbox.failed(bench.database, parcel, error, LATER)
    assert sent_uids(bench) == ["1.2.3.4"]


def test_what_the_archive_calls_a_duplicate_is_there(bench: Bench) -> None:
    bench.done_job([result()])
    (parcel,) = outbox.claim(bench.database, "pacs")
    outbox.expose(bench.database, [parcel])
    outbox.failed(bench.database, parcel, SendError("duplicate", permanent=True, status=0x0111), ONCE)
    outbox.retry(bench.database, parcel.claim.id)
    assert sent_uids(bench) == ["1.2.3.4"]


def test_a_withdrawn_version_is_not_sent_again_when_the_pair_is_made_again(bench: Bench) -> None:
    pair_id = bench.done_job([result("seg", "1.2.3.1"), result("report", "1.2.3.2")])
    seg, _ = outbox.claim(bench.database, "pacs")
    outbox.sent(bench.database, seg, 0)
    with bench.database.transaction() as connection:
        connection.execute(update(pair_table).values(state="WITHDRAWN", inputs_digest=""))
        connection.execute(update(delivery_table).where(delivery_table.c.state == "CLAIMED").values(state="FAILED"))
        jobs.put_withdrawal(connection, pair_id)
    bench.finish(bench.claim(), [result("withdrawn", "1.2.3.9")])
    with bench.database.transaction() as connection:
        connection.execute(update(pair_table).values(state="READY"))
    outbox.retry_failed(bench.database)
    assert [parcel.result.kind for parcel in outbox.claim(bench.database, "pacs")] == ["withdrawn"]
    assert outbox.claim_sent(bench.database, "pacs") == ()
