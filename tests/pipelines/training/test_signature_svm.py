from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.cohort.read import CohortError
from pipelines.contract import Case, TimePoint
from pipelines.evaluation.signature_svm import predict
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_svm import SignatureSvm
from pipelines.training import signature_svm as module
from pipelines.training.settings import silent
from pipelines.training.signature_svm import train_prepared, train_signature_svm
from tests.pipelines.made_up_cohort import (
    COUNT,
    PAPER,
    QUICK,
    TOLD,
    lacking,
    made_up_cohort,
    made_up_patients,
    with_outcomes,
)
from tests.pipelines.made_up_exam import made_up_exam, plain_inputs

ONE_EPOCH = replace(QUICK.recipe, epochs=1)
LEAN = replace(QUICK, refits=1, compared=False)


def trained(out: Path, **changes) -> Bundle:  # type: ignore[no-untyped-def]  # of the seed or the settings
    patients = changes.pop("patients", made_up_patients())
    told = replace(TOLD, seed=changes.pop("seed", TOLD.seed))
    return train_prepared(made_up_cohort(patients), patients, out, (told, replace(LEAN, **changes)), silent)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return trained(tmp_path_factory.mktemp("bundles") / "plain")


def test_the_same_seed_gives_the_same_bundle_and_leaves_nothing_beside_it(plain: Bundle, tmp_path: Path) -> None:
    torch.rand(7)  # what ran before must not matter
    again, other = trained(tmp_path / "a"), trained(tmp_path / "b", seed=4)
    assert plain.weights_digest == again.weights_digest != other.weights_digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_an_unusable_patient_is_left_out_and_named(tmp_path: Path) -> None:
    patients = made_up_patients()
    gone = replace(patients[3], exams={}, refusal="restaging: NO_MASK: nothing drawn")
    bundle = trained(tmp_path / "a", patients=(*patients[:3], gone, *patients[4:]))
    assert bundle.manifest.training["left_out"] == ["P03: restaging: NO_MASK: nothing drawn"]
    assert bundle.manifest.training["patients"] == COUNT - 1


def test_the_manifest_says_what_was_learnt_from_whom(plain: Bundle) -> None:
    m = plain.manifest
    assert m.training["therapies"] == {"chemotherapy": COUNT}
    assert m.training["clinical_selection"]["selected"] == ["mwt_restaging_mm"]
    assert m.training["first_weights"] == "random initialisation"
    assert m.cohort == f"simulated cohort (restage phantom), {COUNT} patients, 2 sites"
    assert {"FDL t2_dwi", "CRD t2_dwi", "CR"} <= set(m.metrics)
    assert set(m.thresholds["CRD t2_dwi"]) == {"low", "high", "coverage", "youden"}
    assert len(m.training["folds_sha256"]) == 64


def test_shuffled_outcomes_teach_nothing(tmp_path: Path) -> None:
    """A whole small system, networks included, on outcomes dealt anew, judged out of fold as its manifest is."""
    patients = made_up_patients()
    outcomes = [bool(p.patient.good_response) for p in patients]
    found = []
    for seed in range(5):
        dealt = np.random.default_rng(seed).permutation(outcomes).tolist()
        bundle = trained(tmp_path / str(seed), patients=with_outcomes(patients, dealt), recipe=ONE_EPOCH)
        found.append(bundle.manifest.metrics["FDL_measured t2_dwi"]["auc"])
    # 36 patients: one shuffle has a standard deviation of about 0.1. benchmarks.shuffled takes a cohort of full size.
    assert abs(float(np.mean(found)) - 0.5) < 0.12


def test_the_papers_way_trains_on_whole_slices_and_says_that_its_figures_promise_too_much(tmp_path: Path) -> None:
    patients = made_up_patients(PAPER.rule, views=1)
    bundle = train_prepared(
        made_up_cohort(patients), patients, tmp_path / "a", (TOLD, replace(PAPER, compared=False)), silent
    )
    assert bundle.manifest.training["figures"].startswith("in sample")
    assert bundle.manifest.preprocessing["crop"]["whole"]
    # Limits from probabilities of patients whom the networks had seen would cover fewer than they say.
    assert not any("coverage" in thresholds for thresholds in bundle.manifest.thresholds.values())
    assert predict(bundle, patients, "cpu").predictions[0].sets is None
    assert np.isfinite(predict(bundle, patients, "cpu").predictions[0].probability).any()


def test_a_cohort_in_which_nobody_has_contrast_trains_and_its_bundle_scores(tmp_path: Path) -> None:
    patients = tuple(
        replace(one, exams={when: lacking(entry, Sequence.CE_T1) for when, entry in one.exams.items()})
        for one in made_up_patients()
    )
    bundle = trained(tmp_path / "a", patients=patients, recipe=ONE_EPOCH, compared=True)
    assert not [key for key in bundle.manifest.network["variants"] if "ce_t1" in key]
    system = SignatureSvm(bundle, torch.device("cpu"))
    case = Case(*(replace(exam, inputs=plain_inputs(exam)) for exam in (made_up_exam(when) for when in TimePoint)))
    assert system.score(case).model.name == "restage-signature-svm FDL_measured t2_dwi"
    (found,) = (one for one in predict(bundle, patients, "cpu").predictions if one.model == "FDL")
    assert np.isfinite(found.probability).all()


def test_too_few_of_an_outcome_is_a_fault_of_the_cohort_with_its_column(tmp_path: Path) -> None:
    patients = with_outcomes(made_up_patients(), [index < 4 for index in range(COUNT)])
    with pytest.raises(CohortError, match="column 'good_response': 4 usable patients have 1, 10 are needed"):
        trained(tmp_path / "a", patients=patients)
    assert not (tmp_path / "a").exists()


def test_a_cohort_that_does_not_suit_is_refused_before_any_exam_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = made_up_cohort(made_up_patients())
    lacking = replace(cohort.patients[0], exams={TimePoint.BASELINE: Path("nowhere")}, good_response=None)
    monkeypatch.setattr(module, "prepare", None)  # would fail if it were called
    with pytest.raises(CohortError, match=r"row 2, column 'good_response': is empty"):
        train_signature_svm(replace(cohort, patients=(lacking, *cohort.patients[1:])), tmp_path / "a", TOLD, silent)
