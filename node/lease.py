"""What jobs and deliveries share: a row is claimed for a while, under a token, and comes back when the lease ends."""

from __future__ import annotations

import random
import time
import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, select, update

from node.errors import LeaseLost, NotFailed, NotFound
from node.records import Claim

MOST_JITTER = 1.2
"""Of a wait between two tries."""


def take(connection: Connection, table: Table, row: Row[Any], seconds: float) -> Claim:
    """Claim a row that this transaction has just read as due."""
    claim = Claim(row.id, str(uuid.uuid4()), row.attempts + 1)
    connection.execute(
        update(table)
        .where(table.c.id == row.id)
        .values(state="CLAIMED", token=claim.token, lease_until=time.time() + seconds, attempts=claim.attempts)
    )
    return claim


def renew(connection: Connection, table: Table, claim: Claim, seconds: float) -> None:
    """Keep a claim for longer. Raises LeaseLost where it is no longer ours."""
    held(connection, table, claim)
    connection.execute(update(table).where(table.c.id == claim.id).values(lease_until=time.time() + seconds))


def held(connection: Connection, table: Table, claim: Claim) -> Row[Any]:
    """The claimed row, if it is still claimed under this token; LeaseLost otherwise."""
    ours = (table.c.id == claim.id) & (table.c.state == "CLAIMED") & (table.c.token == claim.token)
    row = connection.execute(select(table).where(ours).with_for_update()).first()
    if row is None:
        raise LeaseLost(f"{table.name} {claim.id} is held by somebody else now")
    return row


def lapsed(table: Table) -> ColumnElement[bool]:
    """Rows whose lease ended without a word from its holder."""
    return (table.c.state == "CLAIMED") & (table.c.lease_until < time.time())


def give_back_expired(connection: Connection, table: Table, free: StrEnum) -> int:
    """Return every row whose lease ended without a word from its holder; how many."""
    done = connection.execute(update(table).where(lapsed(table)).values(state=str(free), token=""))
    return int(done.rowcount)


def find(connection: Connection, table: Table, id_: int) -> Row[Any]:
    """The row a person named by its number; NotFound where there is none."""
    row = connection.execute(select(table).where(table.c.id == id_)).first()
    if row is None:
        raise NotFound(f"there is no {table.name} {id_}; `restage status` lists them")
    return row


def find_failed(connection: Connection, table: Table, id_: int) -> Row[Any]:
    """The failed row a person named; NotFound, or NotFailed where it is still on its way or done."""
    row = find(connection, table, id_)
    if row.state != "FAILED":
        raise NotFailed(f"{table.name} {id_} is {row.state}: only what has failed can be tried again")
    return row


def backoff(attempts: int, first_seconds: float, longest_seconds: float) -> float:
    """When to try again, in seconds since the epoch."""
    return time.time() + wait_seconds(attempts, first_seconds, longest_seconds)


def wait_seconds(attempts: int, first_seconds: float, longest_seconds: float) -> float:
    """Before the next try: doubled at each attempt, capped, with jitter so that retries of many do not come at once."""
    delay = min(longest_seconds, first_seconds * 2.0 ** min(attempts - 1, 30))
    return delay * random.uniform(2.0 - MOST_JITTER, MOST_JITTER)
