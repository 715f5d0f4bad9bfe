"""A person's word: pair two exams, take a pair apart, try again what failed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from node import commitment, jobs, outbox, searches
from node.database import Database
from node.errors import NotFound, RestageError
from node.records import Verb
from node.schema import decision_table, pair_table, study_table


class DecisionRefused(RestageError):
    """What a person asked for would mix patients."""


def pair(database: Database, baseline_uid: str, restaging_uid: str) -> None:
    """Take these studies as one patient's baseline and restaging, whatever the node thought. Planned at the next tick.

    Raises NotFound for a study that is not here, DecisionRefused where the two have different patient IDs.
    """
    with database.transaction() as connection:
        ids = {_patient(connection, uid) for uid in (baseline_uid, restaging_uid)}
        if baseline_uid == restaging_uid:
            raise DecisionRefused("baseline and restaging are the same study")
        if len(ids) > 1:
            raise DecisionRefused(
                "the studies have different patient IDs or issuers: merge the patients in the PACS first"
            )
        _decide(connection, Verb.PAIR, baseline_uid, restaging_uid)


def unpair(database: Database, pair_id: int) -> None:
    """Take a pair apart: nothing more of it is sent. Planned at the next tick. Raises NotFound."""
    with database.transaction() as connection:
        row = connection.execute(select(pair_table).where(pair_table.c.id == pair_id)).first()
        if row is None or not (row.baseline and row.restaging):
            raise NotFound(f"there is no pair {pair_id} with two exams; `restage status` lists them")
        _decide(connection, Verb.UNPAIR, row.baseline[0], row.restaging[0])


@dataclass(frozen=True)
class Retried:
    """How many of each are tried again."""

    jobs: int
    deliveries: int
    searches: int
    commitments: int

    @property
    def told(self) -> str:
        asked = f"; {self.commitments} that arrived will be asked for commitment again" if self.commitments else ""
        return f"{self.jobs} jobs, {self.deliveries} deliveries, {self.searches} searches will be tried again{asked}"


def retry_all(database: Database) -> Retried:
    """Everything that failed is tried again."""
    return Retried(
        jobs.retry_failed(database),
        outbox.retry_failed(database),
        searches.retry_all(database),
        commitment.ask_anew(database),
    )


def _patient(connection: Connection, study_uid: str) -> tuple[str, str]:
    table = study_table
    row = connection.execute(select(table.c.patient_id, table.c.issuer).where(table.c.study_uid == study_uid)).first()
    if row is None:
        raise NotFound(f"there is no study {study_uid} here; `restage status` lists them")
    return row.patient_id, row.issuer


def _decide(connection: Connection, verb: Verb, baseline_uid: str, restaging_uid: str) -> None:
    row = {"verb": verb, "baseline_uid": baseline_uid, "restaging_uid": restaging_uid}
    connection.execute(insert(decision_table).values(**row, decided_at=time.time(), applied=False))
