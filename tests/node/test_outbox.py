"""The ledger of deliveries."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import update

from dicom_templates.kinds import Kind
from node import outbox
from node.errors import LeaseLost, NotFailed, NotFound, SendError
from node.ledger import may_have_arrived
from node.outbox import INDEXING_SECONDS, LEASE_SECONDS, LOOKED_FOR_SECONDS, RetryPolicy
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


def test_retry_of_everything_does_not_let_go_what_is_held(bench: Bench) -> None:
    bench.done_job(RESULTS)
    first, second = outbox.claim(bench.database, "pacs")
    outbox.held(bench.database, first, "PatientID is '1' in the result and '2' in the archive")
    outbox.failed(bench.database, second, REFUSED, POLICY)
    assert outbox.retry_failed(bench.database) == 1
    assert states(bench) == ["HELD", "DUE"]


def test_what_is_held_waits_with_its_reason_until_a_person_lets_it_go(bench: Bench) -> None:
    bench.done_job(RESULTS[:1])
    outbox.held(bench.database, claim_one(bench), "another patient")
    row = bench.rows(delivery_table)[0]
    assert (row.state, row.reason, row.attempts, row.released) == ("HELD", "another patient", 0, False)
    assert outbox.claim(bench.database, "pacs") == ()
    outbox.retry(bench.database, row.id)
    parcel = claim_one(bench)
    assert parcel.released
    outbox.failed(bench.database, parcel, REFUSED, POLICY)
    outbox.retry(bench.database, row.id)
    assert claim_one(bench).released


def test_what_failed_and_is_tried_again_is_not_let_go(bench: Bench) -> None:
    bench.done_job(RESULTS[:1])
    outbox.failed(bench.database, claim_one(bench), REFUSED, POLICY)
    outbox.retry(bench.database, 1)
    assert not claim_one(bench).released


def test_what_is_held_was_never_sent_and_is_not_sent_after_its_pair_was_taken_apart(bench: Bench) -> None:
    pair_id = bench.done_job(RESULTS[:1])
    outbox.held(bench.database, claim_one(bench), "another patient")
    retire(bench, pair_id)
    assert states(bench) == ["WITHDRAWN"]
    with bench.database.reading() as connection:
        assert not may_have_arrived(connection, pair_id)


def sent_one(bench: Bench, kind: str = "report") -> int:
    """A pair whose one result was sent a moment ago."""
    pair_id = bench.done_job([result(kind, "1.2.3.1")])
    outbox.sent(bench.database, claim_one(bench), 0)
    return pair_id


def test_what_was_sent_is_given_to_one_who_looks_for_it_and_still_counts_as_sent(bench: Bench) -> None:
    sent_one(bench)
    (parcel,) = outbox.claim_sent(bench.database, "pacs")
    assert parcel.result.sop_uid == "1.2.3.1"
    assert outbox.claim_sent(bench.database, "pacs") == ()
    assert outbox.claim_sent(bench.database, "archive") == ()
    assert states(bench) == ["SENT"]
    outbox.verified(bench.database, parcel)
    row = bench.rows(delivery_table)[0]
    assert (row.state, row.status, row.attempts, row.token) == ("VERIFIED", 0, 1, "")


def test_who_looks_for_it_and_is_silent_loses_it_and_his_word_counts_no_more(bench: Bench) -> None:
    sent_one(bench)
    (first,) = outbox.claim_sent(bench.database, "pacs")
    assert bench.rows(delivery_table)[0].not_before - time.time() == pytest.approx(LEASE_SECONDS, abs=5)
    set_delivery(bench, not_before=0.0)
    (second,) = outbox.claim_sent(bench.database, "pacs")
    for word in (
        lambda: outbox.verified(bench.database, first),
        lambda: outbox.altered(bench.database, first, "PixelData"),
        lambda: outbox.missing(bench.database, first, POLICY),
        lambda: outbox.not_verified(bench.database, first, "down", POLICY),
    ):
        with pytest.raises(LeaseLost):
            word()
    outbox.verified(bench.database, second)


def test_what_came_back_altered_fails_and_may_still_be_there(bench: Bench) -> None:
    pair_id = sent_one(bench)
    (parcel,) = outbox.claim_sent(bench.database, "pacs")
    outbox.altered(bench.database, parcel, "PixelData is '128 bytes' as sent and '64 bytes' in the archive")
    row = bench.rows(delivery_table)[0]
    assert row.state == "FAILED"
    assert row.reason.startswith("PixelData")
    with bench.database.reading() as connection:
        assert may_have_arrived(connection, pair_id)
    outbox.retry(bench.database, row.id)
    assert claim_one(bench).claim.attempts == 1


def test_what_is_not_found_may_still_come_and_is_lost_after_a_while(bench: Bench) -> None:
    sent_one(bench)
    (parcel,) = outbox.claim_sent(bench.database, "pacs")
    outbox.missing(bench.database, parcel, POLICY)
    row = bench.rows(delivery_table)[0]
    assert (row.state, row.reason) == ("SENT", "not verified: pacs does not find it yet")
    set_delivery(bench, not_before=0.0, updated_at=time.time() - INDEXING_SECONDS - 1)
    (parcel,) = outbox.claim_sent(bench.database, "pacs")
    outbox.missing(bench.database, parcel, POLICY)
    row = bench.rows(delivery_table)[0]
    assert row.state == "FAILED"
    assert "answered Success and does not have it" in row.reason


def test_what_was_sent_long_ago_is_not_looked_for_any_more(bench: Bench) -> None:
    sent_one(bench)
    set_delivery(bench, updated_at=time.time() - LOOKED_FOR_SECONDS - 1)
    assert outbox.claim_sent(bench.database, "pacs") == ()
    assert states(bench) == ["SENT"]


def test_what_cannot_be_looked_for_is_looked_for_later_each_time(bench: Bench) -> None:
    sent_one(bench)
    for seconds_ago, wait in ((0, 5), (20, 20), (3600, 60), (LOOKED_FOR_SECONDS - 60, 60)):
        set_delivery(bench, not_before=0.0, updated_at=time.time() - seconds_ago)
        (parcel,) = outbox.claim_sent(bench.database, "pacs")
        outbox.not_verified(bench.database, parcel, "it is down", POLICY)
        row = bench.rows(delivery_table)[0]
        assert row.not_before - time.time() == pytest.approx(wait, abs=1)
        assert (row.state, row.attempts, row.reason) == ("SENT", 1, "not verified: it is down")


@pytest.mark.parametrize("state", [PairState.WITHDRAWN, PairState.SUPERSEDED])
def test_nobody_looks_for_the_results_of_a_pair_that_is_none_any_more(bench: Bench, state: PairState) -> None:
    retire(bench, sent_one(bench), state)
    assert outbox.claim_sent(bench.database, "pacs") == ()


def test_nobody_looks_for_rejection_notes_which_archives_may_hide(bench: Bench) -> None:
    sent_one(bench, Kind.REJECTION_RESTAGING)
    assert outbox.claim_sent(bench.database, "pacs") == ()


def test_in_shadow_only_what_takes_a_result_back_is_claimed(bench: Bench) -> None:
    bench.done_job([result("report", "1.2.3.1"), result("withdrawn", "1.2.3.2")])
    claimed = outbox.claim(bench.database, "pacs", only=[Kind.WITHDRAWN])
    assert [parcel.result.kind for parcel in claimed] == ["withdrawn"]
