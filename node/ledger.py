"""The ledger read backwards: what of a pair may be at its peers, and what a new version of it replaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from node import outbox
from node.database import Database
from node.records import DeliveryState, JobState, JobTicket, PairState, ResultFile, Task
from node.schema import delivery_table, job_table, pair_table, result_table

ARRIVED = (DeliveryState.SENT, DeliveryState.VERIFIED, DeliveryState.COMMITTED)


@dataclass(frozen=True)
class Recall:
    """What a retired pair may have at its peers, and why it must not be read there any more.

    ``sent``: each object with the peers it may be at. ``baseline``, ``restaging``: the studies that the newest of them
    was made of: the pair's, or the baseline alone where nothing was sent since the restaging exam arrived.
    """

    reason: str
    sent: Mapping[ResultFile, tuple[str, ...]]
    baseline: tuple[str, ...]
    restaging: tuple[str, ...]


def owner(database: Database, pair_id: int) -> tuple[str, str]:
    """Issuer and ID of the pair's patient: part of its key, whatever the images of one version say of the issuer."""
    with database.reading() as connection:
        pair = connection.execute(select(pair_table).where(pair_table.c.id == pair_id)).one()
    return pair.issuer, pair.patient_id


def recall(database: Database, pair_id: int) -> Recall:
    """All that a retired pair has to take back."""
    with database.reading() as connection:
        pair = connection.execute(select(pair_table).where(pair_table.c.id == pair_id)).one()
        # A pair that waits again has a reason of its own, for its waiting.
        retired = pair.state in (PairState.WITHDRAWN, PairState.SUPERSEDED)
        reason = pair.reason if retired else "its exams are no longer a pair"
        sent = may_have_arrived(connection, pair_id)
        query = select(job_table).join(result_table, result_table.c.job_id == job_table.c.id)
        theirs = query.where(result_table.c.sop_uid.in_([file.sop_uid for file in sent]))
        made_of = connection.execute(theirs.order_by(job_table.c.version.desc()).limit(1)).first() or pair
        return Recall(reason, sent, tuple(made_of.baseline), tuple(made_of.restaging))


def reason_of(database: Database, pair_id: int) -> str:
    """Why a pair is as it is, in the words of `restage status`."""
    with database.reading() as connection:
        return str(connection.execute(select(pair_table.c.reason).where(pair_table.c.id == pair_id)).scalar_one())


def may_have_arrived(connection: Connection, pair_id: int) -> dict[ResultFile, tuple[str, ...]]:
    """Every object of a pair that may be somewhere, with the peers it may be at; not what was withdrawn before.

    A try without an answer may have arrived: only a refusal is certain.
    """
    result, delivery, job = result_table.c, delivery_table.c, job_table.c
    withdrawn = select(func.max(job.version)).where(
        job.pair_id == pair_id, job.task == Task.WITHDRAW, job.state == JobState.DONE
    )
    before = connection.execute(withdrawn).scalar() or 0
    maybe = delivery.state.in_((*ARRIVED, DeliveryState.CLAIMED)) | delivery.exposed
    query = (
        select(result_table, delivery.peer)
        .join(delivery_table, delivery.result_id == result.id)
        .join(job_table, result.job_id == job.id)
        .where(result.pair_id == pair_id, job.task == Task.SCORE, result.version > before, maybe)
        .order_by(result.id, delivery.peer)
    )
    found: dict[ResultFile, tuple[str, ...]] = {}
    for row in connection.execute(query):
        file = outbox.result_file(row)
        found[file] = (*found.get(file, ()), row.peer)
    return found


def previous_results(
    database: Database, ticket: JobTicket, rendering: str, peers: Sequence[str]
) -> tuple[ResultFile, ...]:
    """What the newest earlier version sent in this rendering, or to these peers: the predecessors of a job's objects.

    What was withdrawn has no successor.
    """
    with database.reading() as connection:
        sent = may_have_arrived(connection, ticket.pair_id)
        versions = {
            row.sop_uid: row.version
            for row in connection.execute(
                select(result_table.c.sop_uid, result_table.c.version).where(result_table.c.pair_id == ticket.pair_id)
            )
        }
    ours = [file for file, at in sent.items() if file.rendering == rendering or set(at) & set(peers)]
    earlier = [file for file in ours if versions[file.sop_uid] < ticket.version]
    newest = max((versions[file.sop_uid] for file in earlier), default=0)
    return tuple(file for file in earlier if versions[file.sop_uid] == newest)


def peers_with_earlier(database: Database, ticket: JobTicket) -> frozenset[str]:
    """The peers that may have an earlier version of this pair's result."""
    with database.reading() as connection:
        sent = may_have_arrived(connection, ticket.pair_id)
    return frozenset(peer for peers in sent.values() for peer in peers)


def own_series(connection: Connection, study_uid: str) -> frozenset[str]:
    """The series of a study that results of ours are in, by the ledger."""
    table = result_table.c
    return frozenset(connection.execute(select(table.series_uid).where(table.study_uid == study_uid)).scalars())
