"""An object on its way from the socket to the disk: written and digested while its sender still sends."""

from __future__ import annotations

import errno
from pathlib import Path

from node.durable import Draft
from node.errors import StoreError
from node.room import Room

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LOOK_BYTES = 16 * 1024**2  # so often it is seen whether there is still room


class Incoming:
    """A file as it arrives, part by part. What fails is kept: its sender is answered only when all of it has come."""

    def __init__(self, folder: Path, room: Room) -> None:
        self.size = 0
        self._room = room
        self._look_at = _LOOK_BYTES
        self._draft: Draft | None = None
        self._failure: StoreError | None = None
        try:
            self._draft = Draft(folder)
        except OSError as error:
            self._fail(unwritable(error))

    def write(self, part: bytes | memoryview) -> None:
        self.size += len(part)
        if self._draft is None:
            return
        try:
            self._draft.write(part)
            if self.size >= self._look_at:
                self._look_at += _LOOK_BYTES
                if shortage := self._room.shortage():
                    self._fail(StoreError(shortage, full=True))
        except OSError as error:
            self._fail(unwritable(error))

    def whole(self) -> Draft:
        """All that came. Raises StoreError where it could not be written; ``full`` where there was no room."""
        if self._draft is None:
            raise self._failure or StoreError("nothing was written", full=False)
        return self._draft

    def discard(self) -> None:
        """Leave nothing of it, unless it was kept."""
        if self._draft is not None:
            self._draft.discard()

    def _fail(self, failure: StoreError) -> None:
        self.discard()
        self._draft, self._failure = None, failure


def unwritable(error: OSError) -> StoreError:
    """What it means that a file cannot be written. The reason comes early, because an Error Comment is short."""
    return StoreError(f"cannot write: {error}", full=error.errno in _NO_ROOM)
