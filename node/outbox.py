"""The ledger of deliveries: one row per result and destination, from due to sent, verified, failed or withdrawn.

What was sent is then looked for at its destination (`claim_sent`): it stays SENT while that is tried, its ``attempts``
count sendings alone, and its ``not_before`` says when it is looked for next.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import structlog
from pydicom import Dataset, dcmread
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, insert, select, update

from dicom_templates.kinds import Kind
from node import lease
from node.config import Results
from node.database import Database
from node.errors import LeaseLost, NotFailed, PeerError, SendError
from node.flow import DELIVERY, move, sources
from node.objects import UNREADABLE
from node.records import Claim, DeliveryState, JobState, PairState, Parcel, ResultFile, Task
from node.schema import delivery_table, job_table, pair_table, result_table

log = structlog.get_logger()

LEASE_SECONDS = 300.0
DUPLICATE = 0x0111  # "Duplicate SOP Instance" (PS3.7 C.5.8): the destination has it, from an earlier try
# An archive may answer Success first and index later: before this time, what is not found may still come.
INDEXING_SECONDS = 120.0
# After this time nobody looks any more: an archive may have moved it elsewhere by its own rules.
LOOKED_FOR_SECONDS = 7 * 86400.0
# An archive may hide a rejection note together with what it rejects (IHE Imaging Object Change Management).
HIDDEN = (Kind.REJECTION_BASELINE, Kind.REJECTION_RESTAGING)


@dataclass(frozen=True)
class RetryPolicy:
    """When a delivery that failed for the moment is tried again, and how often in all."""

    first_seconds: float
    longest_seconds: float
    give_up_after: int

    @classmethod
    def of(cls, results: Results) -> RetryPolicy:
        return cls(results.retry_seconds, results.retry_max_seconds, results.give_up_after)


def put(connection: Connection, result_id: int, peers: Sequence[str], shadowed: Collection[str] = ()) -> None:
    """One delivery per destination, in the transaction that made the result; in shadow mode it is kept and not sent."""
    for peer in peers:
        state = DeliveryState.KEPT if peer in shadowed else DeliveryState.DUE
        row = {"result_id": result_id, "peer": peer, "state": state, "updated_at": time.time()}
        connection.execute(insert(delivery_table).values(**row))


def claim(database: Database, peer: str, only: Collection[Kind] = (), most: int = 50) -> tuple[Parcel, ...]:
    """What is due for one destination, in the order in which it was made; of some kinds only, where any is named."""
    query = _waiting(peer, DeliveryState.DUE)
    if only:
        query = query.where(
            delivery_table.c.result_id.in_(select(result_table.c.id).where(result_table.c.kind.in_(only)))
        )
    return _claim(database, query.limit(most), _take)


def expose(database: Database, parcels: Sequence[Parcel]) -> None:
    """From here on these may be at the destination, whatever answer comes or does not come."""
    ids = [parcel.claim.id for parcel in parcels]
    with database.transaction() as connection:
        connection.execute(update(delivery_table).where(delivery_table.c.id.in_(ids)).values(exposed=True))


def claim_sent(database: Database, peer: str, most: int = 50) -> tuple[Parcel, ...]:
    """What one destination was sent and is now to be looked for there. Nobody else is given it during the lease."""
    hidden = select(result_table.c.id).where(result_table.c.kind.in_(HIDDEN))
    table = delivery_table
    query = _waiting(peer, DeliveryState.SENT).where(
        table.c.result_id.not_in(hidden), table.c.updated_at > time.time() - LOOKED_FOR_SECONDS
    )
    return _claim(database, query.limit(most), _take_to_look_for)


def read(folder: Path, parcel: Parcel) -> Dataset:
    """The object as the job made it. Raises SendError, permanent, where the file is not what it was."""
    path = folder / parcel.result.path
    try:
        encoded = path.read_bytes()
        if hashlib.sha256(encoded).hexdigest() == parcel.result.digest:
            return dcmread(BytesIO(encoded))
    except UNREADABLE as error:
        raise SendError(f"the result file {path.name} cannot be read: {error}", permanent=True) from error
    raise SendError(f"the result file {path.name} is not what was made: it was changed or damaged", permanent=True)


def sent(database: Database, parcel: Parcel, status: int) -> None:
    """The destination answered Success (or a warning). Raises LeaseLost."""
    with database.transaction() as connection:
        _end(connection, parcel, DeliveryState.SENT, "", status)
        _set(connection, parcel, exposed=True)
    log.info("delivery.sent", delivery=parcel.claim.id, peer=parcel.peer, kind=parcel.result.kind)


def held(database: Database, parcel: Parcel, reason: str) -> None:
    """A person decides whether it is sent. Nothing was, so that this was no attempt. Raises LeaseLost."""
    with database.transaction() as connection:
        _end(connection, parcel, DeliveryState.HELD, reason, None)
        _set(connection, parcel, attempts=parcel.claim.attempts - 1)
    # The reason names patients: it is for `restage status`, not for a log that is kept elsewhere.
    log.warning("delivery.held", delivery=parcel.claim.id, peer=parcel.peer)


def failed(database: Database, parcel: Parcel, error: PeerError, policy: RetryPolicy) -> DeliveryState:
    """Later again, or, where it was refused or all tries are used, for a person to see. Raises LeaseLost."""
    final = error.permanent or parcel.claim.attempts >= policy.give_up_after
    state = DeliveryState.FAILED if final else DeliveryState.DUE
    not_before = lease.backoff(parcel.claim.attempts, policy.first_seconds, policy.longest_seconds)
    with database.transaction() as connection:
        _end(connection, parcel, state, str(error), error.status, not_before)
        if (error.permanent or error.status is not None) and error.status != DUPLICATE:
            # This try certainly left nothing there; an earlier one may have.
            _set(connection, parcel, exposed=parcel.exposed)
    log.warning("delivery.failed", delivery=parcel.claim.id, peer=parcel.peer, reason=str(error), next=str(state))
    return state


def verified(database: Database, parcel: Parcel, reason: str = "") -> None:
    """The destination has it as it was sent, or has it at all: ``reason`` says what was not looked at. LeaseLost."""
    with database.transaction() as connection:
        _end_looking(connection, parcel, DeliveryState.VERIFIED, reason)
    log.info("delivery.verified", delivery=parcel.claim.id, peer=parcel.peer, kind=parcel.result.kind, reason=reason)


def altered(database: Database, parcel: Parcel, reason: str) -> None:
    """The destination has something else under its UID, or lost it: a person decides. Raises LeaseLost."""
    with database.transaction() as connection:
        _end_looking(connection, parcel, DeliveryState.FAILED, reason)
        # Success was not its last word: something of it may be there.
        _set(connection, parcel, status=None)
    log.error("delivery.not_as_sent", delivery=parcel.claim.id, peer=parcel.peer)


def missing(database: Database, parcel: Parcel, policy: RetryPolicy) -> None:
    """The destination does not find it: looked for again while it may still be indexing, else lost. LeaseLost."""
    with database.reading() as connection:
        sent_at = _looked_for(connection, parcel).updated_at
    if time.time() - sent_at < INDEXING_SECONDS:
        not_verified(database, parcel, f"{parcel.peer} does not find it yet", policy)
    else:
        words = f"{parcel.peer} answered Success and does not have it; `restage retry` sends it again"
        altered(database, parcel, words)


def not_verified(database: Database, parcel: Parcel, reason: str, policy: RetryPolicy) -> None:
    """Looked for again later: each wait is as long as the time since it was sent, within the policy. LeaseLost."""
    with database.transaction() as connection:
        since_sent = time.time() - _looked_for(connection, parcel).updated_at
        wait = min(policy.longest_seconds, max(policy.first_seconds, since_sent))
        _set(connection, parcel, reason=f"not verified: {reason}", token="", not_before=time.time() + wait)
    log.warning("delivery.not_verified", delivery=parcel.claim.id, peer=parcel.peer, reason=reason)


def give_back_expired(database: Database) -> int:
    """Deliveries whose sender went silent become due again, or withdrawn where their pair is none any more."""
    table = delivery_table
    with database.transaction() as connection:
        given_back = lease.give_back_expired(connection, table, DeliveryState.DUE)
        _withdraw(connection, table.c.result_id.in_(retired_results()))
        return given_back


def hasten(database: Database, peer: str) -> int:
    """A destination is back: what waited because it was not there is due at once; how many."""
    table = delivery_table
    # A status says that it was there, and refused for the moment: that keeps its own pace.
    waiting = and_(table.c.peer == peer, table.c.state == DeliveryState.DUE, table.c.status.is_(None))
    with database.transaction() as connection:
        done = connection.execute(update(table).where(waiting, table.c.not_before > 0).values(not_before=0.0))
        return int(done.rowcount)


def withdraw(connection: Connection, pair_id: int) -> None:
    """What has not been sent of a pair that is none any more is never sent."""
    _withdraw(connection, delivery_table.c.result_id.in_(_scored(result_table.c.pair_id == pair_id)))


def retry(database: Database, delivery_id: int) -> None:
    """A person wants a failed delivery tried again, or lets one go that was held. Raises NotFound or NotFailed."""
    table = delivery_table
    with database.transaction() as connection:
        row = lease.find(connection, table, delivery_id)
        if row.state not in (DeliveryState.FAILED, DeliveryState.HELD):
            words = "only what has failed or is held can be tried again"
            raise NotFailed(f"delivery {delivery_id} is {row.state}: {words}")
        _make_due(connection, table.c.id == delivery_id)
        if row.state == DeliveryState.HELD:
            connection.execute(update(table).where(table.c.id == delivery_id).values(released=True))
            log.warning("delivery.released", delivery=delivery_id, peer=row.peer)


def retry_failed(database: Database) -> int:
    """Every failed delivery is tried again; how many. What is held waits for a person's word on each."""
    with database.transaction() as connection:
        return _make_due(connection, delivery_table.c.state == DeliveryState.FAILED)


