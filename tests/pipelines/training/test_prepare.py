from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.contract import TimePoint
from pipelines.phantom.cohort import write_cohort
from pipelines.systems.signature_inputs import CropRule
from pipelines.training import prepare
from pipelines.training.cohort import Cohort, CohortPatient
from pipelines.training.prepare import PrepareSettings, prepare_cohort
from pipelines.training.settings import silent

SETTINGS = PrepareSettings(spacing=3.0, rule=CropRule(60.0, 16), views=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cohort")
    write_cohort(out, 1, 5)
    return out


@pytest.fixture
def cohort(folder: Path) -> Iterator[Cohort]:
    with (folder / "cohort.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    patient = CohortPatient(
        patient_id=row["patient_id"],
        site=row["site"],
        exams={time_point: folder / row[time_point] for time_point in TimePoint},
        truth={time_point: folder / row["patient_id"] / "truth" / f"{time_point}.npz" for time_point in TimePoint},
        good_response=row["good_response"] == "1",
    )
    yield Cohort(folder, (patient,), "digest")


def entries(folder: Path) -> set[Path]:
    return set((folder / ".cache").glob("*.npz"))


def test_dicom_exams_become_inputs_with_the_truth_as_mask(cohort: Cohort, folder: Path) -> None:
    (patient,) = prepare_cohort(cohort, SETTINGS, 1, silent)
    assert patient.refusal == ""
    for time_point in TimePoint:
        exam = patient.exams[time_point]
        with np.load(folder / patient.patient.patient_id / "truth" / f"{time_point}.npz") as truth:
            cm3 = truth["mask"].sum() * abs(np.linalg.det(truth["affine"][:3, :3])) / 1000
        assert np.exp(exam.views[0].features["log_volume"]) == pytest.approx(cm3, rel=1e-4)
        assert exam.channels.shape[1:] == exam.mask.shape
        assert exam.views[1].crops["dwi"].shape == (3, 16, 16)


def test_a_second_reading_comes_from_the_cache(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_cohort(cohort, SETTINGS, 1, silent)
    monkeypatch.setattr(prepare, "load_exam", None)  # would fail if it were called
    second = prepare_cohort(cohort, SETTINGS, 1, silent)
    assert second[0].exams[TimePoint.BASELINE].views[1].features == first[0].exams[TimePoint.BASELINE].views[1].features


def test_another_rule_is_prepared_anew(cohort: Cohort, folder: Path) -> None:
    prepare_cohort(cohort, SETTINGS, 1, silent)
    before = entries(folder)
    (patient,) = prepare_cohort(cohort, PrepareSettings(3.0, CropRule(60.0, 20), views=2), 1, silent)
    assert patient.exams[TimePoint.BASELINE].views[0].crops["t2"].shape == (3, 20, 20)
    assert len(entries(folder) - before) == 2


def test_an_exam_that_cannot_be_used_is_kept_with_its_reason(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").write_text("no images here")
    patient = CohortPatient("P", "A", dict.fromkeys(TimePoint, tmp_path / "empty"), {}, True)
    (prepared,) = prepare_cohort(Cohort(tmp_path, (patient,), "digest"), SETTINGS, 1, silent)
    assert prepared.refusal.startswith("baseline: NOT_AN_IMAGE: ")


def test_an_exam_without_any_mask_is_named(cohort: Cohort) -> None:
    (patient,) = cohort.patients
    bare = CohortPatient(patient.patient_id, "A", patient.exams, {}, True)
    (prepared,) = prepare_cohort(Cohort(cohort.folder, (bare,), "digest"), SETTINGS, 1, silent)
    assert "neither a reader's mask (SEG, RTSTRUCT) nor a truth file" in prepared.refusal
