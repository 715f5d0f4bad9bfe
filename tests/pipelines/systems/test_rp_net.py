from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.contract import (
    Case,
    ClinicalRecord,
    Code,
    Exam,
    InputUnfit,
    Item,
    Likelihood,
    Score,
    TimePoint,
)
from pipelines.explain.words import words_of
from pipelines.systems.rp_net import RpNetResponse
from pipelines.systems.signature_inputs import Sequence
from pipelines.training.rp_net import train_prepared
from pipelines.training.settings import silent
from tests.pipelines.made_up_exam import plain_inputs
from tests.pipelines.made_up_response import QUICK, TOLD, exam_of, made_up_cohort, made_up_patients

KNOWN = ClinicalRecord({Item.CEA: 2.0, Item.CA19_9: 15.0, Item.THERAPY: "chemoradiotherapy"})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    patients = made_up_patients()
    out = tmp_path_factory.mktemp("bundles") / "rp_net"
    return train_prepared(made_up_cohort(patients), patients, out, (TOLD, QUICK), silent)


@pytest.fixture(scope="module")
def system(bundle: Bundle) -> RpNetResponse:
    return RpNetResponse(bundle, torch.device("cpu"))


def pair(complete: bool = True, *, ce_t1: bool = True, record: ClinicalRecord = KNOWN) -> Case:
    return Case(*(exam_of(when, 1, complete, ce_t1=ce_t1) for when in TimePoint), record=record)


def changed(case: Case, restaging: Exam) -> Case:
    return replace(case, restaging=replace(restaging, inputs=plain_inputs(restaging)))


def refusal(system: RpNetResponse, case: Case) -> InputUnfit:
    with pytest.raises(InputUnfit) as caught:
        system.score(case)
    return caught.value


def named(score: Score) -> str:
    return score.model.name.removeprefix("restage-rp-net ")


def test_a_pair_gets_a_probability_of_complete_response_with_limits_and_the_models_identity(
    system: RpNetResponse, bundle: Bundle
) -> None:
    score = system.score(pair())
    assert score.outcome == "complete response (ypT0 ypN0)"
    assert 0.0 <= score.lower <= score.probability <= score.upper <= 1.0
    assert named(score) == "fused_markers_measured ce_t1_t2_dwi"
    assert score.model.weights_digest == bundle.weights_digest
    assert score.interval.startswith("90 % of 6: bootstrap refits")
    assert score.envelope.inside, score.envelope.reasons
    assert dict(score.inputs)["cea_ng_ml"] == pytest.approx(np.log1p(2.0))
    assert any("CEA" in words or "cea" in words for words in score.clinical)
    assert score.possible is not None and score.possible.coverage == 0.9
    assert system.score(pair()).probability == score.probability


def test_the_planted_response_is_found(system: RpNetResponse) -> None:
    assert system.score(pair()).probability > 0.6
    high = ClinicalRecord({Item.CEA: 7.0, Item.CA19_9: 15.0})
    assert system.score(pair(False, record=high)).probability < 0.4


def test_what_is_missing_selects_the_model_that_does_without(system: RpNetResponse) -> None:
    alone = ClinicalRecord({Item.CA19_9: 15.0})
    assert named(system.score(pair(record=alone))) == "fused_markers_measured ce_t1_t2_dwi ca19_9"
    assert named(system.score(pair(record=ClinicalRecord()))) == "fused_measured ce_t1_t2_dwi"
    score = system.score(pair(ce_t1=False))
    assert named(score) == "fused_markers_measured t2_dwi"
    assert not any("ce_t1" in name for name, _ in score.inputs)


def test_features_that_two_b_values_do_not_give_leave_the_networks_alone(system: RpNetResponse) -> None:
    case = pair()
    assert case.restaging is not None
    two = replace(case.restaging, dwi={b: v for b, v in case.restaging.dwi.items() if b != 500.0})
    assert named(system.score(changed(case, two))) == "fused ce_t1_t2_dwi"


def test_a_lone_exam_an_exam_without_a_mask_and_missing_diffusion_are_refused_by_name(system: RpNetResponse) -> None:
    case = pair()
    assert case.restaging is not None
    assert refusal(system, replace(case, baseline=None)).code is Code.NO_BASELINE
    assert refusal(system, replace(case, restaging=None)).code is Code.NO_RESTAGING
    assert refusal(system, changed(case, replace(case.restaging, mask=None))).code is Code.NO_MASK
    error = refusal(system, changed(case, replace(case.restaging, dwi={})))
    assert error.code is Code.INPUTS_MISSING
    assert "the restaging exam has no diffusion-weighted images" in error.reason
    one = replace(case.restaging, dwi={1000.0: case.restaging.dwi[1000.0]})
    assert refusal(system, changed(case, one)).code is Code.NO_DIFFUSION


def test_a_patient_it_was_not_made_for_is_refused_before_anything_else(system: RpNetResponse) -> None:
    for item, word in ((Item.HISTOLOGY, "mucinous adenocarcinoma"), (Item.THERAPY, "immunotherapy")):
        error = refusal(system, replace(pair(record=ClinicalRecord({item: word})), baseline=None))
        assert error.code is Code.OUTSIDE_INTENDED_USE
        assert word in error.reason and "rp_net was made for" in error.reason


