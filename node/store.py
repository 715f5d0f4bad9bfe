"""Object files and their index. The file is the truth: every index row can be made again from it, and is at start."""

from __future__ import annotations

import errno
import hashlib
import time
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import OperationalError

from node.database import Database
from node.durable import PART, flush_directory, write_durably
from node.errors import ObjectError, StoreError
from node.objects import NOT_DICOM, read_facts, same_content
from node.records import ObjectFacts, StoredObject
from node.room import Room
from node.schema import object_table, result_table
from node.study import admit, touch

log = structlog.get_logger()

RECOVERY = "recovery"
"""The source of an object whose row was made again from its file."""
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
    keep_free: int = 0
    """Bytes that have to stay free on the disk."""

    @property
    def room(self) -> Room:
        return Room(self.folder, self.keep_free)

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def prepare(self) -> None:
        """Make the folders, drop what a crash left half-written, index what it left unindexed."""
        self.prepare_folders()
        for leftover in self.objects.glob(f"*/*{PART}"):
            leftover.unlink()
        self._index_orphans()

    def prepare_folders(self) -> None:
        """Make the folders that are not there."""
        self.results.mkdir(parents=True, exist_ok=True)
        # All of them now: an object may be answered for as soon as its own folder is flushed, whoever made that.
        for number in range(256):
            (self.objects / f"{number:02x}").mkdir(parents=True, exist_ok=True)
        for folder in (self.objects, self.folder, self.folder.parent):
            flush_directory(folder)

    def keep(self, encoded: bytes, facts: ObjectFacts, source: str) -> Kept:
        """Write one object durably, then index it.

        ``encoded`` is the whole Part 10 file as received. When this returns, the bytes and their directory entry are
        on disk. Raises StoreError; ``full`` where there is no room.
        """
        if shortage := self.room.shortage(len(encoded)):
            raise StoreError(shortage, full=True)
        digest = hashlib.sha256(encoded).hexdigest()
        path = self._path(facts.sop_uid, digest)
        try:
            with self.database.reading() as connection:
                if _is_own(connection, facts.sop_uid):
                    return Kept.OWN
                current = _current_digest_and_path(connection, facts.sop_uid)
            if current is not None and current[0] != digest and self._repeats(current[1], encoded):
                with self.database.transaction() as connection:
                    touch(connection, facts.study_uid, time.time())
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

    def holds_series(self, study_uid: str, series_uid: str) -> bool:
        """Whether any object of a series is here."""
        table = object_table
        with self.database.reading() as connection:
            where = (table.c.study_uid == study_uid) & (table.c.series_uid == series_uid) & table.c.current
            return connection.execute(select(table.c.id).where(where).limit(1)).first() is not None

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
            touch(connection, facts.study_uid, time.time())
            return Kept.KNOWN
        if file.source == RECOVERY and any(row.current and row.received_at > file.at for row in known):
            connection.execute(insert(table).values(_object_row(facts, file, self.folder) | {"current": False}))
            return Kept.KNOWN
        connection.execute(update(table).where(table.c.sop_uid == facts.sop_uid).values(current=False))
        if any(row.digest == file.digest for row in known):
            same = (table.c.sop_uid == facts.sop_uid) & (table.c.digest == file.digest)
            connection.execute(update(table).where(same).values(current=True))
        else:
            connection.execute(insert(table).values(_object_row(facts, file, self.folder)))
        admit(connection, facts, time.time())
        return Kept.REPLACED if known else Kept.NEW

    def _index_orphans(self) -> None:
        for path in self.unindexed():
            try:
                facts = self.index_file(path)
            except ObjectError as error:
                log.error("object.unreadable", file=path.name, reason=str(error))
            else:
                log.warning("object.indexed_again", file=path.name, sop_uid=facts.sop_uid)

    def unindexed(self) -> list[Path]:
        """Object files that no row names, the oldest first: of two contents of one object the newer one counts."""
        with self.database.reading() as connection:
            indexed = {row.path for row in connection.execute(select(object_table.c.path))}
        found = [path for path in self.objects.glob("*/*.dcm") if str(path.relative_to(self.folder)) not in indexed]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))

    def facts_of(self, path: Path) -> ObjectFacts:
        """What an object file says of itself. Raises ObjectError where it is no whole object, or not what it was."""
        return self._read(path)[0]

    def index_file(self, path: Path) -> ObjectFacts:
        """Make the row of an object file that has none; it counts unless a newer content does. Raises ObjectError."""
        facts, file = self._read(path)
        with self.database.transaction() as connection:
            self._index(connection, facts, file)
        return facts

    def _read(self, path: Path) -> tuple[ObjectFacts, _File]:
        encoded = path.read_bytes()
        facts, digest = read_facts(encoded), hashlib.sha256(encoded).hexdigest()
        if self._path(facts.sop_uid, digest) != path:
            raise ObjectError(NOT_DICOM, "its content is not the one that it is named after")
        return facts, _File(path, digest, len(encoded), RECOVERY, path.stat().st_mtime)


@dataclass(frozen=True)
class _File:
    path: Path
    digest: str
    size: int
    source: str
    at: float


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
