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


def test_the_same_pair_gets_the_same_score(system: SignatureSvm) -> None:
    assert system.score(pair()) == system.score(pair())


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
    assert category(0.6, (0.5, 0.8), cut, inside) is Likelihood.HIGH
    assert category(0.5, (0.2, 0.55), cut, inside) is Likelihood.MODERATE
    assert category(0.29, (0.1, 0.5), cut, inside) is Likelihood.LOW
    assert category(0.5, (0.2, 0.7), cut, inside) is Likelihood.UNCERTAIN
    assert category(0.9, (0.8, 0.95), cut, Envelope(inside=False, reasons=("other scanner",))) is Likelihood.UNCERTAIN
