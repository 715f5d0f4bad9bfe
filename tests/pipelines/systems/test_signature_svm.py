from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.contract import Case, Code, Envelope, Exam, InputUnfit, Likelihood, TimePoint
from pipelines.systems.signature_svm import SignatureSvm, category
from pipelines.training.settings import silent
from pipelines.training.signature_svm import train_signature_svm
from tests.pipelines.made_up_cohort import QUICK, made_up_cohort, made_up_patients
from tests.pipelines.made_up_exam import made_up_exam, plain_inputs


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    patients = made_up_patients()
    out = tmp_path_factory.mktemp("bundles") / "signature_svm"
    return train_signature_svm(made_up_cohort(patients), patients, out, QUICK, silent)


@pytest.fixture(scope="module")
def system(bundle: Bundle) -> SignatureSvm:
    return SignatureSvm(bundle, torch.device("cpu"))


def pair(adc: float = 1.5, radius: float = 10.0, *, ce_t1: bool = True) -> Case:
    return Case(
        ready(made_up_exam(TimePoint.BASELINE, seed=501, ce_t1=ce_t1)),
        ready(made_up_exam(TimePoint.RESTAGING, adc=adc, radius=radius, seed=502, ce_t1=ce_t1)),
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


def test_a_pair_gets_a_probability_with_limits_and_the_models_identity(system: SignatureSvm, bundle: Bundle) -> None:
    score = system.score(pair())
    assert score.outcome == "good response (AJCC TRG 0–1)"
    assert 0.0 <= score.lower <= score.probability <= score.upper <= 1.0
    assert score.model.name == "restage-signature-svm ce_t1_t2_dwi"
    assert score.model.weights_digest == bundle.weights_digest
    assert score.model.phantom_trained
    assert score.interval.startswith("90 % of 9: bootstrap refits")
    assert score.envelope.inside, score.envelope.reasons


def test_the_planted_response_is_found(system: SignatureSvm) -> None:
    assert system.score(pair(1.5, 10.0)).probability > 0.6 > 0.4 > system.score(pair(1.0, 12.0)).probability


def test_without_ce_t1_the_other_model_is_used(system: SignatureSvm) -> None:
    score = system.score(pair(ce_t1=False))
    assert score.model.name == "restage-signature-svm t2_dwi"
    assert not any("ce_t1" in name for name, _ in score.inputs)


def test_ce_t1_at_one_time_only_uses_the_other_model_too(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    score = system.score(changed(case, replace(case.restaging, ce_t1=None)))
    assert score.model.name.endswith(" t2_dwi")


def test_missing_diffusion_is_refused_by_name(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    error = refusal(system, changed(case, replace(case.restaging, dwi={})))
    assert error.code is Code.INPUTS_MISSING
    assert "model t2_dwi lacks restaging exam: diffusion-weighted images" in error.reason
    assert "baseline" not in error.reason


def test_too_few_b_values_are_refused(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    one = replace(case.restaging, dwi={1000.0: case.restaging.dwi[1000.0]})
    assert refusal(system, changed(case, one)).code is Code.NO_DIFFUSION
    two = replace(case.restaging, dwi={b: v for b, v in case.restaging.dwi.items() if b != 500.0})
    error = refusal(system, changed(case, two))
    assert error.code is Code.INPUTS_MISSING
    assert "post_curvature" in error.reason


def test_a_lone_exam_or_an_exam_without_a_mask_is_refused(system: SignatureSvm) -> None:
    case = pair()
    assert case.restaging is not None
    assert refusal(system, replace(case, baseline=None)).code is Code.NO_BASELINE
    assert refusal(system, changed(case, None)).code is Code.NO_RESTAGING
    error = refusal(system, changed(case, replace(case.restaging, mask=None)))
    assert (error.code, error.reason) == (Code.NO_MASK, "the restaging exam has no tumour mask")


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
    crops = np.random.default_rng(0).random((8, 3, 16, 16)).astype(np.float32)
    together = system.signatures("post_dwi", crops)
    alone = np.concatenate([system.signatures("post_dwi", crops[i : i + 1]) for i in range(8)], axis=1)
    assert together.shape == (3, 8)
    assert alone == pytest.approx(together, abs=1e-6)


def test_the_category_follows_thresholds_interval_and_envelope() -> None:
    cut, inside = {"low": 0.3, "high": 0.6}, Envelope(inside=True)
    assert category(0.7, (0.5, 0.8), cut, inside) is Likelihood.HIGH
    assert category(0.6, (0.5, 0.8), cut, inside) is Likelihood.HIGH
    assert category(0.5, (0.2, 0.55), cut, inside) is Likelihood.MODERATE
    assert category(0.29, (0.1, 0.5), cut, inside) is Likelihood.LOW
    assert category(0.5, (0.2, 0.7), cut, inside) is Likelihood.UNCERTAIN
    assert category(0.9, (0.8, 0.95), cut, Envelope(inside=False, reasons=("other scanner",))) is Likelihood.UNCERTAIN


def test_the_bundle_says_what_it_is(bundle: Bundle, tmp_path: Path) -> None:
    m = bundle.manifest
    assert set(m.metrics) == {"ce_t1_t2_dwi", "t2_dwi"}
    assert set(m.metrics["t2_dwi"]) >= {"FDL", "measured", "FDL+measured", "patients"}
    assert m.training["seed"] == QUICK.seed
    assert m.training["threads"] == 1
    assert len(m.training["folds_sha256"]) == 64
    assert m.cohort.startswith("simulated cohort (restage phantom), 24 patients, 2 sites")
