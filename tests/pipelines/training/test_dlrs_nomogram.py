from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.cohort.cohort import FollowUp
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.read import CohortError
from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, inverse_weights
from pipelines.systems.dlrs_inputs import Modality
from pipelines.training import dlrs_cox, dlrs_models
from pipelines.training.dlrs_cox import LEAST_EVENTS, fit_cox
from pipelines.training.dlrs_models import READ, Known, axes_of, fit_stage, known_of
from pipelines.training.dlrs_networks import Plan, strata_of, times_of, train_networks
from pipelines.training.dlrs_nomogram import train_prepared
from pipelines.training.fit import Run
from pipelines.training.settings import silent
from tests.pipelines.made_up_metastasis import QUICK, QUICK_DLRS, made_up_cohort, made_up_patients


def folds() -> np.ndarray:
    return np.arange(len(made_up_patients())) % QUICK_DLRS.folds


def changed(patient: PreparedPatient, followed: FollowUp) -> PreparedPatient:
    return replace(patient, patient=replace(patient.patient, metastasis=followed))


def known(probability: float = 0.3):
    flat = np.full((len(made_up_patients()), QUICK_DLRS.views), probability)
    rng = np.random.default_rng(0)
    return known_of(made_up_patients(), {one: flat + 0.01 * rng.standard_normal(flat.shape) for one in Modality})


def test_the_same_seed_gives_the_same_bundle_and_it_says_what_it_is(tmp_path: Path) -> None:
    cohort = made_up_cohort(made_up_patients())
    refused = replace(made_up_patients()[0], exams={}, refusal="baseline: NO_DIFFUSION: none")
    given = (*made_up_patients()[1:], refused)
    first = train_prepared(cohort, given, tmp_path / "a", (QUICK, QUICK_DLRS), silent)
    torch.rand(7)  # what ran before must not matter
    second = train_prepared(cohort, given, tmp_path / "b", (QUICK, QUICK_DLRS), silent)
    assert first.weights_digest == second.weights_digest
    m = first.manifest
    assert m.training["left_out"] == ["P00: baseline: NO_DIFFUSION: none"]
    assert m.training["patients"] == len(made_up_patients()) - 1
    assert len(m.training["curves"]) == 2 * QUICK_DLRS.folds
    assert {"clinical", "nomogram", "nomogram_postoperative", "measured"} <= set(m.metrics)
    assert set(m.thresholds) >= {"nomogram", "nomogram_postoperative"}
    assert all(set(one) == {"youden", "low", "high", "coverage"} for one in m.thresholds.values())
    assert not (tmp_path / "a.training").exists()


def test_a_fold_is_never_seen_by_the_networks_and_models_that_predict_it() -> None:
    plan = Plan(folds(), 1, replace(QUICK_DLRS, recipe=replace(QUICK_DLRS.recipe, epochs=1)))
    before = train_networks(made_up_patients(), plan, Run())
    spoilt = tuple(
        changed(patient, FollowUp(0.5, event=True)) if fold == 1 else patient
        for patient, fold in zip(made_up_patients(), folds(), strict=True)
    )
    after = train_networks(spoilt, plan, Run())
    for modality in Modality:
        same = before.probability[modality] == after.probability[modality]
        assert same[folds() == 1].all()
        assert not same[folds() != 1].all()


def test_large_tumours_and_the_record_are_learnt_and_shuffled_outcomes_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    times = times_of(made_up_patients())
    stage = fit_stage(known(), times, folds(), QUICK_DLRS)
    assert stage.metrics["measured"]["c_index"] > 0.65
    assert stage.metrics["nomogram_postoperative"]["c_index"] > stage.metrics["clinical"]["c_index"]
    # Unshrunk: a model of shuffled outcomes that is not shrunk to nothing, and dropped, is there by luck.
    monkeypatch.setattr(dlrs_cox, "shrunk", lambda chi_square, covariates: 1.0)
    found = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(made_up_patients()))
        found.append(fit_stage(known(), times.of(order), folds(), QUICK_DLRS).metrics["nomogram"]["c_index"])
    # 72 patients: one shuffle has a standard deviation of about 0.05.
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_a_model_exists_for_every_set_of_items_and_uses_those_who_have_them() -> None:
    stage = fit_stage(known(), times_of(made_up_patients()), folds(), QUICK_DLRS)
    lacking_cea = sum("cea_ng_ml" not in {str(item) for item in p.patient.record.values} for p in made_up_patients())
    assert lacking_cea > 0
    assert stage.metrics["nomogram_ct"]["patients"] == len(made_up_patients())
    assert stage.metrics["nomogram_published"]["patients"] == len(made_up_patients()) - lacking_cea
    assert len(stage.scoring) == 2 * 8 + 2  # both published ones; DLRS alone is noise here, which moves nothing
    assert "DLRS" not in stage.models
    assert stage.models["features"].names == READ


