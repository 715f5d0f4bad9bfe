"""What says that an arriving study is complete, or is not: one row per study and kind, as its objects were then.

A row counts only while no object has come since (``received_at`` is the study's ``last_received_at``): whoever wrote
it need not hurry, and nobody waits for him.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, select, true, update

from node import lease
from node.config import Settle
from node.database import Database
from node.records import StudyState
from node.schema import evidence_table, object_table, study_table


class Kind(StrEnum):
    """Where evidence comes from: an archive's own counts, or the slices that are here."""

    COUNTS = "counts"
    GEOMETRY = "geometry"


class Verdict(StrEnum):
    """``OPEN``: it says neither."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    OPEN = "open"


@dataclass(frozen=True)
class Arriving:
    """A study that has been quiet for a while: what is here of it, per series, and which AE titles sent it."""

    study_uid: str
    received_at: float
    attempts: int
    held: dict[str, int]
    sources: frozenset[str]


def arriving(database: Database, kind: Kind, rules: Settle) -> tuple[Arriving, ...]:
    """The studies that evidence of a kind is to be looked for now, the one that is quiet the longest first.

    An archive may answer otherwise later; the slices that are here tell nothing new until another object comes.
    """
    study, known = study_table.c, evidence_table.c
    quiet = (study.state == StudyState.RECEIVING) & (study.last_received_at <= time.time() - rules.evidence_seconds)
    same = and_(known.study_uid == study.study_uid, known.kind == kind, known.received_at == study.last_received_at)
    settled = (known.verdict == Verdict.COMPLETE) | (known.not_before > time.time())
    answered = exists().where(same, settled if kind is Kind.COUNTS else true())
    query = select(study.study_uid, study.last_received_at).where(quiet, ~answered).order_by(study.last_received_at)
    with database.reading() as connection:
        found = [(row.study_uid, row.last_received_at) for row in connection.execute(query)]
        return tuple(_arriving(connection, kind, *one) for one in found)


def note(database: Database, kind: Kind, study: Arriving, found: tuple[Verdict, str], rules: Settle) -> None:
    """Write down what was found. It is looked for again later, until an object comes or the study has settled."""
    verdict, reason = found
    row = {
        "received_at": study.received_at,
        "verdict": verdict,
        "reason": reason,
        "attempts": study.attempts + 1,
        "not_before": lease.backoff(study.attempts + 1, rules.evidence_seconds, longest_wait(rules)),
    }
    here = (evidence_table.c.study_uid == study.study_uid) & (evidence_table.c.kind == kind)
    with database.transaction() as connection:
        if not connection.execute(update(evidence_table).where(here).values(**row)).rowcount:
            connection.execute(insert(evidence_table).values(study_uid=study.study_uid, kind=kind, **row))


def longest_wait(rules: Settle) -> float:
    """Seconds until evidence is looked for again at the latest."""
    return max(rules.quiet_seconds, rules.evidence_seconds)


def says(kind: Kind, verdict: Verdict) -> ColumnElement[bool]:
    """Whether there is such evidence of a study as it is now: for a WHERE over the study table."""
    known, study = evidence_table.c, study_table.c
    same = and_(known.study_uid == study.study_uid, known.received_at == study.last_received_at)
    return exists().where(same, known.kind == kind, known.verdict == verdict)


def missing(connection: Connection) -> dict[str, list[str]]:
    """What studies lack by the evidence of their present state, in words, by Study Instance UID."""
    known, study = evidence_table.c, study_table.c
    query = select(known.study_uid, known.reason).join(study_table, study.study_uid == known.study_uid)
    still = (known.received_at == study.last_received_at) & (known.verdict == Verdict.INCOMPLETE)
    found: dict[str, list[str]] = {}
    for row in connection.execute(query.where(still).order_by(known.study_uid, known.kind)):
        found.setdefault(row.study_uid, []).append(row.reason)
    return found


def _arriving(connection: Connection, kind: Kind, study_uid: str, received_at: float) -> Arriving:
    known = evidence_table.c
    here = (known.study_uid == study_uid) & (known.kind == kind) & (known.received_at == received_at)
    attempts = connection.execute(select(known.attempts).where(here)).scalar() or 0
    held: dict[str, int] = {}
    sources: set[str] = set()
    for one in _objects(connection, study_uid):
        held[one.series_uid] = held.get(one.series_uid, 0) + one.objects
        sources.add(one.source)
    return Arriving(study_uid, received_at, attempts, held, frozenset(sources))


def _objects(connection: Connection, study_uid: str) -> Sequence[Row[Any]]:
    table = object_table.c
    query = select(table.series_uid, table.source, func.count().label("objects"))
    return connection.execute(
        query.where(table.study_uid == study_uid, table.current).group_by(table.series_uid, table.source)
    ).all()
