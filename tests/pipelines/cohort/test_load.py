from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.bundle import BundleError
from pipelines.cohort import load, prepare
from pipelines.cohort.cohort import CohortPatient
from pipelines.cohort.load import Drawing, exam_with_outline, exam_with_truth
from pipelines.cohort.prepare import Preparing
from pipelines.cohort.read import read_cohort
from pipelines.contract import Code, Exam, InputUnfit, Mask, MaskOrigin, Statement, TimePoint
from pipelines.inputs.cache import Cache
from pipelines.inputs.input_cache import Preparation
from pipelines.masks.truth_mask import read_truth
from pipelines.models import PACKAGED
from pipelines.phantom.cohort import write_cohort
from tests.pipelines.cohort.plain_cut import PlainCut
from tests.pipelines.made_up_exam import made_up_exam

DRAWING = Drawing(Path("nowhere"), "digest")
Draw = Callable[[Exam], Mask]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cohort")
    write_cohort(out, 1, 5)
    return out


@pytest.fixture
def patient(folder: Path) -> CohortPatient:
    return read_cohort(folder).patients[0]


@pytest.fixture
def preparation(folder: Path) -> Preparation:
    return Preparation(Cache(folder / ".cache"))


class Standin:
    """A segmenter that draws as it is told."""

    def __init__(self, draw: Draw) -> None:
        self.segment = draw
        self.model = SimpleNamespace(name="stand-in")


def square(exam: Exam) -> Mask:
    array = np.zeros(exam.t2.array.shape, bool)
    array[4:9, 10:40, 10:40] = True
    return Mask(array, MaskOrigin.MODEL, "a square")


def nothing_after_therapy(patient: CohortPatient) -> Draw:
    def draw(exam: Exam) -> Mask:
        if exam.files.time_point is TimePoint.RESTAGING:
            raise InputUnfit(Code.NO_TUMOUR_FOUND, "largest region 0.01 cm³")
        return Mask(read_truth(patient.truth[TimePoint.BASELINE], exam.t2), MaskOrigin.MODEL, "as planted")

    return draw


@pytest.fixture
def unread(patient: CohortPatient, monkeypatch: pytest.MonkeyPatch) -> CohortPatient:
    """A patient whose exams come from nowhere, and hold no mask."""
    monkeypatch.setattr(load, "exam_files", lambda path, time_point: None)
    monkeypatch.setattr(load, "load_exam", lambda *_, **__: (replace(made_up_exam(), mask=None), ()))
    return patient


