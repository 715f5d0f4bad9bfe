"""A wall clock that was set back: what waits in the tables must not wait until it has caught up with itself.

Times there are the wall clock's, because they outlive the process. None lies further ahead than its own rule allows,
unless the clock was set back after it was written; then it is brought back to that rule.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from sqlalchemy import Column, Table, select, update

from node import evidence, jobs, lease, outbox, searches
from node.commitment import Patience
from node.config import Config
from node.database import Database
from node.schema import (
    commitment_item_table,
    commitment_table,
    delivery_table,
    evidence_table,
    job_table,
    search_table,
    study_table,
)

log = structlog.get_logger()

TOLERANCE_SECONDS = 1.0


@dataclass(frozen=True)
class Limit:
    """How many seconds a time may lie ahead of now."""

    table: Table
    column: Column[float]
    seconds: float


def limits(config: Config) -> tuple[Limit, ...]:
    """The longest that anything waits, by the configuration."""
    longest = max(config.results.retry_max_seconds * lease.MOST_JITTER, outbox.LEASE_SECONDS)
    commitment = Patience.of(config.results).longest
    return (
        Limit(study_table, study_table.c.last_received_at, 0.0),
        Limit(job_table, job_table.c.lease_until, config.scoring.lease_seconds),
        Limit(job_table, job_table.c.not_before, jobs.LONGEST_RETRY_SECONDS * lease.MOST_JITTER),
        Limit(delivery_table, delivery_table.c.lease_until, outbox.LEASE_SECONDS),
        Limit(delivery_table, delivery_table.c.not_before, longest),
        Limit(commitment_table, commitment_table.c.until, commitment),
        Limit(commitment_item_table, commitment_item_table.c.not_before, commitment),
        Limit(evidence_table, evidence_table.c.not_before, evidence.longest_wait(config.settle) * lease.MOST_JITTER),
        Limit(search_table, search_table.c.lease_until, searches.lease_seconds(config.priors)),
        Limit(search_table, search_table.c.not_before, config.priors.again_max_seconds * lease.MOST_JITTER),
    )


def bring_back(database: Database, rules: tuple[Limit, ...]) -> int:
    """Bring back every time that lies too far ahead; how many there were."""
    ahead = [one for one in rules if _is_ahead(database, one)]
    count = 0
    for one in ahead:
        with database.transaction() as connection:
            latest = time.time() + one.seconds
            done = connection.execute(
                update(one.table).where(one.column > latest + TOLERANCE_SECONDS).values({one.column: latest})
            )
        count += int(done.rowcount)
        log.warning("clock.set_back", what=str(one.column), rows=int(done.rowcount))
    return count


def _is_ahead(database: Database, limit: Limit) -> bool:
    latest = time.time() + limit.seconds + TOLERANCE_SECONDS
    with database.reading() as connection:
        return connection.execute(select(limit.column).where(limit.column > latest).limit(1)).first() is not None
