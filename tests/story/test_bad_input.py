"""Bad input is normal input: it waits, is declined or is quarantined, with a reason, and goes on when it can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, generate_uid

from tests.story.conftest import Story, all_sent, edited, exam_in_state, files, in_state

pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]


def test_a_lone_restaging_exam_waits_and_is_scored_when_its_baseline_arrives(story: Story) -> None:
    patient = story.patient(10)
    story.send(files(patient / "restaging"))
    waiting = story.when(patient.name, in_state("AWAITING_BASELINE"))
    assert waiting["pairs"][0]["jobs"] == []
    assert "baseline" in waiting["pairs"][0]["reason"].lower()

    story.send(files(patient / "baseline"))
    assert story.when(patient.name, all_sent(1))["pairs"][0]["state"] == "READY"


def test_the_same_id_with_another_name_is_quarantined_until_a_person_pairs(story: Story, tmp_path: Path) -> None:
    patient = story.patient(11)
    story.send(files(patient / "baseline"))
    story.when(patient.name, in_state("AWAITING_RESTAGING"))
    renamed = edited(files(patient / "restaging"), tmp_path, _named("Somebody^Else"))
    story.send(renamed)
    held = story.when(patient.name, exam_in_state("QUARANTINED"))
    (exam,) = [one for one in held["exams"] if one["state"] == "QUARANTINED"]
    assert "Somebody^Else" in exam["reason"]
    assert not any(pair["jobs"] for pair in held["pairs"])

    baseline = next(one["study_uid"] for one in held["exams"] if one["state"] != "QUARANTINED")
    assert story.node.restage("pair", baseline, exam["study_uid"]).returncode == 0
    story.when(patient.name, all_sent(1))


def test_an_interval_outside_the_window_is_declined_with_the_days(story: Story, tmp_path: Path) -> None:
    patient = story.patient(12)
    first = dcmread(files(patient / "baseline")[0]).StudyDate
    story.send(files(patient / "baseline"))
    story.send(edited(files(patient / "restaging"), tmp_path, _dated(f"{int(first[:4]) + 1}1231")))
    found = story.when(patient.name, lambda p: len(p["exams"]) == 2 and exam_in_state("DECLINED")(p))
    (exam,) = [one for one in found["exams"] if one["state"] == "DECLINED"]
    assert "400" in exam["reason"]


def test_what_cannot_be_used_is_refused_by_name_and_the_study_goes_on(story: Story, tmp_path: Path) -> None:
    patient = story.patient(13)
    restaging = files(patient / "restaging")
    axial = [path for path in restaging if "t2_tse_tra" in str(dcmread(path).SeriesDescription)]
    oddities = [
        *edited(axial, tmp_path / "ct", _as_new_series("abdomen", _make_ct)),
        *edited([*axial[:4], *axial[5:]], tmp_path / "gap", _as_new_series("t2_tse_tra_gap")),
        *edited(axial, tmp_path / "twice", _as_new_series("t2_tse_tra_twice")),
        *edited(axial[:6], tmp_path / "mixed", _as_new_series("t2_tse_tra_mixed", _alternately_tilted())),
    ]
    twin = edited([axial[3]], tmp_path / "twin", _twin_of(tmp_path / "twice"))
    story.send([*files(patient / "baseline"), *restaging, *oddities, *twin])
    found = story.when(patient.name, all_sent(1))
    (exam,) = [one for one in found["exams"] if "restaging" in one["description"].lower()]
    codes = {one["description"]: one["code"] for one in exam["series"] if one["role"] == "other"}
    assert codes == {
        "abdomen": "NOT_MR",
        "t2_tse_tra_gap": "SLICE_MISSING",
        "t2_tse_tra_twice": "DUPLICATE_POSITIONS",
        "t2_tse_tra_mixed": "MIXED_ORIENTATIONS",
    }
    assert all(one["reason"] for one in exam["series"] if one["role"] == "other")


def test_without_an_axial_t2_nothing_is_invented(story: Story) -> None:
    patient = story.patient(14)
    story.send(files(patient / "baseline"))
    restaging = files(patient / "restaging")
    story.send([path for path in restaging if "t2_tse_tra" not in str(dcmread(path).SeriesDescription)])
    found = story.when(patient.name, exam_in_state("DECLINED"))
    (exam,) = [one for one in found["exams"] if one["state"] == "DECLINED"]
    assert "T2" in exam["reason"]
    assert story.results_of(patient.name) == []


def _named(name: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        dataset.PatientName = name

    return change


def _dated(date: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        dataset.StudyDate = date

    return change


def _as_new_series(description: str, also: Callable[[Dataset], None] = lambda _: None) -> Callable[[Dataset], None]:
    uid = generate_uid()

    def change(dataset: Dataset) -> None:
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = uid, generate_uid()
        dataset.SeriesDescription = description
        also(dataset)

    return change


def _make_ct(dataset: Dataset) -> None:
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage


def _alternately_tilted() -> Callable[[Dataset], None]:
    count = iter(range(1000))

    def change(dataset: Dataset) -> None:
        if next(count) % 2:
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    return change


def _twin_of(folder: Path) -> Callable[[Dataset], None]:
    """Another image at a position that the series in ``folder`` has already."""
    series = dcmread(next(folder.glob("*.dcm"))).SeriesInstanceUID

    def change(dataset: Dataset) -> None:
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = series, generate_uid()
        dataset.SeriesDescription = "t2_tse_tra_twice"

    return change
