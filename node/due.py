"""Which patients are to be planned: read from the tables alone, so that a restart forgets nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from node.records import PairState, StudyState
from node.schema import decision_table, pair_table, study_table


@dataclass(frozen=True, order=True)
class PatientKey:
    patient_id: str
    issuer: str


def due(connection: Connection) -> list[PatientKey]:
    """Patients with something newly settled or decided, or with a pair that lost its job, and nothing arriving."""
    table = study_table
    decided = or_(
        *(
            table.c.study_uid.in_(select(column).where(decision_table.c.applied.is_(False)))
            for column in (decision_table.c.baseline_uid, decision_table.c.restaging_uid)
        )
    )
    query = select(table.c.patient_id, table.c.issuer).where(or_(table.c.state == StudyState.SETTLED, decided))
    return sorted((_keys(connection, query) | jobless(connection)) - receiving(connection))


def receiving(connection: Connection) -> set[PatientKey]:
    """Patients of whom something is arriving: they are planned when that has settled."""
    table = study_table
    return _keys(connection, select(table.c.patient_id, table.c.issuer).where(table.c.state == StudyState.RECEIVING))


def jobless(connection: Connection) -> set[PatientKey]:
    """Patients with a pair whose job was abandoned, because the worker found other inputs than were planned."""
    table = pair_table
    lost = and_(table.c.state == PairState.READY, table.c.inputs_digest == "")
    return _keys(connection, select(table.c.patient_id, table.c.issuer).where(lost))


def everybody(connection: Connection) -> list[PatientKey]:
    """Every patient of whom a study is held."""
    return sorted(_keys(connection, select(study_table.c.patient_id, study_table.c.issuer)))


def owners(rows: Iterable[Any]) -> set[PatientKey]:
    """The patients of some rows of the study or the pair table."""
    return {PatientKey(row.patient_id, row.issuer) for row in rows}


def _keys(connection: Connection, query: Select[Any]) -> set[PatientKey]:
    return owners(connection.execute(query))
