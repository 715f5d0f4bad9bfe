from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.contract import (
    RECURRENCE,
    Case,
    ClinicalRecord,
    Code,
    Exam,
    InputUnfit,
    Item,
    Likelihood,
    Mask,
    MaskOrigin,
    Score,
    TimePoint,
)
from pipelines.systems.cox_risk import HORIZON
from pipelines.systems.multi_rec_columns import codes_of, hidden
from pipelines.systems.multi_rec_cut import MAPS, MultiRecCut, MultiRecExam
from pipelines.systems.multi_rec_models import Reading
from pipelines.systems.multi_rec_net import WORDS, MultiRecSystem, Patients
from pipelines.systems.networks.multi_rec_net import Variant
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_recurrence import (
    RULE,
    ready,
    record,
    trained_bundle,
    with_maps_exam,
    without_maps_exam,
)


@pytest.fixture(scope="module")
def system() -> MultiRecSystem:
    return MultiRecSystem(trained_bundle(), torch.device("cpu"))


@pytest.fixture(scope="module")
def exam() -> Exam:
    return with_maps_exam(seed=501)


def refusal(system: MultiRecSystem, case: Case) -> InputUnfit:
    with pytest.raises(InputUnfit) as caught:
        system.score(case)
    return caught.value


def model_of(score: Score) -> str:
    return score.model.name.removeprefix("restage-multi-rec-net ")


def cut(exam: Exam) -> MultiRecExam:
    return MultiRecCut(RULE).exam(plain_inputs(exam), mask_of(exam), np.random.default_rng(0))


def test_a_baseline_and_its_record_get_a_prognosis_with_a_curve(system: MultiRecSystem, exam: Exam) -> None:
    score = system.score(Case(exam, None, record=record(ypn="")))
    assert score.outcome == RECURRENCE and score.time_points == (TimePoint.BASELINE,)
    assert model_of(score) == "T2+DKI+Preclinical_measured"
    assert 0.0 < score.lower < score.probability < score.upper < 1.0
    assert score.model.weights_digest == trained_bundle().weights_digest
    assert score.envelope.inside, score.envelope.reasons
    assert score.curve is not None and score.curve.time_zero.startswith("surgery")
    at_horizon = score.curve.event_free[score.curve.months.index(HORIZON)]
    assert at_horizon == pytest.approx(1.0 - score.probability)
    assert score.possible is not None and score.possible.coverage == 0.9
    assert score.contributions and score.contribution_unit == "log hazard"
    assert len(score.explanations) == 1 and 0.0 <= score.explanations[0].inside_share <= 1.0


def test_a_known_ypn_selects_the_networks_that_read_pathology(system: MultiRecSystem, exam: Exam) -> None:
    assert model_of(system.score(Case(exam, None, record=record(ypn="ypN1")))) == "All_measured"
    told = record(ypn="", ypt_stage="ypT3")
    score = system.score(Case(exam, None, record=told))
    assert model_of(score) == "T2+DKI+Preclinical_measured"
    assert "not read, as ypN is not known: ypt_stage ypT3" in score.clinical


def test_what_the_record_lacks_is_named_and_what_it_says_is_told(system: MultiRecSystem, exam: Exam) -> None:
    score = system.score(Case(exam, None, record=record(cea=None, ypn="")))
    assert "not known, and read as missing: CEA, CA19-9, location, MRF, EMVI" in score.clinical
    assert "ct_stage cT3b" in score.clinical
    assert not any(one.startswith("cea") for one in score.clinical)


def test_without_d_and_k_the_score_says_so_and_why(system: MultiRecSystem, exam: Exam) -> None:
    score = system.score(Case(without_maps_exam(seed=502), None, record=record(ypn="")))
    assert model_of(score) == "T2+DKI+Preclinical_measured without maps"
    assert "scored without D and K: not estimable: b-values 0, 500, 1000 s/mm²" in score.model.limits
    whole = system.score(Case(exam, None, record=record(ypn="")))
    assert "without D and K" not in whole.model.limits


def test_the_score_is_what_the_stored_cox_model_says_of_its_inputs(system: MultiRecSystem, exam: Exam) -> None:
    score = system.score(Case(exam, None, record=record()))
    model = system.cox["All_measured"]
    inputs = dict(score.inputs)
    row = np.array([[inputs[WORDS[name]] for name in model.names]])
    assert 1.0 - model.event_free(row, (HORIZON,))[0, 0] == pytest.approx(score.probability)
    assert sum(one.amount for one in score.contributions) == pytest.approx(
        _added(system, model.log_hazard(row)[0]), abs=1e-6
    )
    assert inputs["tumour volume (cm³)"] == pytest.approx(mask_of(exam).sum() * exam.t2.voxel_mm3 / 1000.0)


