from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from pipelines.cohort.cohort import CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import Case, ClinicalRecord, Exam, Item, TimePoint
from pipelines.evaluation.multi_rec_net import MONTHS, cut_of, predict
from pipelines.evaluation.prediction import OWN_DICE, Predicted, Prediction
from pipelines.evaluation.viewed import multi_rec_views
from pipelines.explain.grad_cam import inside_share
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.multi_rec_net import MultiRecSystem
from tests.pipelines.made_up_exam import mask_of, plain_inputs
from tests.pipelines.made_up_recurrence import record, trained_bundle, with_maps_exam, without_maps_exam

BEFORE, AFTER = "T2+DKI+Preclinical_measured", "All_measured"
OTHER = ClinicalRecord({Item.HISTOLOGY: "other"})


def prepared(exam: Exam, known: ClinicalRecord, refusal: str = "") -> PreparedPatient:
    patient = CohortPatient(2, "P", "A", {}, {}, known)
    if refusal:
        return PreparedPatient(patient, {}, refusal)
    entry = cut_of(trained_bundle()).cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(0))
    return PreparedPatient(patient, {TimePoint.BASELINE: entry})


@lru_cache(maxsize=1)
def exams() -> tuple[Exam, Exam]:
    return with_maps_exam(11.5, 77), without_maps_exam(12.5, 78)


@lru_cache(maxsize=1)
def patients() -> tuple[PreparedPatient, ...]:
    with_maps, without_maps = exams()
    return (
        prepared(with_maps, record()),
        prepared(without_maps, record()),
        prepared(with_maps, record(cea=None, ypn="")),
        prepared(with_maps, record(), "baseline: NO_DIFFUSION: none"),
        prepared(with_maps, OTHER),
    )


@pytest.fixture(scope="module")
def predicted() -> Predicted:
    return predict(trained_bundle(), patients(), "cpu")


def of(predicted: Predicted, name: str) -> Prediction:
    return next(one for one in predicted.predictions if one.model == name)


def test_the_node_scores_what_the_evaluation_predicts(predicted: Predicted) -> None:
    system = MultiRecSystem(trained_bundle(), torch.device("cpu"))
    cases = [Case(exams()[0], None, record=record()), Case(exams()[1], None, record=record())]
    scores = [system.score(case) for case in cases]
    assert of(predicted, AFTER).probability[:2] == pytest.approx([s.probability for s in scores], abs=1e-5)
    before = [system.score(Case(case.baseline, None, record=record(ypn=""))).probability for case in cases]
    assert of(predicted, BEFORE).probability[:2] == pytest.approx(before, abs=1e-5)
    curve = scores[0].curve
    assert curve is not None
    event_free = of(predicted, AFTER).event_free
    assert event_free is not None
    assert event_free[0, 0] == pytest.approx(curve.event_free[curve.months.index(12.0)], abs=1e-5)


def test_every_model_speaks_where_it_has_what_it_needs(predicted: Predicted) -> None:
    assert predicted.default == BEFORE
    assert of(predicted, AFTER).covered.tolist() == [True, True, False, False, False]
    for name in (BEFORE, "T2+DKI", "T2+DKI+Preclinical"):
        assert of(predicted, name).covered.tolist() == [True, True, True, False, False]
    assert [bool(reason) for reason in predicted.refused] == [False, False, False, True, True]
    assert "'other'" in predicted.refused[4]
    assert of(predicted, AFTER).shown is InformationSet.BASELINE_PATHOLOGY
    assert of(predicted, "T2+DKI").shown is InformationSet.BASELINE
    assert {one.outcome for one in predicted.predictions} == {Outcome.RECURRENCE}


def test_what_is_hidden_is_told_of_those_who_have_it(predicted: Predicted) -> None:
    without = of(predicted, "T2+DKI without maps")
    assert (without.whole, without.hidden) == ("T2+DKI", "maps")
    assert without.covered.tolist() == [True, False, True, False, False]
    assert not np.isclose(without.probability[0], of(predicted, "T2+DKI").probability[0], atol=1e-6)
    bare = of(predicted, "All without clinical values")
    assert bare.hidden == "clinical values" and bare.covered.tolist() == [True, True, False, False, False]
    assert not np.isclose(bare.probability[:2], of(predicted, "All").probability[:2], atol=1e-6).any()
    assert not any(one.model == "T2+DKI without clinical values" for one in predicted.predictions)


def test_each_patient_is_judged_at_the_threshold_of_the_model_used(predicted: Predicted) -> None:
    thresholds = trained_bundle().manifest.thresholds
    found = of(predicted, "T2+DKI").thresholds[:2].tolist()
    assert found == [thresholds["T2+DKI"]["youden"], thresholds["T2+DKI without maps"]["youden"]]
    sets = of(predicted, "T2+DKI").sets
    assert sets is not None and sets.coverage == 0.9


def test_event_free_shares_fall_and_hold_the_probability_at_three_years(predicted: Predicted) -> None:
    for one in predicted.predictions:
        assert one.months is not None and one.event_free is not None
        assert one.months.tolist() == MONTHS.tolist() == [12.0, 24.0, 36.0, 60.0]
        own = one.event_free[one.covered]
        assert (np.diff(own) <= 0).all()
        assert one.probability[one.covered] == pytest.approx(1.0 - own[:, 2])


def test_the_networks_own_masks_are_compared_with_the_given_ones(predicted: Predicted) -> None:
    for name in ("T2+DKI", "All"):
        overlap = predicted.features[f"{OWN_DICE}{name}_baseline"]
        assert ((overlap[:3] >= 0) & (overlap[:3] <= 1)).all() and np.isnan(overlap[3:]).all()
    assert predicted.features["volume_cm3"][0] > 0
    assert predicted.groups["T2+ADC+Dapp+Kapp"].tolist() == [True, False, True, False, False]
    assert predicted.groups["T2+ADC"].tolist() == [False, True, False, False, False]


def test_an_unusual_exam_is_outside_and_predicted_all_the_same() -> None:
    usual = patients()[0]
    entry = usual.exams[TimePoint.BASELINE]
    facts = {**entry.described["facts"], "t2_in_plane": 9.0}
    odd = replace(usual, exams={TimePoint.BASELINE: replace(entry, described={**entry.described, "facts": facts})})
    found = predict(trained_bundle(), [usual, odd], "cpu")
    assert found.outside.tolist() == [False, True]
    assert of(found, AFTER).covered.all()


def test_the_maps_of_the_report_are_those_that_the_node_shows(predicted: Predicted) -> None:
    (view,) = multi_rec_views(trained_bundle(), patients()[:1], predicted, torch.device("cpu"))
    system = MultiRecSystem(trained_bundle(), torch.device("cpu"))
    known = record() if predicted.default == AFTER else record(ypn="")
    (shown,) = system.score(Case(exams()[0], None, record=known)).explanations
    assert (view.name, view.raised.tolist()) == (shown.sequence, [shown.raised])
    assert view.tumour is not None and view.saliency().shape == view.tumour.shape == view.image.shape
    assert shown.inside_share == pytest.approx(inside_share(view.saliency()[0], view.tumour[0]), abs=0.15)