def test_a_reader_comes_before_the_truth(
    unread: CohortPatient, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = replace(made_up_exam(), mask=square(made_up_exam()))
    monkeypatch.setattr(load, "load_exam", lambda *_, **__: (drawn, ()))
    assert drawn.mask is not None
    assert exam_with_truth(unread, TimePoint.BASELINE, preparation).mask is drawn.mask.array


def test_an_exam_without_any_mask_is_named(unread: CohortPatient, preparation: Preparation) -> None:
    with pytest.raises(InputUnfit, match=r"neither a reader's mask \(SEG, RTSTRUCT\) nor a truth file"):
        exam_with_truth(replace(unread, truth={}), TimePoint.BASELINE, preparation)


def read_by(
    patient: CohortPatient, monkeypatch: pytest.MonkeyPatch, exam_of: Callable[[TimePoint], Exam]
) -> CohortPatient:
    """The patient without truth, whose exams are these."""
    monkeypatch.setattr(load, "exam_files", lambda path, time_point: time_point)
    monkeypatch.setattr(load, "load_exam", lambda when, **_: (exam_of(when), ()))
    return replace(patient, truth={})


def undrawn_after_therapy(time_point: TimePoint) -> Exam:
    exam = made_up_exam(time_point)
    return exam if time_point is TimePoint.BASELINE else replace(exam, mask=None)


def test_where_the_reader_drew_nothing_after_therapy_the_bed_of_the_baselines_tumour_is_looked_at(
    patient: CohortPatient, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    undrawn = read_by(patient, monkeypatch, undrawn_after_therapy)
    seen = exam_with_truth(undrawn, TimePoint.RESTAGING, preparation)
    drawn = made_up_exam().mask
    assert seen.bed and seen.exam.mask is None and drawn is not None
    assert (seen.mask & drawn.array).sum() > 0.9 * drawn.array.sum()
    assert not exam_with_truth(undrawn, TimePoint.BASELINE, preparation).bed
    alone = replace(undrawn, exams={TimePoint.RESTAGING: Path("nowhere")})
    simulated = replace(undrawn, truth={TimePoint.BASELINE: Path("nowhere")})
    for other in (alone, simulated):
        with pytest.raises(InputUnfit, match="NO_MASK: there is neither"):
            exam_with_truth(other, TimePoint.RESTAGING, preparation)


def test_a_readers_mask_that_cannot_be_used_is_none_the_less_no_sign_of_a_complete_response(
    patient: CohortPatient, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(time_point: TimePoint) -> Exam:
        exam = undrawn_after_therapy(time_point)
        return replace(exam, files=replace(exam.files, annotations=(Path("unfit.dcm"),)))

    monkeypatch.setattr(load, "is_meant", lambda path, *_: path.name == "unfit.dcm")
    with pytest.raises(InputUnfit, match="NO_MASK: there is neither"):
        exam_with_truth(read_by(patient, monkeypatch, unfit), TimePoint.RESTAGING, preparation)


def test_a_truth_file_that_is_none_is_named(unread: CohortPatient, preparation: Preparation, tmp_path: Path) -> None:
    (tmp_path / "baseline.dcm").write_text("no DICOM")
    wrong = replace(unread, truth={TimePoint.BASELINE: tmp_path / "baseline.dcm"})
    with pytest.raises(InputUnfit, match="READER_MASK_UNFIT: the truth file cannot be read"):
        exam_with_truth(wrong, TimePoint.BASELINE, preparation)


def test_without_a_tumour_in_either_exam_the_reason_is_told(
    unread: CohortPatient, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Statement(Code.NO_TUMOUR_FOUND, "baseline mask", "largest region 0.01 cm³")
    other = Statement(Code.GAS_SUSPECTED, "baseline DWI", "gas")
    bare = replace(made_up_exam(), mask=None)
    monkeypatch.setattr(load, "load_exam", lambda *_, **__: (bare, (said, other)))
    monkeypatch.setattr(load, "_segmenter", lambda _: Standin(square))
    for time_point in TimePoint:
        with pytest.raises(InputUnfit, match="NO_TUMOUR_FOUND"):
            exam_with_outline(unread, time_point, preparation, DRAWING)


def test_after_therapy_the_tumour_bed_is_looked_at_where_nothing_is_found(
    patient: CohortPatient, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_segmenter", lambda _: Standin(nothing_after_therapy(patient)))
    seen = exam_with_outline(patient, TimePoint.RESTAGING, preparation, DRAWING)
    assert seen.exam.mask is None or not seen.exam.mask.array.any()
    planted = read_truth(patient.truth[TimePoint.RESTAGING], seen.exam.t2)
    assert seen.bed
    assert (seen.mask & planted).sum() > 0.5 * planted.sum()


def test_a_simulated_cohort_is_prepared_from_its_dicom(folder: Path) -> None:
    cohort = read_cohort(folder)
    (found,) = prepare.prepare(cohort, cohort.patients, PlainCut(), Preparing())
    with (folder / "cohort.csv").open(encoding="utf-8") as file:
        (planted,) = csv.DictReader(file)
    assert found.refusal == ""
    for time_point in TimePoint:
        cm3 = float(planted[f"mask_volume_{time_point}_cm3"])
        assert found.exams[time_point].described["cm3"] == pytest.approx(cm3, rel=1e-4)


def test_a_segmenter_that_was_changed_meanwhile_is_not_used(patient: CohortPatient, preparation: Preparation) -> None:
    with pytest.raises(BundleError, match="was changed while the cohort was prepared"):
        exam_with_outline(patient, TimePoint.BASELINE, preparation, Drawing(PACKAGED / "segmenter", "another"))
