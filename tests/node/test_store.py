"""Objects on disk and in the index: durable, once, and made again from the files after a crash."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from sqlalchemy import delete, event, update

from node.errors import StoreError
from node.records import StudyState
from node.room import GIB
from node.schema import object_table, study_table
from node.store import Kept, Store
from tests.dicom_files import BASELINE, RESTAGING, encoded, in_syntax, of_other_patient, report, t2_axial, write
from tests.node.conftest import Bench, kept, result

SLICES = t2_axial(BASELINE)


def files(store: Store) -> list[Path]:
    return sorted(path for path in store.objects.rglob("*") if path.is_file())


def changed(number: int = 0) -> object:
    dataset = t2_axial(BASELINE)[number]
    dataset.ImageComments = "corrected"
    return dataset


def set_state(bench: Bench, state: StudyState) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(study_table).values(state=state))


def test_the_kept_bytes_are_the_received_ones(bench: Bench) -> None:
    content = encoded(SLICES[0])
    assert bench.receive(SLICES[0]) == [Kept.NEW]
    (path,) = files(bench.store)
    assert path.read_bytes() == content
    with bench.database.reading() as connection:
        (stored,) = bench.store.objects_of(connection, (BASELINE.uid,))
    assert stored.path == path
    assert stored.digest == hashlib.sha256(content).hexdigest()
    assert stored.sop_uid == SLICES[0].SOPInstanceUID


def test_no_path_is_made_of_values_of_the_object(bench: Bench) -> None:
    bench.receive(SLICES[0], report(BASELINE))
    for path in files(bench.store):
        shown = str(path.relative_to(bench.store.folder))
        for value in (BASELINE.uid, BASELINE.patient_id + "/", "DOE", str(SLICES[0].SOPInstanceUID)):
            assert value not in shown


def test_a_file_can_be_found_only_under_the_data_folder(bench: Bench) -> None:
    bench.receive(SLICES[0])
    (row,) = bench.rows(object_table)
    assert not Path(row.path).is_absolute()
    assert ".." not in row.path


def test_the_same_object_again_has_no_effect(bench: Bench) -> None:
    bench.receive(*SLICES)
    before = bench.study(BASELINE.uid)
    assert bench.receive(*SLICES) == [Kept.KNOWN] * len(SLICES)
    after = bench.study(BASELINE.uid)
    assert (after.generation, after.state) == (before.generation, before.state) == (1, "RECEIVING")
    assert len(bench.rows(object_table)) == len(files(bench.store)) == len(SLICES)


def test_a_repeat_while_a_study_arrives_keeps_it_from_settling(bench: Bench) -> None:
    bench.receive(SLICES[0])
    before = bench.study(BASELINE.uid).last_received_at
    bench.receive(SLICES[0])
    assert bench.study(BASELINE.uid).last_received_at > before


@pytest.mark.parametrize("state", [state for state in StudyState if state is not StudyState.RECEIVING])
def test_a_repeat_after_a_study_settled_leaves_it_settled(bench: Bench, state: StudyState) -> None:
    bench.receive(SLICES[0])
    set_state(bench, state)
    assert bench.receive(SLICES[0]) == [Kept.KNOWN]
    assert (bench.study(BASELINE.uid).state, bench.study(BASELINE.uid).generation) == (state, 1)


@pytest.mark.parametrize("state", list(StudyState))
def test_a_new_object_is_received_under_a_new_generation_once_a_study_had_settled(
    bench: Bench, state: StudyState
) -> None:
    bench.receive(SLICES[0])
    set_state(bench, state)
    bench.receive(SLICES[1], SLICES[2])
    study = bench.study(BASELINE.uid)
    assert study.state == StudyState.RECEIVING
    assert study.generation == (1 if state is StudyState.RECEIVING else 2)


def test_the_same_content_in_another_encoding_changes_nothing(bench: Bench) -> None:
    bench.receive(SLICES[0])
    set_state(bench, StudyState.PLANNED)
    assert kept(bench.store, encoded(in_syntax(SLICES[0], ImplicitVRLittleEndian)), "OTHER") is Kept.KNOWN
    assert len(files(bench.store)) == 1
    assert [row.state for row in bench.rows(study_table)] == ["PLANNED"]


def test_another_content_under_the_same_uid_counts_instead_and_both_are_kept(bench: Bench) -> None:
    bench.receive(SLICES[0])
    set_state(bench, StudyState.PLANNED)
    assert bench.receive(changed()) == [Kept.REPLACED]
    assert bench.study(BASELINE.uid).generation == 2
    with bench.database.reading() as connection:
        (counts,) = bench.store.objects_of(connection, (BASELINE.uid,))
    assert counts.path.read_bytes() == encoded(changed())
    assert [row.current for row in bench.rows(object_table)] == [False, True]


def test_the_first_content_sent_once_more_counts_again(bench: Bench) -> None:
    bench.receive(SLICES[0], changed())
    assert bench.receive(SLICES[0]) == [Kept.REPLACED]
    with bench.database.reading() as connection:
        (counts,) = bench.store.objects_of(connection, (BASELINE.uid,))
    assert counts.path.read_bytes() == encoded(SLICES[0])
    assert len(bench.rows(object_table)) == 2


def test_an_own_result_is_recognised_and_neither_indexed_nor_kept_twice(bench: Bench) -> None:
    own = report(RESTAGING)
    bench.done_job([result(uid=str(own.SOPInstanceUID))])
    assert bench.receive(own) == [Kept.OWN]
    assert bench.rows(object_table) == []
    assert bench.rows(study_table) == []
    assert files(bench.store) == []


def test_objects_of_two_patients_in_one_study_are_noted(bench: Bench) -> None:
    bench.receive(SLICES[0], t2_axial(of_other_patient(BASELINE))[1])
    study = bench.study(BASELINE.uid)
    assert study.patient_id == "P1"
    assert "'P1'" in study.conflict
    assert "'P2'" in study.conflict


def test_an_object_without_issuer_is_no_other_patient(bench: Bench) -> None:
    without = t2_axial(BASELINE)[1]
    del without.IssuerOfPatientID
    bench.receive(without, SLICES[0])
    assert bench.study(BASELINE.uid).conflict == ""
    assert bench.study(BASELINE.uid).issuer == "HOSPITAL"


def test_an_object_without_issuer_does_not_end_the_conflict_of_two_issuers(bench: Bench) -> None:
    other, without = t2_axial(BASELINE)[1], t2_axial(BASELINE)[2]
    other.IssuerOfPatientID = "ANOTHER HOSPITAL"
    del without.IssuerOfPatientID
    bench.receive(SLICES[0], other, without)
    assert "'ANOTHER HOSPITAL'" in bench.study(BASELINE.uid).conflict


def test_a_study_sent_again_under_another_patient_keeps_the_issuer_that_any_object_names(bench: Bench) -> None:
    moved = t2_axial(of_other_patient(BASELINE))
    del moved[-1].IssuerOfPatientID
    bench.receive(*t2_axial(BASELINE))
    bench.receive(*moved)
    study = bench.study(BASELINE.uid)
    assert (study.patient_id, study.issuer, study.conflict) == ("P2", moved[0].IssuerOfPatientID, "")


def test_a_file_that_a_crash_left_unindexed_is_indexed_at_the_next_start(bench: Bench) -> None:
    bench.receive(*SLICES)
    with bench.database.transaction() as connection:
        connection.execute(object_table.delete())
        connection.execute(study_table.delete())
    Store(bench.store.folder, bench.database).prepare()
    assert sorted(row.sop_uid for row in bench.rows(object_table)) == sorted(s.SOPInstanceUID for s in SLICES)
    assert bench.study(BASELINE.uid).state == StudyState.RECEIVING


def test_a_start_without_a_crash_changes_nothing(bench: Bench) -> None:
    bench.receive(*SLICES)
    before = bench.rows(object_table), bench.rows(study_table)
    bench.store.prepare()
    assert (bench.rows(object_table), bench.rows(study_table)) == before


def test_a_broken_file_among_the_objects_does_not_stop_the_start(bench: Bench) -> None:
    bench.receive(SLICES[0])
    folder = files(bench.store)[0].parent
    for number, content in enumerate((b"", b"no DICOM", encoded(SLICES[1])[:300], encoded(SLICES[1])[:900])):
        (folder / f"broken{number}.dcm").write_bytes(content)
    bench.store.prepare()
    assert len(bench.rows(object_table)) == 1


def test_what_a_crash_left_half_written_is_removed(bench: Bench) -> None:
    bench.receive(SLICES[0])
    leftover = files(bench.store)[0].parent / "0123456789abcdef.part"
    leftover.write_bytes(b"half")
    bench.store.prepare()
    assert not leftover.exists()
    assert len(files(bench.store)) == 1


ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from node.database import Database
from node.errors import StoreError
from node.objects import read_facts
from node.store import Store

folder, content = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
store = Store(folder, Database(f"sqlite:///{folder / 'restage.sqlite'}"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) - 1, resource.RLIM_INFINITY))
try:
    store.keep(store.incoming(content).whole(), read_facts(content), "SENDER")
except StoreError as error:
    sys.exit(7 if error.full else 8)
"""


