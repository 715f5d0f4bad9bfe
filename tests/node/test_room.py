"""How much a disk may be filled."""

from __future__ import annotations

from pathlib import Path

from node.room import GIB, Room


def test_a_disk_above_the_watermark_has_room(tmp_path: Path) -> None:
    assert Room(tmp_path, 0).free > 0
    assert Room(tmp_path, 0).shortage() == ""


def test_below_the_watermark_it_says_how_much_is_free_and_which_key_keeps_it(tmp_path: Path) -> None:
    free = Room(tmp_path, 0).free
    words = Room(tmp_path, free + 5 * GIB).shortage()
    assert f"{free / GIB:.1f} GiB free" in words
    assert "[node] keep_free_gib" in words
