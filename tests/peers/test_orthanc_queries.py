"""Archives that can be queried: whose study it is there, and whether results are there as they were sent."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, SegmentationStorage
from sqlalchemy import update

from node import outbox
from node.breaker import Breaker
from node.check_peer import check_peer
from node.config import Config
from node.database import Database
from node.finding import Level
from node.outbox import INDEXING_SECONDS
from node.records import ResultFile
from node.schema import delivery_table, result_table
from node.send import send_due
from node.standin import send_files
from node.store import Store
from node.verify import verify_sent
from tests.node.conftest import Bench, configured, peer
from tests.peers.dcmqrscp import running_dcmqrscp
from tests.peers.orthanc import TITLE, Orthanc
from tests.peers.scored import ScoredPair
from tests.running_node import NODE_TITLE, QUICK_SCORING, SENDER_TITLE, Destination, free_port, running_node

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]

FAST = {"retry_seconds": 0.2, "retry_max_seconds": 1.0}
Change = Callable[[Dataset], object]


@dataclass(frozen=True)
class Node:
    """A node whose one result is due for one archive, sent and verified when a test says so."""

    bench: Bench
    config: Config

    def send(self) -> int:
        self.set_deliveries(not_before=0.0)
        return send_due(self.bench.database, self.config, self.config.peers[0], Breaker("archive", 0.2))

    def verify(self, seconds_later: float = 0.0) -> int:
        if seconds_later:
            self.set_deliveries(updated_at=time.time() - seconds_later)
        self.set_deliveries(not_before=0.0)
        return verify_sent(self.bench.database, self.config, self.config.peers[0])

    def set_deliveries(self, **values: object) -> None:
        with self.bench.database.transaction() as connection:
            connection.execute(update(delivery_table).values(**values))

    @property
    def rows(self) -> dict[str, Any]:
        """The delivery of each object, by SOP Instance UID."""
        uids = [row.sop_uid for row in self.bench.rows(result_table)]
        return dict(zip(uids, self.bench.rows(delivery_table), strict=True))

    @property
    def states(self) -> list[str]:
        return [row.state for row in self.rows.values()]


@pytest.fixture
def results(demo_results: ScoredPair) -> list[Dataset]:
    return [dcmread(path) for path in demo_results.results]


@pytest.fixture
def node_for(tmp_path: Path, demo_results: ScoredPair) -> Iterator[Callable[..., Node]]:
    """A node with the demo's results, for an archive at a port."""
    database = Database(f"sqlite:///{tmp_path / 'restage.sqlite'}")
    database.migrate()
    store = Store(tmp_path, database)
    store.prepare()
    bench = Bench(database, store)
    bench.done_job([_kept(path, store) for path in demo_results.results], ["archive"])

    def configure(title: str, port: int, **profile: str) -> Node:
        values = {"ae_title": title, "port": port, "receives": True, "queries": True, "profile": profile}
        return Node(bench, configured(tmp_path, peer("archive", **values), results=FAST))

    yield configure
    database.close()


def _kept(path: Path, store: Store) -> ResultFile:
    content = path.read_bytes()
    (store.results / path.name).write_bytes(content)
    dataset = dcmread(path, stop_before_pixels=True)
    uids = (dataset.SOPInstanceUID, dataset.SOPClassUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID)
    kept = Path("results") / path.name
    return ResultFile(path.stem, *map(str, uids), kept, hashlib.sha256(content).hexdigest())


def put_exams(orthanc: Orthanc, demo: ScoredPair, folder: Path, change: Change = lambda _: None) -> None:
    """One image of each exam, as the archive has it."""
    for exam in (demo.baseline, demo.restaging):
        image = dcmread(sorted(exam.glob("*.dcm"))[0])
        change(image)
        image.save_as(folder / "image.dcm")
        orthanc.store([folder / "image.dcm"])