def test_a_model_that_nothing_moves_is_left_out_and_another_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(names, *rest):  # type: ignore[no-untyped-def]
        model = fit_cox(names, *rest)
        return replace(model, coefficients=0.0 * model.coefficients) if "emvi" in names else model

    monkeypatch.setattr(dlrs_models, "fit_cox", flat)
    stage = fit_stage(known(), times_of(made_up_patients()), folds(), QUICK_DLRS)
    assert stage.scoring
    assert not [name for name in (*stage.models, *stage.scoring) if "emvi" in name or name == "nomogram"]
    assert set(stage.thresholds) == {rule.family for rule in stage.rules.values()}


def test_the_limits_of_a_family_are_those_of_the_probabilities_that_would_have_been_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each patient by the model that would score, weighted by the inverse share that was still observed."""
    given: dict[int, tuple[np.ndarray, ...]] = {}

    def recorded(event, probability, weights):  # type: ignore[no-untyped-def]
        given[len(given)] = (event, probability, weights)
        return {"low": 0.0, "high": 1.0, "coverage": 0.9}

    monkeypatch.setattr(dlrs_models, "conformal_limits", recorded)
    times = times_of(made_up_patients())
    stage = fit_stage(known(), times, folds(), QUICK_DLRS)
    assert len(given) == len(stage.thresholds)
    place = list(stage.thresholds).index("nomogram")
    event, probability, weights = given[place]
    outcome = AtHorizon(Observed(times.months, times.event), 36.0)
    assert weights == pytest.approx(inverse_weights(np.ones((1, len(made_up_patients()))), outcome)[0])
    assert (event == outcome.had).all()
    assert (weights == 0).sum() == np.isnan(times.status).sum() > 0
    assert np.isfinite(probability).all()


def test_where_measured_features_say_nothing_no_model_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(names, *rest):  # type: ignore[no-untyped-def]
        model = fit_cox(names, *rest)
        return replace(model, coefficients=0.0 * model.coefficients) if names == READ else model

    monkeypatch.setattr(dlrs_models, "fit_cox", flat)
    stage = fit_stage(known(), times_of(made_up_patients()), folds(), QUICK_DLRS)
    assert not [rule for rule in stage.rules.values() if "measured" in rule.covariates]
    assert "measured" not in axes_of(stage.known)


def test_a_cohort_that_teaches_nothing_gives_no_bundle_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlrs_cox, "shrunk", lambda chi_square, covariates: 0.0)
    with pytest.raises(CohortError, match="image and clinical values predict nothing in this cohort"):
        patients = made_up_patients()
        train_prepared(made_up_cohort(patients), patients, tmp_path / "a", (QUICK, QUICK_DLRS), silent)
    assert not (tmp_path / "a").exists()


def test_a_set_of_items_known_of_recent_patients_alone_gets_no_model() -> None:
    given, times = known(), times_of(made_up_patients())
    recent = times.status != 0
    emvi = np.where(recent, np.arange(len(made_up_patients())) % 2, np.nan)
    stage = fit_stage(Known({**given.covariates, "emvi": emvi}, given.features), times, folds(), QUICK_DLRS)
    assert (recent & times.event).sum() >= LEAST_EVENTS  # events alone would be enough
    assert stage.scoring and not [name for name in stage.scoring if "emvi" in name]


def test_strata_tell_events_from_those_free_and_those_unknown() -> None:
    courses = [FollowUp(10.0, True), FollowUp(50.0, True), FollowUp(40.0, False), FollowUp(10.0, False)]
    patients = [changed(made_up_patients()[0], one) for one in courses]
    assert strata_of(patients) == ["event", "free", "free", "censored"]


def test_too_few_events_are_said_before_anything_is_trained(tmp_path: Path) -> None:
    patients = tuple(changed(patient, FollowUp(50.0, event=False)) for patient in made_up_patients())
    with pytest.raises(CohortError, match=r"'metastasis_months': 0 usable patients had metastasis .* 10 are needed"):
        train_prepared(made_up_cohort(patients), patients, tmp_path / "a", (QUICK, QUICK_DLRS), silent)
    assert not (tmp_path / "a").exists()


def test_the_papers_way_trains_on_whose_course_is_known(tmp_path: Path) -> None:
    own = replace(QUICK_DLRS, cross_entropy=True, feature_weight=0.0, validation_share=0.2)
    patients = made_up_patients()
    bundle = train_prepared(made_up_cohort(patients), patients, tmp_path / "a", (QUICK, own), silent)
    assert bundle.manifest.network["baselines"] == {}
    assert bundle.manifest.training["curves"]["t2 0"]["validation"] is not None
