"""The ledger of deliveries."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import update

from node import outbox
from node.errors import LeaseLost, NotFailed, NotFound, SendError
from node.outbox import RetryPolicy
from node.records import PairState, Parcel
from node.schema import delivery_table, pair_table
from tests.node.conftest import Bench, result

POLICY = RetryPolicy(first_seconds=5, longest_seconds=60, give_up_after=3)
DOWN = SendError("it does not answer", permanent=False)
REFUSED = SendError("refused with status 0xC000", permanent=True, status=0xC000)
RESULTS = [result("seg", "1.2.3.1"), result("report", "1.2.3.2")]


def states(bench: Bench) -> list[str]:
    return [row.state for row in bench.rows(delivery_table)]


def set_delivery(bench: Bench, **values: object) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(**values))


def retire(bench: Bench, pair_id: int, state: PairState = PairState.WITHDRAWN) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(pair_table).where(pair_table.c.id == pair_id).values(state=state))
        outbox.withdraw(connection, pair_id)


def claim_one(bench: Bench, peer: str = "pacs") -> Parcel:
    return outbox.claim(bench.database, peer)[0]


def test_a_peer_gets_its_own_deliveries_in_the_order_in_which_they_were_made(bench: Bench) -> None:
    bench.done_job(RESULTS, ["pacs", "archive"])
    parcels = outbox.claim(bench.database, "pacs")
    assert [parcel.result for parcel in parcels] == RESULTS
    assert {parcel.peer for parcel in parcels} == {"pacs"}
    assert outbox.claim(bench.database, "pacs") == ()
    assert len(outbox.claim(bench.database, "archive")) == 2


def test_no_more_are_claimed_than_asked_for(bench: Bench) -> None:
    bench.done_job(RESULTS)
    assert [len(outbox.claim(bench.database, "pacs", most=1)) for _ in range(3)] == [1, 1, 0]


def test_a_delivery_is_claimed_once_however_many_ask(bench: Bench) -> None:
    bench.done_job(RESULTS)
    claimed: list[Parcel] = []
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        claimed.extend(outbox.claim(bench.database, "pacs"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(parcel.claim.id for parcel in claimed) == [1, 2]


def test_what_arrived_is_sent_with_its_status(bench: Bench) -> None:
    bench.done_job(RESULTS)
    outbox.sent(bench.database, claim_one(bench), 0xB000)
    row = bench.rows(delivery_table)[0]
    assert (row.state, row.status, row.token) == ("SENT", 0xB000, "")


def test_what_failed_for_the_moment_waits_longer_each_time_and_then_for_a_person(bench: Bench) -> None:
    bench.done_job(RESULTS[:1])
    waits = []
    for _ in range(3):
        set_delivery(bench, not_before=0.0)
        outbox.failed(bench.database, claim_one(bench), DOWN, POLICY)
        assert outbox.claim(bench.database, "pacs") == ()
        waits.append(bench.rows(delivery_table)[0].not_before - time.time())
    assert 3 < waits[0] <= 6 < waits[1] <= 12
    assert states(bench) == ["FAILED"]
    assert bench.rows(delivery_table)[0].reason == "it does not answer"


def test_what_was_refused_waits_for_a_person_at_once(bench: Bench) -> None:
    bench.done_job(RESULTS[:1])
    assert outbox.failed(bench.database, claim_one(bench), REFUSED, POLICY) == "FAILED"
    row = bench.rows(delivery_table)[0]
    assert (row.state, row.status, row.reason) == ("FAILED", 0xC000, "refused with status 0xC000")


def test_a_silent_sender_loses_its_deliveries_and_its_word_counts_no_more(bench: Bench) -> None:
    bench.done_job(RESULTS[:1])
    parcel = claim_one(bench)
    set_delivery(bench, lease_until=time.time() - 1)
    assert outbox.give_back_expired(bench.database) == 1
    with pytest.raises(LeaseLost):
        outbox.sent(bench.database, parcel, 0)
    with pytest.raises(LeaseLost):
        outbox.failed(bench.database, parcel, DOWN, POLICY)
    assert claim_one(bench).claim.attempts == 2


def test_retry_makes_a_failed_delivery_due_with_all_its_attempts(bench: Bench) -> None:
    bench.done_job(RESULTS[:1])
    parcel = claim_one(bench)
    with pytest.raises(NotFailed, match="CLAIMED"):
        outbox.retry(bench.database, parcel.claim.id)
    outbox.failed(bench.database, parcel, REFUSED, POLICY)
    outbox.retry(bench.database, parcel.claim.id)
    assert claim_one(bench).claim.attempts == 1


def test_retry_of_a_delivery_that_is_not_there_names_it(bench: Bench) -> None:
    with pytest.raises(NotFound, match="no delivery 7"):
        outbox.retry(bench.database, 7)


def test_retry_of_what_was_sent_is_refused(bench: Bench) -> None:
    bench.done_job(RESULTS[:1])
    outbox.sent(bench.database, claim_one(bench), 0)
    with pytest.raises(NotFailed, match="SENT"):
        outbox.retry(bench.database, 1)


def test_retry_of_everything_takes_failed_deliveries_alone(bench: Bench) -> None:
    bench.done_job(RESULTS)
    outbox.failed(bench.database, outbox.claim(bench.database, "pacs", most=1)[0], REFUSED, POLICY)
    assert outbox.retry_failed(bench.database) == 1
    assert states(bench) == ["DUE", "DUE"]


def test_withdrawing_stops_what_has_not_been_sent_and_leaves_what_has(bench: Bench) -> None:
    pair_id = bench.done_job([*RESULTS, result("summary", "1.2.3.3")])
    first, second, _ = outbox.claim(bench.database, "pacs")
    outbox.sent(bench.database, first, 0)
    outbox.failed(bench.database, second, REFUSED, POLICY)
    set_delivery(bench, lease_until=0)
    outbox.give_back_expired(bench.database)
    assert states(bench) == ["SENT", "FAILED", "DUE"]
    retire(bench, pair_id)
    assert states(bench) == ["SENT", "WITHDRAWN", "WITHDRAWN"]


@pytest.mark.parametrize("state", [PairState.WITHDRAWN, PairState.SUPERSEDED])
def test_what_was_on_its_way_when_its_pair_was_taken_apart_is_not_sent_later(bench: Bench, state: PairState) -> None:
    pair_id = bench.done_job(RESULTS)
    first, _ = outbox.claim(bench.database, "pacs")
    retire(bench, pair_id, state)
    outbox.failed(bench.database, first, DOWN, POLICY)
    set_delivery(bench, lease_until=0, not_before=0.0)
    outbox.give_back_expired(bench.database)
    assert outbox.claim(bench.database, "pacs") == ()
    assert states(bench) == ["WITHDRAWN", "WITHDRAWN"]
