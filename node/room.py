"""Room on the disk: below the watermark nothing new is taken, and senders are told to come back later."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3


@dataclass(frozen=True)
class Room:
    """The disk that holds ``folder``, of which ``keep_free`` bytes stay free for results and the database."""

    folder: Path
    keep_free: int

    @property
    def free(self) -> int:
        """Bytes that this user may still write."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def shortage(self) -> str:
        """Why nothing more can be taken, in words for IT; '' where it can."""
        free = self.free
        if free >= self.keep_free:
            return ""
        return (
            f"disk full: {free / GIB:.1f} GiB free on the disk of data_dir, and [node] keep_free_gib keeps "
            f"{self.keep_free / GIB:g} GiB"
        )
