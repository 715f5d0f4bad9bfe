"""A row is claimed for a while, under a token, and comes back when the lease ends."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, update

from node import lease
from node.errors import LeaseLost, NotFailed, NotFound
from node.records import Claim, JobState
from node.schema import job_table
from tests.node.conftest import Bench


def taken(bench: Bench, seconds: float) -> Claim:
    bench.put_job(bench.make_pair())
    with bench.database.transaction() as connection:
        row = connection.execute(select(job_table)).one()
        return lease.take(connection, job_table, row, seconds)


def test_a_claim_has_a_token_an_end_and_a_count(bench: Bench) -> None:
    before = time.time()
    claim = taken(bench, 60)
    (row,) = bench.rows(job_table)
    assert (row.state, row.token, row.attempts) == ("CLAIMED", claim.token, 1)
    assert claim.attempts == 1
    assert before + 60 <= row.lease_until <= time.time() + 60


def test_renewing_moves_the_end(bench: Bench) -> None:
    claim = taken(bench, 1)
    with bench.database.transaction() as connection:
        lease.renew(connection, job_table, claim, 500)
    assert bench.rows(job_table)[0].lease_until > time.time() + 400


@pytest.mark.parametrize("token", ["", "another"])
def test_another_token_holds_nothing(bench: Bench, token: str) -> None:
    claim = taken(bench, 60)
    with bench.database.transaction() as connection:
        assert lease.held(connection, job_table, claim).id == claim.id
        with pytest.raises(LeaseLost):
            lease.held(connection, job_table, Claim(claim.id, token, 1))
        with pytest.raises(LeaseLost):
            lease.renew(connection, job_table, Claim(claim.id, token, 1), 60)


def test_a_lease_that_ended_is_given_back_and_its_token_counts_no_more(bench: Bench) -> None:
    claim = taken(bench, -1)
    with bench.database.transaction() as connection:
        assert lease.give_back_expired(connection, job_table, JobState.READY) == 1
        with pytest.raises(LeaseLost):
            lease.held(connection, job_table, claim)
    (row,) = bench.rows(job_table)
    assert (row.state, row.token, row.attempts) == ("READY", "", 1)


def test_a_lease_that_runs_is_left(bench: Bench) -> None:
    taken(bench, 60)
    with bench.database.transaction() as connection:
        assert lease.give_back_expired(connection, job_table, JobState.READY) == 0


def test_only_what_failed_is_found_as_failed(bench: Bench) -> None:
    claim = taken(bench, 60)
    with bench.database.transaction() as connection:
        with pytest.raises(NotFound, match="there is no job 99"):
            lease.find_failed(connection, job_table, 99)
        with pytest.raises(NotFailed, match="CLAIMED"):
            lease.find_failed(connection, job_table, claim.id)
        connection.execute(update(job_table).values(state="FAILED"))
        assert lease.find_failed(connection, job_table, claim.id).id == claim.id


@pytest.mark.parametrize(
    ("attempts", "least", "most"), [(1, 4, 6), (2, 8, 12), (4, 32, 48), (5, 48, 72), (999, 48, 72)]
)
def test_the_wait_doubles_up_to_a_limit_and_is_never_the_same(attempts: int, least: float, most: float) -> None:
    now = time.time()
    waits = [lease.backoff(attempts, 5, 60) - now for _ in range(50)]
    assert least <= min(waits)
    assert max(waits) <= most + 1
    assert len(set(waits)) == 50
