"""What was written is flushed in the order that a power cut cannot undo, and what could not be is not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from node.durable import write_durably


def test_a_write_flushes_a_new_folder_then_the_file_before_it_has_its_name_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bool]] = []
    target = tmp_path / "new" / "object.dcm"
    flush = os.fsync

    def note(descriptor: int) -> None:
        flushed.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, target.exists()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_durably(target, b"content")
    above, (part, named_then), folder = flushed
    assert above == (tmp_path.name, False)
    assert part.endswith(".part")
    assert not named_then
    assert folder == ("new", True)
    assert target.read_bytes() == b"content"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_could_not_be_flushed_or_named_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, step, broken)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_durably(tmp_path / "object.dcm", b"content")
    assert list(tmp_path.iterdir()) == []
