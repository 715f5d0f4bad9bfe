from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.contract import Case, ClinicalRecord, Item, TimePoint
from pipelines.evaluation.prediction import Predicted
from pipelines.evaluation.signature_svm import cut_of, predict
from pipelines.evaluation.viewed import signature_views
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.signature_svm import SignatureSvm
from pipelines.training.settings import silent
from pipelines.training.signature_svm import train_prepared
from tests.pipelines.made_up_cohort import QUICK, TOLD, made_up_cohort, made_up_patients
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    patients = made_up_patients()
    out = tmp_path_factory.mktemp("bundles") / "signature_svm"
    return train_prepared(made_up_cohort(patients), patients, out, (TOLD, QUICK), silent)


@pytest.fixture(scope="module")
def predicted(bundle: Bundle) -> Predicted:
    refused = replace(made_up_patients()[0], exams={}, refusal="baseline: NO_MASK: nothing drawn")
    mucinous = made_up_patients()[1]
    record = ClinicalRecord({**mucinous.patient.record.values, Item.HISTOLOGY: "mucinous adenocarcinoma"})
    excluded = replace(mucinous, patient=replace(mucinous.patient, record=record))
    return predict(bundle, (refused, excluded, *made_up_patients()[2:]), "cpu")


def test_every_model_says_by_which_oracle_it_is_measured(predicted: Predicted) -> None:
    by_name = {prediction.model: prediction for prediction in predicted.predictions}
    assert predicted.default == "CRD"
    clinical = {name for name, p in by_name.items() if p.shown is InformationSet.PAIR_CLINICAL}
    assert clinical == {"CR", "CRD", "CRD_published", "node"}
    assert {p.shown for name, p in by_name.items() if name not in clinical} == {InformationSet.PAIR}
    assert {p.outcome for p in by_name.values()} == {Outcome.GOOD_RESPONSE}
    assert {"FDL", "FDL+delta", "FDL_measured", "pre_t2", "post_dwi", "t2+dwi"} <= set(by_name)


def test_nothing_is_said_of_who_was_refused_or_lies_outside_the_purpose(predicted: Predicted) -> None:
    assert predicted.refused[0] == "baseline: NO_MASK: nothing drawn"
    assert predicted.refused[1].startswith("OUTSIDE_INTENDED_USE: ")
    for prediction in predicted.predictions:
        assert not prediction.covered[:2].any()


def test_clinical_models_are_silent_where_a_value_is_missing_and_image_models_are_not(predicted: Predicted) -> None:
    by_name = {prediction.model: prediction for prediction in predicted.predictions}
    missing = np.array([p.patient.record.number(Item.MWT_RESTAGING) is None for p in made_up_patients()])[2:]
    assert missing.any()
    assert np.array_equal(by_name["CRD"].covered[2:], ~missing)
    assert by_name["FDL_measured"].covered[2:].all()
    assert 0 < (~by_name["FDL+delta"].covered[2:]).sum() < 10  # no contrast-enhanced T1


def test_what_the_node_shows_is_of_each_patient_the_first_model_that_has_its_inputs(predicted: Predicted) -> None:
    by_name = {prediction.model: prediction for prediction in predicted.predictions}
    crd, measured, node = (by_name[name].probability for name in ("CRD", "FDL_measured", "node"))
    assert np.array_equal(node, np.where(np.isfinite(crd), crd, measured), equal_nan=True)
    used = np.where(np.isfinite(crd), "CRD", "FDL_measured")
    assert predicted.used == ("", "", *used[2:])
    assert "FDL_measured" in predicted.used
    assert by_name["node"].about.startswith("node: of each patient the first of CRD, FDL_measured, FDL")


