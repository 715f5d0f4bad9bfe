from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.inputs.cache import Cache, Entry, folder_digest, key_of

ENTRY = Entry({"image": np.arange(6, dtype=np.float16).reshape(2, 3)}, {"fit": "b 0/500", "values": [1, 2.5]})


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "folder")
    cache.write("k", ENTRY)
    found = cache.read("k")
    assert found is not None
    assert np.array_equal(found.arrays["image"], ENTRY.arrays["image"])
    assert found.arrays["image"].dtype == np.float16
    assert found.described == ENTRY.described


def test_a_key_that_was_never_written_is_missing(tmp_path: Path) -> None:
    assert Cache(tmp_path).read("k") is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"not an archive at all"])
def test_a_damaged_entry_counts_as_missing_and_goes(tmp_path: Path, damage: bytes) -> None:
    cache = Cache(tmp_path)
    cache.write("k", ENTRY)
    (tmp_path / "k.npz").write_bytes(damage)
    assert cache.read("k") is None
    assert list(tmp_path.iterdir()) == []


def test_every_cut_of_an_entry_counts_as_missing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write("k", ENTRY)
    whole = (tmp_path / "k.npz").read_bytes()
    for length in range(0, len(whole) - 1, 37):
        (tmp_path / "k.npz").write_bytes(whole[:length])
        assert cache.read("k") is None


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(TypeError):
        cache.write("k", Entry({}, {"not JSON": object()}))
    with pytest.raises(ValueError, match="allow_pickle"):
        cache.write("k", Entry({"objects": np.array([object()])}, {}))
    assert list(tmp_path.iterdir()) == []


def test_the_entries_read_longest_ago_go_first(tmp_path: Path) -> None:
    size = 40_000
    entry = Entry({"image": np.zeros(size, dtype=np.uint8)}, {})
    cache = Cache(tmp_path, limit_bytes=3 * size)
    for age, key in enumerate(("old", "used", "newer")):
        cache.write(key, entry)
        if (tmp_path / f"{key}.npz").exists():
            os.utime(tmp_path / f"{key}.npz", (1000 + age, 1000 + age))
    assert cache.read("old") is None or cache.read("used") is not None
    cache.read("used")
    cache.write("newest", entry)
    assert cache.read("used") is not None
    assert cache.read("newest") is not None
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3 * size


def test_a_key_depends_on_every_source_and_parameter_and_on_no_order() -> None:
    key = key_of(["a", "b"], {"x": 1, "y": [1, 2]})
    assert key == key_of(["b", "a"], {"y": [1, 2], "x": 1})
    assert len({key, key_of(["a"], {"x": 1, "y": [1, 2]}), key_of(["a", "b"], {"x": 2, "y": [1, 2]})}) == 3


def test_a_folders_digest_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same size")
    first = folder_digest(tmp_path)
    (tmp_path / "a").write_bytes(b"same_size")
    second = folder_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, folder_digest(tmp_path)}) == 3


def test_any_flipped_bit_gives_the_entry_or_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write("k", ENTRY)
    whole = (tmp_path / "k.npz").read_bytes()
    for position in range(0, len(whole), 11):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << (position % 8)
        (tmp_path / "k.npz").write_bytes(flipped)
        found = cache.read("k")
        for name, array in (found.arrays if found is not None else {}).items():
            assert np.array_equal(array, ENTRY.arrays[name])


def test_a_disk_that_takes_nothing_costs_the_entry_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    cache = Cache(tmp_path / "file" / "cache")
    cache.write("k", ENTRY)
    assert cache.read("k") is None
