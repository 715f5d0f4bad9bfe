from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.contract import Case, ClinicalRecord, Item, TimePoint
from pipelines.evaluation.explained import rp_shapley
from pipelines.evaluation.prediction import Predicted
from pipelines.evaluation.rp_net import cut_of, predict
from pipelines.evaluation.viewed import rp_views
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.rp_net import RpNetResponse
from pipelines.training.rp_net import train_prepared
from pipelines.training.settings import silent
from tests.pipelines.made_up_exam import mask_of, plain_inputs
from tests.pipelines.made_up_response import QUICK, TOLD, exam_of, made_up_cohort, made_up_patients


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    patients = made_up_patients()
    out = tmp_path_factory.mktemp("bundles") / "rp_net"
    return train_prepared(made_up_cohort(patients), patients, out, (TOLD, QUICK), silent)


@pytest.fixture(scope="module")
def predicted(bundle: Bundle) -> Predicted:
    refused = replace(made_up_patients()[0], exams={}, refusal="baseline: NO_MASK: nothing drawn")
    mucinous = made_up_patients()[1]
    record = ClinicalRecord({**mucinous.patient.record.values, Item.HISTOLOGY: "mucinous adenocarcinoma"})
    excluded = replace(mucinous, patient=replace(mucinous.patient, record=record))
    return predict(bundle, (refused, excluded, *made_up_patients()[2:]), "cpu")


def unknown(*items: Item) -> np.ndarray:
    """Who has none of these on record."""
    return np.array([all(p.patient.record.number(item) is None for item in items) for p in made_up_patients()])


def test_every_model_says_by_which_oracle_it_is_measured(predicted: Predicted) -> None:
    by_name = {prediction.model: prediction for prediction in predicted.models}
    assert predicted.default == "fused_markers_measured"
    assert set(by_name) == {
        *("T2", "DWI", "CE-T1", "fused", "fused_measured"),
        *("fused_markers", "fused_markers_measured", "node"),
    }
    clinical = {name for name, p in by_name.items() if p.shown is InformationSet.PAIR_CLINICAL}
    assert clinical == {"fused_markers", "fused_markers_measured", "node"}
    assert {p.shown for name, p in by_name.items() if name not in clinical} == {InformationSet.PAIR}
    assert {p.outcome for p in by_name.values()} == {Outcome.COMPLETE_RESPONSE}
    assert all(p.sets is not None and p.sets.coverage == 0.9 for p in by_name.values())


def test_nothing_is_said_of_who_was_refused_or_lies_outside_the_purpose(predicted: Predicted) -> None:
    assert predicted.refused[0] == "baseline: NO_MASK: nothing drawn"
    assert predicted.refused[1].startswith("OUTSIDE_INTENDED_USE: ")
    for prediction in predicted.predictions:
        assert not prediction.covered[:2].any()
    assert predicted.used[:2] == ("", "")


def test_a_model_with_markers_covers_who_has_one_and_the_node_covers_everybody(predicted: Predicted) -> None:
    by_name = {prediction.model: prediction for prediction in predicted.models}
    neither = unknown(Item.CEA, Item.CA19_9)[2:]
    assert np.array_equal(by_name["fused_markers_measured"].covered[2:], ~neither)
    assert by_name["node"].covered[2:].all() and by_name["fused"].covered[2:].all()
    assert 0 < (~by_name["CE-T1"].covered[2:]).sum() < 10
    default, measured, node = (by_name[n].probability for n in ("fused_markers_measured", "fused_measured", "node"))
    assert np.array_equal(node, np.where(np.isfinite(default), default, measured), equal_nan=True)


def test_each_patient_has_the_threshold_of_the_stage_that_is_used(bundle: Bundle, predicted: Predicted) -> None:
    (default,) = (p for p in predicted.predictions if p.model == predicted.default)
    contrast = np.isfinite(predicted.features["logit_ce_t1"])
    for row in (2, 3, 4, 5):
        no_cea, no_ca = (np.isnan(predicted.features[name][row]) for name in ("cea_ng_ml", "ca19_9_u_ml"))
        subset = "ce_t1_t2_dwi" if contrast[row] else "t2_dwi"
        key = f"fused_markers_measured {subset}{' ca19_9' if no_cea else ' cea' if no_ca else ''}"
        assert default.thresholds[row] == bundle.manifest.thresholds[key]["youden"], row


