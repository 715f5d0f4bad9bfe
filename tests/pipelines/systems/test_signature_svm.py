from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.contract import (
    Case,
    ClinicalRecord,
    Code,
    Envelope,
    Exam,
    InputUnfit,
    Item,
    Likelihood,
    Score,
    TimePoint,
)
from pipelines.systems.conformal import prediction_set
from pipelines.systems.signature_bundle import read_stages, read_table
from pipelines.systems.signature_svm import SignatureSvm, category, clinical_columns
from pipelines.training.settings import silent
from pipelines.training.signature_svm import train_prepared
from tests.pipelines.made_up_cohort import QUICK, TOLD, made_up_cohort, made_up_patients
from tests.pipelines.made_up_exam import made_up_exam, plain_inputs

KNOWN = ClinicalRecord({Item.MWT_RESTAGING: 8.0, Item.THERAPY: "chemotherapy"})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    patients = made_up_patients()
    out = tmp_path_factory.mktemp("bundles") / "signature_svm"
    return train_prepared(made_up_cohort(patients), patients, out, (TOLD, replace(QUICK, compared=False)), silent)


@pytest.fixture(scope="module")
def system(bundle: Bundle) -> SignatureSvm:
    return SignatureSvm(bundle, torch.device("cpu"))


def pair(adc: float = 1.5, radius: float = 10.0, *, ce_t1: bool = True, record: ClinicalRecord = KNOWN) -> Case:
    return Case(
        ready(made_up_exam(TimePoint.BASELINE, seed=501, ce_t1=ce_t1)),
        ready(made_up_exam(TimePoint.RESTAGING, adc=adc, radius=radius, seed=502, ce_t1=ce_t1)),
        record=record,
    )


def ready(exam: Exam) -> Exam:
    """The exam with the inputs that the networks were trained on: no field to correct, nothing displaced."""
    return replace(exam, inputs=plain_inputs(exam))


def changed(case: Case, restaging: Exam | None) -> Case:
    return replace(case, restaging=None if restaging is None else ready(restaging))


def refusal(system: SignatureSvm, case: Case) -> InputUnfit:
    with pytest.raises(InputUnfit) as caught:
        system.score(case)
    return caught.value


def named(score: Score) -> str:
    return score.model.name.removeprefix("restage-signature-svm ")


def test_a_pair_gets_a_probability_with_limits_and_the_models_identity(system: SignatureSvm, bundle: Bundle) -> None:
    score = system.score(pair())
    assert score.outcome == "good response (AJCC TRG 0–1)"
    assert 0.0 <= score.lower <= score.probability <= score.upper <= 1.0
    assert named(score) == "CRD ce_t1_t2_dwi"
    assert score.model.weights_digest == bundle.weights_digest
    assert score.model.phantom_trained
    assert score.interval.startswith("90 % of 9: bootstrap refits")
    assert score.envelope.inside, score.envelope.reasons
    assert dict(score.inputs)["mwt_restaging_mm"] == 8.0
    thresholds = bundle.manifest.thresholds["CRD ce_t1_t2_dwi"]
    expected = prediction_set(score.probability, thresholds)
    assert score.possible == expected and expected.coverage == 0.9
    # What is called high has no poor response in its set, what is called low no good one.
    assert (score.category is Likelihood.HIGH) == (not expected.no_event)
    assert (score.category is Likelihood.LOW) == (not expected.event)


def test_the_planted_response_is_found(system: SignatureSvm) -> None:
    assert system.score(pair(1.5, 10.0)).probability > 0.6
    thick = ClinicalRecord({Item.MWT_RESTAGING: 12.0})
    assert system.score(pair(1.0, 12.0, record=thick)).probability < 0.4


def test_without_its_clinical_values_the_model_without_them_speaks_under_its_own_name(system: SignatureSvm) -> None:
    score = system.score(pair(record=ClinicalRecord()))
    assert named(score) == "FDL_measured ce_t1_t2_dwi"
    assert not any("mwt" in name for name, _ in score.inputs)
    assert score.probability != system.score(pair()).probability


def test_without_ce_t1_the_other_subset_is_used(system: SignatureSvm) -> None:
    score = system.score(pair(ce_t1=False))
    assert named(score) == "CRD t2_dwi"
    assert not any("ce_t1" in name for name, _ in score.inputs)