def test_a_full_disk_is_told_and_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    """In a process of its own, under a limit of the size of its files: write() fails as on a full disk."""
    (path,) = write(SLICES[:1], tmp_path)
    arguments = [sys.executable, "-c", ON_A_FULL_DISK, str(bench.store.folder), str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7, done.stderr
    assert files(bench.store) == []
    assert bench.rows(object_table) == []


def test_a_folder_that_cannot_be_written_is_told_as_no_full_disk(bench: Bench) -> None:
    shutil.rmtree(bench.store.objects)
    bench.store.objects.write_bytes(b"a file where the folder should be")
    content = encoded(SLICES[0])
    with pytest.raises(StoreError) as caught:
        kept(bench.store, content)
    assert not caught.value.full


def test_a_full_database_is_told_as_a_full_disk_and_the_object_may_come_again(bench: Bench) -> None:
    def no_more_pages(connection: object, *_: object) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]  # SQLite raises it to what is used

    event.listen(bench.database.engine, "begin", no_more_pages)
    with bench.database.directly() as driver:
        driver.execute("PRAGMA max_page_count = 1")
    contents = [encoded(dataset) for number in range(1, 8) for dataset in t2_axial(BASELINE, 6, EchoTime=number)]
    with pytest.raises(StoreError) as caught:
        for content in contents:
            kept(bench.store, content, "S" * 2000)
    assert caught.value.full
    event.remove(bench.database.engine, "begin", no_more_pages)
    with bench.database.transaction() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    with bench.database.directly() as driver:
        driver.execute("PRAGMA max_page_count = 100000")
    assert bench.receive(SLICES[0])


