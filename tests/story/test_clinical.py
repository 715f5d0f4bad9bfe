"""What the laboratory says weeks after the images were scored: the next version has it, and names the one before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from tests.story.conftest import Story, all_sent, files

pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

PLANNED_WITHIN_SECONDS = 20.0


def test_a_marker_that_arrives_later_makes_a_version_that_names_the_old_one(story: Story, tmp_path: Path) -> None:
    patient = story.patient(40)
    for exam in ("baseline", "restaging"):
        story.send(files(patient / exam))
    first = story.when(patient.name, all_sent(1))
    assert first["clinical"] == []
    drawn = baseline_day(patient) - timedelta(days=2)

    imported = time.monotonic()
    take_over(story, tmp_path / "labs.csv", f"patient_id,date,cea_ng_ml\n{patient.name},{drawn:%Y-%m-%d},7.2\n")
    story.when(patient.name, has_job(2))
    assert time.monotonic() - imported < PLANNED_WITHIN_SECONDS
    second = story.when(patient.name, all_sent(2))

    assert second["clinical"] == [
        {"item": "cea_ng_ml", "value": "7.2", "date": f"{drawn:%Y-%m-%d}", "source": "labs.csv"}
    ]
    said = f"CEA 7.2 ng/mL of {drawn:%Y-%m-%d}, imported from labs.csv"
    assert ("cea_ng_ml", 7.2, said) in record(story, second, 2)
    assert "cea_ng_ml" not in {item for item, _, _ in record(story, second, 1)}
    old, new = (report(story, second, version) for version in (1, 2))
    named = new.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert old.SOPInstanceUID in [item.ReferencedSOPInstanceUID for item in named]

    # The same again, and a marker of another time: planned, and nothing follows.
    rows = f"{patient.name},{drawn:%Y-%m-%d},7.2\n{patient.name},{drawn + timedelta(days=200):%Y-%m-%d},1.1\n"
    before = plans(story)
    take_over(story, tmp_path / "more.csv", f"patient_id,date,cea_ng_ml\n{rows}")
    third = story.when(patient.name, lambda found: len(found["clinical"]) == 2 and plans(story) > before)
    assert third["pairs"][0]["version"] == 2


def take_over(story: Story, path: Path, text: str) -> None:
    path.write_text(text)
    done = story.node.restage("clinical", "import", str(path))
    assert done.returncode == 0, done.stderr


def baseline_day(patient: Path) -> datetime:
    header = dcmread(files(patient / "baseline")[0], stop_before_pixels=True)
    return datetime.strptime(header.StudyDate, "%Y%m%d")


def has_job(version: int) -> Callable[[dict[str, Any]], bool]:
    return lambda patient: any(job["version"] == version for pair in patient["pairs"] for job in pair["jobs"])


def plans(story: Story) -> int:
    return story.node.log.count("pair.planned")


def record(story: Story, patient: dict[str, Any], version: int) -> list[tuple[str, object, str]]:
    pair = patient["pairs"][0]["id"]
    (path,) = (story.node.folder / "data" / "results").glob(f"pair{pair:06d}-v{version:03d}-*/findings.json")
    return [(one["item"], one["value"], one["origin"]) for one in json.loads(path.read_text())["record"]]


def report(story: Story, patient: dict[str, Any], version: int) -> Dataset:
    sent = patient["pairs"][0]["deliveries"]
    uid = next(one["sop_uid"] for one in sent if one["version"] == version and one["kind"] == "report")
    return next(result for result in story.results_of(patient["patient_id"]) if result.SOPInstanceUID == uid)