def test_ce_t1_at_one_time_only_uses_the_other_subset_too(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    assert named(system.score(changed(case, replace(case.restaging, ce_t1=None)))) == "CRD t2_dwi"


def test_features_that_two_b_values_do_not_give_leave_the_signatures_alone(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    two = replace(case.restaging, dwi={b: v for b, v in case.restaging.dwi.items() if b != 500.0})
    assert named(system.score(changed(case, two))) == "FDL ce_t1_t2_dwi"


def test_missing_diffusion_is_refused_by_name(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    error = refusal(system, changed(case, replace(case.restaging, dwi={})))
    assert error.code is Code.INPUTS_MISSING
    assert "the restaging exam has no diffusion-weighted images" in error.reason
    assert "baseline" not in error.reason
    one = replace(case.restaging, dwi={1000.0: case.restaging.dwi[1000.0]})
    assert refusal(system, changed(case, one)).code is Code.NO_DIFFUSION


def test_a_lone_exam_or_an_exam_without_a_mask_is_refused(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    assert refusal(system, replace(case, baseline=None)).code is Code.NO_BASELINE
    assert refusal(system, changed(case, None)).code is Code.NO_RESTAGING
    error = refusal(system, changed(case, replace(case.restaging, mask=None)))
    assert error.code is Code.NO_MASK
    assert "the restaging exam has no tumour mask" in error.reason


def test_a_tumour_bed_stands_in_for_an_outline(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    in_bed = replace(case.restaging, mask=None, bed=case.restaging.mask)
    assert system.score(changed(case, in_bed)).probability == system.score(case).probability


def test_a_patient_it_was_not_made_for_is_refused_before_anything_else(system: SignatureSvm) -> None:
    mucinous = ClinicalRecord({Item.HISTOLOGY: "mucinous adenocarcinoma"})
    error = refusal(system, replace(pair(record=mucinous), baseline=None))
    assert error.code is Code.OUTSIDE_INTENDED_USE
    assert "mucinous" in error.reason


def test_a_therapy_that_the_cohort_never_had_puts_the_score_outside_the_envelope(system: SignatureSvm) -> None:
    other = ClinicalRecord({Item.MWT_RESTAGING: 8.0, Item.THERAPY: "chemoradiotherapy"})
    score = system.score(pair(record=other))
    assert score.category is Likelihood.UNCERTAIN
    assert score.possible is not None and score.possible.refer
    assert score.envelope.reasons == ("therapy chemoradiotherapy: the training cohort had chemotherapy",)


def test_an_exam_unlike_the_cohort_is_scored_as_uncertain_with_the_reason(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    affine = case.restaging.t2.affine.copy()
    affine[:3, 1:3] *= 0.5
    score = system.score(changed(case, replace(case.restaging, t2=replace(case.restaging.t2, affine=affine))))
    assert not score.envelope.inside
    assert any("restaging exam: T2 field of view 54 mm" in reason for reason in score.envelope.reasons)
    assert score.category is Likelihood.UNCERTAIN
    assert score.possible is not None and score.possible.refer


def test_the_same_pair_gets_the_same_score(system: SignatureSvm) -> None:
    first, second = system.score(pair()), system.score(pair())
    assert replace(first, explanations=()) == replace(second, explanations=())
    for one, other in zip(first.explanations, second.explanations, strict=True):
        assert np.array_equal(one.saliency.volume.array, other.saliency.volume.array)


def test_a_batch_of_one_gives_what_a_batch_of_eight_gives(system: SignatureSvm) -> None:
    eight = made_up_patients()[:8]
    together = system.table([p.exams for p in eight], [p.patient.record for p in eight])
    for described in system.variants:
        at_once = system.assess(described, together)
        for index, patient in enumerate(eight):
            alone = system.assess(described, system.table([patient.exams], [patient.patient.record]))
            found = [getattr(at_once, name)[index] for name in ("probability", "lower", "upper")]
            expected = [getattr(alone, name)[0] for name in ("probability", "lower", "upper")]
            assert found == pytest.approx(expected, abs=1e-6, nan_ok=True), described.variant.key


def test_clinical_columns_are_those_that_selection_left(system: SignatureSvm) -> None:
    by_key = {described.variant.key: described for described in system.variants}
    assert clinical_columns(by_key["CR"]) == ("mwt_restaging_mm",)
    assert clinical_columns(by_key["CRD t2_dwi"]) == ("mwt_restaging_mm",)
    assert clinical_columns(by_key["FDL t2_dwi"]) == ()


def test_a_bundle_is_small(bundle: Bundle) -> None:
    """The rows that machines share are stored once."""
    stages = (Path(bundle.folder) / "stages.safetensors").stat().st_size
    assert stages < 300e3


def test_signatures_lie_between_0_and_1(system: SignatureSvm) -> None:
    crops = np.random.default_rng(0).random((8, 3, 16, 16)).astype(np.float16)
    found = system.signatures("post_dwi", crops)
    assert found.shape == (8, 3)
    assert 0.0 < found.min() <= found.max() < 1.0


def test_the_category_follows_thresholds_interval_and_envelope() -> None:
    cut, inside = {"low": 0.3, "high": 0.6}, Envelope(inside=True)
    assert category(0.7, (0.5, 0.8), cut, inside) is Likelihood.HIGH
    assert category(0.6, (0.5, 0.8), cut, inside) is Likelihood.MODERATE
    assert category(0.5, (0.2, 0.55), cut, inside) is Likelihood.MODERATE
    assert category(0.29, (0.1, 0.5), cut, inside) is Likelihood.LOW
    assert category(0.5, (0.2, 0.7), cut, inside) is Likelihood.UNCERTAIN
    assert category(0.9, (0.8, 0.95), cut, Envelope(inside=False, reasons=("other scanner",))) is Likelihood.UNCERTAIN


def test_what_moved_the_number_is_told_in_words_and_adds_up_to_the_log_odds(
    system: SignatureSvm, bundle: Bundle
) -> None:
    score = system.score(pair())
    assert score.contribution_unit == "log odds"
    assert len(score.contributions) == len(score.inputs)
    amounts = [abs(one.amount) for one in score.contributions]
    assert amounts == sorted(amounts, reverse=True) and amounts[0] > 0
    assert {one.name: one.value for one in score.contributions}["maximum wall thickness at restaging"] == "8 mm"
    (described,) = (one for one in system.variants if one.variant.key == named(score))
    machine = read_stages(bundle)[described.variant.key].machine
    background = read_table(bundle).spread(described.columns, 64)
    apart = np.log(score.probability / (1.0 - score.probability)) - machine.logit(background[:, None]).mean()
    assert sum(one.amount for one in score.contributions) == pytest.approx(apart)


def test_the_background_is_of_training_rows_that_have_all_inputs_spread_over_the_table(bundle: Bundle) -> None:
    table = read_table(bundle)
    names = ("post_ce_t1", "mwt_restaging_mm")
    rows = table.values[:, 0][:, [table.names.index(name) for name in names]]
    complete = rows[np.isfinite(rows).all(axis=1)]
    found = table.spread(names, 10)
    assert len(found) == 10 and {tuple(row) for row in found} <= {tuple(row) for row in complete}
    assert (found[0] == complete[0]).all() and (found[-1] == complete[-1]).all()
    assert len(table.spread(names, 10_000)) == len(complete)


def test_every_signature_that_counted_says_where_its_networks_looked(system: SignatureSvm) -> None:
    score = system.score(pair())
    assert [(one.time_point, one.sequence) for one in score.explanations] == [
        (time_point, sequence) for time_point in TimePoint for sequence in ("T2", "DWI", "CE-T1")
    ]
    assert {one.sequence for one in system.score(pair(ce_t1=False)).explanations} == {"T2", "DWI"}
    for one in score.explanations:
        assert one.saliency.valid.any() and 0.0 <= one.inside_share <= 1.0
        assert one.area_share is not None and 0.0 < one.area_share < 0.6


def test_a_map_shows_what_lowered_a_signature_below_the_mean_of_training(system: SignatureSvm) -> None:
    """Of two exams the one with the lower signature is explained by what lowered it, if the mean lies between them."""
    scores = [system.score(pair(adc=adc, radius=radius)) for adc, radius in ((1.9, 8.0), (0.8, 14.0))]
    signatures = [dict(score.inputs)["post_dwi"] for score in scores]
    raised = [
        next(e.raised for e in s.explanations if (e.time_point, e.sequence) == (TimePoint.RESTAGING, "DWI"))
        for s in scores
    ]
    assert signatures[0] > signatures[1]
    assert raised == [True, False]
