"""An archive's own counts as evidence: which studies are complete by them, and that nobody waits for an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import evt
from sqlalchemy import update

from node.breaker import Breaker
from node.config import Config, Settle
from node.count import archive_of, count_due
from node.schema import evidence_table, study_table
from node.settle import settle
from node.status import read_status
from tests.dicom_files import BASELINE, dwi, exam, localizer, mask, t2_axial
from tests.node.conftest import Bench, configured, free_port, peer
from tests.node.query_archive import QueryArchive

RULES = Settle(quiet_seconds=60, evidence_seconds=5)


@dataclass
class Node:
    """A node that an archive sends to, and can be asked."""

    bench: Bench
    archive: QueryArchive
    config: Config
    breaker: Breaker

    def arrived(self, *datasets: Dataset, seconds_ago: float = 6) -> None:
        self.bench.receive(*datasets, source="PACS")
        self.wait(seconds_ago)

    def wait(self, seconds: float) -> None:
        """As if all that is here had come so much earlier."""
        studies, known = study_table.c, evidence_table.c
        with self.bench.database.transaction() as connection:
            earlier = {"last_received_at": studies.last_received_at - seconds}
            connection.execute(update(study_table).values(**earlier))
            asked = {"received_at": known.received_at - seconds, "not_before": known.not_before - seconds}
            connection.execute(update(evidence_table).values(**asked))

    def count(self) -> int:
        return count_due(self.bench.database, self.config, self.config.peers[0], self.breaker)

    def settled(self) -> int:
        return settle(self.bench.database, self.config.settle)

    @property
    def missing(self) -> list[str]:
        (patient,) = read_status(self.bench.database)["patients"]
        (study,) = patient["exams"]
        return list(study["missing"])


@pytest.fixture(scope="module")
def pacs() -> Iterator[tuple[QueryArchive, int]]:
    archive = QueryArchive()
    yield archive, archive.open()
    archive.close()


@pytest.fixture
def node(bench: Bench, pacs: tuple[QueryArchive, int]) -> Node:
    archive, port = pacs
    archive.find, archive.objects, archive.asked, archive.counts = None, {}, [], True
    config = configured(
        bench.store.folder, peer("pacs", port=port, sends=True, queries=True), settle=RULES.model_dump()
    )
    return Node(bench, archive, config, Breaker("pacs", 0.05))


@pytest.mark.parametrize("counts", [True, False], ids=["with counts", "counted image by image"])
def test_a_study_of_which_the_archive_has_no_more_settles_at_once(node: Node, counts: bool) -> None:
    node.archive.counts = counts
    node.archive.put(*exam(BASELINE))
    node.arrived(*exam(BASELINE), seconds_ago=1)
    assert node.count() == 0
    assert node.archive.asked == []
    node.wait(5)
    assert node.settled() == 0
    assert node.count() == 1
    assert node.settled() == 1
    assert node.missing == []


def test_an_object_that_comes_after_the_count_makes_it_void(node: Node) -> None:
    node.archive.put(*t2_axial(BASELINE))
    node.arrived(*t2_axial(BASELINE))
    assert node.count() == 1
    node.bench.receive(*localizer(BASELINE))
    assert node.settled() == 0


@pytest.mark.parametrize("counts", [True, False], ids=["with counts", "counted image by image"])
def test_what_the_archive_has_more_of_is_waited_for_and_then_named(node: Node, counts: bool) -> None:
    node.archive.counts = counts
    node.archive.put(*t2_axial(BASELINE), *dwi(BASELINE))
    node.arrived(*t2_axial(BASELINE)[:3], *dwi(BASELINE))
    assert node.count() == 0
    assert node.settled() == 0
    assert node.missing == ["pacs has more of it: 3 of 5 instances of series t2_tse_tra are here"]
    node.wait(60)
    assert node.settled() == 1
    assert len(node.missing) == 1
    node.bench.receive(*t2_axial(BASELINE)[3:], source="PACS")
    assert node.missing == []
    assert node.bench.study(BASELINE.uid).generation == 2


def test_an_archive_that_has_less_is_still_receiving_itself(node: Node) -> None:
    node.archive.put(*t2_axial(BASELINE)[:3])
    node.arrived(*t2_axial(BASELINE))
    assert node.count() == 0
    assert node.settled() == 0
    node.archive.put(*t2_axial(BASELINE))
    assert node.count() == 0, "asked again too soon"
    node.wait(7)
    assert node.count() == 1
    assert node.settled() == 1


def test_series_that_are_not_routed_are_not_awaited_to_the_end(node: Node) -> None:
    node.archive.put(*exam(BASELINE))
    node.arrived(*t2_axial(BASELINE))
    assert node.count() == 0, "they may be on their way"
    assert node.missing == []
    node.wait(26)
    assert node.count() == 1
    assert node.settled() == 1


def test_results_of_this_software_and_what_others_made_there_are_not_awaited(node: Node) -> None:
    ours = mask(BASELINE, manufacturer="RESTAGE")
    ours.Modality = "MR"  # as of a parametric map
    theirs = mask(BASELINE)
    theirs.SeriesInstanceUID, theirs.SOPInstanceUID = f"{BASELINE.uid}.6", f"{BASELINE.uid}.6.1"
    node.archive.put(*t2_axial(BASELINE), ours, theirs)
    node.arrived(*t2_axial(BASELINE))
    assert node.count() == 1


def test_a_study_that_the_archive_does_not_know_waits_for_the_quiet_period(node: Node) -> None:
    node.arrived(*t2_axial(BASELINE))
    assert node.count() == 0
    assert node.settled() == 0
    node.wait(55)
    assert node.settled() == 1


def test_a_dead_archive_delays_nobody_and_is_left_alone_for_a_while(node: Node) -> None:
    gone = node.config.peers[0].model_copy(update={"port": free_port()})
    node.config = node.config.model_copy(update={"peers": (gone,)})
    node.arrived(*t2_axial(BASELINE))
    assert node.count() == 0
    assert node.breaker.is_open
    started = time.monotonic()
    assert node.count() == 0
    assert time.monotonic() - started < 0.05
    node.wait(55)
    assert node.settled() == 1


def test_an_archive_that_refuses_to_count_is_left_alone_too(node: Node) -> None:
    def refused(_: evt.Event) -> Iterator[Any]:
        yield 0xA700, None

    node.archive.find = refused
    node.arrived(*t2_axial(BASELINE))
    assert node.count() == 0
    assert node.breaker.is_open


def peers(*sections: dict[str, Any]) -> Callable[[str], str | None]:
    """Which peer is asked for the studies of a sender."""
    config = Config.model_validate({"peer": list(sections)})

    def asked(title: str) -> str | None:
        found = archive_of(config, frozenset({title}))
        return found.name if found else None

    return asked


def test_the_sender_is_asked_and_else_the_only_archive_there_is() -> None:
    query = peer("query", ae_title="PACS", queries=True, port=105)
    asked = peers(peer("store", ae_title="PACS", sends=True), query, peer("router", sends=True))
    assert (asked("PACS"), asked("ROUTER")) == ("query", "query")
    asked = peers(peer("pacs", queries=True), peer("vna", queries=True), peer("router", sends=True))
    assert (asked("VNA"), asked("ROUTER")) == ("vna", None)
    assert peers(peer("router", sends=True))("ROUTER") is None
