"""An object on its way to the disk: what fails is told when all of it has come, and leaves nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from node.durable import Draft
from node.errors import StoreError
from node.incoming import Incoming
from node.room import Room


def arriving(folder: Path, keep_free: int = 0) -> Incoming:
    return Incoming(folder, Room(folder, keep_free))


def failing(number: int) -> Callable[..., None]:
    """A system call that fails."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_what_came_in_parts_is_one_file_with_one_digest(tmp_path: Path) -> None:
    parts, at_once = arriving(tmp_path), arriving(tmp_path)
    for part in (b"head", memoryview(b"body" * 1000), b""):
        parts.write(part)
    at_once.write(b"head" + b"body" * 1000)
    draft = parts.whole()
    assert (draft.size, draft.read(6), draft.read()) == (4004, b"headbo", b"head" + b"body" * 1000)
    assert draft.digest == at_once.whole().digest
    parts.discard()
    at_once.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_is_published_is_not_discarded(tmp_path: Path) -> None:
    incoming = arriving(tmp_path / "arriving")
    incoming.write(b"content")
    incoming.whole().publish(tmp_path / "objects" / "00" / "it.dcm")
    incoming.discard()
    assert (tmp_path / "objects" / "00" / "it.dcm").read_bytes() == b"content"
    assert list((tmp_path / "arriving").iterdir()) == []


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EIO, False), (errno.EROFS, False)])
def test_a_disk_that_fails_is_told_at_the_end_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, full: bool
) -> None:
    incoming = arriving(tmp_path)
    incoming.write(b"a part")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(number))
        incoming.write(b"another")
    incoming.write(b"the rest")
    with pytest.raises(StoreError, match=os.strerror(number)) as caught:
        incoming.whole()
    assert caught.value.full == full
    assert list(tmp_path.iterdir()) == []


def test_a_disk_on_which_nothing_can_be_removed_either_still_tells_the_first_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = arriving(tmp_path)
    for call in ("write", "unlink"):
        monkeypatch.setattr(os, call, failing(errno.EROFS))
    incoming.write(b"a part")
    incoming.discard()
    with pytest.raises(StoreError, match=os.strerror(errno.EROFS)):
        incoming.whole()


def test_a_long_object_is_given_up_when_the_room_is_gone(tmp_path: Path) -> None:
    incoming = arriving(tmp_path, keep_free=2**62)
    for _ in range(17):
        incoming.write(bytes(1024**2))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="keep_free_gib") as caught:
        incoming.whole()
    assert caught.value.full


def test_a_data_folder_that_is_gone_is_a_failure_of_the_object_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = arriving(tmp_path)
    monkeypatch.setattr(os, "statvfs", failing(errno.ENOENT))
    incoming.write(bytes(17 * 1024**2))
    with pytest.raises(StoreError, match=os.strerror(errno.ENOENT)):
        incoming.whole()


def test_a_draft_that_is_closed_can_be_neither_read_nor_written(tmp_path: Path) -> None:
    draft = Draft(tmp_path)
    draft.discard()
    with pytest.raises(ValueError, match="no longer open"):
        draft.write(b"more")
