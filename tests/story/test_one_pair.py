"""The story that everything is for: two exams in, four objects out; once, in whatever way they come."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage, SegmentationStorage, generate_uid

from tests.story.conftest import Story, all_sent, edited, files, in_state, told

pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

EVERY_KIND = sorted(
    [SegmentationStorage, SegmentationStorage, Comprehensive3DSRStorage, SecondaryCaptureImageStorage], key=str
)


def kinds(results: list[Dataset]) -> list[str]:
    return sorted((dataset.SOPClassUID for dataset in results), key=str)


@pytest.fixture
def as_shipped(tmp_path: Path) -> Iterator[Story]:
    """A node with every system that scores by default."""
    with told(tmp_path / "as_shipped", "[scoring]\nbaseline_alone = false") as one:
        yield one


def test_a_pair_gets_two_segs_a_report_and_a_page_and_the_command_line_finds_the_same(
    as_shipped: Story, tmp_path: Path
) -> None:
    story, out = as_shipped, tmp_path / "out"
    patient = story.patient(0)
    for exam in ("baseline", "restaging"):
        story.send(files(patient / exam))
    found = story.when(patient.name, all_sent(1))
    assert kinds(story.results_of(patient.name)) == EVERY_KIND

    command = [sys.executable, "-m", "node", "score", "--out", str(out), "--config", str(story.node.config)]
    folders = ["--baseline", str(patient / "baseline"), "--restaging", str(patient / "restaging")]
    done = subprocess.run([*command, *folders], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    results = story.node.folder / "data" / "results"
    (by_node,) = results.glob(f"pair{found['pairs'][0]['id']:06d}-v001-*/findings.json")
    assert json.loads((out / "findings.json").read_text()) == json.loads(by_node.read_text())


def test_twice_and_shuffled_and_by_two_associations_at_once_is_still_one_result(story: Story) -> None:
    patient = story.patient(1)
    shuffled = [*files(patient / "baseline"), *files(patient / "restaging")]
    random.Random(7).shuffle(shuffled)
    senders = [threading.Thread(target=story.send, args=(paths,)) for paths in (shuffled, shuffled[::-1])]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    found = story.when(patient.name, all_sent(1))
    assert [len(pair["jobs"]) for pair in found["pairs"]] == [1]
    assert kinds(story.results_of(patient.name)) == EVERY_KIND


def test_a_late_slice_makes_a_version_that_names_the_old_one_and_a_late_localizer_makes_none(
    story: Story, tmp_path: Path
) -> None:
    patient = story.patient(2)
    story.send(files(patient / "baseline"))
    axial = sorted(_t2_axial(patient / "restaging"), key=_height)
    late = axial[-1]
    story.send([path for path in files(patient / "restaging") if path != late])
    story.when(patient.name, all_sent(1))

    story.send([late])
    found = story.when(patient.name, all_sent(2))
    (pair,) = found["pairs"]
    assert pair["version"] == 2
    first, second = _report(story, patient.name, 1, pair), _report(story, patient.name, 2, pair)
    named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert first.SOPInstanceUID in [item.ReferencedSOPInstanceUID for item in named]
    assert first.SeriesInstanceUID == second.SeriesInstanceUID

    story.send(edited(axial[:3], tmp_path / "localizer", _as_localizer()))
    story.when(
        patient.name, lambda p: any(exam["generation"] == 3 and exam["state"] == "PLANNED" for exam in p["exams"])
    )
    found = story.when(patient.name, in_state("READY"))
    assert found["pairs"][0]["version"] == 2


def _report(story: Story, patient_id: str, version: int, pair: dict) -> Dataset:
    uid = next(d["sop_uid"] for d in pair["deliveries"] if d["version"] == version and d["kind"] == "report")
    return next(dataset for dataset in story.results_of(patient_id) if dataset.SOPInstanceUID == uid)


def _t2_axial(folder: Path) -> list[Path]:
    return [
        path for path in files(folder) if "t2_tse_tra" in str(dcmread(path, stop_before_pixels=True).SeriesDescription)
    ]


def _height(path: Path) -> float:
    return float(dcmread(path, stop_before_pixels=True).ImagePositionPatient[2])


def _as_localizer() -> Callable[[Dataset], None]:
    series = generate_uid()

    def change(dataset: Dataset) -> None:
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = series, generate_uid()
        dataset.SeriesDescription, dataset.ImageType = "localizer", ["ORIGINAL", "PRIMARY", "M", "LOCALIZER"]

    return change
