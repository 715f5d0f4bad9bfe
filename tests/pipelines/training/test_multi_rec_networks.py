from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.cohort.cohort import FollowUp
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import patient_folds
from pipelines.systems.networks.multi_rec_net import MultiRecNet, Variant
from pipelines.training.fit import Run
from pipelines.training.multi_rec_networks import (
    Looped,
    Plan,
    TrainedNetworks,
    begin_with,
    network_size,
    strata_of,
    times_of,
    train_networks,
)
from tests.pipelines.made_up_recurrence import QUICK_MULTI_REC, made_up_patients

FOLDS = np.arange(48) % 2
ONE_EPOCH = replace(QUICK_MULTI_REC.table_recipe, epochs=1)
SETTINGS = replace(
    QUICK_MULTI_REC,
    variants=(Variant.T2_DKI, Variant.CLINICAL, Variant.ALL),
    recipe=ONE_EPOCH,
    joined_recipe=ONE_EPOCH,
    table_recipe=ONE_EPOCH,
)


def some() -> tuple[PreparedPatient, ...]:
    return made_up_patients()[: len(FOLDS)]


def changed(patient: PreparedPatient, followed: FollowUp) -> PreparedPatient:
    return replace(patient, patient=replace(patient.patient, recurrence=followed))


def trained(patients: tuple[PreparedPatient, ...]) -> TrainedNetworks:
    return train_networks(patients, Plan(FOLDS, 1, SETTINGS), Run())


@pytest.fixture(scope="module")
def networks() -> TrainedNetworks:
    return trained(some())


def test_a_fold_is_never_seen_by_the_networks_that_predict_it(networks: TrainedNetworks) -> None:
    spoilt = tuple(
        changed(patient, FollowUp(0.5, event=True)) if fold == 1 else patient
        for patient, fold in zip(some(), FOLDS, strict=True)
    )
    after = trained(spoilt)
    for name, before in networks.said.items():
        same = before.risk == after.said[name].risk
        assert same[FOLDS == 1].all() and not same[FOLDS != 1].all(), name
        assert (before.recurrence == after.said[name].recurrence)[FOLDS == 1].all()


def test_every_reading_says_something_of_everybody_about_its_own_mean(networks: TrainedNetworks) -> None:
    assert set(networks.said) == {"T2+DKI", "T2+DKI without maps", "Clinical", "All", "All without maps"}
    for said in networks.said.values():
        assert np.isfinite(said.risk).all() and np.isfinite(said.recurrence).all()
    assert {len(centres) for centres in networks.centres.values()} == {2}
    assert all(np.isfinite(dice).all() and (dice >= 0).all() for dice in networks.dice.values())
    assert set(networks.dice) == {Variant.T2_DKI, Variant.ALL}


def test_hiding_the_maps_changes_what_is_said_of_those_who_have_them_alone(networks: TrainedNetworks) -> None:
    # The readings differ by their centres too; what each network says apart from that is compared.
    with_maps, without = (
        networks.said[name].risk + np.array(networks.centres[name])[FOLDS] for name in ("T2+DKI", "T2+DKI without maps")
    )
    same = np.isclose(with_maps, without, atol=1e-6)
    assert networks.has_maps.any() and not networks.has_maps.all()
    assert same[~networks.has_maps].all() and not same[networks.has_maps].any()


def test_a_network_that_reads_both_begins_as_the_sum_of_those_that_read_one() -> None:
    torch.manual_seed(0)
    image, table, both = (
        Looped(MultiRecNet(network_size(variant, QUICK_MULTI_REC))).eval()
        for variant in (Variant.T2_DKI, Variant.CLINICAL, Variant.ALL)
    )
    begin_with(both, [image, table])
    size = both.network.size
    pictures = torch.randn(3, len(size.sequences), *size.shape)
    present = torch.ones(3, len(size.sequences), dtype=torch.bool)
    values, missing = torch.zeros(3, 17), torch.rand(3, 17) < 0.5
    with torch.no_grad():
        whole, one, other = both(pictures, present, values, missing), image(pictures, present), table(values, missing)
    assert torch.allclose(whole[1], one[1] + other[1], atol=1e-5)
    # A logit has an intercept, which is either network's own.
    assert torch.allclose((whole[0] - one[0] - other[0]).diff(), torch.zeros(2), atol=1e-5)
    assert torch.equal(whole[2], one[2]) and torch.equal(whole[3], one[3])


def test_rows_of_one_patient_id_are_in_one_fold_whatever_became_of_them() -> None:
    twice = [
        replace(patient, patient=replace(patient.patient, patient_id=some()[row % 24].patient.patient_id))
        for row, patient in enumerate(some())
    ]
    assert len({one.patient.patient_id for one in twice}) == 24
    folds = patient_folds([one.patient for one in twice], strata_of(twice), 5, seed=3)
    for name in {one.patient.patient_id for one in twice}:
        assert len({fold for fold, one in zip(folds, twice, strict=True) if one.patient.patient_id == name}) == 1


def test_strata_tell_events_from_those_free_and_those_unknown() -> None:
    courses = [FollowUp(10.0, True), FollowUp(50.0, True), FollowUp(40.0, False), FollowUp(10.0, False)]
    patients = [changed(some()[0], one) for one in courses]
    assert strata_of(patients) == ["event", "free", "free", "censored"]
    assert times_of(patients).event.tolist() == [True, True, False, False]
