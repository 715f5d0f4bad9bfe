"""The gate as a whole, and what scoring makes of it: pipelines.quality.assess, pipelines.case, pipelines.score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.case import load_case
from pipelines.contract import (
    AdcMap,
    Alignment,
    Case,
    CaseFiles,
    Code,
    Envelope,
    Exam,
    InputUnfit,
    Likelihood,
    MaskOrigin,
    ModelIdentity,
    ModelInputs,
    Models,
    Role,
    Score,
    Statement,
    TimePoint,
)
from pipelines.exam import exam_files
from pipelines.inputs.model_inputs import OF_DIFFUSION, inputs_of
from pipelines.quality import QualityReport, Severity, admitted, assess_exam, assess_images, assess_target
from pipelines.score import score_case
from tests.pipelines.made_exam import made_exam
from tests.pipelines.quality.planted import displaced, resized, with_dwi

MODEL = ModelIdentity("test", "net", "1.0", "abc", "phantom", "def", True, "tests", "none")


@dataclass(frozen=True)
class DiffusionSystem:
    """Scores from the mean ADC of its model inputs; refuses without diffusion, as every system does."""

    model: ModelIdentity = MODEL

    def score(self, case: Case) -> Score:
        if case.baseline is None:
            raise InputUnfit(Code.INPUTS_MISSING, "needs a baseline")
        p = float(np.clip(np.nanmean(inputs_of(case.baseline).fitted_adc.array) / 4, 0, 1))
        return Score(self.model, "good_response", p, p, p, "none", Likelihood.LOW, Envelope(True, ()))


def loaded(exam: Exam) -> Exam:
    """The exam as loading leaves it: with ADC and model inputs."""
    low = exam.dwi[min(exam.dwi)]
    inputs = ModelInputs(exam.files.time_point, exam.t2, exam.ce_t1, exam.dwi, low, (), None)
    valid = np.ones(low.array.shape, dtype=bool)
    return replace(exam, adc=AdcMap(low, valid, (0.0, 800.0), "made"), inputs=inputs)


def moved(exam: Exam, mm: float) -> Exam:
    return with_dwi(exam, lambda volume: displaced(volume, mm), (max(exam.dwi),))


def test_a_clean_exam_passes_unchanged_and_carries_its_measurements(clean: Exam) -> None:
    exam = loaded(clean)
    kept, statements = admitted(exam, assess_exam(exam))
    assert statements == ()
    assert replace(kept, parameters=()) == exam
    assert {"T2 slice thickness", "DWI motion score", "DWI gas score", "DWI coverage"} <= set(dict(kept.parameters))


def test_the_two_stages_are_the_whole(clean: Exam) -> None:
    assert assess_exam(clean) == assess_images(clean) + assess_target(clean)


def test_refused_diffusion_is_taken_out_with_all_that_comes_from_it(clean: Exam) -> None:
    exam = loaded(moved(clean, 6.0))
    report = assess_exam(exam)
    assert report.refused_roles == {Role.DWI}
    kept, (statement,) = admitted(exam, report)
    assert (statement.code, statement.subject, statement.warning) == (Code.MOTION_SUSPECTED, "baseline DWI", False)
    assert kept.dwi == {}
    assert kept.adc is None
    assert kept.ce_t1 is exam.ce_t1
    assert kept.inputs is not None
    with pytest.raises(InputUnfit, match=r"baseline DWI refused: .* displaced by 6") as refused:
        kept.inputs.demand_diffusion()
    assert refused.value.code is Code.MOTION_SUSPECTED


def test_a_warning_takes_nothing_away(clean: Exam) -> None:
    exam = loaded(moved(clean, 3.0))
    kept, (statement,) = admitted(exam, assess_exam(exam))
    assert statement.warning
    assert replace(kept, parameters=()) == exam


def test_refused_enhanced_t1_goes_alone(clean: Exam) -> None:
    assert clean.ce_t1 is not None
    short = replace(clean.ce_t1, array=clean.ce_t1.array[:4])
    kept, _ = admitted(loaded(replace(clean, ce_t1=short)), assess_exam(replace(clean, ce_t1=short)))
    assert kept.ce_t1 is None
    assert kept.inputs is not None
    assert kept.inputs.ce_t1 is None
    assert kept.inputs.dwi == clean.dwi


def test_a_refused_t2_refuses_the_exam(clean: Exam) -> None:
    thick = replace(clean, t2=resized(clean.t2, (2, 1, 1)))
    with pytest.raises(InputUnfit, match="baseline T2 refused: T2 slices of 8") as refused:
        admitted(thick, assess_exam(thick))
    assert refused.value.code is Code.SLICES_TOO_THICK


def test_findings_become_statements_with_their_severity(clean: Exam) -> None:
    report = assess_images(with_dwi(clean, lambda volume: displaced(volume, 6.0, every=2)))
    assert [one.severity for one in report.findings] == [Severity.REFUSAL]
    (finding,) = report.findings
    assert finding.value > finding.limit
    assert report.statements() == (Statement(Code.MOTION_SUSPECTED, "baseline DWI", finding.reason),)
    assert QualityReport().refusal(Role.DWI) is None


def test_scoring_refuses_a_system_whose_diffusion_is_refused(tmp_path: Path) -> None:
    files = CaseFiles(exam_files(made_exam(tmp_path, b_values=(0.0, 400.0)), TimePoint.BASELINE), None)
    findings = score_case(files, Models(systems=(DiffusionSystem(),)))
    assert findings.scores == ()
    assert [(one.code, one.subject) for one in findings.refusals] == [
        (Code.B_VALUES_UNFIT, "baseline DWI"),
        (Code.B_VALUES_UNFIT, "net 1.0"),
    ]
    assert "400 s/mm²" in findings.refusals[1].reason
    assert all(one.unit != "10-6.mm2/s" for one in findings.measurements)


def test_scoring_goes_on_where_the_same_code_only_warns(tmp_path: Path) -> None:
    files = CaseFiles(exam_files(made_exam(tmp_path, b_values=(0.0, 600.0)), TimePoint.BASELINE), None)
    findings = score_case(files, Models(systems=(DiffusionSystem(),)))
    assert len(findings.scores) == 1
    assert findings.refusals == ()
    assert [one.code for one in findings.warnings] == [Code.B_VALUES_UNFIT]
    assert dict(findings.parameters)["baseline DWI b-values"] == "0/600 s/mm²"


def test_protocols_of_a_pair_are_compared_when_it_is_loaded(tmp_path: Path) -> None:
    folders = made_exam(tmp_path / "a"), made_exam(tmp_path / "b", day="20240401")
    before, after = exam_files(folders[0], TimePoint.BASELINE), exam_files(folders[1], TimePoint.RESTAGING)
    without = replace(after, chosen={role: one for role, one in after.chosen.items() if role is not Role.CE_T1})
    assert load_case(CaseFiles(before, after), None)[1] == ()
    _, (warning,) = load_case(CaseFiles(before, without), None)
    assert warning.code is Code.PROTOCOLS_DIFFER
    assert warning.warning
    assert "CE-T1 at baseline only" in warning.reason


def elsewhere(exam: Exam, mm: float) -> Exam:
    """The exam with its DWI this far along the slices."""
    affine = exam.dwi[min(exam.dwi)].affine.copy()
    affine[:3, 3] += mm * affine[:3, 0] / np.linalg.norm(affine[:3, 0])
    return replace(exam, dwi={b: replace(volume, affine=affine) for b, volume in exam.dwi.items()})


def test_diffusion_of_another_part_of_the_body_is_refused_before_it_can_draw_a_mask(clean: Exam) -> None:
    report = assess_images(elsewhere(replace(clean, mask=None), 300.0))
    assert report.refused_roles == {Role.DWI}
    refusal = report.refusal(Role.DWI)
    assert refusal is not None
    assert "another part of the body" in refusal.reason


def test_a_models_mask_goes_with_the_diffusion_it_was_drawn_from_and_a_readers_stays(clean: Exam) -> None:
    assert clean.mask is not None
    exam = loaded(clean)
    far = elsewhere(exam, 300.0)
    by_model = replace(far, mask=replace(clean.mask, origin=MaskOrigin.MODEL))
    kept, statements = admitted(by_model, assess_target(by_model))
    assert kept.mask is None
    assert Code.NO_MASK in {statement.code for statement in statements}
    by_reader, _ = admitted(far, assess_target(far))
    assert by_reader.mask is clean.mask


def test_coverage_is_judged_where_the_diffusion_was_aligned_to_lie(clean: Exam) -> None:
    exam = loaded(elsewhere(clean, 300.0))
    matrix = np.eye(4)
    away = exam.dwi[min(exam.dwi)].affine
    matrix[:3, 3] = -300.0 * away[:3, 0] / np.linalg.norm(away[:3, 0])
    assert exam.inputs is not None
    back = replace(exam, inputs=replace(exam.inputs, alignment=Alignment(matrix, True, 300.0, "moved back")))
    assert Role.DWI in assess_target(exam).refused_roles
    assert assess_target(back).refused_roles == frozenset()


def test_nothing_is_said_of_diffusion_that_was_refused(clean: Exam) -> None:
    exam = loaded(elsewhere(clean, 300.0))
    assert exam.inputs is not None
    said = tuple((name, "said") for name in (*OF_DIFFUSION, "bias correction"))
    exam = replace(exam, inputs=replace(exam.inputs, parameters=said))
    kept, _ = admitted(exam, assess_images(exam))
    assert kept.inputs is not None
    assert kept.inputs.alignment is None
    assert dict(kept.inputs.parameters) == {"bias correction": "said"}
