from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import Case, ClinicalRecord, Exam, Item, TimePoint
from pipelines.evaluation.dlrs_nomogram import MONTHS, cut_of, predict
from pipelines.evaluation.viewed import dlrs_views
from pipelines.explain.grad_cam import inside_share
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.dlrs_nomogram import DlrsNomogram
from pipelines.training.dlrs_nomogram import train_prepared
from pipelines.training.settings import silent
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_metastasis import QUICK, QUICK_DLRS, made_up_cohort, made_up_patients, ready, record


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    patients = made_up_patients()
    out = tmp_path_factory.mktemp("bundles") / "dlrs_nomogram"
    return train_prepared(made_up_cohort(patients), patients, out, (QUICK, QUICK_DLRS), silent)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return ready(made_up_exam(adc=0.93, radius=11.5, seed=77, ce_t1=False))


def prepared(bundle: Bundle, exam: Exam, known: ClinicalRecord, refusal: str = "") -> PreparedPatient:
    patient = CohortPatient(2, "P", "A", {}, {}, known)
    if refusal:
        return PreparedPatient(patient, {}, refusal)
    entry = cut_of(bundle).cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(0))
    return PreparedPatient(patient, {TimePoint.BASELINE: entry})


def test_the_node_scores_what_the_evaluation_predicts(bundle: Bundle, exam: Exam) -> None:
    system = DlrsNomogram(bundle, torch.device("cpu"))
    records = (record(), record(ypn=""), record(cea=None, ypn=""))
    patients = [prepared(bundle, exam, known) for known in records]
    found = {one.model: one for one in predict(bundle, patients, "cpu").predictions}
    scores = [system.score(Case(exam, None, record=known)) for known in records]
    assert found["nomogram_postoperative"].probability[0] == pytest.approx(scores[0].probability, abs=1e-6)
    assert found["nomogram"].probability[1:] == pytest.approx([s.probability for s in scores[1:]], abs=1e-6)
    curve = scores[1].curve
    assert curve is not None
    at_year = curve.event_free[curve.months.index(12.0)]
    assert found["nomogram"].event_free[1, 0] == pytest.approx(at_year)


def test_every_model_says_what_it_saw_and_speaks_only_where_it_has_that(bundle: Bundle, exam: Exam) -> None:
    other = ClinicalRecord({Item.HISTOLOGY: "squamous cell carcinoma"})
    patients = [
        prepared(bundle, exam, record()),
        prepared(bundle, exam, record(cea=None, ypn="")),
        prepared(bundle, exam, record(), "baseline: NO_DIFFUSION: none"),
        prepared(bundle, exam, other),
    ]
    predicted = predict(bundle, patients, "cpu")
    found = {one.model: one for one in predicted.predictions}
    assert predicted.default == "nomogram"
    assert found["DLRS_measured"].covered.tolist() == [True, True, False, False]
    assert found["clinical"].covered.tolist() == [True, False, False, False]
    assert found["nomogram"].covered.tolist() == [True, True, False, False]
    assert found["nomogram_postoperative"].covered.tolist() == [True, False, False, False]
    assert found["measured"].shown is InformationSet.BASELINE
    assert "DLRS" not in found  # noise here: a model that nothing moves is not in the bundle
    assert found["nomogram"].shown is InformationSet.BASELINE_CLINICAL
    assert found["nomogram_postoperative"].shown is InformationSet.BASELINE_PATHOLOGY
    assert {one.outcome for one in predicted.predictions} == {Outcome.METASTASIS}
    assert [bool(reason) for reason in predicted.refused] == [False, False, True, True]
    assert "squamous" in predicted.refused[3]
    assert np.isnan(predicted.features["cea"][1]) and predicted.features["volume_cm3"][0] > 0


def test_event_free_shares_fall_and_hold_the_probability_at_three_years(bundle: Bundle, exam: Exam) -> None:
    for one in predict(bundle, [prepared(bundle, exam, record())], "cpu").predictions:
        assert one.months is not None and one.event_free is not None
        assert one.months.tolist() == MONTHS.tolist() == [12.0, 24.0, 36.0, 60.0]
        assert (np.diff(one.event_free[0]) <= 0).all()
        assert one.probability[0] == pytest.approx(1.0 - one.event_free[0, 2])


def test_an_unusual_exam_is_outside_and_predicted_all_the_same(bundle: Bundle, exam: Exam) -> None:
    usual = prepared(bundle, exam, record())
    entry = usual.exams[TimePoint.BASELINE]
    facts = {**entry.described["facts"], "t2_in_plane": 9.0}
    odd = replace(usual, exams={TimePoint.BASELINE: replace(entry, described={**entry.described, "facts": facts})})
    predicted = predict(bundle, [usual, odd], "cpu")
    assert predicted.outside.tolist() == [False, True]
    assert all(one.covered.all() for one in predicted.predictions)


def test_the_maps_of_the_report_are_those_that_the_node_shows(bundle: Bundle, exam: Exam) -> None:
    patients = [prepared(bundle, exam, record()), prepared(bundle, exam, record(ypn=""))]
    views = list(dlrs_views(bundle, patients, predict(bundle, patients, "cpu"), torch.device("cpu")))
    assert [view.name for view in views] == ["T2", "ADC"]
    shown = DlrsNomogram(bundle, torch.device("cpu")).score(Case(exam, None, record=record())).explanations
    for view, one in zip(views, shown, strict=True):
        assert view.raised.tolist() == [one.raised, one.raised]
        assert view.tumour is not None
        share = inside_share(view.saliency()[0], view.tumour[0])
        assert one.inside_share == pytest.approx(share, abs=0.15)  # the same map on another grid
