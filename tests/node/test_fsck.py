"""Every kind of damage to files and index is found, named, and mended as far as it can be."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete

from node.fsck import DAMAGED, Damage, Fault, damages, repair
from node.records import ResultFile
from node.schema import object_table
from node.store import Kept
from tests.dicom_files import BASELINE, encoded, t2_axial
from tests.node.conftest import Bench, result

SLICES = t2_axial(BASELINE)


@pytest.fixture
def stored(bench: Bench) -> Path:
    """The file of the only object; long enough ago that nobody is still writing."""
    bench.receive(SLICES[0])
    (path,) = (path for path in bench.store.objects.rglob("*.dcm"))
    os.utime(path, (1e9, 1e9))
    return path


def found(bench: Bench) -> list[Damage]:
    return list(damages(bench.store))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_whole_store_has_no_fault(bench: Bench, stored: Path) -> None:
    assert found(bench) == []


@pytest.mark.parametrize(
    ("harm", "fault"), [(Path.unlink, Fault.MISSING), (cut, Fault.TRUNCATED), (flip, Fault.CHANGED)]
)
def test_an_object_that_is_not_what_was_acknowledged_waits_for_its_sender(
    bench: Bench, stored: Path, harm: Callable[[Path], None], fault: Fault
) -> None:
    harm(stored)
    (damage,) = found(bench)
    assert (damage.fault, bench.store.folder / damage.path) == (fault, stored)
    assert f"send study {BASELINE.uid} again" in damage.advice
    assert not repair(bench.store, damage)
    assert not stored.exists(), "nobody may score it"
    assert (bench.store.folder / DAMAGED / stored.name).exists() == (fault is not Fault.MISSING)
    assert [one.fault for one in found(bench)] == [Fault.MISSING]
    assert bench.receive(SLICES[0]) == [Kept.KNOWN]
    assert found(bench) == []
    assert stored.read_bytes() == encoded(SLICES[0])


@pytest.mark.parametrize("harm", [Path.unlink, cut, flip])
def test_a_superseded_content_that_is_damaged_is_forgotten_because_nobody_reads_it(
    bench: Bench, stored: Path, harm: Callable[[Path], None]
) -> None:
    (newer,) = t2_axial(BASELINE, 1, EchoTime=1)
    newer.SOPInstanceUID = newer.file_meta.MediaStorageSOPInstanceUID = SLICES[0].SOPInstanceUID
    assert bench.receive(newer) == [Kept.REPLACED]
    harm(stored)
    (damage,) = found(bench)
    assert (damage.fault, bench.store.folder / damage.path) == (Fault.SUPERSEDED, stored)
    assert "--repair forgets it" in damage.advice
    assert repair(bench.store, damage)
    assert found(bench) == []
    assert [row.current for row in bench.rows(object_table)] == [True]


def test_an_object_without_a_row_is_indexed(bench: Bench, stored: Path) -> None:
    with bench.database.transaction() as connection:
        connection.execute(delete(object_table))
    (damage,) = found(bench)
    assert damage.fault is Fault.UNINDEXED
    assert repair(bench.store, damage)
    assert found(bench) == []
    assert [row.sop_uid for row in bench.rows(object_table)] == [SLICES[0].SOPInstanceUID]


def test_an_object_that_is_being_received_is_no_fault(bench: Bench, stored: Path) -> None:
    with bench.database.transaction() as connection:
        connection.execute(delete(object_table))
    os.utime(stored)
    assert found(bench) == []


def test_a_transfer_that_pauses_is_no_fault_and_what_a_stop_left_of_one_is(bench: Bench, stored: Path) -> None:
    bench.store.prepare_folders()
    part = bench.store.objects / "arriving" / "0123.part"
    part.write_bytes(b"half")
    os.utime(part, (now := time.time() - 200, now))
    assert found(bench) == []
    os.utime(part, (1e9, 1e9))
    (damage,) = found(bench)
    assert (damage.fault, damage.path.name) == (Fault.ORPHANED, part.name)


@pytest.mark.parametrize("content", [b"no DICOM at all", encoded(SLICES[1])], ids=["noise", "another object"])
def test_a_file_that_is_not_what_its_name_says_is_set_aside(bench: Bench, stored: Path, content: bytes) -> None:
    stray = stored.with_name("0" * 32 + "-" + "0" * 32 + ".dcm")
    stray.write_bytes(content)
    os.utime(stray, (1e9, 1e9))
    (damage,) = found(bench)
    assert (damage.fault, damage.path.name) == (Fault.ORPHANED, stray.name)
    assert repair(bench.store, damage)
    assert (bench.store.folder / DAMAGED / stray.name).read_bytes() == content
    assert found(bench) == []


def test_a_result_that_was_changed_is_named_with_its_pair(bench: Bench) -> None:
    path = bench.store.results / "pair000001-v001-01234567" / "report.dcm"
    path.parent.mkdir()
    path.write_bytes(b"a report")
    made: ResultFile = result(path=path.relative_to(bench.store.folder))
    pair = bench.done_job([made])
    (damage,) = found(bench)
    assert damage.fault is Fault.CHANGED
    assert f"report of pair {pair}, version 1" in damage.advice
    assert f"`restage unpair {pair}`, then `restage pair`" in damage.advice


def test_what_a_dead_worker_left_is_removed(bench: Bench) -> None:
    folder = bench.store.results / "pair000001-v001-01234567"
    folder.mkdir()
    (damage,) = found(bench)
    assert damage.fault is Fault.ORPHANED
    assert repair(bench.store, damage)
    assert not folder.exists()


def test_a_database_with_damaged_pages_is_told(bench: Bench, stored: Path) -> None:
    for number in range(3):
        bench.receive(*t2_axial(BASELINE, 6, EchoTime=number))
    bench.database.close()  # the last connection writes the log into the file
    with closing(sqlite3.connect(bench.database.name)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'object_by_study'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with Path(bench.database.name).open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    assert Fault.DATABASE in {one.fault for one in found(bench)}


def test_it_tells_how_far_it_is(bench: Bench, stored: Path) -> None:
    heard: list[tuple[int, int]] = []
    list(damages(bench.store, lambda done, total: heard.append((done, total))))
    assert heard == [(1, 1)]
