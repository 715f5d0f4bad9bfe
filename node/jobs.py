"""The queue of jobs, to score a pair or the baseline of one that waits, or to withdraw what was sent of it.

A result counts only under the current token.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import takewhile

import structlog
from sqlalchemy import Connection, and_, insert, select, update

from node import lease, ledger, outbox
from node.database import Database
from node.errors import JobError
from node.flow import JOB, move, sources
from node.records import Claim, JobState, JobTicket, Outcome, PairState, Proposal, ResultFile, Task
from node.schema import job_table, pair_table, result_table

log = structlog.get_logger()

RETIRED = (PairState.WITHDRAWN, PairState.SUPERSEDED)
SCORED = (PairState.READY, PairState.AWAITING_RESTAGING)
MAX_ATTEMPTS = 3
FIRST_RETRY_SECONDS = 10.0
LONGEST_RETRY_SECONDS = 300.0
_DISAGREEMENT = (
    f"the worker read these exams otherwise than they were planned, {MAX_ATTEMPTS} times: as when config.toml or the "
    "program changes while the node runs; restart `restage serve`, and if this job is FAILED even then, `restage retry`"
)


def put(connection: Connection, pair_id: int, inputs_digest: str, proposal: Proposal) -> bool:
    """Queue a pair's scoring, unless it is queued or done for the same chosen inputs. True where a job was put.

    A job that was still waiting is superseded; one that runs is left to end, and its result abandoned by `finish`.
    """
    pair = connection.execute(select(pair_table).where(pair_table.c.id == pair_id)).one()
    if pair.inputs_digest == inputs_digest:
        return False
    supersede(connection, pair_id)
    version = int(pair.version) + 1
    connection.execute(
        insert(job_table).values(
            pair_id=pair_id,
            task=Task.SCORE,
            version=version,
            inputs_digest=inputs_digest,
            baseline=list(proposal.baseline),
            restaging=list(proposal.restaging),
            state=JobState.READY,
            created_at=time.time(),
        )
    )
    connection.execute(
        update(pair_table)
        .where(pair_table.c.id == pair_id)
        .values(inputs_digest=inputs_digest, version=version, updated_at=time.time())
    )
    log.info("job.put", pair=pair_id, version=version)
    return True


def last_version_alone(connection: Connection, pairs: Collection[int], baseline_uid: str) -> int:
    """The newest version of those of these pairs of which this baseline was scored by itself; 0 where there is none.

    Objects made of a baseline alone have their UIDs from it and the version: a later pair's count goes on from here.
    """
    table = job_table
    jobs = connection.execute(select(table).where(table.c.pair_id.in_(pairs))).all()
    alone = {job.pair_id for job in jobs if not job.restaging and job.baseline[:1] == [baseline_uid]}
    return max((job.version for job in jobs if job.pair_id in alone), default=0)


def put_withdrawal(connection: Connection, pair_id: int) -> bool:
    """Queue the withdrawal of all that a retired pair may have sent. True where there is anything to withdraw."""
    pair = connection.execute(select(pair_table).where(pair_table.c.id == pair_id)).one()
    same = and_(job_table.c.pair_id == pair_id, job_table.c.version == pair.version, job_table.c.task == Task.WITHDRAW)
    queued = connection.execute(select(job_table.c.id).where(same)).first() is not None
    if queued or not ledger.may_have_arrived(connection, pair_id):
        return False
    connection.execute(
        insert(job_table).values(
            pair_id=pair_id,
            task=Task.WITHDRAW,
            version=pair.version,
            inputs_digest="",
            baseline=pair.baseline,
            restaging=pair.restaging,
            state=JobState.READY,
            created_at=time.time(),
        )
    )
    log.info("job.put", pair=pair_id, version=pair.version, task="withdraw")
    return True


def supersede(connection: Connection, pair_id: int, tasks: Collection[Task] = tuple(Task)) -> None:
    """Nobody needs these waiting or failed jobs of a pair any more."""
    table = job_table
    open_ = and_(
        table.c.pair_id == pair_id, table.c.task.in_(tasks), table.c.state.in_(sources(JOB, JobState.SUPERSEDED))
    )
    connection.execute(update(table).where(open_).values(state=JobState.SUPERSEDED))


def claim(database: Database, lease_seconds: float) -> JobTicket | None:
    """The oldest job that is due, under a lease; None where there is none.

    Two versions of one pair never run at once: the later one names what the earlier one made.
    """
    table = job_table
    busy = select(table.c.pair_id).where(table.c.state == JobState.CLAIMED)
    due = and_(table.c.state == JobState.READY, table.c.not_before <= time.time(), table.c.pair_id.not_in(busy))
    query = select(table).where(due).order_by(table.c.created_at, table.c.id).limit(1)
    with database.reading() as connection:
        if connection.execute(query).first() is None:
            return None
    with database.transaction() as connection:
        row = connection.execute(query.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        claimed = lease.take(connection, table, row, lease_seconds)
    log.info("job.claimed", job=row.id, pair=row.pair_id, version=row.version, attempt=claimed.attempts)
    return JobTicket(
        claim=claimed,
        task=Task(row.task),
        pair_id=row.pair_id,
        version=row.version,
        inputs_digest=row.inputs_digest,
        baseline=tuple(row.baseline),
        restaging=tuple(row.restaging),
        created=datetime.fromtimestamp(row.created_at, UTC),
    )


def renew(database: Database, claimed: Claim, lease_seconds: float) -> None:
    """Heartbeat: the worker still lives. Raises LeaseLost."""
    with database.transaction() as connection:
        lease.renew(connection, job_table, claimed, lease_seconds)


def finish(database: Database, ticket: JobTicket, outcome: Outcome) -> JobState:
    """Results, their deliveries and "job done" in one transaction: all of it happened, or none. Raises LeaseLost.

    Where the pair meanwhile has other inputs, or is a pair no more, the result is abandoned: a newer job follows. So is
    a withdrawal whose pair has become one again: its next version replaces what was sent.
    """
    with database.transaction() as connection:
        lease.held(connection, job_table, ticket.claim)
        pair = connection.execute(select(pair_table).where(pair_table.c.id == ticket.pair_id)).one()
        wanted = pair.version == ticket.version and (
            pair.state != PairState.READY
            if ticket.task is Task.WITHDRAW
            else bool(pair.inputs_digest) and pair.state in SCORED
        )
        if wanted:
            for result, peers in outcome.results:
                result_id = _insert_result(connection, ticket, result)
                outbox.put(connection, result_id, peers, outcome.shadowed)
        state = JobState.DONE if wanted else JobState.ABANDONED
        _end(
            connection, ticket.claim, state, outcome.refused if wanted else "the pair changed while it was being scored"
        )
    log.info("job.finished", job=ticket.claim.id, state=str(state), results=len(outcome.results) if wanted else 0)
    return state


def fail(database: Database, claimed: Claim, error: JobError) -> JobState:
    """A job failed: it waits and is tried again, or, where that is no use, waits for a person. Raises LeaseLost."""
    final = error.permanent or claimed.attempts >= MAX_ATTEMPTS
    state = JobState.FAILED if final else JobState.READY
    with database.transaction() as connection:
        lease.held(connection, job_table, claimed)
        _end(
            connection,
            claimed,
            state,
            str(error),
            lease.backoff(claimed.attempts, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS),
        )
    log.error("job.failed", job=claimed.id, reason=str(error), next=str(state))
    return state


def abandon(database: Database, ticket: JobTicket, reason: str) -> None:
    """What the job was put for is not what is found now: the pair is without a job until the next plan puts another.

    Not for ever: where the same inputs were planned and found otherwise ``MAX_ATTEMPTS`` times, planner and worker read
    the same files by different rules, and the job waits for a person. Raises LeaseLost.
    """
    with database.transaction() as connection:
        lease.held(connection, job_table, ticket.claim)
        final = _times_abandoned(connection, ticket, reason) + 1 >= MAX_ATTEMPTS
        if final:
            reason = _DISAGREEMENT
        else:
            same = (pair_table.c.id == ticket.pair_id) & (pair_table.c.version == ticket.version)
            connection.execute(update(pair_table).where(same).values(inputs_digest=""))
        _end(connection, ticket.claim, JobState.FAILED if final else JobState.ABANDONED, reason)
    log.warning("job.abandoned", job=ticket.claim.id, reason=reason)


def _times_abandoned(connection: Connection, ticket: JobTicket, reason: str) -> int:
    """How often in a row just this was planned for the pair, and abandoned for this reason."""
    table = job_table
    earlier = and_(table.c.pair_id == ticket.pair_id, table.c.task == ticket.task, table.c.version < ticket.version)
    jobs = connection.execute(select(table).where(earlier).order_by(table.c.version.desc())).all()
    same = (ticket.inputs_digest, JobState.ABANDONED, reason)
    return sum(1 for _ in takewhile(lambda job: (job.inputs_digest, job.state, job.reason) == same, jobs))


def give_back(database: Database, claimed: Claim) -> None:
    """The worker is told to stop: its job is due again at once. Raises LeaseLost."""
    with database.transaction() as connection:
        lease.held(connection, job_table, claimed)
        values = {"state": JobState.READY, "token": "", "attempts": claimed.attempts - 1}
        connection.execute(update(job_table).where(job_table.c.id == claimed.id).values(**values))


def give_back_expired(database: Database) -> int:
    """Jobs whose worker went silent become due again, but not for ever: a job may be what kills its workers."""
    table = job_table
    with database.transaction() as connection:
        worn = lease.lapsed(table) & (table.c.attempts >= MAX_ATTEMPTS)
        reason = (
            f"its worker ended {MAX_ATTEMPTS} times while scoring it (out of memory, a crash, or longer than "
            "[scoring] job_seconds: the log has which); `restage retry` tries again"
        )
        values = {"state": JobState.FAILED, "token": "", "reason": reason, "finished_at": time.time()}
        connection.execute(update(table).where(worn).values(**values))
        return lease.give_back_expired(connection, table, JobState.READY)


def retry(database: Database, job_id: int) -> None:
    """A person wants a failed job tried again. Raises NotFound or NotFailed."""
    with database.transaction() as connection:
        lease.find_failed(connection, job_table, job_id)
        fresh = {"state": JobState.READY, "attempts": 0, "not_before": 0.0}
        connection.execute(update(job_table).where(job_table.c.id == job_id).values(**fresh))


def retry_failed(database: Database) -> int:
    """Every failed job is tried again; how many."""
    table = job_table
    with database.transaction() as connection:
        fresh = {"state": JobState.READY, "attempts": 0, "not_before": 0.0}
        done = connection.execute(update(table).where(table.c.state == JobState.FAILED).values(**fresh))
        return int(done.rowcount)


def _insert_result(connection: Connection, ticket: JobTicket, result: ResultFile) -> int:
    row = {
        "job_id": ticket.claim.id,
        "pair_id": ticket.pair_id,
        "version": ticket.version,
        "kind": result.kind,
        "rendering": result.rendering,
        "sop_uid": result.sop_uid,
        "sop_class_uid": result.sop_class_uid,
        "series_uid": result.series_uid,
        "study_uid": result.study_uid,
        "path": str(result.path),
        "digest": result.digest,
    }
    return int(connection.execute(insert(result_table).values(**row).returning(result_table.c.id)).scalar_one())


def _end(connection: Connection, claimed: Claim, state: JobState, reason: str, not_before: float = 0.0) -> None:
    move(JOB, JobState.CLAIMED, state)
    values = {"state": state, "reason": reason, "token": "", "not_before": not_before, "finished_at": time.time()}
    connection.execute(update(job_table).where(job_table.c.id == claimed.id).values(**values))