def test_each_patient_has_the_threshold_and_the_category_of_the_machine_that_is_used(
    bundle: Bundle, predicted: Predicted
) -> None:
    by_name = {prediction.model: prediction for prediction in predicted.predictions}
    crd, node = by_name["CRD"], by_name["node"]
    no_contrast = np.isnan(predicted.features["pre_ce_t1"]) & crd.covered
    assert no_contrast.any()
    whole, without = (bundle.manifest.thresholds[f"CRD {subset}"] for subset in ("ce_t1_t2_dwi", "t2_dwi"))
    expected = np.where(no_contrast, without["youden"], whole["youden"])
    assert crd.thresholds[crd.covered] == pytest.approx(expected[crd.covered])
    assert set(crd.cuts) == {whole["youden"], without["youden"]}
    assert node.categories is not None
    assert [bool(word) for word in node.categories] == node.covered.tolist()
    high = crd.covered & (node.categories == "high")
    low = crd.covered & (node.categories == "low")
    cuts = [np.where(no_contrast, without[name], whole[name]) for name in ("high", "low")]
    assert (crd.probability > cuts[0])[high].all() and (crd.probability < cuts[1])[low].all()
    # The sets are by the limits of the same machine: called high, no poor response remains possible.
    assert crd.sets is not None and crd.sets.coverage == 0.9
    seen = crd.covered
    assert (crd.sets.event[seen] == (crd.probability >= cuts[1])[seen]).all()
    assert (crd.sets.no_event[seen] == (crd.probability <= cuts[0])[seen]).all()
    assert not crd.sets.no_event[high].any() and not crd.sets.event[low].any()


def test_where_the_usual_model_covers_nobody_the_next_of_the_node_is_the_default_and_words_say_so(
    bundle: Bundle,
) -> None:
    patients = [
        replace(one, patient=replace(one.patient, record=ClinicalRecord({}))) for one in made_up_patients()[2:8]
    ]
    predicted = predict(bundle, patients, "cpu")
    assert predicted.default == "FDL_measured"
    assert predicted.why_default.startswith("CRD covers nobody here, so the report is about FDL_measured")
    assert set(predicted.used) == {"FDL_measured"}


def test_features_are_what_the_machines_saw(predicted: Predicted) -> None:
    assert (
        np.nanmax(
            np.abs(predicted.features["delta_t2"] - (predicted.features["pre_t2"] - predicted.features["post_t2"]))
        )
        < 1e-6
    )
    assert np.isnan(predicted.features["post_adc_mean"][:2]).all()


def test_the_node_and_the_evaluation_give_the_same_number(bundle: Bundle) -> None:
    """The same pair through the system's own cut, once as a case and once as a prepared patient."""
    record = ClinicalRecord({Item.MWT_RESTAGING: 9.0})
    exams = {when: made_up_exam(when, adc=1.2, seed=70 + place) for place, when in enumerate(TimePoint)}
    ready = {when: replace(exam, inputs=plain_inputs(exam)) for when, exam in exams.items()}
    score = SignatureSvm(bundle, torch.device("cpu")).score(
        Case(ready[TimePoint.BASELINE], ready[TimePoint.RESTAGING], record=record)
    )
    rng = np.random.default_rng(5)
    entries = {when: cut_of(bundle).cut(plain_inputs(exam), mask_of(exam), rng) for when, exam in exams.items()}
    like = made_up_patients()[5]
    patient = replace(like, patient=replace(like.patient, record=record), exams=entries)
    default = predict(bundle, (patient,), "cpu").predictions[0]
    assert default.model == "CRD"
    assert default.probability[0] == score.probability


def test_the_maps_of_the_report_are_those_of_the_patients_signatures(bundle: Bundle, predicted: Predicted) -> None:
    views = list(signature_views(bundle, made_up_patients()[2:8], predicted, torch.device("cpu")))
    assert [view.name for view in views][:4] == ["pre_t2", "post_t2", "pre_dwi", "post_dwi"]
    for view in views[:4]:
        signatures = predicted.features[view.name][2:8]
        assert view.raised[signatures.argmax()] or not view.raised.any()
        assert view.tumour is not None and view.saliency().shape == view.tumour.shape == view.image.shape
