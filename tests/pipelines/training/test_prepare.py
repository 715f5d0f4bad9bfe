from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.contract import TimePoint
from pipelines.inputs import input_cache
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


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "cohort.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def cohort(folder: Path) -> Iterator[Cohort]:
    (row,) = rows(folder)
    patient = CohortPatient(
        patient_id=row["patient_id"],
        site=row["site"],
        exams={time_point: folder / row[time_point] for time_point in TimePoint},
        truth={time_point: folder / row["patient_id"] / "truth" / f"{time_point}.dcm" for time_point in TimePoint},
        good_response=row["good_response"] == "1",
    )
    yield Cohort(folder, (patient,), "digest")


def entries(folder: Path) -> set[Path]:
    return set((folder / ".cache").glob("*.npz"))


def test_dicom_exams_become_inputs_with_the_truth_as_mask(cohort: Cohort, folder: Path) -> None:
    (patient,) = prepare_cohort(cohort, SETTINGS, 1, silent)
    (planted,) = rows(folder)
    assert patient.refusal == ""
    for time_point in TimePoint:
        exam = patient.exams[time_point]
        cm3 = planted[f"mask_volume_{time_point}_cm3"]
        assert np.exp(exam.views[0].features["log_volume"]) == pytest.approx(float(cm3), rel=1e-4)
        assert exam.channels.shape[1:] == exam.mask.shape
        assert exam.views[1].crops["dwi"].shape == (3, 16, 16)


def test_a_second_reading_comes_from_the_cache(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_cohort(cohort, SETTINGS, 1, silent)
    monkeypatch.setattr(prepare, "load_exam", None)  # would fail if it were called
    second = prepare_cohort(cohort, SETTINGS, 1, silent)
    assert second[0].exams[TimePoint.BASELINE].views[1].features == first[0].exams[TimePoint.BASELINE].views[1].features


def test_another_rule_is_prepared_anew_from_the_shared_inputs(
    cohort: Cohort, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_cohort(cohort, SETTINGS, 1, silent)
    before = entries(folder)
    monkeypatch.setattr(input_cache, "model_inputs", None)  # would fail if they were made again
    (patient,) = prepare_cohort(cohort, PrepareSettings(3.0, CropRule(60.0, 20), views=2), 1, silent)
    assert patient.exams[TimePoint.BASELINE].views[0].crops["t2"].shape == (3, 20, 20)
    assert len(entries(folder) - before) == 2


def test_another_pixel_is_another_exam(cohort: Cohort, folder: Path) -> None:
    prepare_cohort(cohort, SETTINGS, 1, silent)
    before = entries(folder)
    file = sorted((folder / rows(folder)[0]["baseline"]).glob("*.dcm"))[0]
    kept = file.read_bytes()
    try:
        file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        prepare_cohort(cohort, SETTINGS, 1, silent)
    finally:
        file.write_bytes(kept)
    assert entries(folder) - before


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
