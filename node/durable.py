"""Files that survive a power cut."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

PART = ".part"
"""Ends the name of a file that is still being written."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_MODE = 0o600


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it survives a power cut: flush its bytes, rename it into place, flush the directory."""
    temporary = path.with_name(f"{uuid.uuid4().hex}{PART}")
    created = False
    try:
        descriptor = os.open(temporary, _NEW, _MODE)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        created = True
        descriptor = os.open(temporary, _NEW, _MODE)
    try:
        try:
            _write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    flush_directory(path.parent)
    if created:
        flush_directory(path.parent.parent)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


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


def flush_directory(folder: Path) -> None:
    """Make what was last created, renamed or removed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