def test_a_therapy_that_the_cohort_never_had_is_uncertain_and_rules_nothing_out(system: RpNetResponse) -> None:
    score = system.score(pair(record=ClinicalRecord({Item.CEA: 2.0, Item.THERAPY: "chemotherapy"})))
    assert score.category is Likelihood.UNCERTAIN
    assert score.envelope.reasons == ("therapy chemotherapy: the training cohort had chemoradiotherapy",)
    assert score.possible is not None and score.possible.refer


def test_a_tumour_bed_stands_in_for_an_outline(system: RpNetResponse) -> None:
    case = pair()
    assert case.restaging is not None
    in_bed = replace(case.restaging, mask=None, bed=case.restaging.mask)
    assert system.score(changed(case, in_bed)).probability == system.score(case).probability


def test_a_batch_of_one_gives_what_a_batch_of_eight_gives(system: RpNetResponse) -> None:
    eight = made_up_patients()[:8]  # one of them lacks contrast-enhanced T1
    pairs, records = [p.exams for p in eight], [p.patient.record for p in eight]
    read = system.read(pairs)
    together = system.table(read, pairs, records)
    assert len(read[Sequence.CE_T1].present) == 7
    for index in range(8):
        alone = system.table(
            system.read(pairs[index : index + 1]), pairs[index : index + 1], records[index : index + 1]
        )
        assert alone.values[0] == pytest.approx(together.values[index], abs=1e-5, nan_ok=True)
        for stage in system.stages:
            at_once, apart = system.assess(stage, together), system.assess(stage, alone)
            found = [getattr(at_once, name)[index] for name in ("probability", "lower", "upper")]
            expected = [getattr(apart, name)[0] for name in ("probability", "lower", "upper")]
            assert found == pytest.approx(expected, abs=1e-5, nan_ok=True), stage.model.key


def test_networks_of_the_folds_vote_by_their_mean_log_odds(system: RpNetResponse) -> None:
    one = made_up_patients()[0]
    read = system.read([one.exams])
    (stage,) = (stage for stage in system.stages if stage.model.key == "T2")
    assert read[Sequence.T2].logits.shape == (1, 2)
    logits = read[Sequence.T2].logits[0]
    by_hand = (stage.stage.slopes[0] * (logits - stage.stage.centre[0]) + stage.stage.coefficients[1]).mean()
    table = system.table(read, [one.exams], [one.patient.record])
    assert system.assess(stage, table).probability[0] == pytest.approx(1 / (1 + np.exp(-by_hand)), abs=1e-6)


def test_exams_swapped_turn_the_raw_differences_and_change_the_answer(system: RpNetResponse) -> None:
    one = made_up_patients()[0]
    swapped = dict(zip(TimePoint, reversed([one.exams[when] for when in TimePoint]), strict=True))
    pre, post = (
        torch.from_numpy(system.cut.seen(one.exams[when], Sequence.DWI)[None].astype(np.float32)) for when in TimePoint
    )
    network = system.networks[Sequence.DWI][0]
    with torch.inference_mode():
        there, back = network.raw_differences(pre, post), network.raw_differences(post, pre)
    assert all(torch.allclose(a, -b, atol=1e-5) for a, b in zip(there[:2], back[:2], strict=True))
    read = system.read([one.exams, swapped])
    assert not np.allclose(read[Sequence.DWI].logits[0], read[Sequence.DWI].logits[1], atol=1e-3)


def test_own_outlines_are_probabilities_of_both_exams_of_those_who_have_the_sequence(system: RpNetResponse) -> None:
    read = system.read([one.exams for one in made_up_patients()[:8]])
    assert read[Sequence.T2].outlines.shape == (8, 2, 8, 16, 16)
    assert read[Sequence.CE_T1].outlines.shape == (7, 2, 8, 16, 16)
    assert 0.0 <= read[Sequence.T2].outlines.min() < read[Sequence.T2].outlines.max() <= 1.0
    nobody = system.read([])
    assert all(len(said.logits) == 0 for said in nobody.values())


def test_contributions_add_up_to_the_log_odds_against_the_training_means(system: RpNetResponse) -> None:
    score = system.score(pair())
    (stage,) = (stage for stage in system.stages if stage.model.key == named(score))
    total = sum(one.amount for one in score.contributions)
    logit = np.log(score.probability / (1 - score.probability))
    assert total == pytest.approx(logit - stage.stage.coefficients[-1], abs=1e-6)
    assert score.contribution_unit == "log odds"
    said = {one.name for one in score.contributions}
    assert {words_of(name).name for name in stage.model.names} == said
    assert not any(name.startswith("logit_") for name in said)


def test_it_is_shown_where_each_sequences_networks_looked_at_both_exams(system: RpNetResponse) -> None:
    case = pair()
    score = system.score(case)
    shown = {(one.time_point, one.sequence) for one in score.explanations}
    assert shown == {(when, name) for when in TimePoint for name in ("T2", "DWI", "CE-T1")}
    for one in score.explanations:
        exam = {TimePoint.BASELINE: case.baseline, TimePoint.RESTAGING: case.restaging}[one.time_point]
        assert exam is not None
        assert one.saliency.volume.array.shape == exam.t2.array.shape
        assert 0.0 <= one.inside_share <= 1.0
