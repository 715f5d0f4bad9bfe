"""Searches for priors at an archive that answers as a test wants: what is fetched, what is not, and what is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import evt
from sqlalchemy import update

from node import searches
from node.breaker import Breaker
from node.config import Config
from node.errors import NotFound
from node.query import PriorSearch
from node.receive import Listener
from node.schema import search_table, study_table
from node.status import read_status
from tests.dicom_files import BASELINE, RESTAGING, Study, exam, mask, report, t2_axial
from tests.node.conftest import Bench, configured, free_port, peer
from tests.node.query_archive import QueryArchive

CLASSES = tuple({str(one.SOPClassUID) for one in (*exam(BASELINE), mask(BASELINE), report(BASELINE))})
OLDER, NEWER = Study(5, "20231201"), Study(6, "20240220")
QUICK = {"again_seconds": 0.001, "again_max_seconds": 0.001, "silence_seconds": 0.6, "total_seconds": 10.0}


@dataclass
class Node:
    """A node of which one exam waits, beside an archive; nothing is searched until a test says so."""

    bench: Bench
    archive: QueryArchive
    config: Config
    search: PriorSearch

    def searched(self) -> Any:
        """The search's row, after one more search."""
        self.search.search_due()
        return self.row

    @property
    def row(self) -> Any:
        (row,) = self.bench.rows(search_table)
        return row

    def set(self, **values: object) -> None:
        with self.bench.database.transaction() as connection:
            connection.execute(update(search_table).values(**values))

    def again(self, **priors: object) -> PriorSearch:
        """Another process with the same tables, or one with other settings."""
        changed = self.config.model_copy(update={"priors": self.config.priors.model_copy(update=priors)})
        return PriorSearch(changed, self.bench.store, changed.peers[0], Breaker("pacs", 0.05))

    def here(self) -> set[str]:
        return {row.study_uid for row in self.bench.rows(study_table)}

    def studies_asked(self) -> int:
        return self.archive.asked.count("STUDY")


Waiting = Callable[..., Node]


@pytest.fixture(scope="module")
def pacs() -> Iterator[tuple[QueryArchive, int]]:
    """One archive, and its port, for all: closing one takes half a second."""
    archive = QueryArchive(storage=CLASSES, destinations={"RESTAGE": 1})
    yield archive, archive.open()
    archive.close()


@pytest.fixture
def waiting(bench: Bench, pacs: tuple[QueryArchive, int]) -> Iterator[Waiting]:
    """A node on which one exam waits, with a listener where priors are moved, and what the archive holds."""
    archive, archive_port = pacs
    listeners: list[Listener] = []

    def start(*held: Dataset, here: Study = RESTAGING, retrieve: str = "get") -> Node:
        bench.receive(*t2_axial(here))
        bench.settle_and_plan()
        entry = peer("pacs", port=archive_port, queries=True, retrieve=retrieve)
        config = configured(bench.store.folder, entry, priors=QUICK)
        archive.find = archive.get = archive.move = None
        archive.objects, archive.asked, archive.destinations = {}, [], {"RESTAGE": config.node.port}
        archive.silence.clear()
        if retrieve == "move":
            listeners.append(Listener(config, bench.store))
            listeners[0].open()
        archive.put(*held)
        return Node(bench, archive, config, PriorSearch(config, bench.store, config.peers[0], Breaker("pacs", 0.05)))

    yield start
    archive.silence.set()
    for one in listeners:
        one.close()


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_a_baseline_that_an_archive_has_completes_the_pair(waiting: Waiting, retrieve: str) -> None:
    node = waiting(*t2_axial(BASELINE), mask(BASELINE), report(BASELINE), retrieve=retrieve)
    assert node.searched().state == "FETCHED", node.row
    assert node.row.instances == 7
    node.bench.settle_and_plan()
    assert node.bench.pairs()[-1] == ([BASELINE.uid], [RESTAGING.uid], "READY")
    assert node.search.search_due() == 0
    assert node.studies_asked() == 1


