"""A study's row, as its objects arrive: when it last got one, under which generation, and whose it is."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from node.database import Prepared
from node.flow import STUDY, move
from node.records import ObjectFacts, StudyState
from node.schema import object_table, study_table

_study = study_table.c
_RECEIVING = (_study.study_uid == bindparam("uid")) & (_study.state == StudyState.RECEIVING)
_TOUCH = update(study_table).where(_RECEIVING).values(last_received_at=bindparam("at"))
_GO_ON = _TOUCH.where(  # what `admit` would write of an object that says of its study what is known
    _study.conflict == "",
    _study.code == "",
    _study.reason == "",
    _study.study_date != "",
    _study.patient_id == bindparam("patient"),
    _study.issuer == bindparam("patients_issuer"),
)
GO_ON = Prepared(_GO_ON)


def goes_on(facts: ObjectFacts, at: float) -> dict[str, object]:
    """The parameters of ``GO_ON``, which changes one row where an object adds nothing to what is known of its study."""
    patient, issuer = _owner(facts)
    return {"uid": facts.study_uid, "at": at, "patient": patient, "patients_issuer": issuer}


def touch(connection: Connection, study_uid: str, at: float) -> None:
    """A repeat changes nothing, but its study is still arriving."""
    connection.execute(_TOUCH, {"uid": study_uid, "at": at})


def admit(connection: Connection, facts: ObjectFacts, at: float) -> None:
    """A new content: its study is (again) being received; after it had settled, under a new generation."""
    if connection.execute(_GO_ON, goes_on(facts, at)).rowcount:
        return  # nearly every object
    table = study_table
    row = connection.execute(select(table).where(table.c.study_uid == facts.study_uid)).first()
    if row is None:
        connection.execute(insert(table).values(_study_row(facts, at)))
        return
    state = StudyState(row.state)
    values = {
        "state": move(STUDY, state, StudyState.RECEIVING),
        "generation": row.generation + (state is not StudyState.RECEIVING),
        "code": "",
        "reason": "",
        "last_received_at": at,
        # Before anything was planned, the first object that names the issuer tells it for the study.
        "issuer": row.issuer or (facts.patient.issuer[:64] if _unplanned(row) else ""),
        "study_date": row.study_date or _da(facts),
        **_ownership(connection, row, facts),
    }
    connection.execute(update(table).where(table.c.study_uid == facts.study_uid).values(**values))


def adopt(connection: Connection, study_uid: str, issuer: str) -> None:
    """A study whose objects name no issuer was fetched for a patient of one: it is that patient's.

    Only before anything was planned, as where one of its objects names the issuer.
    """
    table = study_table
    unplanned = (table.c.state == StudyState.RECEIVING) & (table.c.generation == 1)
    nobodys = (table.c.study_uid == study_uid) & (table.c.issuer == "")
    connection.execute(update(table).where(nobodys & unplanned).values(issuer=issuer))


def _ownership(connection: Connection, row: Row[Any], facts: ObjectFacts) -> dict[str, str]:
    """Whose study it is, after this object: what changes in its row.

    Objects of two patients are a conflict. It ends when the PACS has sent every object again under one patient, as
    after a merge there: the study is then that patient's.
    """
    if not row.conflict and (row.patient_id, row.issuer) == _owner(facts):
        return {}  # nearly every object: it adds nobody to those who are there
    table = object_table
    query = select(table.c.patient_id, table.c.issuer).where(table.c.study_uid == row.study_uid, table.c.current)
    owners = sorted({(one.patient_id, one.issuer) for one in connection.execute(query.distinct())})
    clash = next((two for two in combinations(owners, 2) if not _same_owner(*two)), None)
    if clash is not None:
        (patient_id, issuer), (other_id, other_issuer) = clash
        names = f"ID {patient_id!r} of {issuer!r} and ID {other_id!r} of {other_issuer!r}"
        return {"conflict": f"one study holds objects of two patients: {names}"}
    if _same_owner((row.patient_id, row.issuer), _owner(facts)):
        return {"conflict": ""}
    return {"conflict": "", **_identity(facts), "issuer": next((issuer for _, issuer in owners if issuer), "")}


def _owner(facts: ObjectFacts) -> tuple[str, str]:
    return facts.patient.patient_id[:64], facts.patient.issuer[:64]


def _same_owner(one: tuple[str, str], other: tuple[str, str]) -> bool:
    # An object that names no issuer (many annotation tools drop it) says nothing against the one that is known.
    return one[0] == other[0] and (not one[1] or not other[1] or one[1] == other[1])


def _unplanned(row: Row[Any]) -> bool:
    return bool(row.state == StudyState.RECEIVING and row.generation == 1)


def _identity(facts: ObjectFacts) -> dict[str, str]:
    patient_id, issuer = _owner(facts)
    patient = facts.patient
    person = {"name": patient.name, "birth_date": patient.birth_date[:8], "sex": patient.sex[:16]}
    return {"patient_id": patient_id, "issuer": issuer, **person}


def _study_row(facts: ObjectFacts, at: float) -> dict[str, object]:
    return {
        "study_uid": facts.study_uid,
        **_identity(facts),
        "study_date": _da(facts),
        "description": facts.study_description,
        "state": StudyState.RECEIVING,
        "generation": 1,
        "code": "",
        "reason": "",
        "conflict": "",
        "first_received_at": at,
        "last_received_at": at,
    }


def _da(facts: ObjectFacts) -> str:
    return facts.study_date.strftime("%Y%m%d") if facts.study_date else ""
