"""A baseline has its prognosis before anybody knows the response; the pair's result follows it, and names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from dicom_templates.text import report_text
from node.alone import LATER
from pipelines.contract import TimePoint
from tests.story.conftest import Story, all_sent, files, told

pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with told(tmp_path, "[scoring]\nbaseline_alone = true") as one:
        yield one


def test_a_lone_baseline_has_its_prognosis_and_the_restaging_exam_makes_the_next_version(story: Story) -> None:
    patient = story.patient(50)
    story.send(files(patient / TimePoint.BASELINE))
    first = story.when(patient.name, all_sent(1))
    (alone,), (exam,) = first["pairs"], first["exams"]
    assert (alone["state"], alone["version"]) == ("AWAITING_RESTAGING", 1)
    assert "Awaits an exam 21 to 400 days later" in alone["reason"]
    assert LATER in alone["jobs"][0]["reason"]
    early = story.results_of(patient.name)
    assert sorted(one.Modality for one in early) == ["OT", "SEG", "SR"]
    assert {one.StudyInstanceUID for one in early} == {exam["study_uid"]}
    assert scored(story, alone["id"], 1) == {"multi_rec_net": ["baseline"], "dlrs_nomogram": ["baseline"]}
    assert LATER in " ".join(report_text(report(early)).split())

    story.send(files(patient / TimePoint.RESTAGING))
    (both,) = story.when(patient.name, all_sent(2))["pairs"]
    assert (both["id"], both["state"], both["version"]) == (alone["id"], "READY", 2)
    assert [(job["task"], job["version"], job["state"]) for job in both["jobs"]] == [
        ("score", 1, "DONE"),
        ("score", 2, "DONE"),
    ]
    assert scored(story, both["id"], 2) == {
        "signature_svm": ["baseline", "restaging"],
        "rp_net": ["baseline", "restaging"],
        "multi_rec_net": ["baseline"],
        "dlrs_nomogram": ["baseline"],
    }
    known = {one.SOPInstanceUID for one in early}
    later = report([one for one in story.results_of(patient.name) if one.SOPInstanceUID not in known])
    (study,) = later.PredecessorDocumentsSequence
    named = {
        item.ReferencedSOPInstanceUID for one in study.ReferencedSeriesSequence for item in one.ReferencedSOPSequence
    }
    assert study.StudyInstanceUID == exam["study_uid"] and report(early).SOPInstanceUID in named


def report(results: list[Dataset]) -> Dataset:
    return next(one for one in results if one.Modality == "SR")


def scored(story: Story, pair: int, version: int) -> dict[str, list[Any]]:
    """The exams that each system has read for this version."""
    (path,) = (story.node.folder / "data" / "results").glob(f"pair{pair:06d}-v{version:03d}-*/findings.json")
    return {one["model"]["system"]: one["time_points"] for one in json.loads(path.read_text())["scores"]}