def put_changed(orthanc: Orthanc, dataset: Dataset, folder: Path, change: Change) -> None:
    """What somebody made of an object that the archive had."""
    orthanc.forget(dataset.SOPInstanceUID)
    change(dataset)
    dataset.save_as(folder / "changed.dcm")
    orthanc.store([folder / "changed.dcm"])


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_results_of_the_same_patient_are_sent_and_verified(
    orthanc: Orthanc, node_for: Callable[..., Node], demo_results: ScoredPair, tmp_path: Path, syntax: str
) -> None:
    put_exams(orthanc, demo_results, tmp_path, lambda image: setattr(image, "PatientName", f"{image.PatientName}^^^"))
    node = node_for(TITLE, orthanc.dicom_port, transfer_syntax=syntax)
    assert node.send() == len(demo_results.results)
    started = time.monotonic()
    assert node.verify() == len(demo_results.results)
    print(f"{len(demo_results.results)} objects verified in {time.monotonic() - started:.1f} s")
    assert set(node.states) == {"VERIFIED"}
    assert {row.reason for row in node.rows.values()} == {""}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("PatientName", "SOMEBODY^ELSE"), ("PatientBirthDate", "19011231"), ("PatientID", "ANOTHER")],
)
def test_another_patient_under_the_same_study_uid_holds_the_results_until_a_person_lets_them_go(
    orthanc: Orthanc,
    node_for: Callable[..., Node],
    demo_results: ScoredPair,
    tmp_path: Path,
    keyword: str,
    value: str,
) -> None:
    put_exams(orthanc, demo_results, tmp_path, lambda image: setattr(image, keyword, value))
    node = node_for(TITLE, orthanc.dicom_port)
    assert node.send() == 0
    assert set(node.states) == {"HELD"}
    for row in node.rows.values():
        assert f"{keyword} is '" in row.reason
        assert f"and '{value}' in the archive" in row.reason
    assert orthanc.get("/statistics")["CountInstances"] == 2
    first = next(iter(node.rows.values())).id
    outbox.retry(node.bench.database, first)
    assert node.send() == 1
    assert sorted(set(node.states)) == ["HELD", "SENT"]
    assert orthanc.get("/statistics")["CountInstances"] == 3


def test_a_name_that_the_archives_character_set_cannot_hold_is_no_other_patient(
    orthanc: Orthanc, node_for: Callable[..., Node], demo_results: ScoredPair, tmp_path: Path
) -> None:
    """Orthanc answers in its default encoding, Latin-1, and leaves out what that has not."""

    def in_japanese(image: Dataset) -> None:
        image.SpecificCharacterSet = "ISO_IR 192"
        image.PatientName = f"{image.PatientName}=山田^太郎"

    put_exams(orthanc, demo_results, tmp_path, in_japanese)
    node = node_for(TITLE, orthanc.dicom_port)
    assert node.send() == len(demo_results.results)


def test_what_was_altered_in_the_archive_fails_and_is_named(
    orthanc: Orthanc, node_for: Callable[..., Node], results: list[Dataset], tmp_path: Path
) -> None:
    node = node_for(TITLE, orthanc.dicom_port)
    assert node.send() == len(results)
    seg = next(one for one in results if one.SOPClassUID == SegmentationStorage)
    report = next(one for one in results if one.SOPClassUID == Comprehensive3DSRStorage)
    put_changed(orthanc, seg, tmp_path, lambda d: setattr(d, "PixelData", b"\1" * len(d.PixelData)))
    number = next(e for e in report.iterall() if e.keyword == "NumericValue")
    put_changed(orthanc, report, tmp_path, lambda _: setattr(number, "value", "4711"))
    assert node.verify() == len(results) - 2
    assert node.rows[seg.SOPInstanceUID].state == "FAILED"
    assert "PixelData is '" in node.rows[seg.SOPInstanceUID].reason
    assert node.rows[report.SOPInstanceUID].state == "FAILED"
    assert "NumericValue is '" in node.rows[report.SOPInstanceUID].reason
    assert "and '4711' in the archive" in node.rows[report.SOPInstanceUID].reason


