"""Object files and their index. The file is the truth: every index row can be made again from it, and is at start."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, select
from sqlalchemy.exc import OperationalError

from node.database import Database
from node.durable import PART, Draft, flush_directory
from node.errors import ObjectError, StoreError
from node.group_commit import GroupCommit
from node.incoming import Incoming, unwritable
from node.object_index import RECOVERY, File, Kept, add, add_quickly, contents, index, standing
from node.objects import NOT_DICOM, read_facts, same_content
from node.records import ObjectFacts, StoredObject
from node.room import Room
from node.schema import object_table
from node.study import touch

log = structlog.get_logger()

_OBJECTS = "objects"
_ARRIVING = "arriving"  # beside the 256 folders of whole objects


class _LongWay(Exception):
    """An object that begins a study, or changes what is known of one."""


@dataclass(frozen=True)
class Store:
    """The data folder: ``objects/`` holds one Part 10 file per content, ``results/`` what jobs made."""

    folder: Path
    database: Database
    keep_free: int = 0
    """Bytes that have to stay free on the disk."""
    _arrivals: GroupCommit[tuple[ObjectFacts, File], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_arrivals", GroupCommit(self._index_group))

    @property
    def room(self) -> Room:
        return Room(self.folder, self.keep_free)

    @property
    def objects(self) -> Path:
        return self.folder / _OBJECTS

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
        for name in (_ARRIVING, *(f"{number:02x}" for number in range(256))):
            (self.objects / name).mkdir(parents=True, exist_ok=True)
        for folder in (self.objects, self.folder, self.folder.parent):
            flush_directory(folder)

    def incoming(self, content: bytes = b"") -> Incoming:
        """An object that begins to arrive, or has arrived, to be kept or discarded."""
        incoming = Incoming(self.objects / _ARRIVING, self.room)
        incoming.write(content)
        return incoming

    def keep(self, draft: Draft, facts: ObjectFacts, source: str) -> Kept:
        """Make one object durable, then index it.

        ``draft`` holds the whole Part 10 file as received. When this returns, the bytes and their directory entry are
        on disk. Raises StoreError; ``full`` where there is no room.
        """
        name = _path(facts.sop_uid, draft.digest)
        try:
            if shortage := self.room.shortage():
                raise StoreError(shortage, full=True)
            with self.database.directly() as driver:
                known = standing(driver, facts.sop_uid)
            if known.is_own:
                return Kept.OWN
            if known.is_known and self._repeats(facts.sop_uid, draft):
                with self.database.transaction() as connection:
                    touch(connection, facts.study_uid, time.time())
                return Kept.KNOWN
            draft.publish(f"{self.folder}/{name}")
            file = File(name, draft.digest, draft.size, source, time.time())
            if not known.is_known and self._arrivals.put((facts, file)):
                return Kept.NEW
            # Which of several contents counts is in the index alone: that is a promise, and is flushed.
            with self.database.transaction() as connection:
                return index(connection, facts, file)
        except OSError as error:
            raise unwritable(error) from error
        except (OperationalError, sqlite3.OperationalError) as error:
            # The file is there and is indexed at the next start; the sender sends it again all the same.
            said = str(getattr(error, "orig", error))
            raise StoreError(f"cannot index: {said} ({name})", full="full" in said) from error

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

    def _repeats(self, sop_uid: str, draft: Draft) -> bool:
        """Whether the object that counts is the same, only encoded otherwise (by another sender, say)."""
        with self.database.reading() as connection:
            current = next((row for row in contents(connection, sop_uid) if row.current), None)
        if current is None or current.digest == draft.digest:
            return False
        file = self.folder / current.path
        return file.exists() and same_content(file.read_bytes(), draft.read())

    def _index_group(self, group: Sequence[tuple[ObjectFacts, File]]) -> list[bool]:
        # Not flushed: what a power cut takes from the index is found again from its files at the next start.
        with suppress(_LongWay), self.database.directly(writing=True) as driver:
            for facts, file in group:
                if not add_quickly(driver, facts, file):
                    raise _LongWay
            return [True] * len(group)
        with self.database.transaction(rebuildable=True) as connection:
            return [add(connection, facts, file) for facts, file in group]

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
            index(connection, facts, file)
        return facts

    def _read(self, path: Path) -> tuple[ObjectFacts, File]:
        encoded = path.read_bytes()
        facts, digest = read_facts(encoded), hashlib.sha256(encoded).hexdigest()
        relative = _path(facts.sop_uid, digest)
        if self.folder / relative != path:
            raise ObjectError(NOT_DICOM, "its content is not the one that it is named after")
        return facts, File(relative, digest, len(encoded), RECOVERY, path.stat().st_mtime)


def _path(sop_uid: str, digest: str) -> str:
    """Where an object file lies in the data folder. Never a path made of DICOM values: those come from outside."""
    name = hashlib.sha256(sop_uid.encode()).hexdigest()[:32]
    return f"{_OBJECTS}/{name[:2]}/{name}-{digest[:32]}.dcm"
