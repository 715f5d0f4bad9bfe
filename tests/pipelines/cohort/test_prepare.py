from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.cohort import prepare
from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.load import Seen
from pipelines.cohort.prepare import Preparing
from pipelines.cohort.read import read_cohort
from pipelines.contract import Code, Exam, InputUnfit, TimePoint
from pipelines.inputs import cache
from pipelines.inputs.input_cache import Preparation
from tests.pipelines.cohort.plain_cut import PlainCut
from tests.pipelines.cohort.written import row, written
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

BASELINE, RESTAGING = TimePoint.BASELINE, TimePoint.RESTAGING
Loads = list[tuple[str, TimePoint]]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Which exams were loaded: made-up ones, whatever the files hold."""
    found: Loads = []

    def load(patient: CohortPatient, time_point: TimePoint, _: Preparation) -> Seen:
        found.append((patient.patient_id, time_point))
        exam = dated(made_up_exam(time_point))
        return Seen(replace(exam, inputs=plain_inputs(exam)), mask_of(exam))

    monkeypatch.setattr(prepare, "exam_with_truth", load)
    return found


def dated(exam: Exam, day: date | None = None, patient_id: str = "P") -> Exam:
    """The exam of this day, else of the first of its year or, after therapy, of April."""
    day = day or date(2024, 1 if exam.files.time_point is BASELINE else 4, 1)
    patient = replace(exam.files.patient, patient_id=patient_id)
    return replace(exam, files=replace(exam.files, study_date=day, patient=patient))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, [row("P1"), row("P2", good_response="0")])


def prepared(folder: Path, cut: PlainCut, run: Preparing | None = None) -> tuple[PreparedPatient, ...]:
    cohort = read_cohort(folder)
    return prepare.prepare(cohort, cohort.patients, cut, run or Preparing())


def failing(error: Exception) -> Callable[..., Seen]:
    def load(*_: object) -> Seen:
        raise error

    return load


def test_every_exam_that_the_cut_reads_becomes_an_entry(folder: Path, loads: Loads) -> None:
    one, two = prepared(folder, PlainCut())
    assert [one.patient.patient_id, two.patient.patient_id] == ["P1", "P2"]
    exam = made_up_exam(BASELINE)
    assert np.array_equal(one.exams[BASELINE].arrays["t2"], plain_inputs(exam).t2.array[mask_of(exam)])
    assert loads == [(name, time_point) for name in ("P1", "P2") for time_point in TimePoint]
    assert (one.refusal, one.beds) == ("", frozenset())


def test_only_the_exams_that_the_cut_reads_are_loaded(folder: Path, loads: Loads) -> None:
    patients = prepared(folder, PlainCut(frozenset({BASELINE})))
    assert loads == [("P1", BASELINE), ("P2", BASELINE)]
    assert all(set(patient.exams) == {BASELINE} and not patient.refusal for patient in patients)


def test_a_second_reading_comes_from_the_cache(folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepared(folder, PlainCut())
    cohort = read_cohort(folder)
    monkeypatch.setattr(cache, "file_digest", None)  # would fail: the cohort's digests are used again
    second = prepare.prepare(cohort, cohort.patients, PlainCut(), Preparing())
    assert len(loads) == 4
    for one, other in zip(first, second, strict=True):
        for time_point in TimePoint:
            assert one.exams[time_point].described == other.exams[time_point].described
            assert np.array_equal(one.exams[time_point].arrays["t2"], other.exams[time_point].arrays["t2"])


def test_another_cut_looks_at_the_exams_that_were_loaded_before(folder: Path, loads: Loads) -> None:
    plain = prepared(folder, PlainCut())
    loads.clear()
    other = prepared(folder, PlainCut(least=2))
    assert not loads
    for one, two in zip(plain, other, strict=True):
        assert np.array_equal(one.exams[BASELINE].arrays["t2"], two.exams[BASELINE].arrays["t2"])
    (folder / ".cache").rename(folder / "gone")
    prepared(folder, PlainCut(least=2))
    assert len(loads) == 4


def test_another_file_or_patient_is_another_entry(folder: Path, loads: Loads) -> None:
    prepared(folder, PlainCut())
    loads.clear()
    (folder / "P2" / "baseline" / "1.dcm").write_bytes(b"another pixel")
    prepared(folder, PlainCut())
    assert loads == [("P2", BASELINE), ("P2", RESTAGING)]  # which may be read in the bed of the baseline's tumour


def test_chance_is_the_exams_own_and_the_same_each_time(folder: Path, loads: Loads) -> None:
    patients = (*prepared(folder, PlainCut()), *prepared(folder, PlainCut(least=2)))
    drawn = [entry.described["drawn"] for patient in patients for entry in patient.exams.values()]
    assert drawn[:4] == drawn[4:]
    assert len(set(drawn)) == 4


def test_one_exam_that_cannot_be_used_refuses_its_patient_alone(
    folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly = prepare.exam_with_truth

    def load(patient: CohortPatient, time_point: TimePoint, preparation: Preparation) -> Seen:
        seen = truly(patient, time_point, preparation)
        if (patient.patient_id, time_point) == ("P1", RESTAGING):
            raise InputUnfit(Code.NO_DIFFUSION, "no DWI")
        return seen

    monkeypatch.setattr(prepare, "exam_with_truth", load)
    for _ in range(2):  # the refusal is remembered
        one, two = prepared(folder, PlainCut())
        assert one.refusal == "restaging: NO_DIFFUSION: no DWI"
        assert set(one.exams) == {BASELINE}
        assert two.refusal == ""
    assert len(loads) == 4


def test_exams_that_contradict_their_row_or_each_other_refuse_their_patient(
    tmp_path: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = {"baseline_date": "2024-01-01", "restaging_date": "2024-04-01"}
    rows = [row("P1", **days), row("P2", **days), row("P3"), row("P4"), row("P5", **days | {"restaging_date": ""})]
    truly = prepare.exam_with_truth
    told: dict[tuple[str, TimePoint], dict[str, Any]] = {
        ("P2", RESTAGING): {"day": date(2024, 5, 1)},
        ("P3", RESTAGING): {"day": date(2023, 12, 31)},
        ("P4", RESTAGING): {"patient_id": "another"},
        ("P5", BASELINE): {"patient_id": ""},
    }

    def load(patient: CohortPatient, time_point: TimePoint, preparation: Preparation) -> Seen:
        seen = truly(patient, time_point, preparation)
        return replace(seen, exam=dated(seen.exam, **told.get((patient.patient_id, time_point), {})))

    monkeypatch.setattr(prepare, "exam_with_truth", load)
    for _ in range(2):  # the second time from the cache
        found = prepared(written(tmp_path, rows), PlainCut())
        assert [one.refusal for one in found] == [
            "",
            "restaging: its study date is 2024-05-01, column 'restaging_date' says 2024-04-01",
            "restaging: its study date 2023-12-31 is before that of the baseline, 2024-01-01",
            "PATIENTS_DIFFER: PatientID is 'P' in the baseline and 'another' in the restaging exam",
            "",
        ]
        assert [len(one.exams) for one in found] == [2, 0, 0, 0, 2]
    assert len(loads) == 10
    # Another day in the row is another answer, without an exam being read again.
    (again, *_) = prepared(written(tmp_path, [row("P1", baseline_date="2024-01-02"), *rows[1:]]), PlainCut())
    assert again.refusal == "baseline: its study date is 2024-01-01, column 'baseline_date' says 2024-01-02"
    assert len(loads) == 10


def test_a_tumour_bed_is_for_who_asks_for_it(folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    truly = prepare.exam_with_truth

    def load(patient: CohortPatient, time_point: TimePoint, preparation: Preparation) -> Seen:
        return replace(truly(patient, time_point, preparation), bed=time_point is RESTAGING)

    monkeypatch.setattr(prepare, "exam_with_truth", load)
    for patient in prepared(folder, PlainCut(), Preparing(beds=True)):
        assert (patient.refusal, patient.beds) == ("", frozenset({RESTAGING}))
    for patient in prepared(folder, PlainCut()):
        assert patient.refusal == "restaging: NO_MASK: the reader outlined no tumour"
        assert set(patient.exams) == {BASELINE}
    assert len(loads) == 4


def test_what_the_cut_refuses_is_a_refusal(folder: Path, loads: Loads) -> None:
    (patient, _) = prepared(folder, PlainCut(least=10**6))
    assert patient.refusal.startswith("baseline: INPUTS_MISSING: ")
    assert "; restaging: INPUTS_MISSING: " in patient.refusal
    assert patient.exams == {}


def test_a_patient_without_the_exam_is_refused_and_keeps_the_other(tmp_path: Path, loads: Loads) -> None:
    (patient,) = prepared(written(tmp_path, [row("P1", restaging="")]), PlainCut())
    assert patient.refusal == "restaging: NO_RESTAGING: there is no restaging exam"
    assert set(patient.exams) == {BASELINE}


def test_a_fault_of_the_cut_is_no_refusal(folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainCut, "cut", lambda *_: {}["a fault"])
    with pytest.raises(KeyError):
        prepared(folder, PlainCut())


def test_a_disk_that_fails_today_is_tried_again(folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as today:
        today.setattr(prepare, "exam_with_truth", failing(OSError("the disk is away")))
        (patient, _) = prepared(folder, PlainCut())
        assert "baseline: PIXELS_UNREADABLE: the exam cannot be read (the disk is away)" in patient.refusal
    assert all(not patient.refusal for patient in prepared(folder, PlainCut()))


def test_where_nothing_can_be_kept_only_time_is_lost(
    folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(cache.Cache, "_write", full)
    assert all(not patient.refusal for patient in (*prepared(folder, PlainCut()), *prepared(folder, PlainCut())))
    assert len(loads) == 8


def test_progress_counts_the_exams_that_are_made(folder: Path, loads: Loads) -> None:
    told: list[tuple[str, int, int]] = []
    run = Preparing(progress=lambda *said: told.append(said))
    prepared(folder, PlainCut(), run)
    prepared(folder, PlainCut(), run)
    assert told == [("preparing exams", done, 4) for done in (1, 2, 3, 4)]


def test_work_and_its_result_travel_to_other_processes(
    folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pool:
        """As a pool of spawned processes: everything goes there and back as bytes."""

        def __init__(self, workers: int, **_: object) -> None:
            assert workers == 3

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, function: Callable[[object], object], tasks: list[object], chunksize: int) -> object:
            return (travelled(function)(travelled(task)) for task in tasks)

    def travelled(thing):  # type: ignore[no-untyped-def]  # whatever it is
        return ForkingPickler.loads(ForkingPickler.dumps(thing))

    alone = prepared(folder, PlainCut())
    monkeypatch.setattr(prepare, "ProcessPoolExecutor", Pool)
    (folder / ".cache").rename(folder / "kept")
    together = prepared(folder, PlainCut(), Preparing(workers=3))
    for one, other in zip(alone, together, strict=True):
        assert one.exams[RESTAGING].described == other.exams[RESTAGING].described


def test_a_segmenters_masks_have_keys_of_their_own_and_know_the_baseline(
    folder: Path, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(patient: CohortPatient, time_point: TimePoint, _: Preparation, drawing: object) -> Seen:
        asked.append((patient.patient_id, time_point, drawing))
        exam = dated(made_up_exam(time_point))
        return Seen(replace(exam, inputs=plain_inputs(exam)), mask_of(exam), bed=time_point is RESTAGING)

    monkeypatch.setattr(prepare, "exam_with_outline", load)
    bundle = type("Standin", (), {"folder": Path("nowhere"), "weights_digest": "digest"})()
    prepared(folder, PlainCut())
    for _ in range(2):  # the second time from the cache
        patients = prepared(folder, PlainCut(), Preparing(masks=bundle))
        assert [patient.beds for patient in patients] == [frozenset({RESTAGING})] * 2
        assert len(asked) == 4
    (folder / "P1" / "baseline" / "1.dcm").write_bytes(b"another pixel")
    prepared(folder, PlainCut(), Preparing(masks=bundle))
    assert [asked[4][:2], asked[5][:2]] == [("P1", BASELINE), ("P1", RESTAGING)]
    assert len(asked) == 6
    assert all(not patient.beds for patient in prepared(folder, PlainCut()))


def test_a_cohort_read_without_digests_is_prepared_as_well(folder: Path, loads: Loads) -> None:
    read = read_cohort(folder)
    bare = Cohort(folder, tuple(replace(patient, sources={}) for patient in read.patients), read.digest)
    prepared(folder, PlainCut())
    prepare.prepare(bare, bare.patients, PlainCut(), Preparing())
    assert len(loads) == 4
