"""A cache of arrays on disk, keyed by a digest of what they were made from: files and parameters.

An entry is written whole or not at all, and a damaged one counts as missing, so that nothing but time is lost when an
entry goes. So is nothing lost where the disk is full or the folder not writable: that is logged, and nothing is kept.
Where a limit is set, the entries that were read longest ago go first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

log = structlog.get_logger(__name__)

# What numpy and zipfile raise on archives with flipped or missing bits.
DAMAGED = (OSError, ValueError, LookupError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """Named arrays, and whatever else JSON can hold."""

    arrays: Mapping[str, NDArray[Any]]
    described: Mapping[str, Any]


class Cache:
    """A folder of entries; ``limit_bytes`` None keeps them all."""

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        self._folder = folder
        self._limit = limit_bytes

    def read(self, key: str) -> Entry | None:
        """The entry of a key; None where there is none, or a damaged one."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as stored:
                described = json.loads(bytes(stored["described"]))
                arrays = {name.removeprefix("array_"): stored[name] for name in stored if name.startswith("array_")}
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            log.warning("cache.damaged", entry=key, error=str(error))
            self.drop(key)
            return None
        with contextlib.suppress(OSError):  # of a read-only folder: its entries then age by their writing
            os.utime(path)
        return Entry(arrays, described)

    def drop(self, key: str) -> None:
        """Forget an entry."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            log.warning("cache.not_writable", folder=str(self._folder), error=str(error))

    def write(self, key: str, entry: Entry) -> None:
        """Keep an entry under a key, where the disk allows it."""
        try:
            self._write(key, entry)
            self._prune()
        except OSError as error:
            log.warning("cache.not_writable", folder=str(self._folder), error=str(error))

    def _write(self, key: str, entry: Entry) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        described = np.frombuffer(json.dumps(entry.described, sort_keys=True).encode(), dtype=np.uint8)
        named: dict[str, Any] = {f"array_{name}": array for name, array in entry.arrays.items()}
        try:
            with draft.open("wb") as file:
                np.savez(file, allow_pickle=False, described=described, **named)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"

    def _prune(self) -> None:
        if self._limit is None:
            return
        found = []
        for path in self._folder.glob("*.npz"):
            try:
                facts = path.stat()
            except FileNotFoundError:  # another process prunes as well
                continue
            found.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._limit:
                break
            path.unlink(missing_ok=True)
            total -= size


def key_of(sources: Iterable[str], parameters: Mapping[str, Any]) -> str:
    """The key of what is made from sources (digests) with parameters (JSON values)."""
    described = json.dumps({"sources": sorted(sources), "parameters": parameters}, sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:40]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes. The name and size of a file do not tell its content: slices all have one size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 of the names and bytes of all files under a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{path.relative_to(folder).as_posix()}\t{file_digest(path)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
