"""One job from claim to outbox, with the real pipeline and templates on a small exam with a reader's mask."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import update

from node import decide, jobs, outbox
from node.config import Config
from node.records import ResultFile
from node.schema import delivery_table, job_table, result_table
from node.work import Worker
from pipelines.contract import Code, Exam, InputUnfit, Mask, MaskOrigin, ModelIdentity, Models
from tests.node.conftest import Bench, configured, peer
from tests.pipelines.made_exam import made_exam

IDENTITY = ModelIdentity("segmenter", "net", "1", "sha", "phantoms", "digest", True, "research", "none")
WITH_MASKS = Models()


@dataclass(frozen=True)
class Segmenting:
    """A segmenter whose every call does what a test says."""

    does: Callable[[Exam], Mask]
    model: ModelIdentity = IDENTITY

    def segment(self, exam: Exam) -> Mask:
        return self.does(exam)


def models(does: Callable[[Exam], Mask]) -> Models:
    return Models(segmenter=Segmenting(does))


def a_mask(exam: Exam) -> Mask:
    array = np.zeros(exam.t2.array.shape, bool)
    array[2:6, 10:20, 10:20] = True
    return Mask(array, MaskOrigin.MODEL, "found", algorithm="net", version="1", model=IDENTITY)


@pytest.fixture(scope="session")
def exams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Dataset]]:
    """A pair with readers' masks, and the same pair without."""
    made = {}
    for name, mask in (("masks", True), ("no masks", False)):
        folder = tmp_path_factory.mktemp("exams")
        made_exam(folder / "baseline", mask=mask, day="20240102", adc=1.0)
        made_exam(folder / "restaging", mask=mask, day="20240402", adc=1.4)
        made[name] = [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    return made


def worker(bench: Bench, models: Models = WITH_MASKS, **sections: object) -> Worker:
    peers = (peer("pacs", receives=True), peer("archive", receives=True), peer("scanner", sends=True))
    config: Config = configured(bench.store.folder, *peers, **sections)
    return Worker(config, bench.database, bench.store, models)


@pytest.fixture
def ready(bench: Bench, exams: dict[str, list[Dataset]]) -> Bench:
    bench.receive(*exams["masks"])
    bench.settle_and_plan()
    assert bench.jobs() == [(1, "READY")]
    return bench


@pytest.fixture
def ready_without_masks(bench: Bench, exams: dict[str, list[Dataset]]) -> Bench:
    bench.receive(*exams["no masks"])
    bench.settle_and_plan()
    return bench


def made(bench: Bench, version: int = 1) -> dict[str, ResultFile]:
    rows = [row for row in bench.rows(result_table) if row.version == version]
    return {row.kind: outbox.result_file(row) for row in rows}


def read(bench: Bench, result: ResultFile) -> Dataset:
    return dcmread(bench.store.folder / result.path)


def reason(bench: Bench) -> str:
    return str(bench.rows(job_table)[-1].reason)


def test_where_no_job_is_due_there_is_nothing_to_do(bench: Bench) -> None:
    assert worker(bench).work_one() is False


def test_a_job_ends_in_results_on_disk_that_are_due_for_every_receiver(ready: Bench) -> None:
    assert worker(ready).work_one() is True
    assert ready.jobs() == [(1, "DONE")], reason(ready)
    results = made(ready)
    assert [read(ready, one).Modality for one in results.values()] == ["SEG", "SEG", "SR", "OT"]
    for one in results.values():
        assert not one.path.is_absolute()
        content = (ready.store.folder / one.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one.digest
        dataset = read(ready, one)
        assert dataset.SOPInstanceUID == one.sop_uid
        assert dataset.SOPClassUID == one.sop_class_uid
        assert (dataset.SeriesInstanceUID, dataset.StudyInstanceUID) == (one.series_uid, one.study_uid)
        assert dataset.PatientID == "P1"
    due = [(row.peer, row.state) for row in ready.rows(delivery_table)]
    assert sorted(due) == [("archive", "DUE")] * 4 + [("pacs", "DUE")] * 4
    findings = next(ready.store.results.rglob("findings.json"))
    assert json.loads(findings.read_text())["measurements"]


def test_a_job_done_again_after_a_kill_makes_the_same_objects_and_the_next_version_names_them(ready: Bench) -> None:
    one = worker(ready)
    one.work_one()
    killed = made(ready)
    files = {path: path.read_bytes() for path in ready.store.results.rglob("*.dcm")}
    with ready.database.transaction() as connection:  # as if the kill had come before the commit
        for table in (delivery_table, result_table):
            connection.execute(table.delete())
        connection.execute(update(job_table).values(state="READY", token=""))
    one.work_one()
    first = made(ready)
    assert {kind: result.sop_uid for kind, result in first.items()} == {k: r.sop_uid for k, r in killed.items()}
    assert {path: path.read_bytes() for path in files} == files

    with ready.database.transaction() as connection:
        connection.execute(update(delivery_table).values(state="SENT"))
    (pair,) = ready.pairs()
    late = next(one for one in stored(ready) if one.Modality == "MR" and one.StudyInstanceUID == pair[1][0])
    late.ImageComments = "sent again, corrected"
    ready.receive(late)
    ready.settle_and_plan()
    one.work_one()
    assert ready.jobs() == [(1, "DONE"), (2, "DONE")], reason(ready)
    second = made(ready, version=2)
    assert {result.sop_uid for result in first.values()}.isdisjoint(result.sop_uid for result in second.values())
    assert first["report"].sop_uid in named_by(read(ready, second["report"]))


def stored(bench: Bench) -> list[Dataset]:
    return [dcmread(path) for path in sorted(bench.store.objects.rglob("*.dcm"))]


def test_an_input_that_cannot_be_scored_fails_for_good_with_its_code(bench: Bench) -> None:
    bench.put_job(bench.make_pair())  # of studies of which nothing is stored
    worker(bench).work_one()
    assert bench.jobs() == [(1, "FAILED")]
    assert reason(bench).startswith("NOT_AN_IMAGE: ")


def test_an_image_that_arrived_after_the_plan_is_no_part_of_the_planned_version(ready: Bench) -> None:
    late = next(one for one in stored(ready) if one.Modality == "MR")
    late.ImageComments = "sent again, corrected"
    ready.receive(late)
    worker(ready).work_one()
    assert ready.jobs() == [(1, "ABANDONED")]
    assert ready.rows(result_table) == []
    ready.settle_and_plan()
    assert ready.jobs() == [(1, "ABANDONED"), (2, "READY")]


def test_a_crash_of_the_pipeline_is_tried_again_and_then_waits_for_a_person(ready_without_masks: Bench) -> None:
    bench = ready_without_masks

    def crash(_: Exam) -> Mask:
        raise RuntimeError("CUDA out of memory")

    for state in ("READY", "FAILED"):
        assert worker(bench, models(crash)).work_one() is True
        assert bench.jobs() == [(1, state)]
        assert reason(bench) == "RuntimeError: CUDA out of memory"
        with bench.database.transaction() as connection:
            connection.execute(update(job_table).values(not_before=0.0, attempts=jobs.MAX_ATTEMPTS - 1))


def test_a_worker_that_is_told_to_stop_gives_its_job_back(ready_without_masks: Bench) -> None:
    def stop(_: Exam) -> Mask:
        raise SystemExit(0)

    with pytest.raises(SystemExit):
        worker(ready_without_masks, models(stop)).work_one()
    (row,) = ready_without_masks.rows(job_table)
    assert (row.state, row.attempts, row.token) == ("READY", 0, "")


def test_a_worker_that_is_told_to_stop_after_it_lost_its_job_stops_all_the_same(ready_without_masks: Bench) -> None:
    bench = ready_without_masks

    def stop(_: Exam) -> Mask:
        with bench.database.transaction() as connection:
            connection.execute(update(job_table).values(token="another"))
        raise SystemExit(0)

    with pytest.raises(SystemExit):
        worker(bench, models(stop)).work_one()
    assert bench.jobs() == [(1, "CLAIMED")]


def test_a_job_that_takes_longer_than_its_lease_keeps_it(ready_without_masks: Bench) -> None:
    bench = ready_without_masks
    given_back: list[int] = []

    def take_long(exam: Exam) -> Mask:
        for _ in range(6):
            time.sleep(0.1)
            given_back.append(jobs.give_back_expired(bench.database))
        raise InputUnfit(Code.NO_TUMOUR_FOUND, "nothing there")

    worker(bench, models(take_long), scoring={"lease_seconds": 0.3}).work_one()
    assert len(given_back) == 12
    assert set(given_back) == {0}
    assert bench.rows(job_table)[0].token == ""


def test_a_worker_that_lost_its_lease_leaves_no_result(ready_without_masks: Bench) -> None:
    bench = ready_without_masks

    def lose(exam: Exam) -> Mask:
        with bench.database.transaction() as connection:
            connection.execute(update(job_table).values(token="another"))
        return a_mask(exam)

    assert worker(bench, models(lose)).work_one() is True
    assert bench.jobs() == [(1, "CLAIMED")]
    assert bench.rows(result_table) == []


@pytest.mark.parametrize("phantom_scores", [True, False])
def test_a_mask_of_a_phantom_trained_model_is_sent_only_where_the_configuration_says_so(
    ready_without_masks: Bench, phantom_scores: bool
) -> None:
    bench = ready_without_masks
    worker(bench, models(a_mask), results={"phantom_scores": phantom_scores}).work_one()
    assert bench.jobs() == [(1, "DONE")], reason(bench)
    modalities = [read(bench, one).Modality for one in made(bench).values()]
    assert modalities.count("SEG") == (2 if phantom_scores else 0)
    findings = json.loads(next(bench.store.results.rglob("findings.json")).read_text())
    volumes = [one["value"] for one in findings["measurements"] if one["quantity"] == "volume"]
    assert len(volumes) == 2
    for one in made(bench).values():
        text = read(bench, one).to_json()
        assert ("SCORES_WITHHELD" in text or "withheld" in text.lower()) or phantom_scores or one.kind == "summary"


def of_day(datasets: list[Dataset], day: str, words: str = "") -> list[Dataset]:
    """The images of one day, under another study description where one is given."""
    found = [deepcopy(one) for one in datasets if one.StudyDate == day]
    for one in found:
        one.StudyDescription = words or one.get("StudyDescription", "")
    return found


def named_by(report: Dataset) -> set[str]:
    return {
        str(item.ReferencedSOPInstanceUID)
        for study in report.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def test_a_lone_baseline_has_its_result_in_its_own_study_and_the_pairs_result_names_it(
    bench: Bench, exams: dict[str, list[Dataset]]
) -> None:
    bench = replace(bench, alone=True)
    bench.receive(*of_day(exams["masks"], "20240102", "primary staging"))
    bench.settle_and_plan()
    worker(bench).work_one()
    assert bench.jobs() == [(1, "DONE")], reason(bench)
    (pair,) = bench.pairs()
    alone = {kind: read(bench, one) for kind, one in made(bench).items()}
    assert [one.Modality for one in alone.values()] == ["SEG", "SR", "OT"]
    assert {one.StudyInstanceUID for one in alone.values()} == {pair[0][0]}
    findings = json.loads(next(bench.store.results.rglob("findings.json")).read_text())
    assert any(
        "scored as the exam before therapy (exam of 2024-01-02: a baseline by its words" in str(one)
        for one in findings["warnings"]
    )
    assert "restage pair" not in json.dumps(findings["warnings"])

    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(state="SENT"))
    bench.receive(*of_day(exams["masks"], "20240402"))
    bench.settle_and_plan()
    worker(bench).work_one()
    assert bench.jobs() == [(1, "DONE"), (2, "DONE")], reason(bench)
    both = {kind: read(bench, one) for kind, one in made(bench, version=2).items()}
    assert alone["report"].SOPInstanceUID in named_by(both["report"])
    assert both["report"].StudyInstanceUID != alone["report"].StudyInstanceUID
    # A series belongs to one study: what moves to the restaging study is in a series of its own.
    series = {(one.SeriesInstanceUID, one.StudyInstanceUID) for one in (*alone.values(), *both.values())}
    assert len({uid for uid, _ in series}) == len(series)


def test_a_lone_baseline_that_is_taken_back_is_withdrawn_in_its_own_study(
    bench: Bench, exams: dict[str, list[Dataset]]
) -> None:
    """Also where its restaging exam arrived, and nothing of the pair was sent before it was taken apart."""
    bench = replace(bench, alone=True)
    bench.receive(*of_day(exams["masks"], "20240102", "primary staging"))
    bench.settle_and_plan()
    worker(bench).work_one()
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(state="SENT"))
    bench.receive(*of_day(exams["masks"], "20240402"))
    bench.settle_and_plan()
    decide.unpair(bench.database, 1)
    bench.settle_and_plan()
    while worker(bench).work_one():
        pass
    assert bench.withdrawals() == [(2, "DONE")], [row.reason for row in bench.rows(job_table)]
    results = {(row.pair_id, row.kind): row for row in bench.rows(result_table)}
    page, taken_back = results[1, "withdrawn"], results[1, "summary"]
    assert (page.study_uid, page.series_uid) == (taken_back.study_uid, taken_back.series_uid)
    assert results[2, "report"].version == 3


@pytest.mark.parametrize("phantom_scores", [True, False])
def test_a_lone_baseline_without_any_number_that_may_leave_is_sent_with_its_refusals(
    bench: Bench, exams: dict[str, list[Dataset]], phantom_scores: bool
) -> None:
    bench = replace(bench, alone=True)
    bench.receive(*of_day(exams["no masks"], "20240102", "primary staging"))
    bench.settle_and_plan()
    worker(bench, models(a_mask), results={"phantom_scores": phantom_scores}).work_one()
    assert bench.jobs() == [(1, "DONE")], reason(bench)
    kinds = [row.kind for row in bench.rows(result_table)]
    assert kinds == (["seg_baseline", "report", "summary"] if phantom_scores else ["report", "summary"])
    assert ("SCORES_WITHHELD" in reason(bench)) is not phantom_scores