def test_where_nothing_is_there_it_is_said_and_asked_again_while_the_exam_waits(waiting: Waiting) -> None:
    node = waiting()
    assert node.searched().state == "NO_PRIOR"
    assert node.row.reason == "pacs has no MR study of this patient from 2023-03-07 to 2024-03-20"
    node.archive.put(*t2_axial(BASELINE))
    time.sleep(0.01)
    assert node.searched().state == "FETCHED"
    assert node.row.attempts == 2


def test_dates_and_modalities_are_looked_at_where_an_archive_ignores_them(waiting: Waiting) -> None:
    node = waiting()
    late, early = replace(BASELINE, number=7, date="20240401"), replace(BASELINE, number=8, date="20200101")
    tomography = replace(BASELINE, number=9)

    def everything(event: evt.Event) -> Iterator[Any]:
        for study in (late, early, tomography):
            answer = Dataset()
            answer.StudyInstanceUID, answer.PatientID, answer.StudyDate = study.uid, "P1", study.date
            answer.ModalitiesInStudy = ["CT", "SR"] if study is tomography else ["MR"]
            yield 0xFF00, answer

    node.archive.find = everything
    assert node.searched().state == "NO_PRIOR", node.row


def test_results_of_this_software_and_other_modalities_are_left_there(waiting: Waiting) -> None:
    ours = mask(BASELINE, manufacturer="RESTAGE")
    ours.SeriesInstanceUID, ours.SOPInstanceUID = f"{BASELINE.uid}.8", f"{BASELINE.uid}.8.1"
    secondary = t2_axial(BASELINE)[0]
    secondary.Modality, secondary.SeriesInstanceUID = "OT", f"{BASELINE.uid}.9"
    secondary.SOPInstanceUID = secondary.file_meta.MediaStorageSOPInstanceUID = f"{BASELINE.uid}.9.1"
    only_ours = mask(OLDER, manufacturer="RESTAGE")
    node = waiting(*t2_axial(BASELINE), ours, secondary, only_ours)
    assert node.searched().instances == 5
    assert node.here() == {RESTAGING.uid, BASELINE.uid}


def test_another_person_under_the_same_id_is_told_and_not_fetched(waiting: Waiting) -> None:
    stranger = replace(BASELINE, birth_date="19500505", sex="M")
    node = waiting(*t2_axial(stranger))
    assert node.searched().state == "OTHER_PATIENT"
    assert "PatientBirthDate is '19600102' here and '19500505' in the archive" in node.row.reason
    assert "PatientSex is 'F' here and 'M' in the archive" in node.row.reason
    assert node.here() == {RESTAGING.uid}


def test_an_archive_that_knows_no_issuer_is_judged_by_name_birth_date_and_sex(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE))
    for dataset in node.archive.objects.values():
        del dataset.IssuerOfPatientID
    assert node.searched().state == "FETCHED"
    node.bench.settle_and_plan()
    assert node.bench.pairs()[-1] == ([BASELINE.uid], [RESTAGING.uid], "READY")


def test_all_that_may_be_the_baseline_is_fetched_and_matching_takes_the_first(waiting: Waiting) -> None:
    node = waiting(*t2_axial(NEWER), *t2_axial(OLDER), *t2_axial(BASELINE))
    assert node.searched().state == "FETCHED"
    days = "2023-12-01 and 2024-01-10 and 2024-02-20"
    assert f"of 3 MR studies, of {days}, out of 3 that may be its baseline" in node.row.reason
    node.bench.settle_and_plan()
    assert ([OLDER.uid], [RESTAGING.uid], "READY") in node.bench.pairs()
    assert not any(baseline != [OLDER.uid] for baseline, _, state in node.bench.pairs() if state == "READY")


def test_a_bound_keeps_the_oldest_and_the_others_follow_while_the_exam_waits(waiting: Waiting) -> None:
    head = [replace(OLDER, number=number, date=f"2023120{number}") for number in (7, 8, 9)]
    unusable = [one for study in head for one in exam(study)[-1:]]  # a localizer each
    node = waiting(*unusable)
    search = node.again(most_studies=2)
    assert search.search_due() == 2
    node.bench.settle_and_plan()
    assert node.here() == {RESTAGING.uid, head[0].uid, head[1].uid}
    time.sleep(0.01)
    assert search.search_due() == 1
    node.bench.settle_and_plan()
    time.sleep(0.01)
    assert search.search_due() == 0
    assert node.row.state == "NO_PRIOR"
    assert "no other MR study" in node.row.reason
    assert len(node.here()) == 4


