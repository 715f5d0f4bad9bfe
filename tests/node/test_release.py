"""No number that a phantom-trained model predicted leaves the node unasked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest

from node.release import MEASURED, OF_TUMOUR, releasable
from pipelines.contract import (
    Case,
    Code,
    Envelope,
    Exam,
    ExamFiles,
    Findings,
    Likelihood,
    MapKind,
    Mask,
    MaskOrigin,
    Measurement,
    ModelIdentity,
    Patient,
    Quantity,
    ScalarMap,
    Score,
    Statement,
    Structure,
    StructureKind,
    TimePoint,
    Volume,
)
from pipelines.quality.finding import Assessment
from pipelines.quality.geometry import assess_coverage
from pipelines.quality.susceptibility import assess_gas

BASELINE, RESTAGING = TimePoint.BASELINE, TimePoint.RESTAGING
READER = "reader"


def model(phantom_trained: bool, name: str = "net") -> ModelIdentity:
    return ModelIdentity("signature_svm", name, "1", "sha", "cohort", "digest", phantom_trained, "research", "limits")


def exam(when: TimePoint, drawn_by: ModelIdentity | str | None) -> Exam:
    files = ExamFiles(when, (f"1.2.{when}",), date(2024, 1, 1), Patient("P1", "", "", "", ""), {})
    volume = Volume(np.zeros((2, 3, 4), np.float32), np.eye(4))
    array = np.ones((2, 3, 4), bool)
    mask = None
    if drawn_by == READER:
        mask = Mask(array, MaskOrigin.READER, "drawn")
    elif not isinstance(drawn_by, str) and drawn_by is not None:
        mask = Mask(array, MaskOrigin.MODEL, "found", model=drawn_by)
    elif drawn_by == "unknown model":
        mask = Mask(array, MaskOrigin.MODEL, "found")
    return Exam(files, volume, (), {}, None, None, mask)


def measured(one: Exam) -> list[Measurement]:
    if one.mask is None:
        return []
    return [Measurement(Quantity.VOLUME, one.files.time_point, 12.5, "cm3", one.mask.origin)]


def findings(baseline: Exam, restaging: Exam, *trained_on_phantoms: bool) -> Findings:
    scores = tuple(
        Score(model(one, f"net{number}"), "response", 0.7, 0.5, 0.9, "95 %", Likelihood.HIGH, Envelope(True))
        for number, one in enumerate(trained_on_phantoms)
    )
    return Findings(
        case=Case(baseline, restaging),
        measurements=(*measured(baseline), *measured(restaging)),
        scores=scores,
        refusals=(Statement(Code.INPUTS_MISSING, "x", "stays"),),
    )


def test_a_phantom_trained_score_is_held_back_and_said_so() -> None:
    held = releasable(findings(exam(BASELINE, READER), exam(RESTAGING, READER), True), phantom_scores=False)
    assert held.scores == ()
    assert [statement.code for statement in held.refusals] == [Code.INPUTS_MISSING, Code.SCORES_WITHHELD]
    assert "phantom_scores" in held.refusals[1].reason
    assert "0.7" not in str(held.refusals)
    assert len(held.measurements) == 2
    assert all(one.mask is not None for one in held.case.exams)


def test_a_score_of_a_model_trained_on_patients_is_sent_beside_it() -> None:
    held = releasable(findings(exam(BASELINE, READER), exam(RESTAGING, READER), True, False), phantom_scores=False)
    assert [score.model.name for score in held.scores] == ["net1"]


@pytest.mark.parametrize("drawn_by", [model(True), "unknown model"])
def test_a_mask_that_such_a_model_found_is_held_back_with_its_measurements(drawn_by: ModelIdentity | str) -> None:
    held = releasable(findings(exam(BASELINE, READER), exam(RESTAGING, drawn_by)), phantom_scores=False)
    assert held.case.baseline is not None
    assert held.case.restaging is not None
    assert held.case.baseline.mask is not None
    assert held.case.restaging.mask is None
    assert [(one.time_point, one.origin) for one in held.measurements] == [(BASELINE, MaskOrigin.READER)]
    assert [statement.subject for statement in held.refusals[1:]] == ["restaging tumour mask"]


def test_what_is_said_of_disagreeing_scores_never_carries_a_number_that_was_held_back() -> None:
    whole = findings(exam(BASELINE, READER), exam(RESTAGING, READER), True, False)
    told = Statement(Code.SYSTEMS_DISAGREE, "net0 and net1", "net0 gives 70 %, net1 gives 20 %")
    held = releasable(replace(whole, warnings=(told,)), phantom_scores=False)
    assert held.warnings == ()


def test_why_a_held_back_mask_has_no_number_is_held_back_too() -> None:
    whole = findings(exam(BASELINE, READER), exam(RESTAGING, model(True)))
    unmeasured = Statement(Code.ADC_NOT_ESTIMABLE, "restaging ADC in the mask", "usable in 30% of the mask only")
    held = releasable(replace(whole, refusals=(*whole.refusals, unmeasured)), phantom_scores=False)
    assert "30%" not in str(held.refusals)


def test_structures_and_maps_of_such_a_model_are_held_back() -> None:
    one = exam(BASELINE, READER)
    array = np.ones(one.t2.array.shape, bool)
    wall = Structure(StructureKind.RECTAL_WALL, array, MaskOrigin.MODEL, "found", "net", "1", model(True))
    cam = ScalarMap(MapKind.GRAD_CAM, one.t2, array, "last convolution", model(True))
    diffusivity = ScalarMap(MapKind.KURTOSIS_D, one.t2, array, "b 0, 1000, 2000")
    whole = findings(replace(one, structures=(wall,), maps=(cam, diffusivity)), exam(RESTAGING, READER))
    held = releasable(whole, phantom_scores=False)
    assert held.case.baseline is not None
    assert held.case.baseline.structures == ()
    assert [one.kind for one in held.case.baseline.maps] == [MapKind.KURTOSIS_D]


def test_a_mask_of_a_model_trained_on_patients_is_sent() -> None:
    whole = findings(exam(BASELINE, model(False)), exam(RESTAGING, None))
    assert releasable(whole, phantom_scores=False) == whole


@pytest.mark.parametrize(
    ("drawn_by", "phantom"), list(product([READER, model(True), model(False), None], [True, False]))
)
def test_with_phantom_scores_everything_is_sent(drawn_by: ModelIdentity | str | None, phantom: bool) -> None:
    whole = findings(exam(BASELINE, drawn_by), exam(RESTAGING, drawn_by), phantom)
    assert releasable(whole, phantom_scores=True) is whole


def test_nothing_tells_of_a_mask_that_is_withheld() -> None:
    bed = exam(BASELINE, model(True)).mask
    baseline = replace(exam(BASELINE, model(True)), parameters=(("DWI gas score", "0.2"), ("T2 voxel", "1 mm")))
    restaging = replace(exam(RESTAGING, None), bed=bed)
    told = (
        Statement(Code.GAS_SUSPECTED, f"{BASELINE} DWI", "in 12 % of the tumour", warning=True),
        Statement(Code.COVERAGE_INCOMPLETE, f"{BASELINE} T2", "the tumour reaches the first slice", warning=True),
    )
    in_bed = (
        Statement(Code.TUMOUR_BED_USED, f"{RESTAGING} tumour mask", "where the baseline's lay"),
        Statement(Code.GAS_SUSPECTED, f"{RESTAGING} DWI", "in 12 % of the tumour bed", warning=True),
    )
    other = Statement(Code.MOTION_SUSPECTED, f"{RESTAGING} DWI", "slices do not match", warning=True)
    found = Findings(
        Case(baseline, restaging),
        warnings=(*told, *in_bed, other),
        parameters=((f"{BASELINE} DWI gas score", "0.2"), (f"{BASELINE} T2 voxel", "1 mm")),
    )
    left = releasable(found, phantom_scores=False)
    assert left.case.restaging is not None and left.case.baseline is not None
    assert left.case.restaging.bed is None
    assert left.warnings == (other,)
    assert left.parameters == ((f"{BASELINE} T2 voxel", "1 mm"),)
    assert left.case.baseline.parameters == (("T2 voxel", "1 mm"),)
    assert releasable(found, phantom_scores=True) is found


def test_what_the_gate_measures_of_the_tumour_is_known_here_by_its_name() -> None:
    made = Assessment(BASELINE)
    whole = replace(exam(BASELINE, READER), dwi={0.0: Volume(np.ones((2, 3, 4), np.float32), np.eye(4))})
    whole = replace(whole, ce_t1=whole.t2)
    assess_coverage(whole, made)
    assess_gas(whole, made)
    assert {name for name, _ in made.parameters} == set(MEASURED)
    assert {finding.code for finding in made.findings} <= set(OF_TUMOUR)


def test_a_readers_outline_carried_over_stays() -> None:
    case = Case(exam(BASELINE, READER), replace(exam(RESTAGING, model(True)), bed=exam(BASELINE, READER).mask))
    left = releasable(Findings(case), phantom_scores=False)
    assert left.case.restaging is not None
    assert left.case.restaging.bed is not None
    assert left.case.restaging.mask is None
