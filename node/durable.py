"""Files that survive a power cut."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

PART = ".part"
"""Ends the name of a file that is still being written."""
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
_MODE = 0o600
Done = TypeVar("Done")


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it survives a power cut: flush its bytes, rename it into place, flush the directory."""
    with Draft(path.parent) as draft:
        draft.write(content)
        draft.publish(path)


class Draft:
    """A file that is being written, under a name that nobody looks for, and the digest of what it holds so far.

    Nothing is left of one that is not published. What raises OSError leaves it as it was, to be discarded.
    """

    def __init__(self, folder: Path) -> None:
        self._name = f"{folder}/{uuid.uuid4().hex}{PART}"
        self._descriptor: int | None = _in_folder(folder, lambda: os.open(self._name, _NEW, _MODE))
        self._digest = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal digits."""
        return self._digest.hexdigest()

    def write(self, part: bytes | memoryview) -> None:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(self._opened, rest) :]
        self._digest.update(part)
        self.size += len(part)

    def read(self, most: int | None = None) -> bytes:
        """What it holds, or the begin of that."""
        parts, at, end = [], 0, self.size if most is None else min(most, self.size)
        while at < end and (part := os.pread(self._opened, end - at, at)):
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def publish(self, path: Path | str) -> None:
        """Give it its name. When this returns, its bytes and its name are on disk."""
        folder = os.path.dirname(path)  # noqa: PTH120 - for each object pathlib takes as long as the system
        os.fsync(self._opened)
        _in_folder(folder, lambda: os.replace(self._name, path))  # noqa: PTH105 - as above
        self._close()
        flush_directory(folder)

    def discard(self) -> None:
        """Leave nothing of it, unless it has been published."""
        if self._descriptor is None:
            return
        # On a disk that fails this may fail too: the caller has worse to tell, and the next start removes what is left.
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            os.unlink(self._name)  # noqa: PTH108 - as above

    @property
    def _opened(self) -> int:
        if self._descriptor is None:
            raise ValueError("the draft is no longer open")
        return self._descriptor

    def _close(self) -> None:
        descriptor, self._descriptor = self._opened, None
        os.close(descriptor)


def _in_folder(folder: Path | str, work: Callable[[], Done]) -> Done:
    """Do something in a folder that nearly always is there, and is made where it is not."""
    try:
        return work()
    except FileNotFoundError:
        _make_folder(Path(folder))
        return work()


def _make_folder(folder: Path) -> None:
    if not folder.parent.exists():
        _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_directory(folder.parent)


def made_once(path: Path, make: Callable[[], str]) -> str:
    """What a file holds that its owner alone may read; made where there is none.

    Two processes that start at once agree: the file is created exclusively, and the loser reads the winner's.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        scratch.touch(mode=0o600)
        scratch.write_text(make())
        try:
            os.link(scratch, path)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    return path.read_text().strip()


def flush_directory(folder: Path | str) -> None:
    """Make what was last created, renamed or removed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