def test_the_same_object_over_two_associations_at_once_is_one_object(bench: Bench) -> None:
    content = encoded(SLICES[0])
    outcomes: list[Kept] = []
    together = threading.Barrier(4)

    def keep() -> None:
        together.wait()
        outcomes.append(kept(bench.store, content))

    threads = [threading.Thread(target=keep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.name for one in outcomes) == ["KNOWN", "KNOWN", "KNOWN", "NEW"]
    assert len(bench.rows(object_table)) == len(files(bench.store)) == 1


def test_of_two_contents_that_are_indexed_anew_the_newer_one_counts(bench: Bench) -> None:
    """Both files outlive a lost database; their names say nothing of their order."""
    for dataset in (SLICES[0], changed()):
        bench.receive(dataset)
    (newer,) = (path for path in files(bench.store) if path.read_bytes() == encoded(changed()))
    for order, path in enumerate(sorted(files(bench.store), key=lambda path: path == newer)):
        os.utime(path, (1e9 + order, 1e9 + order))
    for table in (object_table, study_table):
        with bench.database.transaction() as connection:
            connection.execute(delete(table))
    bench.store.prepare()
    with bench.database.reading() as connection:
        (stored,) = bench.store.objects_of(connection, (BASELINE.uid,))
    assert stored.path == newer


def test_an_older_content_that_is_found_unindexed_does_not_take_the_newer_ones_place(bench: Bench) -> None:
    """Its index had failed, and the sender sent a corrected object since."""
    bench.receive(SLICES[0])
    (older,) = files(bench.store)
    os.utime(older, (1e9, 1e9))
    bench.receive(changed())
    with bench.database.transaction() as connection:
        connection.execute(delete(object_table).where(object_table.c.current.is_(False)))
    generation = bench.study(BASELINE.uid).generation
    bench.store.prepare()
    with bench.database.reading() as connection:
        (stored,) = bench.store.objects_of(connection, (BASELINE.uid,))
    assert stored.path != older
    assert [row.current for row in bench.rows(object_table)] == [True, False]
    assert bench.study(BASELINE.uid).generation == generation


def test_below_the_watermark_nothing_is_taken_and_above_it_everything_again(bench: Bench) -> None:
    content = encoded(SLICES[0])
    short = replace(bench.store, keep_free=bench.store.room.free + 10 * GIB)
    with pytest.raises(StoreError, match="keep_free_gib") as caught:
        kept(short, content)
    assert caught.value.full
    assert files(bench.store) == []
    assert bench.receive(SLICES[0]) == [Kept.NEW]
