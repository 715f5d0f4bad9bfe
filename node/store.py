"""Object files and their index. The file is the truth: every index row can be made again from it, and is at start."""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from dataclasses import dataclass
from enum import Enum, auto
from itertools import combinations
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import OperationalError

from node.database import Database
from node.errors import ObjectError, StoreError
from node.flow import STUDY, move
from node.objects import read_facts, same_content
from node.records import ObjectFacts, StoredObject, StudyState
from node.schema import object_table, result_table, study_table

log = structlog.get_logger()

_PART = ".part"  # a file that is still being written
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Kept(Enum):
    """What keeping an object amounted to."""

    NEW = auto()
    KNOWN = auto()
    REPLACED = auto()
    OWN = auto()


@dataclass(frozen=True)
class Store:
    """The data folder: ``objects/`` holds one Part 10 file per content, ``results/`` what jobs made."""

    folder: Path
    database: Database

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def prepare(self) -> None:
        """Make the folders, drop what a crash left half-written, index what it left unindexed."""
        for folder in (self.objects, self.results):
            folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.objects.glob(f"*/*{_PART}"):
            leftover.unlink()
        self._index_orphans()

    def keep(self, encoded: bytes, facts: ObjectFacts, source: str) -> Kept:
        """Write one object durably, then index it.

        ``encoded`` is the whole Part 10 file as received. When this returns, the bytes and their directory entry are
        on disk. Raises StoreError; ``full`` where there is no room.
        """
        digest = hashlib.sha256(encoded).hexdigest()
        path = self._path(facts.sop_uid, digest)
        try:
            with self.database.reading() as connection:
                if _is_own(connection, facts.sop_uid):
                    return Kept.OWN
                current = _current_digest_and_path(connection, facts.sop_uid)
            if current is not None and current[0] != digest and self._repeats(current[1], encoded):
                with self.database.transaction() as connection:
                    _touch(connection, facts.study_uid, time.time())
                return Kept.KNOWN
            write_durably(path, encoded)
            with self.database.transaction() as connection:
                return self._index(connection, facts, _File(path, digest, len(encoded), source, time.time()))
        except OSError as error:
            raise StoreError(f"cannot write {path.name}: {error}", full=error.errno in _NO_ROOM) from error
        except OperationalError as error:
            # The file is there and is indexed at the next start; the sender sends it again all the same.
            raise StoreError(f"cannot index {path.name}: {error.orig}", full="full" in str(error.orig)) from error

    def objects_of(self, connection: Connection, study_uids: tuple[str, ...]) -> tuple[StoredObject, ...]:
        """The objects that count of some studies, in a stable order."""
        table = object_table
        rows = connection.execute(
            select(table)
            .where(table.c.study_uid.in_(study_uids), table.c.current)
            .order_by(table.c.study_uid, table.c.series_uid, table.c.sop_uid)
        )
        return tuple(self._stored(r) for r in rows)

    def _stored(self, row: Row[Any]) -> StoredObject:
        path = self.folder / row.path
        uids = (row.sop_uid, row.sop_class_uid, row.series_uid, row.study_uid)
        return StoredObject(*uids, row.manufacturer, path, row.digest)

    def _repeats(self, path: str, encoded: bytes) -> bool:
        """Whether the object that counts is the same, only encoded otherwise (by another sender, say)."""
        file = self.folder / path
        return file.exists() and same_content(file.read_bytes(), encoded)

    def _path(self, sop_uid: str, digest: str) -> Path:
        # Never a path made of DICOM values: those come from outside.
        name = hashlib.sha256(sop_uid.encode()).hexdigest()[:32]
        return self.objects / name[:2] / f"{name}-{digest[:32]}.dcm"

    def _index(self, connection: Connection, facts: ObjectFacts, file: _File) -> Kept:
        table = object_table
        known = connection.execute(select(table).where(table.c.sop_uid == facts.sop_uid)).all()
        if any(row.digest == file.digest and row.current for row in known):
            _touch(connection, facts.study_uid, file.at)
            return Kept.KNOWN
        connection.execute(update(table).where(table.c.sop_uid == facts.sop_uid).values(current=False))
        if any(row.digest == file.digest for row in known):
            same = (table.c.sop_uid == facts.sop_uid) & (table.c.digest == file.digest)
            connection.execute(update(table).where(same).values(current=True))
        else:
            connection.execute(insert(table).values(_object_row(facts, file, self.folder)))
        _admit(connection, facts, file.at)
        return Kept.REPLACED if known else Kept.NEW

    def _index_orphans(self) -> None:
        with self.database.reading() as connection:
            indexed = {row.path for row in connection.execute(select(object_table.c.path))}
        for path in sorted(self.objects.glob("*/*.dcm")):
            if str(path.relative_to(self.folder)) in indexed:
                continue
            encoded = path.read_bytes()
            try:
                facts = read_facts(encoded)
            except ObjectError as error:
                log.error("object.unreadable", file=path.name, reason=str(error))
                continue
            file = _File(path, hashlib.sha256(encoded).hexdigest(), len(encoded), "recovery", time.time())
            with self.database.transaction() as connection:
                self._index(connection, facts, file)
            log.warning("object.indexed_again", file=path.name, sop_uid=facts.sop_uid)


@dataclass(frozen=True)
class _File:
    path: Path
    digest: str
    size: int
    source: str
    at: float


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it survives a power cut: flush its bytes, rename it into place, flush the directory."""
    created = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{uuid.uuid4().hex}{_PART}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _flush_directory(path.parent)
    if created:
        _flush_directory(path.parent.parent)


def _flush_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _object_row(facts: ObjectFacts, file: _File, folder: Path) -> dict[str, object]:
    return {
        "sop_uid": facts.sop_uid,
        "sop_class_uid": facts.sop_class_uid,
        "series_uid": facts.series_uid,
        "study_uid": facts.study_uid,
        "patient_id": facts.patient.patient_id[:64],
        "issuer": facts.patient.issuer[:64],
        "modality": facts.modality[:16],
        "manufacturer": facts.manufacturer[:64],
        "path": str(file.path.relative_to(folder)),
        "digest": file.digest,
        "size": file.size,
        "source": file.source,
        "received_at": file.at,
        "current": True,
    }


def _is_own(connection: Connection, sop_uid: str) -> bool:
    """Whether the ledger has it as a result of ours that comes back from where it was sent."""
    return connection.execute(select(result_table.c.id).where(result_table.c.sop_uid == sop_uid)).first() is not None


def _current_digest_and_path(connection: Connection, sop_uid: str) -> tuple[str, str] | None:
    table = object_table
    which = (table.c.sop_uid == sop_uid) & table.c.current
    row = connection.execute(select(table.c.digest, table.c.path).where(which)).first()
    return None if row is None else (row.digest, row.path)


def _touch(connection: Connection, study_uid: str, at: float) -> None:
    """A repeat changes nothing, but its study is still arriving."""
    table = study_table
    receiving = (table.c.study_uid == study_uid) & (table.c.state == StudyState.RECEIVING)
    connection.execute(update(table).where(receiving).values(last_received_at=at))


def _admit(connection: Connection, facts: ObjectFacts, at: float) -> None:
    """A new content: its study is (again) being received; after it had settled, under a new generation."""
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
