"""The queue of scoring jobs."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from node import jobs
from node.errors import JobError, LeaseLost, NotFailed, NotFound
from node.records import JobTicket, PairState
from node.schema import delivery_table, job_table, pair_table, result_table
from tests.node.conftest import LEASE_SECONDS, Bench, result

TRANSIENT = JobError("out of memory", permanent=False)
PERMANENT = JobError("no axial T2", permanent=True)


def set_job(bench: Bench, **values: object) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(job_table).values(**values))


def set_pair(bench: Bench, **values: object) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(pair_table).values(**values))


def test_a_claimed_job_says_what_to_score(bench: Bench) -> None:
    pair_id = bench.make_pair()
    assert bench.put_job(pair_id, "digest")
    ticket = bench.claim()
    assert (ticket.pair_id, ticket.version, ticket.inputs_digest) == (pair_id, 1, "digest")
    assert (ticket.baseline, ticket.restaging) == (("1.2.1",), ("1.2.2",))
    assert abs(ticket.created.timestamp() - time.time()) < 60


def test_nothing_is_claimed_where_nothing_is_due(bench: Bench) -> None:
    assert jobs.claim(bench.database, LEASE_SECONDS) is None


def test_a_job_is_claimed_once_however_many_ask(bench: Bench) -> None:
    for _ in range(3):
        bench.put_job(bench.make_pair())
    claimed: list[JobTicket | None] = []
    together = threading.Barrier(6)

    def ask() -> None:
        together.wait()
        claimed.append(jobs.claim(bench.database, LEASE_SECONDS))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [ticket.claim.id for ticket in claimed if ticket is not None]
    assert sorted(ids) == [1, 2, 3]


def test_the_oldest_job_comes_first(bench: Bench) -> None:
    first, second = bench.make_pair(), bench.make_pair()
    bench.put_job(second)
    bench.put_job(first)
    assert [bench.claim().pair_id, bench.claim().pair_id] == [second, first]


def test_the_same_inputs_put_no_second_job(bench: Bench) -> None:
    pair_id = bench.make_pair()
    assert bench.put_job(pair_id, "a")
    assert not bench.put_job(pair_id, "a")
    bench.finish(bench.claim(), [])
    assert not bench.put_job(pair_id, "a")
    assert bench.jobs() == [(1, "DONE")]


def test_other_inputs_supersede_what_waits_and_put_the_next_version(bench: Bench) -> None:
    pair_id = bench.make_pair()
    bench.put_job(pair_id, "a")
    assert bench.put_job(pair_id, "b")
    assert bench.jobs() == [(1, "SUPERSEDED"), (2, "READY")]
    (pair,) = bench.rows(pair_table)
    assert (pair.version, pair.inputs_digest) == (2, "b")


def test_other_inputs_supersede_a_failed_job(bench: Bench) -> None:
    pair_id = bench.make_pair()
    bench.put_job(pair_id, "a")
    jobs.fail(bench.database, bench.claim().claim, PERMANENT)
    bench.put_job(pair_id, "b")
    assert bench.jobs() == [(1, "SUPERSEDED"), (2, "READY")]


def test_two_versions_of_a_pair_never_run_at_once(bench: Bench) -> None:
    pair_id = bench.make_pair()
    bench.put_job(pair_id, "a")
    first = bench.claim()
    bench.put_job(pair_id, "b")
    assert jobs.claim(bench.database, LEASE_SECONDS) is None
    bench.finish(first, [])
    assert bench.claim().version == 2


def test_another_pair_need_not_wait(bench: Bench) -> None:
    one, other = bench.make_pair(), bench.make_pair()
    bench.put_job(one)
    bench.put_job(other)
    assert {bench.claim().pair_id, bench.claim().pair_id} == {one, other}


def test_results_deliveries_and_done_come_together(bench: Bench) -> None:
    pair_id = bench.make_pair()
    bench.put_job(pair_id)
    results = [result("seg", "1.2.3.1"), result("report", "1.2.3.2")]
    assert bench.finish(bench.claim(), results, ["pacs", "archive"]) == "DONE"
    assert [(row.kind, row.sop_uid, row.version) for row in bench.rows(result_table)] == [
        ("seg", "1.2.3.1", 1),
        ("report", "1.2.3.2", 1),
    ]
    assert [(row.result_id, row.peer, row.state) for row in bench.rows(delivery_table)] == [
        (1, "pacs", "DUE"),
        (1, "archive", "DUE"),
        (2, "pacs", "DUE"),
        (2, "archive", "DUE"),
    ]


def test_where_one_row_cannot_be_written_none_is(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    with pytest.raises(IntegrityError):
        bench.finish(bench.claim(), [result("seg", "1.2.3"), result("report", "1.2.3")])
    assert bench.rows(result_table) == bench.rows(delivery_table) == []
    assert bench.jobs() == [(1, "CLAIMED")]


def test_a_result_under_an_old_token_does_not_count(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    stale = bench.claim(lease_seconds=-1)
    jobs.give_back_expired(bench.database)
    fresh = bench.claim()
    for late in (
        lambda: bench.finish(stale, [result()]),
        lambda: jobs.fail(bench.database, stale.claim, TRANSIENT),
        lambda: jobs.renew(bench.database, stale.claim, LEASE_SECONDS),
        lambda: jobs.give_back(bench.database, stale.claim),
        lambda: jobs.abandon(bench.database, stale, "late"),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert bench.rows(result_table) == []
    assert bench.finish(fresh, [result()]) == "DONE"


def test_the_result_of_a_pair_that_has_other_inputs_now_is_abandoned(bench: Bench) -> None:
    pair_id = bench.make_pair()
    bench.put_job(pair_id, "a")
    ticket = bench.claim()
    bench.put_job(pair_id, "b")
    assert bench.finish(ticket, [result()]) == "ABANDONED"
    assert bench.rows(result_table) == bench.rows(delivery_table) == []
    assert bench.claim().version == 2


@pytest.mark.parametrize("state", [PairState.WITHDRAWN, PairState.SUPERSEDED])
def test_the_result_of_a_pair_that_is_none_any_more_is_abandoned(bench: Bench, state: PairState) -> None:
    bench.put_job(bench.make_pair())
    ticket = bench.claim()
    set_pair(bench, state=state, inputs_digest="")
    assert bench.finish(ticket, [result()]) == "ABANDONED"
    assert bench.rows(result_table) == []


def test_a_pair_taken_apart_and_paired_again_while_it_is_scored_is_scored_again(bench: Bench) -> None:
    pair_id = bench.make_pair()
    bench.put_job(pair_id, "a")
    ticket = bench.claim()
    set_pair(bench, state=PairState.WITHDRAWN, inputs_digest="")
    set_pair(bench, state=PairState.READY)
    assert bench.put_job(pair_id, "a")
    assert bench.finish(ticket, [result()]) == "ABANDONED"
    again = bench.claim()
    assert bench.finish(again, [result()]) == "DONE"


def test_an_abandoned_job_leaves_its_pair_to_be_put_again(bench: Bench) -> None:
    pair_id = bench.make_pair()
    bench.put_job(pair_id, "a")
    jobs.abandon(bench.database, bench.claim(), "an image arrived")
    assert bench.rows(job_table)[0].reason == "an image arrived"
    assert bench.put_job(pair_id, "a")
    assert bench.jobs() == [(1, "ABANDONED"), (2, "READY")]


def test_a_job_that_fails_for_the_moment_waits_and_is_tried_again(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    before = time.time()
    assert jobs.fail(bench.database, bench.claim().claim, TRANSIENT) == "READY"
    (row,) = bench.rows(job_table)
    assert row.reason == "out of memory"
    assert before + 0.8 * jobs.FIRST_RETRY_SECONDS <= row.not_before
    assert jobs.claim(bench.database, LEASE_SECONDS) is None
    set_job(bench, not_before=0.0)
    assert bench.claim().claim.attempts == 2


def test_a_job_that_fails_for_good_waits_for_a_person(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    assert jobs.fail(bench.database, bench.claim().claim, PERMANENT) == "FAILED"
    assert jobs.claim(bench.database, LEASE_SECONDS) is None


def test_the_last_attempt_fails_for_good(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    states = []
    for _ in range(jobs.MAX_ATTEMPTS):
        set_job(bench, not_before=0.0)
        states.append(str(jobs.fail(bench.database, bench.claim().claim, TRANSIENT)))
    assert states == ["READY"] * (jobs.MAX_ATTEMPTS - 1) + ["FAILED"]


def test_a_job_that_ends_its_worker_each_time_is_not_given_back_for_ever(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    for _ in range(jobs.MAX_ATTEMPTS):
        assert bench.jobs() == [(1, "READY")]
        bench.claim(lease_seconds=-1)
        jobs.give_back_expired(bench.database)
    assert bench.jobs() == [(1, "FAILED")]
    assert "restage retry" in bench.rows(job_table)[0].reason


def test_a_job_given_back_by_its_worker_is_due_at_once_and_the_attempt_does_not_count(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    jobs.give_back(bench.database, bench.claim().claim)
    assert bench.claim().claim.attempts == 1


def test_retry_makes_a_failed_job_due_with_all_its_attempts(bench: Bench) -> None:
    bench.put_job(bench.make_pair())
    job_id = bench.claim().claim.id
    with pytest.raises(NotFailed, match="CLAIMED"):
        jobs.retry(bench.database, job_id)
    set_job(bench, state="FAILED", attempts=3, not_before=time.time() + 500)
    jobs.retry(bench.database, job_id)
    assert bench.claim().claim.attempts == 1


def test_retry_of_a_job_that_is_not_there_names_it(bench: Bench) -> None:
    with pytest.raises(NotFound, match="no job 7"):
        jobs.retry(bench.database, 7)


def test_retry_of_everything_takes_failed_jobs_alone(bench: Bench) -> None:
    for state in ("FAILED", "DONE", "SUPERSEDED", "FAILED"):
        bench.put_job(bench.make_pair())
        with bench.database.transaction() as connection:
            newest = update(job_table).where(job_table.c.state == "READY").values(state=state)
            connection.execute(newest)
    assert jobs.retry_failed(bench.database) == 2
    assert [state for _, state in bench.jobs()] == ["READY", "DONE", "SUPERSEDED", "READY"]