def test_hidden_inputs_are_judged_on_those_who_have_them_and_change_what_is_said(predicted: Predicted) -> None:
    by_name = {prediction.model: prediction for prediction in predicted.degraded}
    assert set(by_name) == {
        *("node without contrast-enhanced T1", "node without CEA", "node without CA19-9"),
        *("node without CEA and CA19-9", "fused without contrast-enhanced T1"),
    }
    less = by_name["node without CEA"]
    assert np.array_equal(less.covered[2:], ~unknown(Item.CEA)[2:])
    assert less.hidden == "CEA" and less.whole == "node"
    whole = {prediction.model: prediction for prediction in predicted.models}
    both = less.covered
    assert not np.allclose(less.probability[both], whole["node"].probability[both])
    contrast = by_name["fused without contrast-enhanced T1"]
    assert np.array_equal(contrast.covered, predicted.groups["with contrast-enhanced T1"])


def test_own_outlines_are_judged_against_those_given_and_not_where_none_was(
    bundle: Bundle, predicted: Predicted
) -> None:
    system = RpNetResponse(bundle, torch.device("cpu"))
    one = made_up_patients()[7]
    own = system.read([one.exams])
    mean = np.mean([said.outlines[0, 1] for said in own.values()], axis=0) >= 0.5
    given = system.cut.outline(one.exams[TimePoint.RESTAGING])
    expected = 2 * (mean & given).sum() / (mean.sum() + given.sum())
    assert predicted.features["own_dice_restaging"][7] == pytest.approx(expected)
    assert {f"own_dice_{name}_{when}" for name in ("T2", "DWI", "CE-T1") for when in TimePoint} <= set(
        predicted.features
    )
    beds = [row for row, patient in enumerate(made_up_patients()) if patient.beds and row > 1]
    assert beds
    assert np.isnan(predicted.features["own_dice_T2_restaging"][beds]).all()
    assert np.isfinite(predicted.features["own_dice_T2_baseline"][2:]).all()


def test_the_node_and_the_evaluation_give_the_same_number(bundle: Bundle) -> None:
    """The same pair through the system's own cut, once as a case and once as a prepared patient in three views."""
    record = ClinicalRecord({Item.CEA: 3.0})
    exams = {when: exam_of(when, 2, False) for when in TimePoint}
    score = RpNetResponse(bundle, torch.device("cpu")).score(Case(*exams.values(), record=record))
    rng = np.random.default_rng(5)
    entries = {when: cut_of(bundle).cut(plain_inputs(exam), mask_of(exam), rng) for when, exam in exams.items()}
    like = made_up_patients()[5]
    patient = replace(like, patient=replace(like.patient, record=record), exams=entries)
    found = predict(bundle, (patient,), "cpu")
    assert found.default == "fused_markers_measured"
    (default,) = (p for p in found.predictions if p.model == found.default)
    assert default.probability[0] == score.probability


def test_where_the_usual_model_covers_nobody_the_next_of_the_node_is_the_default(bundle: Bundle) -> None:
    patients = [
        replace(one, patient=replace(one.patient, record=ClinicalRecord({}))) for one in made_up_patients()[2:6]
    ]
    found = predict(bundle, patients, "cpu")
    assert found.default == "fused_measured"
    assert found.why_default.startswith("fused_markers_measured covers nobody here")
    assert set(found.used) == {"fused_measured"}


def test_nobody_at_all_is_no_error(bundle: Bundle) -> None:
    refused = replace(made_up_patients()[0], exams={}, refusal="baseline: NO_MASK: nothing drawn")
    found = predict(bundle, (refused,), "cpu")
    assert not any(prediction.covered.any() for prediction in found.predictions)
    assert found.features == {}


def test_what_moves_the_fused_and_the_default_model_is_told(bundle: Bundle, predicted: Predicted) -> None:
    found = rp_shapley(bundle, predicted)
    assert set(found) == {"fused ce_t1_t2_dwi", "fused_markers_measured ce_t1_t2_dwi"}
    said = set(found["fused ce_t1_t2_dwi"].names)
    assert said > {"logit_ce_t1", "logit_t2", "logit_dwi"}
    assert all(name.startswith(("logit_", "read_")) for name in said)


def test_the_maps_of_the_report_are_of_both_exams_of_each_sequence(bundle: Bundle, predicted: Predicted) -> None:
    views = list(rp_views(bundle, made_up_patients()[2:6], predicted, torch.device("cpu")))
    assert {view.name for view in views} == {
        f"{when}_{name}" for when in ("pre", "post") for name in ("t2", "dwi", "ce_t1")
    }
    for view in views:
        assert view.tumour is not None and view.saliency().shape == view.tumour.shape == view.image.shape
