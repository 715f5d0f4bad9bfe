"""The truth as a SEG: read back voxel for voxel, a reader's mask to the pipeline, the same bytes every time."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipelines.contract import MaskOrigin, Role, TimePoint, Volume
from pipelines.exam import exam_files
from pipelines.masks.reader_mask import find_reader_mask
from pipelines.masks.segment_frames import segment_mask
from pipelines.masks.truth_mask import read_truth
from pipelines.phantom.truth import write_truth
from pipelines.volumes.volume import load_volume
from tests.pipelines.phantom.made_exams import patient_of, written


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("truth"), patient_of("B"))


def t2_of(home: Path, time_point: TimePoint) -> Volume:
    return load_volume(exam_files(home / time_point, time_point).chosen[Role.T2_AXIAL])


@pytest.mark.parametrize("time_point", list(TimePoint))
def test_the_tumour_is_read_back_on_the_grid_of_the_axial_t2(home: Path, time_point: TimePoint) -> None:
    exam = patient_of("B").exams[time_point is TimePoint.RESTAGING]
    mask = read_truth(home / "truth" / f"{time_point}.dcm", t2_of(home, time_point))
    assert np.array_equal(mask, exam.mask)
    assert mask.any()


def test_a_copy_in_the_exams_folder_is_a_readers_mask(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "baseline"
    shutil.copytree(home / "baseline", folder)
    shutil.copy(home / "truth" / "baseline.dcm", folder / "seg.dcm")
    files = exam_files(folder, TimePoint.BASELINE)
    mask, statements = find_reader_mask(files, load_volume(files.chosen[Role.T2_AXIAL]))
    assert mask is not None
    assert mask.origin is MaskOrigin.READER
    assert np.array_equal(mask.array, patient_of("B").exams[0].mask)
    assert "synthetic truth" in mask.how
    assert statements == ()


def test_structures_are_further_segments_and_lie_around_the_tumour(home: Path) -> None:
    dataset = pydicom.dcmread(home / "truth" / "baseline.dcm")
    labels = [str(segment.SegmentLabel) for segment in dataset.SegmentSequence]
    assert [label.split(" (")[0] for label in labels] == [
        "Rectal tumour",
        "Rectal wall",
        "Rectal lumen",
        "Mesorectum",
    ]
    exam = patient_of("B").exams[0]
    for number, name in enumerate(("wall", "lumen", "mesorectum"), start=2):
        mask, _ = segment_mask(dataset, number)
        assert mask.sum() == exam.structures[name].sum()
    wall, lumen, fat = (exam.structures[name] for name in ("wall", "lumen", "mesorectum"))
    assert (wall & exam.mask).sum() > 0.9 * exam.mask.sum()
    assert not (wall & lumen).any()
    assert not (wall & fat).any()


def test_it_says_that_nobody_drew_it(home: Path) -> None:
    dataset = pydicom.dcmread(home / "truth" / "restaging.dcm")
    assert "synthetic truth" in str(dataset.ContentDescription).lower()
    assert all("synthetic truth" in str(segment.SegmentLabel) for segment in dataset.SegmentSequence)
    assert str(dataset.Manufacturer) == "Restage phantom"


def test_the_same_exam_gives_the_same_bytes(home: Path, tmp_path: Path) -> None:
    simulated = patient_of("B")
    write_truth(tmp_path, simulated.patient, TimePoint.BASELINE, simulated.exams[0])
    assert (tmp_path / "baseline.dcm").read_bytes() == (home / "truth" / "baseline.dcm").read_bytes()
