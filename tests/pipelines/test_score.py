"""Loading and scoring a case: pipelines.case, pipelines.score, pipelines.findings_json."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from pipelines.case import load_case, load_exam
from pipelines.contract import (
    Case,
    CaseFiles,
    Code,
    Envelope,
    Exam,
    InputUnfit,
    Likelihood,
    Mask,
    MaskOrigin,
    ModelIdentity,
    Models,
    Quantity,
    Role,
    Score,
    TimePoint,
    Variable,
)
from pipelines.exam import exam_files
from pipelines.findings_json import findings_json
from pipelines.score import score_case
from tests.pipelines.made_exam import ADC, T2_GRID, made_exam, tumour
from tests.pipelines.made_reports import (
    CM,
    CRM_DISTANCE,
    CT_CATEGORY,
    EMVI,
    PRESENT,
    answer,
    group,
    number,
    report,
    saved,
)

MODEL = ModelIdentity("test", "net", "1.0", "abc", "phantom", "def", True, "tests", "none")


@dataclass(frozen=True)
class FixedSegmenter:
    """Marks the same voxels in every exam, or raises."""

    marked: bool = True
    model: ModelIdentity = MODEL

    def segment(self, exam: Exam) -> Mask:
        if not self.marked:
            raise InputUnfit(Code.NO_TUMOUR_FOUND, "nothing looks like a tumour")
        return Mask(tumour(), MaskOrigin.MODEL, "marked", algorithm="net", version="1.0")


@dataclass(frozen=True)
class VolumeSystem:
    """Scores the pair, by the share of voxels that are left; needs both exams."""

    model: ModelIdentity = MODEL

    def score(self, case: Case) -> Score:
        if case.baseline is None or case.restaging is None:
            raise InputUnfit(Code.INPUTS_MISSING, "needs both exams")
        assert case.baseline.mask is not None
        p = float(case.baseline.mask.array.mean())
        outside = Envelope(False, ("a prostate",))
        return Score(self.model, "good_response", p, p, p, "none", Likelihood.LOW, outside)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("case")
    return made_exam(folder / "baseline"), made_exam(folder / "restaging", day="20240401", adc=1.6)


@pytest.fixture
def files(folders: tuple[Path, Path]) -> CaseFiles:
    return CaseFiles(exam_files(folders[0], TimePoint.BASELINE), exam_files(folders[1], TimePoint.RESTAGING))


def test_an_exam_is_loaded_with_everything_on_its_own_grid(files: CaseFiles) -> None:
    assert files.baseline is not None
    exam, statements = load_exam(files.baseline, None)
    assert statements == ()
    assert exam.t2.array.shape == (8, 30, 40)
    assert len(exam.t2_paths) == 8
    assert list(exam.dwi) == [0, 600, 1200]
    assert exam.adc is not None
    assert exam.adc.volume.array.shape == (7, 16, 20)
    assert exam.ce_t1 is not None
    assert exam.mask is not None
    np.testing.assert_array_equal(exam.mask.array, tumour())
    assert dict(exam.parameters)["ADC"] == exam.adc.fit


def test_measurements_agree_with_what_was_drawn(files: CaseFiles) -> None:
    findings = score_case(files, Models())
    assert findings.refusals == findings.warnings == ()
    values = {(one.time_point, one.quantity): one.value for one in findings.measurements}
    voxel = float(np.prod(T2_GRID.spacing))
    assert values[TimePoint.BASELINE, Quantity.VOLUME] == pytest.approx(tumour().sum() * voxel / 1000)
    assert values[TimePoint.BASELINE, Quantity.ADC_MEAN] == pytest.approx(ADC * 1000, rel=1e-3)
    assert values[TimePoint.RESTAGING, Quantity.ADC_MEAN] == pytest.approx(1600, rel=1e-3)
    assert {one.origin for one in findings.measurements} == {MaskOrigin.READER}


def test_a_system_scores_the_pair_and_its_departures_are_warned_of(files: CaseFiles) -> None:
    findings = score_case(files, Models(systems=(VolumeSystem(),)))
    assert [score.probability for score in findings.scores] == [tumour().mean()]
    assert [(one.code, one.reason) for one in findings.warnings] == [(Code.OUT_OF_ENVELOPE, "a prostate")]


def test_what_a_system_lacks_is_a_refusal_that_names_it(files: CaseFiles) -> None:
    findings = score_case(replace(files, restaging=None), Models(systems=(VolumeSystem(),)))
    assert findings.scores == ()
    assert [(one.code, one.reason) for one in findings.refusals] == [(Code.INPUTS_MISSING, "needs both exams")]


def test_the_readers_mask_comes_before_the_segmenter(files: CaseFiles) -> None:
    assert files.baseline is not None
    exam, (used,) = load_exam(files.baseline, FixedSegmenter())
    assert exam.mask is not None
    assert exam.mask.origin is MaskOrigin.READER
    assert (used.code, used.subject) == (Code.READER_MASK_USED, "baseline tumour mask")
    assert "by Reader^Anna" in used.reason
    assert "net drew none in this exam" in used.reason
    assert used in score_case(files, Models(segmenter=FixedSegmenter())).warnings
    exam, statements = load_exam(replace(files.baseline, annotations=()), FixedSegmenter())
    assert exam.mask is not None
    assert exam.mask.origin is MaskOrigin.MODEL
    assert statements == ()


def test_what_readers_reported_is_in_the_exam_and_in_the_findings(files: CaseFiles, tmp_path: Path) -> None:
    assert files.restaging is not None
    sources = [dcmread(path) for path in files.restaging.chosen[Role.T2_AXIAL].paths]
    said = group(number(CRM_DISTANCE, 0.2, CM), answer(EMVI, PRESENT), answer(CT_CATEGORY, "T9"))
    reported = replace(files.restaging, reports=(saved(report(sources, said), tmp_path),))
    findings = score_case(replace(files, restaging=reported), Models())
    assert findings.case.restaging is not None
    assert [(one.variable, one.millimetres, one.category) for one in findings.case.restaging.clinical] == [
        (Variable.CRM_DISTANCE, 2.0, ""),
        (Variable.EMVI, None, "positive"),
    ]
    assert [one.code for one in findings.warnings] == [Code.READER_REPORT_UNFIT]
    baseline, restaging = findings_json(findings)["exams"]
    assert baseline["clinical"] == []
    assert restaging["clinical"][1]["origin"].startswith("Reader^Anna in 'Rectal MRI' of 2024-04-12")


@pytest.mark.parametrize(
    ("segmenter", "code"), [(None, Code.NO_MASK), (FixedSegmenter(marked=False), Code.NO_TUMOUR_FOUND)]
)
def test_without_any_mask_nothing_is_measured_and_it_is_said(
    files: CaseFiles, segmenter: FixedSegmenter | None, code: Code
) -> None:
    assert files.baseline is not None
    bare = CaseFiles(replace(files.baseline, annotations=()), None)
    findings = score_case(bare, Models(segmenter=segmenter))
    assert findings.measurements == ()
    assert [one.code for one in findings.refusals] == [code]


def test_a_missing_axial_t2_leaves_the_other_exam_and_names_what_was_refused(
    files: CaseFiles, tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    shutil.copytree(folders[0], tmp_path / "broken")
    series = exam_files(tmp_path / "broken", TimePoint.BASELINE).chosen[Role.T2_AXIAL].paths
    series[3].unlink()
    broken = exam_files(tmp_path / "broken", TimePoint.BASELINE)
    findings = score_case(replace(files, baseline=broken), Models())
    assert findings.case.baseline is None
    (refusal,) = findings.refusals
    assert refusal.code is Code.NO_T2_AXIAL
    assert "1 slice(s) missing" in refusal.reason
    with pytest.raises(InputUnfit) as refused:
        score_case(CaseFiles(broken, None), Models())
    assert refused.value.code is Code.NO_T2_AXIAL


def test_adc_maps_of_different_b_values_are_warned_of(files: CaseFiles, tmp_path: Path) -> None:
    made_exam(tmp_path, b_values=(50.0, 800.0), day="20240401")
    other = exam_files(tmp_path, TimePoint.RESTAGING)
    _, statements = load_case(replace(files, restaging=other), None)
    assert [one.code for one in statements] == [Code.B_VALUES_DIFFER]
    assert "b 50/800" in statements[0].reason


def test_diffusion_in_another_frame_of_reference_is_not_used(files: CaseFiles, tmp_path: Path) -> None:
    assert files.baseline is not None
    elsewhere = exam_files(made_exam(tmp_path), TimePoint.BASELINE).chosen[Role.DWI]
    moved = replace(files.baseline, chosen={**files.baseline.chosen, Role.DWI: elsewhere})
    exam, statements = load_exam(moved, None)
    assert exam.dwi == {}
    assert exam.adc is None
    assert [one.code for one in statements] == [Code.NO_FRAME_OF_REFERENCE, Code.NO_DIFFUSION]


def test_the_same_objects_in_other_files_give_the_same_findings(
    files: CaseFiles, tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    for index, path in enumerate(sorted(folders[0].rglob("*.dcm"), key=lambda path: path.stem[::-1])):
        shutil.copy(path, tmp_path / f"{index:04d}")
    shuffled = replace(files, baseline=exam_files(tmp_path, TimePoint.BASELINE))
    models = Models(FixedSegmenter(), (VolumeSystem(),))
    one, other = (findings_json(score_case(case, models)) for case in (files, shuffled))
    assert json.dumps(one) == json.dumps(other)
    assert one["exams"][0]["mask"]["voxels"] == tumour().sum()
    assert one["scores"][0]["probability"] == pytest.approx(tumour().mean())


def test_a_real_study_is_loaded_whole(shared_data: Path) -> None:
    (folder,) = (p for p in (shared_data / "prostatex_0000_0001").rglob("ProstateX-0001") if p.is_dir())
    exam, statements = load_exam(exam_files(folder, TimePoint.BASELINE), None)
    assert exam.t2.array.shape == (19, 384, 384)
    assert list(exam.dwi) == [50, 400, 800]
    assert exam.adc is not None
    assert [one.code for one in statements] == [Code.SEVERAL_CANDIDATES, Code.NO_MASK]