def test_what_was_deleted_in_the_archive_fails_and_retry_brings_it_there_again(
    orthanc: Orthanc, node_for: Callable[..., Node], results: list[Dataset]
) -> None:
    node = node_for(TITLE, orthanc.dicom_port)
    assert node.send() == len(results)
    lost = results[0].SOPInstanceUID
    orthanc.forget(lost)
    assert node.verify() == len(results) - 1
    assert node.rows[lost].state == "SENT"
    assert node.verify(INDEXING_SECONDS + 1) == 0
    assert node.rows[lost].state == "FAILED"
    assert "answered Success and does not have it" in node.rows[lost].reason
    outbox.retry(node.bench.database, node.rows[lost].id)
    assert node.send() == 1
    assert node.verify() == 1
    assert set(node.states) == {"VERIFIED"}


def test_restage_check_finds_that_orthanc_can_be_queried(orthanc: Orthanc, node_for: Callable[..., Node]) -> None:
    config = node_for(TITLE, orthanc.dicom_port).config
    findings = list(check_peer(config.node, config.peers[0]))
    assert not any(finding.failed for finding in findings), findings
    messages = [finding.message for finding in findings if finding.level is Level.OK]
    assert "answers C-FIND for a study that does not exist: there is none" in messages
    assert "gives back what it was sent by C-GET, so results are verified" in messages


@pytest.mark.parametrize("get", [True, False])
def test_results_are_verified_in_dcmtks_archive(
    node_for: Callable[..., Node], demo_results: ScoredPair, tmp_path: Path, get: bool
) -> None:
    port = free_port()
    with running_dcmqrscp(tmp_path, port, get=get):
        images = [sorted(exam.glob("*.dcm"))[0] for exam in (demo_results.baseline, demo_results.restaging)]
        send_files(images, "127.0.0.1", port, called="DCMQRSCP", calling=SENDER_TITLE)
        node = node_for("DCMQRSCP", port)
        assert node.send() == len(demo_results.results), node.rows
        assert node.verify() == len(demo_results.results), node.rows
    reasons = {row.reason for row in node.rows.values()}
    assert reasons == ({""} if get else {"by its presence alone: archive does not give such objects by C-GET"})


def test_a_running_node_holds_releases_and_verifies(orthanc: Orthanc, demo_results: ScoredPair, tmp_path: Path) -> None:
    """The archive has the baseline exam under another name: what belongs there is held, the rest is verified."""

    def renamed(image: Dataset) -> None:
        if image.StudyInstanceUID == baseline:
            image.PatientName = "SOMEBODY^ELSE"

    baseline = dcmread(sorted(demo_results.baseline.glob("*.dcm"))[0]).StudyInstanceUID
    put_exams(orthanc, demo_results, tmp_path, renamed)
    archive = Destination("archive", TITLE, orthanc.dicom_port, "queries = true")
    extra = f"[results]\nphantom_scores = true\n{QUICK_SCORING}"
    with running_node(tmp_path / "node", [archive], extra) as node:
        for exam in (demo_results.baseline, demo_results.restaging):
            paths = sorted(exam.glob("*.dcm"))
            send_files(paths, "127.0.0.1", node.port, called=NODE_TITLE, calling=SENDER_TITLE)
        status = node.wait_until(lambda s: set(_states(s)) == {"HELD", "VERIFIED"}, 150)
        (held,) = [one for one in _deliveries(status) if one["state"] == "HELD"]
        assert held["kind"] == "seg_baseline"
        assert "'SOMEBODY^ELSE' in the archive" in held["reason"]
        assert node.restage("retry").returncode == 0
        assert "HELD" in _states(node.status())
        assert node.restage("retry", "--delivery", str(held["id"])).returncode == 0
        # Sent under the patient of the result, as a person decided; the archive keeps both.
        node.wait_until(lambda s: set(_states(s)) == {"VERIFIED"}, 60)


def _deliveries(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for patient in status["patients"] for pair in patient["pairs"] for one in pair["deliveries"]]


def _states(status: dict[str, Any]) -> list[str]:
    return [one["state"] for one in _deliveries(status)]
