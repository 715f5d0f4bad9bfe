"""The rows of object files. A file is the truth, and its row can be made again from it.

Statements are made once: for each object SQLAlchemy would take longer to put them together than SQLite to run them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from node.database import Prepared
from node.records import ObjectFacts
from node.schema import object_table, result_table
from node.study import GO_ON, admit, goes_on, touch

RECOVERY = "recovery"
"""The source of an object whose row was made again from its file."""

_object = object_table.c
_OF_OBJECT = _object.sop_uid == bindparam("uid")
_STANDING = select(
    select(result_table.c.id).where(result_table.c.sop_uid == bindparam("uid")).exists().label("is_own"),
    select(_object.id).where(_OF_OBJECT).exists().label("is_known"),
)
_STANDING_QUICKLY = Prepared(_STANDING)
_CONTENTS = select(object_table).where(_OF_OBJECT)
_ADD = insert(object_table)
_WRITTEN = [column.name for column in object_table.columns if column.name != "id"]
_ADD_NEW = insert(object_table).from_select(
    _WRITTEN,
    select(*(bindparam(name, type_=_object[name].type) for name in _WRITTEN)).where(
        ~select(_object.id).where(_object.sop_uid == bindparam("sop_uid")).exists()
    ),
)
_SUPERSEDE = update(object_table).where(_OF_OBJECT).values(current=False)
_RESTORE = update(object_table).where(_OF_OBJECT & (_object.digest == bindparam("which"))).values(current=True)
_ADD_NEW_QUICKLY = Prepared(_ADD_NEW)


class Kept(Enum):
    """What keeping an object amounted to."""

    NEW = auto()
    KNOWN = auto()
    REPLACED = auto()
    OWN = auto()


@dataclass(frozen=True)
class File:
    """An object file. ``path``: relative to the data folder; ``digest``: SHA-256; ``size``: bytes; ``at``: arrival."""

    path: str
    digest: str
    size: int
    source: str
    at: float


@dataclass(frozen=True)
class Standing:
    """What is known of a SOP Instance UID. ``is_own``: the ledger has it as a result of ours, which comes back from
    where it was sent; ``is_known``: some content of it arrived before."""

    is_own: bool
    is_known: bool


def standing(connection: sqlite3.Connection, sop_uid: str) -> Standing:
    """Whether an object is ours, or was here before."""
    is_own, is_known = _STANDING_QUICKLY.run(connection, {"uid": sop_uid}).fetchone()
    return Standing(bool(is_own), bool(is_known))


def contents(connection: Connection, sop_uid: str) -> Sequence[Row[Any]]:
    """The rows of all contents that ever arrived under a SOP Instance UID."""
    return connection.execute(_CONTENTS, {"uid": sop_uid}).all()


def add(connection: Connection, facts: ObjectFacts, file: File) -> bool:
    """Index an object of which nothing is known; False, and nothing is written, where something is."""
    if not connection.execute(_ADD_NEW, _row(facts, file)).rowcount:
        return False
    admit(connection, facts, time.time())
    return True


def add_quickly(connection: sqlite3.Connection, facts: ObjectFacts, file: File) -> bool:
    """``add``, where the object is new and its study goes on; False, and to be rolled back, where it is not so."""
    if not _ADD_NEW_QUICKLY.run(connection, _row(facts, file)).rowcount:
        return False
    return bool(GO_ON.run(connection, goes_on(facts, time.time())).rowcount)


def index(connection: Connection, facts: ObjectFacts, file: File) -> Kept:
    """Index an object: its content is the one that counts from now on, unless it was found again and is older."""
    known = contents(connection, facts.sop_uid)
    if any(row.digest == file.digest and row.current for row in known):
        touch(connection, facts.study_uid, time.time())
        return Kept.KNOWN
    if file.source == RECOVERY and any(row.current and row.received_at > file.at for row in known):
        connection.execute(_ADD, _row(facts, file) | {"current": False})
        return Kept.KNOWN
    connection.execute(_SUPERSEDE, {"uid": facts.sop_uid})
    if any(row.digest == file.digest for row in known):
        connection.execute(_RESTORE, {"uid": facts.sop_uid, "which": file.digest})
    else:
        connection.execute(_ADD, _row(facts, file))
    admit(connection, facts, time.time())
    return Kept.REPLACED if known else Kept.NEW


def _row(facts: ObjectFacts, file: File) -> dict[str, object]:
    return {
        "sop_uid": facts.sop_uid,
        "sop_class_uid": facts.sop_class_uid,
        "series_uid": facts.series_uid,
        "study_uid": facts.study_uid,
        "patient_id": facts.patient.patient_id[:64],
        "issuer": facts.patient.issuer[:64],
        "modality": facts.modality[:16],
        "manufacturer": facts.manufacturer[:64],
        "path": file.path,
        "digest": file.digest,
        "size": file.size,
        "source": file.source,
        "received_at": file.at,
        "current": True,
    }
