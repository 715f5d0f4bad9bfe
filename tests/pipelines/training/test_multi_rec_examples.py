from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from pipelines.systems.multi_rec_columns import Scaler
from pipelines.systems.multi_rec_cut import MAPS, T2_SQUARE
from pipelines.systems.networks.multi_rec_size import Variant
from pipelines.systems.tumour_field import SCALES, Channel
from pipelines.training import multi_rec_examples
from pipelines.training.multi_rec_examples import CohortArrays, Examples, gathered, learnt, standardised
from pipelines.training.multi_rec_networks import times_of
from pipelines.training.multi_rec_settings import Hiding
from tests.pipelines.made_up_recurrence import QUICK_MULTI_REC, RULE, made_up_patients

SIZE = QUICK_MULTI_REC.size_of(Variant.ALL)
NOTHING = Hiding(maps=0.0, values=0.0, records=0.0)
ROWS = torch.arange(12)


@lru_cache(maxsize=1)
def gathered_once() -> CohortArrays:
    return gathered(made_up_patients(), times_of(made_up_patients()))


def examples(hiding: Hiding = NOTHING, cohort: CohortArrays | None = None) -> Examples:
    cohort = cohort or gathered_once()
    assert SIZE.clinical is not None
    scaler = Scaler.fitted(cohort.codes, SIZE.clinical.columns)
    features = standardised(cohort, learnt(SIZE), np.arange(len(made_up_patients())))
    return Examples(cohort, SIZE, RULE, scaler, features, hiding)


def drawn(given: Examples, augment: bool = True, seed: int = 1):  # type: ignore[no-untyped-def]
    return given.batch(ROWS, torch.Generator().manual_seed(seed), augment)


def test_inputs_and_targets_are_what_network_and_loss_take() -> None:
    (images, present, values, missing), (course, mask, features) = drawn(examples(), augment=False)
    shape = (len(ROWS), len(SIZE.sequences), RULE.pixels, RULE.pixels, RULE.slices)
    assert images.shape == shape and present.shape == shape[:2]
    assert values.shape == missing.shape == (len(ROWS), 17)
    assert mask.shape == (len(ROWS), 1, *shape[2:]) and set(mask.unique().tolist()) == {0.0, 1.0}
    assert features.shape == (len(ROWS), len(learnt(SIZE)))
    for row, patient in enumerate(made_up_patients()[: len(ROWS)]):
        followed = patient.patient.recurrence
        assert followed is not None
        assert course[row, :2].tolist() == pytest.approx([followed.months, float(followed.event)], rel=1e-6)
        censored = not followed.event and followed.months < 36
        assert bool(torch.isnan(course[row, 2])) is censored


def test_without_augmentation_the_same_rows_give_the_same_and_with_it_others() -> None:
    first, second = (drawn(examples(), augment=False, seed=seed)[0][0] for seed in (1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(drawn(examples())[0][0], first)
    assert torch.equal(drawn(examples())[0][0], drawn(examples())[0][0])


def test_hidden_maps_are_absent_and_hold_nothing() -> None:
    columns = [SIZE.sequences.index(name) for name in MAPS]
    images, present, *_ = drawn(examples(), augment=False)[0]
    assert present[:, columns].all(dim=1).tolist() == gathered_once().has_maps[: len(ROWS)].tolist()
    assert gathered_once().has_maps[: len(ROWS)].any()
    for shown in (drawn(examples().without_maps(), augment=False)[0], drawn(examples(Hiding(maps=1.0)))[0]):
        assert not shown[1][:, columns].any() and not shown[0][:, columns].any()
        others = [index for index in range(len(SIZE.sequences)) if index not in columns]
        assert shown[1][:, others].all()
    assert images[:, columns].any()


def test_training_hides_values_at_the_rate_it_is_told() -> None:
    missing = drawn(examples(), augment=False)[0][3]
    assert torch.equal(drawn(examples(Hiding(0.0, 0.0, 0.0)))[0][3], missing)
    assert drawn(examples(Hiding(0.0, 1.0, 0.0)))[0][3].all()
    halved = torch.stack([drawn(examples(Hiding(0.0, 0.5, 0.0)), seed=seed)[0][3] for seed in range(20)])
    assert halved[:, ~missing].float().mean().item() == pytest.approx(0.5, abs=0.05)
    records = torch.stack([drawn(examples(Hiding(0.0, 0.0, 0.5)), seed=seed)[0][3] for seed in range(20)])
    whole = records.all(dim=2)
    assert whole.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert torch.equal(records[~whole], missing.expand_as(records)[~whole])


def test_another_scanner_scales_a_map_and_keeps_what_it_has_no_value_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_rec_examples, "NOISE", 0.0)
    names = SIZE.sequences
    scale = SCALES[Channel.ADC]
    physical = torch.tensor([0.8, 1.0, 1.6])
    images = torch.zeros(1, len(names), 1, 1, 4)
    images[0, names.index("ADC"), 0, 0, :3] = (physical - scale.usual) / scale.span
    images[0, names.index("T2"), 0, 0, :3] = torch.tensor([-0.5, 0.1, 0.7])
    images[0, names.index(T2_SQUARE)] = images[0, names.index("T2")] ** 2
    changed = examples()._other_scanner(images, torch.Generator().manual_seed(3))
    adc = changed[0, names.index("ADC"), 0, 0, :3] * scale.span + scale.usual
    ratio = adc / physical
    assert ratio.tolist() == pytest.approx([ratio[0].item()] * 3, rel=1e-5)
    assert 0 < abs(ratio[0].item() - 1) <= 0.03
    t2, square = (changed[0, names.index(name)] for name in ("T2", T2_SQUARE))
    assert torch.allclose(square, t2**2, atol=1e-6)
    assert not changed[..., 3].any()


def test_image_and_mask_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_rec_examples, "NOISE", 0.0)
    monkeypatch.setattr(multi_rec_examples, "T2_GAIN", 0.0)
    shown = gathered_once().images.clone()
    shown[:, 0] = gathered_once().masks[:, 0].half()
    images, _, *_ = drawn(examples(cohort=replace(gathered_once(), images=shown)))[0]
    mask = drawn(examples(cohort=replace(gathered_once(), images=shown)))[1][1]
    assert torch.equal((images[:, 0] > 0.5).float(), mask[:, 0])
    assert not torch.equal(mask, drawn(examples(), augment=False)[1][1])


def test_features_are_standardised_by_the_patients_told() -> None:
    rows = np.arange(0, 60)
    found = standardised(gathered_once(), ("log_volume", "dapp_median"), rows).double().numpy()
    volume = np.array([one["log_volume"] for one in gathered_once().features])
    expected = (volume - volume[rows].mean()) / volume[rows].std()
    assert found[:, 0] == pytest.approx(expected, abs=1e-5)
    # Who has no D is not known, and does not count in the mean of those who have it.
    assert np.isnan(found[~gathered_once().has_maps, 1]).all()
    assert np.mean(found[rows][gathered_once().has_maps[rows], 1]) == pytest.approx(0.0, abs=1e-5)
