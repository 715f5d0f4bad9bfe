"""Priors fetched from real archives, by C-MOVE and by C-GET: what comes, and what is said where nothing can come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from node.breaker import Breaker
from node.check_peer import check_peer
from node.config import Node as NodeSection
from node.database import Database
from node.query import PriorSearch
from node.receive import Listener
from node.schema import object_table, search_table
from node.standin import send_files
from node.store import Store
from tests.dicom_files import BASELINE, RESTAGING, mask, report, t2_axial, write
from tests.node.conftest import Bench, configured, free_port, peer
from tests.peers.dcmqrscp import running_dcmqrscp
from tests.peers.orthanc import TITLE, Orthanc
from tests.running_node import NODE_TITLE, SENDER_TITLE, Destination, started, write_config

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]

# What the archive has of the baseline: the exam, a reader's outline and report, and a result of this software.
IMAGES = t2_axial(BASELINE)
ARCHIVED = [*IMAGES, mask(BASELINE), report(BASELINE)]


@dataclass(frozen=True)
class Node:
    """A node with a listener and one waiting restaging exam; it searches when a test says so."""

    bench: Bench
    search: PriorSearch

    @property
    def row(self) -> Any:
        (row,) = self.bench.rows(search_table)
        return row

    def received(self) -> int:
        return sum(row.study_uid == BASELINE.uid for row in self.bench.rows(object_table))


@pytest.fixture
def node_at(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    database = Database(f"sqlite:///{tmp_path / 'restage.sqlite'}")
    database.migrate()
    bench = Bench(database, Store(tmp_path, database))
    bench.store.prepare()
    bench.receive(*t2_axial(RESTAGING))
    bench.settle_and_plan()

    @contextmanager
    def start(title: str, port: int, retrieve: str, listen: int = 0) -> Iterator[Node]:
        archive = peer("archive", ae_title=title, port=port, queries=True, retrieve=retrieve)
        config = configured(bench.store.folder, archive)
        config = config.model_copy(update={"node": config.node.model_copy(update={"port": listen or free_port()})})
        listener = Listener(config, bench.store)
        listener.open()
        try:
            yield Node(bench, PriorSearch(config, bench.store, config.peers[0], Breaker("archive", 0.1)))
        finally:
            listener.close()

    yield start
    database.close()


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_the_baseline_is_fetched_from_orthanc(
    orthanc: Orthanc, node_at: Callable[..., Any], tmp_path: Path, retrieve: str
) -> None:
    ours = mask(BASELINE, manufacturer="RESTAGE")
    ours.SeriesInstanceUID, ours.SOPInstanceUID = f"{BASELINE.uid}.77", f"{BASELINE.uid}.77.1"
    orthanc.store(write([*ARCHIVED, ours], tmp_path))
    port = free_port()
    orthanc.know(NODE_TITLE, port)
    with node_at(TITLE, orthanc.dicom_port, retrieve, port) as node:
        assert node.search.search_due() == len(ARCHIVED), node.row
        assert node.row.state == "FETCHED"
        assert node.row.reason == f"fetched from archive: {len(ARCHIVED)} instances of 1 MR study, of 2024-01-10"
        assert node.received() == len(ARCHIVED)
        node.bench.settle_and_plan()
        assert node.bench.pairs()[-1] == ([BASELINE.uid], [RESTAGING.uid], "READY")
        assert node.search.search_due() == 0
        assert node.row.attempts == 1


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_the_baseline_is_fetched_from_dcmtks_archive(
    node_at: Callable[..., Any], tmp_path: Path, retrieve: str
) -> None:
    port, ours = free_port(), free_port()
    with running_dcmqrscp(tmp_path, port, destinations={NODE_TITLE: ours}):
        paths = write(ARCHIVED, tmp_path / "files")
        send_files(paths, "127.0.0.1", port, called="DCMQRSCP", calling=SENDER_TITLE)
        with node_at("DCMQRSCP", port, retrieve, ours) as node:
            assert node.search.search_due() == len(ARCHIVED), node.row
            assert node.row.state == "FETCHED"
            node.bench.settle_and_plan()
            assert node.bench.pairs()[-1] == ([BASELINE.uid], [RESTAGING.uid], "READY")


def test_an_archive_that_does_not_know_us_as_a_destination_is_told_apart(
    node_at: Callable[..., Any], tmp_path: Path
) -> None:
    port = free_port()
    with running_dcmqrscp(tmp_path, port):
        paths = write(IMAGES, tmp_path / "files")
        send_files(paths, "127.0.0.1", port, called="DCMQRSCP", calling=SENDER_TITLE)
        with node_at("DCMQRSCP", port, "move") as node:
            assert node.search.search_due() == 0
            assert node.row.state == "DESTINATION_UNKNOWN"
            words = "their side does not know our AE title RESTAGE as a move destination (0xA801): add RESTAGE there"
            assert words in node.row.reason


def test_orthanc_that_does_not_know_us_breaks_off_and_the_words_say_what_to_add(
    orthanc: Orthanc, node_at: Callable[..., Any], tmp_path: Path
) -> None:
    orthanc.store(write(IMAGES, tmp_path))
    orthanc.forget_modality(NODE_TITLE)
    with node_at(TITLE, orthanc.dicom_port, "move") as node:
        assert node.search.search_due() == 0
        assert "archive breaks the association off at C-MOVE" in node.row.reason
        assert "add RESTAGE there, with the host and port of this node" in node.row.reason


def test_a_wrong_port_in_orthancs_entry_is_a_refusal_with_the_same_advice(
    orthanc: Orthanc, node_at: Callable[..., Any], tmp_path: Path
) -> None:
    orthanc.store(write(IMAGES, tmp_path))
    orthanc.know(NODE_TITLE, free_port())
    with node_at(TITLE, orthanc.dicom_port, "move") as node:
        assert node.search.search_due() == 0
        assert node.row.state == "REFUSED"
        assert "answers C-MOVE with status 0xC000" in node.row.reason
        assert "add RESTAGE there" in node.row.reason


def test_restage_check_says_what_orthanc_says_of_us_as_a_destination(orthanc: Orthanc) -> None:
    """Orthanc 1.10 ends the association of a stranger at C-MOVE, and looks for the study before the destination."""

    def said(title: str) -> str:
        pacs = configured(Path(), peer("archive", ae_title=TITLE, port=orthanc.dicom_port, queries=True)).peers[0]
        findings = check_peer(NodeSection(ae_title=title), pacs)
        (message,) = [one.message for one in findings if "C-MOVE" in one.message]
        return message

    orthanc.know(NODE_TITLE, free_port())
    assert "whether it knows RESTAGE as a destination it says only of a study that it has" in said(NODE_TITLE)
    assert "breaks off, or is silent, at C-MOVE: often it does not know our AE title; add STRANGER" in said("STRANGER")


def test_another_person_under_the_same_id_is_not_fetched(
    orthanc: Orthanc, node_at: Callable[..., Any], tmp_path: Path
) -> None:
    stranger = replace(BASELINE, name="ROE^RICHARD", birth_date="19500505")
    elsewhere = replace(BASELINE, number=3, issuer="ELSEWHERE")
    orthanc.store(write([*t2_axial(stranger), *t2_axial(elsewhere)], tmp_path))
    with node_at(TITLE, orthanc.dicom_port, "get") as node:
        assert node.search.search_due() == 0
        assert node.row.state == "OTHER_PATIENT"
        assert "PatientName is 'DOE^JANE' here and 'ROE^RICHARD' in the archive" in node.row.reason
        assert "IssuerOfPatientID is 'HOSPITAL' here and 'ELSEWHERE' in the archive" in node.row.reason
        assert node.received() == 0


def test_a_running_node_fetches_the_baseline_of_the_one_exam_that_it_is_sent(orthanc: Orthanc, tmp_path: Path) -> None:
    """Both exams settle by the archive's counts: the quiet period would last longer than this test."""
    orthanc.store(write([*ARCHIVED, *t2_axial(RESTAGING)], tmp_path / "archived"))
    archive = Destination("archive", TITLE, orthanc.dicom_port, "queries = true")
    port, folder = free_port(), tmp_path / "node"
    write_config(folder, port, [archive])
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(
        config.replace("quiet_seconds = 3", "quiet_seconds = 600\nevidence_seconds = 1")
    )
    orthanc.know(NODE_TITLE, port)
    with started(folder, port, worker=False) as node:
        paths = write(t2_axial(RESTAGING), tmp_path / "sent")
        send_files(paths, "127.0.0.1", port, called=NODE_TITLE, calling=SENDER_TITLE)
        status = node.wait_until(lambda s: "READY" in [one["state"] for one in _pairs(s)], 60)
        waited, ready = _pairs(status)
        assert (ready["baseline"], ready["restaging"]) == ([BASELINE.uid], [RESTAGING.uid])
        (search,) = waited["searches"]
        assert (search["state"], search["instances"]) == ("FETCHED", len(ARCHIVED))
        assert "search 1 for its baseline at archive  FETCHED" in node.restage("status").stdout
        assert node.log.count("archive's counts") == 2


def _pairs(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [pair for patient in status["patients"] for pair in patient["pairs"]]
