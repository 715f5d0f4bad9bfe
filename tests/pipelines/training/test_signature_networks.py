from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pipelines.cohort.cut import PreparedPatient
from pipelines.systems.signature_inputs import Sequence
from pipelines.training import signature_networks
from pipelines.training.fit import Job, Run, fit
from pipelines.training.recipe import Recipe
from pipelines.training.settings import fixed_random_state
from pipelines.training.signature_networks import Plan, TrainedNetworks, enough, train_networks, with_sequence
from pipelines.training.signature_settings import SignatureSettings
from tests.pipelines.made_up_cohort import COUNT, QUICK, lacking, made_up_patients, with_outcomes

FOLDS = np.arange(COUNT) // 2 % 3


def trained(patients: tuple[PreparedPatient, ...], settings: SignatureSettings = QUICK) -> TrainedNetworks:
    labels = np.array([bool(p.patient.good_response) for p in patients])
    folds = FOLDS if settings.folds > 1 else np.zeros(COUNT, dtype=np.intp)
    with fixed_random_state(1, 1):
        return train_networks(patients, Plan(labels, folds, 5, settings), Run())


@pytest.fixture(scope="module")
def plain() -> TrainedNetworks:
    return trained(made_up_patients())


def test_six_signatures_of_three_folds_and_none_where_the_sequence_is_missing(plain: TrainedNetworks) -> None:
    assert set(plain.signatures) == {f"{t}_{s}" for t in ("pre", "post") for s in ("t2", "dwi", "ce_t1")}
    assert set(plain.epochs) == {f"{name}.{fold}" for name in plain.signatures for fold in range(3)}
    lacking = np.setdiff1d(np.arange(COUNT), with_sequence(made_up_patients(), Sequence.CE_T1))
    assert 0 < len(lacking) < COUNT / 2
    assert np.array_equal(np.flatnonzero(np.isnan(plain.signatures["post_ce_t1"]).any(axis=1)), lacking)
    assert np.isfinite(plain.signatures["post_dwi"]).all()


def test_a_patients_own_outcome_does_not_touch_its_signatures(plain: TrainedNetworks) -> None:
    patients = made_up_patients()
    outcomes = [bool(p.patient.good_response) for p in patients]
    outcomes[4] = not outcomes[4]
    # The inner split is stratified by outcome; without one nothing but the label itself can differ.
    settings = replace(QUICK, validation_share=0.0)
    before, after = trained(patients, settings), trained(with_outcomes(patients, outcomes), settings)
    same = FOLDS[4] == FOLDS
    for name, values in before.signatures.items():
        assert np.array_equal(values[same], after.signatures[name][same], equal_nan=True), name
    assert not np.array_equal(before.signatures["post_dwi"][~same], after.signatures["post_dwi"][~same])


def test_no_network_sees_a_patient_of_its_fold_not_even_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []

    def recorded(job: Job, run: Run):  # type: ignore[no-untyped-def]
        jobs.append(job)
        return fit(job, run)

    monkeypatch.setattr(signature_networks, "fit", recorded)
    trained(made_up_patients(), replace(QUICK, recipe=Recipe(epochs=1, batch=8, learning_rate=1e-3)))
    rows = {s: with_sequence(made_up_patients(), s) for s in Sequence}
    for job in jobs:
        own, fold = rows[job.examples.signature.sequence], int(job.name[-1])  # type: ignore[attr-defined]  # ours
        used = torch.cat([job.rows.train, job.rows.validation]).numpy()
        assert len(job.rows.validation) > 0
        assert not np.isin(np.flatnonzero(fold == FOLDS), own[used]).any()


def without(patients: tuple[PreparedPatient, ...], sequence: Sequence, rows: list[int]) -> tuple[PreparedPatient, ...]:
    """The patients, these rows without the sequence in either exam."""
    return tuple(
        replace(one, exams={when: lacking(entry, sequence) for when, entry in one.exams.items()})
        if row in rows
        else one
        for row, one in enumerate(patients)
    )


def test_a_fold_in_which_nobody_has_a_sequence_has_its_network_and_no_signature() -> None:
    patients = without(made_up_patients(), Sequence.CE_T1, np.flatnonzero(FOLDS == 1).tolist())
    found = trained(patients, replace(QUICK, recipe=replace(QUICK.recipe, epochs=1)))
    assert {f"pre_ce_t1.{fold}" for fold in range(3)} <= set(found.epochs)  # as many as of any other signature
    assert np.isnan(found.signatures["pre_ce_t1"][FOLDS == 1]).all()
    assert np.isfinite(found.signatures["pre_ce_t1"][FOLDS == 0]).any()


def test_a_sequence_that_one_fold_alone_has_gets_no_network() -> None:
    patients = without(made_up_patients(), Sequence.CE_T1, np.flatnonzero(FOLDS != 1).tolist())
    settings = replace(QUICK, recipe=replace(QUICK.recipe, epochs=1))
    labels = np.array([bool(p.patient.good_response) for p in patients])
    rows = with_sequence(patients, Sequence.CE_T1)
    assert enough(labels[rows], 3, 1)  # in number, but the rest of that fold would be nobody
    assert set(trained(patients, settings).signatures) == {"pre_t2", "post_t2", "pre_dwi", "post_dwi"}


def test_the_papers_way_is_one_network_that_saw_everybody() -> None:
    found = trained(made_up_patients(), replace(QUICK, folds=1, validation_share=0.0))
    assert set(found.epochs) == {f"{name}.0" for name in found.signatures}
    assert np.isfinite(found.signatures["pre_t2"]).all()


def test_what_is_planted_is_learnt() -> None:
    recipe = Recipe(epochs=12, batch=8, learning_rate=1e-2)
    found = trained(made_up_patients(), replace(QUICK, recipe=recipe, validation_share=0.0))
    labels = np.array([bool(p.patient.good_response) for p in made_up_patients()])
    assert roc_auc_score(labels, found.signatures["post_dwi"][:, 0]) > 0.8


def test_only_the_signature_is_kept_of_a_network_that_also_reads_features(plain: TrainedNetworks) -> None:
    last = [value for name, value in plain.weights.items() if name.endswith("class_layers.out.weight")]
    assert len(last) == 18
    assert all(len(value) == 1 and value.dtype is torch.float16 for value in last)


def test_enough_means_both_outcomes_in_every_fold() -> None:
    labels = np.array([True] * 10 + [False] * 30)
    assert enough(labels, 5, 5)
    assert not enough(labels, 6, 5)
    assert not enough(labels[1:], 5, 5)
