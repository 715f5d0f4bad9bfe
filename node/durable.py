"""Files that survive a power cut."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

PART = ".part"
"""Ends the name of a file that is still being written."""


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it survives a power cut: flush its bytes, rename it into place, flush the directory."""
    created = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{uuid.uuid4().hex}{PART}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    flush_directory(path.parent)
    if created:
        flush_directory(path.parent.parent)


def flush_directory(folder: Path) -> None:
    """Make what was last created, renamed or removed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
