"""What of a pair may be somewhere, and what the next version of it replaces."""

from __future__ import annotations

from sqlalchemy import update

from node import jobs, ledger, outbox
from node.errors import SendError
from node.outbox import RetryPolicy
from node.schema import delivery_table, pair_table
from tests.node.conftest import Bench, result

ONCE = RetryPolicy(0.0, 0.0, 1)


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
    assert (recall.patient_id, recall.issuer, recall.reason) == ("P1", "HOSPITAL", "taken apart by a person")
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
