"""Searches for the baseline of an exam that waits: one row per waiting pair and peer, claimed, ended, and made again.

A search is only made while its pair waits and nothing of its patient is arriving, and one at a time for each patient.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, insert, or_, select, update

from node import lease
from node.config import Priors
from node.database import Database
from node.errors import NotFound
from node.flow import SEARCH, move, sources
from node.objects import parse_date
from node.prior import Held
from node.records import Claim, PairState, SearchState, StudyState
from node.schema import pair_table, search_table, study_table
from pipelines.contract import Patient

log = structlog.get_logger()

DAY = 86400.0
_FAILED = (
    SearchState.PARTLY_FETCHED,
    SearchState.DESTINATION_UNKNOWN,
    SearchState.REFUSED,
    SearchState.UNREACHABLE,
)
_UNSETTLED = (StudyState.RECEIVING, StudyState.SETTLED)


@dataclass(frozen=True)
class Search:
    """A claimed search: whose exam of which date waits, and since when it is searched for."""

    claim: Claim
    peer: str
    patient: Patient
    exam: date
    since: float


@dataclass(frozen=True)
class Found:
    """What came of a search. ``fetched``: the studies that came whole; ``partly``: those that did not, and whether
    anything of them came.

    ``reached``: whether there was an association at all.
    """

    state: SearchState
    reason: str
    instances: int = 0
    fetched: tuple[str, ...] = ()
    partly: tuple[tuple[str, bool], ...] = ()
    reached: bool = True


def lease_seconds(priors: Priors) -> float:
    """A claim is renewed at each sign of life of the peer, which may be silent for as long as it is allowed."""
    return priors.silence_seconds + 60.0


def claim(database: Database, peer: str, priors: Priors) -> Search | None:
    """The next search that is due at a peer; None where there is none."""
    with database.reading() as connection:
        if connection.execute(_unlisted(peer)).first() is None and connection.execute(_due(peer)).first() is None:
            return None
    with database.transaction() as connection:
        _enlist(connection, peer, priors)
        row = connection.execute(_due(peer).with_for_update(of=search_table, skip_locked=True)).first()
        if row is None:
            return None
        return _search(connection, row, lease.take(connection, search_table, row, lease_seconds(priors)))


def renew(database: Database, search: Search, priors: Priors) -> None:
    """The peer gave a sign of life. Raises LeaseLost."""
    with database.transaction() as connection:
        lease.renew(connection, search_table, search.claim, lease_seconds(priors))


def end(database: Database, search: Search, found: Found, priors: Priors) -> None:
    """Note what came of it, and when it is made again. Raises LeaseLost.

    A peer that was not reached costs no attempt: how often it is tried is its circuit breaker's affair.
    """
    later = lease.backoff(search.claim.attempts, priors.again_seconds, priors.again_max_seconds)
    not_before = later if found.reached else time.time()
    again = not_before < search.since + priors.search_days * DAY
    ends = "" if again else f"; not made again by itself: `restage retry --search {search.claim.id}`"
    with database.transaction() as connection:
        row = lease.held(connection, search_table, search.claim)
        values = {
            "state": move(SEARCH, SearchState(row.state), found.state),
            "reason": found.reason + ends,
            "token": "",
            "attempts": row.attempts - (not found.reached),
            "not_before": not_before,
            "again": again,
            "instances": row.instances + found.instances,
            "fetched": sorted({*row.fetched, *found.fetched}),
            "partly": _counted(row.partly, found),
            "updated_at": time.time(),
        }
        connection.execute(update(search_table).where(search_table.c.id == row.id).values(**values))
    # The reason may name another patient: it is for `restage status`, not for a log that is kept elsewhere.
    told = {"outcome": str(found.state), "instances": found.instances}
    log.info("search.ended", search=search.claim.id, peer=search.peer, **told)


def release(database: Database, search: Search) -> None:
    """Give a claim back because the node stops: it is made at the next start. Raises LeaseLost."""
    with database.transaction() as connection:
        row = lease.held(connection, search_table, search.claim)
        state = move(SEARCH, SearchState(row.state), SearchState.DUE)
        values = {"state": state, "token": "", "attempts": row.attempts - 1}
        connection.execute(update(search_table).where(search_table.c.id == row.id).values(**values))


def give_back_expired(database: Database) -> int:
    """Searches whose holder died; how many."""
    with database.reading() as connection:
        if connection.execute(select(search_table.c.id).where(lease.lapsed(search_table)).limit(1)).first() is None:
            return 0
    with database.transaction() as connection:
        return lease.give_back_expired(connection, search_table, SearchState.DUE)


def is_made(database: Database, peers: Collection[str]) -> bool:
    """Whether a search is being made at one of these peers now."""
    table = search_table.c
    running = (table.peer.in_(peers)) & (table.state == SearchState.CLAIMED) & (table.lease_until > time.time())
    with database.reading() as connection:
        return connection.execute(select(table.id).where(running).limit(1)).first() is not None


def retry(database: Database, id_: int) -> None:
    """Make a search again at once, and for as many days again, because a person wants it. Raises NotFound."""
    with database.transaction() as connection:
        row = lease.find(connection, search_table, id_)
        if not _made_at_once(connection, search_table.c.id == row.id):
            raise NotFound(f"search {id_} is being made, or its exam does not wait for a baseline any more")


def retry_all(database: Database) -> int:
    """Make every search at once that failed, and whose exam still waits; how many."""
    with database.transaction() as connection:
        return _made_at_once(connection, search_table.c.state.in_(_FAILED))


def held(database: Database, study_uids: Collection[str]) -> dict[str, Held]:
    """What became of those of some studies that are here, or that any search fetched."""
    with database.reading() as connection:
        rows = connection.execute(select(search_table.c.fetched, search_table.c.partly)).all()
        studies = study_table.c
        query = select(studies.study_uid, studies.code).where(studies.study_uid.in_(study_uids))
        codes = {row.study_uid: row.code for row in connection.execute(query)}
    fetched = {uid for row in rows for uid in row.fetched}
    parts: dict[str, int] = {}
    for row in rows:
        for uid, times in row.partly.items():
            parts[uid] = max(times, parts.get(uid, 0))
    return {uid: Held(codes.get(uid), uid in fetched, parts.get(uid)) for uid in study_uids}


def _waiting() -> ColumnElement[bool]:
    """Pairs whose exam may be a restaging exam without its baseline."""
    table = pair_table.c
    doubtful = and_(table.state == PairState.AWAITING_RESTAGING, table.evident.is_(False))
    return or_(table.state == PairState.AWAITING_BASELINE, doubtful)


def _unlisted(peer: str) -> Select[Any]:
    known = select(search_table.c.pair_id).where(search_table.c.peer == peer)
    return select(pair_table).where(_waiting(), pair_table.c.id.not_in(known))


def _enlist(connection: Connection, peer: str, priors: Priors) -> None:
    """A row for each waiting pair that has none. Exams that came long ago are left to a person: on the day on which a
    node is taught to search, they would all be searched for at once."""
    rows = []
    for pair in connection.execute(_unlisted(peer)).all():
        came = _leading(connection, pair).last_received_at
        again = came + priors.search_days * DAY > time.time()
        reason = "" if again else "not made by itself: its exam came long ago; `restage retry --search` makes it"
        row = {"pair_id": pair.id, "peer": peer, "state": SearchState.DUE, "again": again, "reason": reason}
        rows.append({**row, "since": came, "updated_at": time.time(), "fetched": [], "partly": {}})
    if rows:
        connection.execute(insert(search_table), rows)


def _due(peer: str) -> Select[Any]:
    """Searches that may be made now, the longest due first."""
    table, pair = search_table.c, pair_table.c
    other, others_pair = search_table.alias(), pair_table.alias()
    same = and_(others_pair.c.patient_id == pair.patient_id, others_pair.c.issuer == pair.issuer)
    searched = exists(
        select(other.c.id)
        .join(others_pair, others_pair.c.id == other.c.pair_id)
        .where(other.c.state == SearchState.CLAIMED, same)
    ).correlate(pair_table)
    theirs = and_(study_table.c.patient_id == pair.patient_id, study_table.c.issuer == pair.issuer)
    arriving = exists(select(study_table.c.study_uid).where(theirs, study_table.c.state.in_(_UNSETTLED))).correlate(
        pair_table
    )
    return (
        select(search_table, pair.baseline, pair.restaging)
        .join(pair_table, pair.id == table.pair_id)
        .where(_waiting(), table.peer == peer, table.again, table.not_before <= time.time())
        .where(table.state.in_(sources(SEARCH, SearchState.CLAIMED)), ~searched, ~arriving)
        .order_by(table.not_before, table.id)
        .limit(1)
    )


def _search(connection: Connection, row: Row[Any], claimed: Claim) -> Search:
    study = _leading(connection, row)
    exam = parse_date(study.study_date)
    if exam is None:
        raise ValueError(f"study {study.study_uid} waits in a pair and has no StudyDate")
    patient = Patient(study.patient_id, study.issuer, study.name, study.birth_date, study.sex)
    return Search(claimed, row.peer, patient, exam, row.since)


def _leading(connection: Connection, pair: Row[Any]) -> Row[Any]:
    """The study that leads the exam of a pair that waits."""
    uid = (pair.baseline or pair.restaging)[0]
    return connection.execute(select(study_table).where(study_table.c.study_uid == uid)).one()


def _made_at_once(connection: Connection, which: ColumnElement[bool]) -> int:
    table = search_table.c
    waiting = table.pair_id.in_(select(pair_table.c.id).where(_waiting()))
    free = table.state.in_(sources(SEARCH, SearchState.CLAIMED))
    values = {"not_before": 0.0, "again": True, "since": time.time(), "partly": {}}
    return int(connection.execute(update(search_table).where(which, waiting, free).values(**values)).rowcount)


def _counted(before: dict[str, int], found: Found) -> dict[str, int]:
    """How often each study came in part, after one more search."""
    counts = dict(before)
    for uid, came in found.partly:
        counts[uid] = counts.get(uid, 0) + came
    return counts