def _added(system: MultiRecSystem, log_hazard: float) -> float:
    """The log hazard against a patient whose measured features are all at their means: what contributions add up to."""
    model = system.cox["All_measured"]
    at_means = model.coefficients[-1] * (0.0 - model.centre[-1])
    return float(log_hazard - at_means)


def test_what_cannot_be_scored_is_refused_with_its_reason(system: MultiRecSystem, exam: Exam) -> None:
    restaging = ready(made_up_exam(TimePoint.RESTAGING, ce_t1=False))
    assert refusal(system, Case(None, restaging)).code is Code.NO_BASELINE
    assert refusal(system, Case(replace(exam, mask=None), None)).code is Code.NO_MASK
    empty = Mask(np.zeros_like(mask_of(exam)), MaskOrigin.READER, "nothing")
    assert refusal(system, Case(replace(exam, mask=empty), None)).code is Code.NO_MASK
    bare = ready(replace(exam, dwi={}, inputs=None))
    assert refusal(system, Case(bare, None)).code is Code.NO_DIFFUSION
    for item, word in ((Item.HISTOLOGY, "other"), (Item.THERAPY, "immunotherapy")):
        unfit = refusal(system, Case(exam, None, record=ClinicalRecord({item: word})))
        assert unfit.code is Code.OUTSIDE_INTENDED_USE and f"the patient's {item} is '{word}'" in unfit.reason


def test_a_tumour_too_small_to_measure_in_is_scored_without_measured_features(
    system: MultiRecSystem, exam: Exam
) -> None:
    tiny = np.zeros_like(mask_of(exam))
    tiny[5, 36, 38] = True
    case = Case(replace(exam, mask=Mask(tiny, MaskOrigin.READER, "one voxel")), None, record=record(ypn=""))
    score = system.score(case)
    assert model_of(score) == "T2+DKI+Preclinical"
    assert score.category is Likelihood.UNCERTAIN


@pytest.mark.parametrize("variant", [Variant.ALL, Variant.T2_DKI, Variant.CLINICAL])
def test_a_batch_of_one_gives_what_a_batch_of_eight_gives(system: MultiRecSystem, variant: Variant) -> None:
    exams = [cut((with_maps_exam if seed % 2 else without_maps_exam)(10.0 + 0.5 * seed, seed)) for seed in range(8)]
    codes = [codes_of(record(age=40.0 + 5 * seed, cea=None if seed == 3 else 2.0)) for seed in range(8)]
    reading = Reading(variant, True)
    together = system.said(reading, Patients(exams, codes))
    assert together.risk.shape == (system.folds, 8)
    alone = [system.said(reading, Patients([one], [row])) for one, row in zip(exams, codes, strict=True)]
    for name in ("risk", "recurrence"):
        apart = np.concatenate([getattr(one, name) for one in alone], axis=1)
        assert apart == pytest.approx(getattr(together, name), abs=1e-5)


def test_missing_tokens_are_read_and_what_stands_in_a_hidden_map_is_not(system: MultiRecSystem, exam: Exam) -> None:
    one, codes = cut(exam), codes_of(record())
    whole = system.said(Reading(Variant.ALL, True), Patients([one], [codes])).risk
    bare = system.said(Reading(Variant.ALL, True), Patients([one], [hidden(codes, ("ypn_stage",))])).risk
    without = system.said(Reading(Variant.ALL, False), Patients([one], [codes]))
    assert not np.isclose(whole, bare, atol=1e-6).any()
    other = {name: array + 1 if name in ("dapp", "kapp") else array for name, array in one.channels.items()}
    assert len(other) == 5 and len(MAPS) == 2
    changed = system.said(Reading(Variant.ALL, False), Patients([replace(one, channels=other)], [codes]))
    assert np.array_equal(without.risk, changed.risk)
    assert not np.isclose(
        whole,
        system.said(Reading(Variant.ALL, True), Patients([replace(one, channels=other)], [codes])).risk,
        atol=1e-6,
    ).any()


def test_without_any_clinical_value_images_alone_are_read(system: MultiRecSystem, exam: Exam) -> None:
    score = system.score(Case(exam, None))
    assert model_of(score).startswith("T2+DKI") and "Preclinical" not in model_of(score)
    assert score.clinical == ()
