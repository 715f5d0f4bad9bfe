"""The ledger of deliveries: one row per result and destination, from due to sent, committed, failed or withdrawn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, insert, select, update

from node import lease
from node.database import Database
from node.errors import SendError
from node.flow import DELIVERY, move, sources
from node.records import DeliveryState, PairState, Parcel, ResultFile
from node.schema import delivery_table, pair_table, result_table

log = structlog.get_logger()

LEASE_SECONDS = 300.0


@dataclass(frozen=True)
class RetryPolicy:
    """When a delivery that failed for the moment is tried again, and how often in all."""

    first_seconds: float
    longest_seconds: float
    give_up_after: int


def put(connection: Connection, result_id: int, peers: Sequence[str]) -> None:
    """One delivery per destination, in the transaction that made the result."""
    for peer in peers:
        row = {"result_id": result_id, "peer": peer, "state": DeliveryState.DUE, "updated_at": time.time()}
        connection.execute(insert(delivery_table).values(**row))


def claim(database: Database, peer: str, most: int = 50) -> tuple[Parcel, ...]:
    """What is due for one destination, in the order in which it was made."""
    table = delivery_table
    due = and_(
        table.c.peer == peer,
        table.c.state == DeliveryState.DUE,
        table.c.not_before <= time.time(),
        table.c.result_id.not_in(_retired_results()),
    )
    query = select(table).where(due).order_by(table.c.result_id).limit(most)
    with database.reading() as connection:
        if connection.execute(query).first() is None:
            return ()
    with database.transaction() as connection:
        rows = connection.execute(query.with_for_update(skip_locked=True)).all()
        claims = [lease.take(connection, table, row, LEASE_SECONDS) for row in rows]
        results = [_result(connection, row.result_id) for row in rows]
    return tuple(Parcel(claimed, peer, result) for claimed, result in zip(claims, results, strict=True))


def sent(database: Database, parcel: Parcel, status: int) -> None:
    """The destination answered Success (or a warning). Raises LeaseLost."""
    with database.transaction() as connection:
        _end(connection, parcel, DeliveryState.SENT, "", status)
    log.info("delivery.sent", delivery=parcel.claim.id, peer=parcel.peer, kind=parcel.result.kind)


def failed(database: Database, parcel: Parcel, error: SendError, policy: RetryPolicy) -> DeliveryState:
    """Later again, or, where it was refused or all tries are used, for a person to see. Raises LeaseLost."""
    final = error.permanent or parcel.claim.attempts >= policy.give_up_after
    state = DeliveryState.FAILED if final else DeliveryState.DUE
    not_before = lease.backoff(parcel.claim.attempts, policy.first_seconds, policy.longest_seconds)
    with database.transaction() as connection:
        _end(connection, parcel, state, str(error), error.status, not_before)
    log.warning("delivery.failed", delivery=parcel.claim.id, peer=parcel.peer, reason=str(error), next=str(state))
    return state


def give_back_expired(database: Database) -> int:
    """Deliveries whose sender went silent become due again, or withdrawn where their pair is none any more."""
    table = delivery_table
    with database.transaction() as connection:
        given_back = lease.give_back_expired(connection, table, DeliveryState.DUE)
        _withdraw(connection, table.c.result_id.in_(_retired_results()))
        return given_back


def withdraw(connection: Connection, pair_id: int) -> None:
    """What has not been sent of a pair that is none any more is never sent."""
    results = select(result_table.c.id).where(result_table.c.pair_id == pair_id)
    _withdraw(connection, delivery_table.c.result_id.in_(results))


def retry(database: Database, delivery_id: int) -> None:
    """A person wants a failed delivery tried again. Raises NotFound or NotFailed."""
    with database.transaction() as connection:
        lease.find_failed(connection, delivery_table, delivery_id)
        _make_due(connection, delivery_table.c.id == delivery_id)


def retry_failed(database: Database) -> int:
    """Every failed delivery is tried again; how many."""
    with database.transaction() as connection:
        return _make_due(connection, delivery_table.c.state == DeliveryState.FAILED)


def _retired_results() -> Select[tuple[int]]:
    """Results of pairs that were taken apart or overtaken: those in flight at that moment must not go out later."""
    retired = pair_table.c.state.in_((PairState.WITHDRAWN, PairState.SUPERSEDED))
    return select(result_table.c.id).join(pair_table, result_table.c.pair_id == pair_table.c.id).where(retired)


def _withdraw(connection: Connection, which: ColumnElement[bool]) -> None:
    table = delivery_table
    unsent = which & table.c.state.in_(sources(DELIVERY, DeliveryState.WITHDRAWN))
    connection.execute(update(table).where(unsent).values(state=DeliveryState.WITHDRAWN, updated_at=time.time()))


def _make_due(connection: Connection, which: ColumnElement[bool]) -> int:
    fresh = {"state": DeliveryState.DUE, "attempts": 0, "not_before": 0.0, "updated_at": time.time()}
    return int(connection.execute(update(delivery_table).where(which).values(**fresh)).rowcount)


def result_file(row: Row[Any]) -> ResultFile:
    """A row of the result table as the record that travels."""
    return ResultFile(
        row.kind, row.sop_uid, row.sop_class_uid, row.series_uid, row.study_uid, Path(row.path), row.digest
    )


def _result(connection: Connection, result_id: int) -> ResultFile:
    return result_file(connection.execute(select(result_table).where(result_table.c.id == result_id)).one())


def _end(
    connection: Connection,
    parcel: Parcel,
    state: DeliveryState,
    reason: str,
    status: int | None,
    not_before: float = 0.0,
) -> None:
    lease.held(connection, delivery_table, parcel.claim)
    move(DELIVERY, DeliveryState.CLAIMED, state)
    values = {"state": state, "reason": reason, "status": status, "token": "", "not_before": not_before}
    which = delivery_table.c.id == parcel.claim.id
    connection.execute(update(delivery_table).where(which).values(**values, updated_at=time.time()))
