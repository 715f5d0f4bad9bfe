"""Files against tables: whether everything that was acknowledged or made is still there, whole, and can be found.

A node may run meanwhile. What is being written just now is no fault; what a person is told holds at that moment.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, func, select, text
from sqlalchemy.exc import DBAPIError

from node.durable import PART, flush_directory
from node.errors import ObjectError
from node.leftovers import leftovers
from node.schema import object_table, result_table
from node.store import Store

DAMAGED = "damaged"
"""Folder, beside the objects, of files that are set aside: nothing is ever deleted that somebody sent."""
_YOUNG_SECONDS = 30.0  # an object has its file before it has its row
_ARRIVING_SECONDS = 3600.0  # a file that is being received grows; no silence of a peer is as long
_AT_ONCE = 1000

Advance = Callable[[int, int], None]


class Fault(StrEnum):
    MISSING = "missing"
    SUPERSEDED = "superseded"
    TRUNCATED = "truncated"
    CHANGED = "changed"
    UNINDEXED = "unindexed"
    ORPHANED = "orphaned"
    DATABASE = "database"


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong. ``path`` is relative to the data folder."""

    fault: Fault
    path: Path
    advice: str

    def as_json(self) -> dict[str, str]:
        return {"fault": str(self.fault), "path": str(self.path), "advice": self.advice}


def unheard(done: int, total: int) -> None:
    """For whoever does not wait for it."""


def indexed(store: Store) -> tuple[int, int]:
    """How many objects and how many results have a row."""
    with store.database.reading() as connection:
        objects, results = (
            int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for table in (object_table, result_table)
        )
    return objects, results


def damages(store: Store, advance: Advance = unheard) -> Iterator[Damage]:
    """All that is wrong with the data folder. Reads every file once; ``advance`` hears how many of how many."""
    if broken := list(_of_database(store)):
        yield from broken  # what else it says is worth nothing
        return
    total = sum(indexed(store))
    done = 0
    for table, words in ((object_table, _send_again), (result_table, _make_again)):
        for row in _rows(store, table):
            done += 1
            advance(done, total)
            if (damage := _of_file(store, row, words)) is not None:
                yield damage
    yield from _unindexed(store)
    yield from (Damage(Fault.ORPHANED, path.relative_to(store.folder), _LEFT_BEHIND) for path in leftovers(store))


def repair(store: Store, damage: Damage) -> bool:
    """Mend what can be mended without the sender; whether that was all there is to do.

    A damaged file is set aside, so that nobody scores it. Nothing here brings its content back: the sender does.
    """
    path = store.folder / damage.path
    match damage.fault:
        case Fault.SUPERSEDED:
            if path.exists():
                _set_aside(store, path)
            _forget(store, damage.path)
            return True
        case Fault.UNINDEXED:
            store.index_file(path)
            return True
        case Fault.ORPHANED if path.is_dir():
            shutil.rmtree(path)
            return True
        case Fault.ORPHANED:
            _set_aside(store, path)
            return True
        case Fault.TRUNCATED | Fault.CHANGED:
            _set_aside(store, path)
    return False


_NEWER_COUNTS = "damaged or gone, but its sender has replaced it: nobody reads it any more; --repair forgets it"
_LEFT_BEHIND = "nothing names it: a worker ended before these results counted; --repair removes them"


def _send_again(row: Row[Any]) -> str:
    return f"let the PACS send study {row.study_uid} again, then `restage retry`"


def _make_again(row: Row[Any]) -> str:
    what = f"{row.kind} of pair {row.pair_id}, version {row.version}"
    return (
        f"{what}: it can be delivered no more; `restage unpair {row.pair_id}`, then `restage pair`, makes a new version"
    )


def _of_database(store: Store) -> Iterator[Damage]:
    if store.database.engine.dialect.name != "sqlite":
        return
    try:
        with store.database.reading() as connection:
            said = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check"))]
    except DBAPIError as error:
        said = [str(error.orig)]
    if said != ["ok"]:
        words = "restore it from a copy, or move it away: the next start makes its index again from the files"
        yield Damage(Fault.DATABASE, Path(store.database.name), f"{said[0]}; {words}")


def _rows(store: Store, table: Any) -> Iterator[Row[Any]]:
    """Every row, some at a time: no reader holds the database while files are read."""
    last = 0
    while True:
        query = select(table).where(table.c.id > last).order_by(table.c.id).limit(_AT_ONCE)
        with store.database.reading() as connection:
            found = connection.execute(query).all()
        if not found:
            return
        yield from found
        last = found[-1].id


def _of_file(store: Store, row: Row[Any], advice: Callable[[Row[Any]], str]) -> Damage | None:
    fault, words = _fault_of(store.folder / row.path, row)
    if fault is None:
        return None
    if not row._mapping.get("current", True):
        return Damage(Fault.SUPERSEDED, Path(row.path), _NEWER_COUNTS)
    return Damage(fault, Path(row.path), f"{words}{advice(row)}")


def _fault_of(path: Path, row: Row[Any]) -> tuple[Fault | None, str]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Fault.MISSING, ""
    except OSError as error:
        return Fault.MISSING, f"cannot be read ({error.strerror}); "
    if hashlib.sha256(content).hexdigest() == row.digest:
        return None, ""
    shorter = len(content) < row._mapping.get("size", 0)
    return Fault.TRUNCATED if shorter else Fault.CHANGED, ""


def _unindexed(store: Store) -> Iterator[Damage]:
    for path in store.unindexed():
        if _is_young(path):
            continue
        fault, advice = Fault.UNINDEXED, "--repair, or the next start, makes its row again"
        try:
            store.facts_of(path)
        except ObjectError as error:
            fault, advice = (
                Fault.ORPHANED,
                f"no row names it, and it is no whole object ({error}); --repair sets it aside",
            )
        yield Damage(fault, path.relative_to(store.folder), advice)
    for path in sorted(store.objects.glob(f"*/*{PART}")):
        if not _is_young(path, _ARRIVING_SECONDS):
            words = "half-written when the node was stopped; the next start removes it"
            yield Damage(Fault.ORPHANED, path.relative_to(store.folder), words)


def _is_young(path: Path, seconds: float = _YOUNG_SECONDS) -> bool:
    try:
        return time.time() - path.stat().st_mtime < seconds
    except FileNotFoundError:
        return True  # it was moved into place, or removed, just now


def _forget(store: Store, path: Path) -> None:
    table = object_table
    with store.database.transaction() as connection:
        connection.execute(delete(table).where(table.c.path == str(path), table.c.current.is_(False)))


def _set_aside(store: Store, path: Path) -> None:
    folder = store.folder / DAMAGED
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
    flush_directory(folder)
    flush_directory(path.parent)
