from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import patient_folds
from pipelines.contract import TimePoint
from pipelines.packing import SCALE, unpacked
from pipelines.systems.networks.rp_net import RpNet
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.tumour_field import Channel
from pipelines.training import rp_networks
from pipelines.training.fit import Job, Run, fit
from pipelines.training.recipe import Recipe
from pipelines.training.rp_networks import Plan, TrainedNetworks, size_of, train_networks, with_sequence
from pipelines.training.rp_settings import RpSettings
from pipelines.training.settings import fixed_random_state
from tests.pipelines.made_up_response import COUNT, QUICK, made_up_patients, with_outcomes, without

ONE_EPOCH = replace(QUICK, recipe=Recipe(epochs=1, batch=8, learning_rate=1e-2))
FOLDS = np.arange(COUNT) // 2 % 2


def only_t2(patients: tuple[PreparedPatient, ...]) -> tuple[PreparedPatient, ...]:
    """The patients without another sequence, so that a test trains two networks, not six."""
    lost = (Channel.HIGH_B, Channel.CE_T1)
    return tuple(
        replace(one, exams={when: without(entry, *lost) for when, entry in one.exams.items()}) for one in patients
    )


def trained(
    patients: tuple[PreparedPatient, ...], settings: RpSettings = ONE_EPOCH, folds: np.ndarray = FOLDS
) -> TrainedNetworks:
    labels = np.array([bool(p.patient.complete_response) for p in patients])
    with fixed_random_state(1, 1):
        return train_networks(patients, Plan(labels, folds, 5, settings), Run())


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Every job that is run from here on."""
    found: list[Job] = []

    def recorded(job: Job, run: Run):  # type: ignore[no-untyped-def]
        found.append(job)
        return fit(job, run)

    monkeypatch.setattr(rp_networks, "fit", recorded)
    return found


def test_every_sequence_has_a_network_per_fold_and_a_lacking_one_no_log_odds() -> None:
    found = trained(made_up_patients())
    assert set(found.logits) == set(found.dice) == set(Sequence)
    assert set(found.fitted) == {f"{sequence} {fold}" for sequence in Sequence for fold in (0, 1)}
    lacking = np.setdiff1d(np.arange(COUNT), with_sequence(made_up_patients(), Sequence.CE_T1, QUICK))
    assert 0 < len(lacking) < COUNT / 2
    assert np.array_equal(np.flatnonzero(np.isnan(found.logits[Sequence.CE_T1])), lacking)
    assert np.isfinite(found.logits[Sequence.T2]).all()
    overlap = found.dice[Sequence.T2]
    assert overlap.shape == (COUNT, 2) and np.nanmin(overlap) >= 0 and np.nanmax(overlap) <= 1
    beds = [TimePoint.RESTAGING in one.beds for one in made_up_patients()]
    assert any(beds) and np.array_equal(np.isnan(overlap[:, 1]), beds)


def test_what_is_stored_is_an_rp_net_in_eight_bits_and_half_precision() -> None:
    found = trained(only_t2(made_up_patients()))
    own = {key.removeprefix("t2.1."): value for key, value in found.weights.items() if key.startswith("t2.1.")}
    network = RpNet(size_of(Sequence.T2, ONE_EPOCH))
    network.load_state_dict(unpacked(own))
    kept = {value.dtype for name, value in own.items() if not name.endswith((SCALE, "num_batches_tracked"))}
    assert kept == {torch.int8, torch.float16}


def test_a_patients_own_outcome_does_not_touch_its_log_odds() -> None:
    patients = only_t2(made_up_patients())
    outcomes = [bool(p.patient.complete_response) for p in patients]
    outcomes[4] = not outcomes[4]
    # The inner split is stratified by outcome; without one nothing but the label itself can differ.
    settings = replace(ONE_EPOCH, validation_share=0.0)
    before, after = (
        trained(one, settings).logits[Sequence.T2] for one in (patients, with_outcomes(patients, outcomes))
    )
    same = FOLDS[4] == FOLDS
    assert np.array_equal(before[same], after[same])
    assert not np.array_equal(before[~same], after[~same])


def test_no_network_sees_a_patient_of_its_fold_not_even_through_another_row_or_to_stop(jobs: list[Job]) -> None:
    """Every patient stands in two rows, as no cohort should have them."""
    once = only_t2(made_up_patients())
    twice = (*once, *(replace(one, patient=replace(one.patient, line=100 + one.patient.line)) for one in once))
    labels = [bool(one.patient.complete_response) for one in twice]
    folds = patient_folds([one.patient for one in twice], labels, 2, 3)
    assert np.array_equal(folds[:COUNT], folds[COUNT:])
    trained(twice, replace(ONE_EPOCH, oversampling=2), folds)
    names = np.array([one.patient.patient_id for one in twice])
    assert len(jobs) == 2
    for job in jobs:
        apart = set(names[folds == int(job.name[-1])])
        learnt, stopped = (set(names[rows.numpy()]) for rows in (job.rows.train, job.rows.validation))
        assert learnt and stopped
        assert not learnt & stopped
        assert not (learnt | stopped) & apart


def test_complete_responders_are_drawn_as_often_as_told_and_only_to_learn_from(jobs: list[Job]) -> None:
    patients = only_t2(made_up_patients())
    trained(patients, replace(ONE_EPOCH, oversampling=5))
    complete = np.array([bool(p.patient.complete_response) for p in patients])
    for job in jobs:
        rows, times = np.unique(job.rows.train.numpy(), return_counts=True)
        assert np.array_equal(times, np.where(complete[rows], 5, 1))
        assert len(np.unique(job.rows.validation)) == len(job.rows.validation) > 0


def test_a_sequence_that_too_few_have_gets_no_network() -> None:
    found = trained(only_t2(made_up_patients()))
    assert set(found.logits) == {Sequence.T2}
    assert all(key.startswith("t2.") for key in found.weights)


def test_networks_learn_to_read_features_only_where_that_is_asked() -> None:
    assert size_of(Sequence.T2, QUICK).reads == 8
    assert size_of(Sequence.T2, QUICK).channels == 2
    plain = replace(QUICK, feature_weight=0.0)
    assert size_of(Sequence.DWI, plain).reads == 0
    assert size_of(Sequence.DWI, replace(plain, foreground=True)).channels == 1
    assert np.isfinite(
        trained(only_t2(made_up_patients()), replace(ONE_EPOCH, feature_weight=0.0)).logits[Sequence.T2]
    ).all()