def _waiting(peer: str, state: DeliveryState) -> Select[Any]:
    """Deliveries to one destination whose time has come; none of a pair that is none any more."""
    table = delivery_table
    come = and_(table.c.peer == peer, table.c.state == state, table.c.not_before <= time.time())
    return select(table).where(come, table.c.result_id.not_in(retired_results())).order_by(table.c.result_id)


def _claim(database: Database, query: Select[Any], take: Callable[[Connection, Row[Any]], Claim]) -> tuple[Parcel, ...]:
    with database.reading() as connection:
        if connection.execute(query).first() is None:
            return ()
    with database.transaction() as connection:
        rows = connection.execute(query.with_for_update(skip_locked=True)).all()
        return tuple(
            Parcel(take(connection, row), row.peer, _result(connection, row.result_id), row.released, row.exposed)
            for row in rows
        )


def _take(connection: Connection, row: Row[Any]) -> Claim:
    return lease.take(connection, delivery_table, row, LEASE_SECONDS)


def _take_to_look_for(connection: Connection, row: Row[Any]) -> Claim:
    claimed = Claim(row.id, str(uuid.uuid4()), row.attempts)
    values = {"token": claimed.token, "not_before": time.time() + LEASE_SECONDS}
    connection.execute(update(delivery_table).where(delivery_table.c.id == row.id).values(**values))
    return claimed