def test_a_study_that_came_without_its_axial_t2_is_fetched_once_more(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE))
    node.bench.receive(exam(BASELINE)[-1])
    node.bench.settle_and_plan()
    assert node.bench.study(BASELINE.uid).code == "NO_T2_AXIAL"
    assert node.searched().state == "FETCHED"


def test_nothing_is_searched_for_while_something_of_the_patient_arrives(waiting: Waiting) -> None:
    node = waiting()
    node.bench.receive(t2_axial(BASELINE)[0])
    assert node.search.search_due() == 0
    assert node.studies_asked() == 0
    assert read_status(node.bench.database)["patients"][0]["pairs"][0]["searches"][0]["reason"].startswith(
        "waits until"
    )


def test_an_evident_baseline_is_not_searched_for(waiting: Waiting) -> None:
    node = waiting(here=replace(RESTAGING, description="MR Rektum primary staging"))
    assert node.search.search_due() == 0
    assert node.bench.rows(search_table) == []


def test_what_the_archive_sent_to_another_node_of_our_name_is_missed_here(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE), retrieve="move")

    def elsewhere(_: evt.Event) -> Iterator[Any]:
        yield "127.0.0.1", port
        yield len(t2_axial(BASELINE))
        for dataset in t2_axial(BASELINE):
            yield 0xFF00, dataset

    other = QueryArchive(title="RESTAGE", storage=CLASSES)
    port = other.open()
    node.archive.move = elsewhere
    assert node.searched().state == "DESTINATION_UNKNOWN"
    assert "none came here: its entry for RESTAGE names another host or port" in node.row.reason
    other.close()


def test_a_title_that_the_archive_does_not_know_is_told_with_what_to_add(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE), retrieve="move")
    node.archive.destinations = {"OTHER": 1}
    assert node.searched().state == "DESTINATION_UNKNOWN"
    assert "(0xA801): add RESTAGE there, with the host and port of this node" in node.row.reason


def test_a_slow_archive_is_waited_for_as_long_as_it_gives_signs_of_life(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE))

    def from_tape(event: evt.Event) -> Iterator[Any]:
        objects = t2_axial(BASELINE)[:3]
        yield len(objects)
        for dataset in objects:
            time.sleep(0.35)  # in all longer than it may be silent
            yield 0xFF00, dataset

    node.archive.get = from_tape
    assert node.searched().state == "FETCHED", node.row
    assert node.row.instances == 3


def test_a_silent_archive_is_given_up_for_now(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE), retrieve="move")

    def silent(_: evt.Event) -> Iterator[Any]:
        node.archive.silence.wait(5)
        yield None, None

    node.archive.move = silent
    started = time.monotonic()
    assert node.searched().state == "UNREACHABLE"
    assert time.monotonic() - started < 3
    assert "gave no sign of life for 0.6 s during C-MOVE" in node.row.reason


def test_an_archive_that_never_ends_is_ended(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE))

    def endless(_: evt.Event) -> Iterator[Any]:
        yield 20
        for _number in range(20):
            time.sleep(0.3)
            yield 0xFF00, t2_axial(RESTAGING)[0]  # which nobody asked for

    node.archive.get = endless
    started = time.monotonic()
    node.again(total_seconds=0.8).search_due()
    assert node.row.state == "UNREACHABLE"
    assert time.monotonic() - started < 4
    assert "had not done with C-GET when its time was up" in node.row.reason


