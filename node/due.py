"""Which patients are to be planned: read from the tables alone, so that a restart forgets nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from node.records import PairState, StudyState
from node.schema import clinical_value_table, decision_table, pair_table, study_table


@dataclass(frozen=True, order=True)
class PatientKey:
    patient_id: str
    issuer: str


def due(connection: Connection, alone: bool = False) -> list[PatientKey]:
    """Patients with something newly settled, decided or imported, or with a pair without its job, and nothing arriving.

    ``alone``: whether an evident baseline that waits for its restaging exam has a job too.
    """
    table = study_table
    decided = or_(
        *(
            table.c.study_uid.in_(select(column).where(decision_table.c.applied.is_(False)))
            for column in (decision_table.c.baseline_uid, decision_table.c.restaging_uid)
        )
    )
    query = select(table.c.patient_id, table.c.issuer).where(or_(table.c.state == StudyState.SETTLED, decided))
    found = _keys(connection, query) | _keys(connection, _imported()) | jobless(connection, alone)
    return sorted(found - receiving(connection))


def receiving(connection: Connection) -> set[PatientKey]:
    """Patients of whom something is arriving: they are planned when that has settled."""
    table = study_table
    return _keys(connection, select(table.c.patient_id, table.c.issuer).where(table.c.state == StudyState.RECEIVING))


def jobless(connection: Connection, alone: bool = False) -> set[PatientKey]:
    """Patients with a pair whose job was abandoned, because the worker found other inputs than were planned; and,
    where a waiting baseline is scored by itself (``alone``), those with an evident one that never was."""
    table = pair_table
    scored = table.c.state == PairState.READY
    if alone:
        scored = or_(scored, and_(table.c.state == PairState.AWAITING_RESTAGING, table.c.evident))
    lost = and_(scored, table.c.inputs_digest == "")
    return _keys(connection, select(table.c.patient_id, table.c.issuer).where(lost))


def _imported() -> Select[Any]:
    """The held patients with clinical values that they were not planned with; a value may name no issuer."""
    value, study = clinical_value_table.c, study_table.c
    theirs = and_(study.patient_id == value.patient_id, or_(value.issuer == "", value.issuer == study.issuer))
    return select(study.patient_id, study.issuer).join(clinical_value_table, theirs).where(value.planned.is_(False))


def everybody(connection: Connection) -> list[PatientKey]:
    """Every patient of whom a study is held."""
    return sorted(_keys(connection, select(study_table.c.patient_id, study_table.c.issuer)))


def owners(rows: Iterable[Any]) -> set[PatientKey]:
    """The patients of some rows of the study or the pair table."""
    return {PatientKey(row.patient_id, row.issuer) for row in rows}


def _keys(connection: Connection, query: Select[Any]) -> set[PatientKey]:
    return owners(connection.execute(query))