def retired_results() -> Select[tuple[int]]:
    """Results of pairs that were taken apart or overtaken, also where the pair has been made again since."""
    withdrawal = job_table.alias()
    retired = select(pair_table.c.id).where(pair_table.c.state.in_((PairState.WITHDRAWN, PairState.SUPERSEDED)))
    withdrawn = exists().where(
        withdrawal.c.pair_id == result_table.c.pair_id,
        withdrawal.c.version >= result_table.c.version,
        withdrawal.c.task == Task.WITHDRAW,
        withdrawal.c.state == JobState.DONE,
    )
    return _scored(result_table.c.pair_id.in_(retired) | withdrawn)


def _scored(which: ColumnElement[bool]) -> Select[tuple[int]]:
    """Results of scoring, out of some results. Those of a withdrawal go out whatever becomes of their pair."""
    query = select(result_table.c.id).join(job_table, result_table.c.job_id == job_table.c.id)
    return query.where(which, job_table.c.task == Task.SCORE)


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
        row.kind,
        row.sop_uid,
        row.sop_class_uid,
        row.series_uid,
        row.study_uid,
        Path(row.path),
        row.digest,
        row.rendering,
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
    _set(connection, parcel, **values, updated_at=time.time())


def _end_looking(connection: Connection, parcel: Parcel, state: DeliveryState, reason: str) -> None:
    _looked_for(connection, parcel)
    move(DELIVERY, DeliveryState.SENT, state)
    _set(connection, parcel, state=state, reason=reason, token="", not_before=0.0, updated_at=time.time())


def _looked_for(connection: Connection, parcel: Parcel) -> Row[Any]:
    """The delivery, if it is still SENT and looked for under this token; LeaseLost otherwise."""
    table, claimed = delivery_table, parcel.claim
    ours = and_(table.c.id == claimed.id, table.c.state == DeliveryState.SENT, table.c.token == claimed.token)
    row = connection.execute(select(table).where(ours).with_for_update()).first()
    if row is None:
        raise LeaseLost(f"delivery {claimed.id} is looked for by somebody else now")
    return row


def _set(connection: Connection, parcel: Parcel, **values: object) -> None:
    connection.execute(update(delivery_table).where(delivery_table.c.id == parcel.claim.id).values(**values))