def test_objects_that_failed_on_their_way_are_counted_and_tried_three_times(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE))

    def some(_: evt.Event) -> Iterator[Any]:
        yield 5
        for dataset in t2_axial(BASELINE)[:4]:
            yield 0xFF00, dataset
        broken = t2_axial(BASELINE)[4]
        broken.PixelData = broken.PixelData[:10]
        yield 0xFF00, broken

    node.archive.get = some
    for times in (1, 2, 3):
        assert node.searched().state == "PARTLY_FETCHED", node.row
        assert "1 of 5 instances failed on their way from pacs" in node.row.reason
        assert node.row.partly == {BASELINE.uid: times}
        with node.bench.database.transaction() as connection:  # as if what came were no exam
            connection.execute(update(study_table).values(state="DECLINED", code="NO_T2_AXIAL"))
        time.sleep(0.01)
    assert node.searched().state == "NO_PRIOR"


def test_an_archive_that_is_down_costs_no_attempt_and_is_asked_when_it_is_back(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE))
    port = node.config.peers[0].port
    gone = node.config.peers[0].model_copy(update={"port": free_port()})
    search = PriorSearch(node.config, node.bench.store, gone, breaker := Breaker("pacs", 0.05))
    search.search_due()
    assert (node.row.state, node.row.attempts) == ("UNREACHABLE", 0)
    assert breaker.is_open
    assert search.search_due() == 0
    assert searches.retry_all(node.bench.database) == 1
    time.sleep(0.1)
    assert port != gone.port
    assert node.searched().state == "FETCHED"


def test_a_search_ends_with_its_days_and_a_person_makes_it_again(waiting: Waiting) -> None:
    node = waiting()
    assert node.searched().again
    node.set(since=time.time() - 15 * searches.DAY, not_before=0.0)
    assert not node.searched().again
    assert "not made again by itself: `restage retry --search 1`" in node.row.reason
    assert node.search.search_due() == 0
    assert node.studies_asked() == 2
    searches.retry(node.bench.database, 1)
    assert node.searched().again
    assert searches.retry_all(node.bench.database) == 0, "it did not fail"
    with pytest.raises(NotFound, match="there is no search 9"):
        searches.retry(node.bench.database, 9)


def test_an_exam_that_came_long_ago_is_searched_for_when_a_person_wants_it(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE))
    with node.bench.database.transaction() as connection:
        connection.execute(update(study_table).values(last_received_at=time.time() - 15 * searches.DAY))
    assert node.search.search_due() == 0
    assert "its exam came long ago; `restage retry --search` makes it" in node.row.reason
    assert searches.retry_all(node.bench.database) == 0
    searches.retry(node.bench.database, node.row.id)
    assert node.searched().state == "FETCHED"


def test_a_patient_is_searched_for_at_one_peer_at_a_time(waiting: Waiting) -> None:
    node = waiting()
    first = searches.claim(node.bench.database, "pacs", node.config.priors)
    assert first is not None
    assert searches.claim(node.bench.database, "second", node.config.priors) is None
    searches.release(node.bench.database, first)
    assert searches.claim(node.bench.database, "second", node.config.priors) is not None
    assert searches.claim(node.bench.database, "pacs", node.config.priors) is None


def test_a_search_whose_process_died_is_made_again(waiting: Waiting) -> None:
    node = waiting()
    assert searches.claim(node.bench.database, "pacs", node.config.priors) is not None
    assert searches.give_back_expired(node.bench.database) == 0
    node.set(lease_until=time.time() - 1)
    assert searches.give_back_expired(node.bench.database) == 1
    assert node.searched().state == "NO_PRIOR"


def test_a_node_that_stops_does_not_wait_for_a_slow_archive(waiting: Waiting) -> None:
    node = waiting(*t2_axial(BASELINE), retrieve="move")
    asked = threading.Event()

    def silent(_: evt.Event) -> Iterator[Any]:
        asked.set()
        node.archive.silence.wait(5)
        yield None, None

    node.archive.move = silent
    search = node.again(silence_seconds=30.0, total_seconds=60.0)
    running = threading.Thread(target=search.search_due)
    running.start()
    assert asked.wait(5)
    search.stop()
    running.join(3)
    assert not running.is_alive()
    assert (node.row.state, node.row.attempts) == ("DUE", 0)
