from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.tumour_field import SCALES, Channel
from pipelines.training import rp_examples
from pipelines.training.rp_examples import Pairs
from pipelines.training.signature_examples import LEARNT
from pipelines.training.tensors import parts
from tests.pipelines.made_up_response import QUICK, RULE, made_up_patients

PRE, POST = 0, 1
ALL = np.arange(8)
BED = 2  # this patient's second exam was read in the tumour bed


def pairs(sequence: Sequence = Sequence.T2, patients: tuple[PreparedPatient, ...] | None = None) -> Pairs:
    chosen = made_up_patients()[:8] if patients is None else patients
    labels = np.array([bool(one.patient.complete_response) for one in chosen])
    return Pairs(chosen, labels, sequence, QUICK.cut, np.arange(len(chosen)))


def drawn(examples: Pairs, seed: int, augment: bool = True) -> tuple[tuple[torch.Tensor, ...], ...]:
    inputs, targets = examples.batch(torch.from_numpy(ALL), torch.Generator().manual_seed(seed), augment)
    return parts(inputs), parts(targets)


def test_without_augmentation_a_pair_is_what_the_node_would_read() -> None:
    (pre, post), (outline, _, response, _) = drawn(pairs(Sequence.DWI), 0, augment=False)
    patient = made_up_patients()[5]
    assert pre.shape == (8, 2, RULE.slices, RULE.pixels, RULE.pixels)
    for seen, when in ((pre, TimePoint.BASELINE), (post, TimePoint.RESTAGING)):
        assert np.array_equal(seen[5].numpy(), QUICK.cut.seen(patient.exams[when], Sequence.DWI).astype(np.float32))
    assert np.array_equal(outline[5, 0].numpy() > 0, QUICK.cut.outline(patient.exams[TimePoint.BASELINE]))
    assert response[:, 0].tolist() == [1, 0] * 4


def test_the_outline_of_a_tumour_bed_is_empty_and_what_was_measured_there_no_target() -> None:
    (_, _), (pre, post, _, features) = drawn(pairs(), 0, augment=False)
    assert not post[BED].any() and pre[BED].any()
    assert torch.isnan(features[BED, POST]).all() and torch.isfinite(features[BED, PRE]).all()
    assert torch.isfinite(features[3]).all()


def test_both_exams_and_their_outlines_move_together() -> None:
    """A patient whose exams are the same one: what is different after augmentation is gain, contrast and noise."""
    same = tuple(
        replace(one, exams=dict.fromkeys(TimePoint, one.exams[TimePoint.BASELINE]), beds=frozenset())
        for one in made_up_patients()[:8]
    )
    (pre, post), (outline, other, *_) = drawn(pairs(patients=same), 4)
    (still, _), (unmoved, *_) = drawn(pairs(patients=same), 4, augment=False)
    assert torch.equal(outline, other)
    assert not torch.equal(outline, unmoved)
    assert set(outline.unique().tolist()) == {0.0, 1.0}
    for one, two in zip(pre[:, 0], post[:, 0], strict=True):
        assert np.corrcoef(one.flatten(), two.flatten())[0, 1] > 0.9
    assert np.corrcoef(pre[:, 0].flatten(), still[:, 0].flatten())[0, 1] < 0.8


def test_a_tumour_moves_within_the_margin_and_is_not_lost() -> None:
    examples = pairs()
    whole = examples.outlines[:, PRE].flatten(1).sum(1)
    for seed in range(3):
        _, (outline, *_) = drawn(examples, seed)
        assert (outline.flatten(1).sum(1) > 0.7 * whole).all()


def test_the_same_generator_gives_the_same_batch() -> None:
    one, two = drawn(pairs(), 7), drawn(pairs(), 7)
    assert all(torch.equal(a, b) for a, b in zip(one[0], two[0], strict=True))


def test_texture_follows_the_image_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a voxel without spread the mean square is the square of the mean, whatever gain and contrast do."""
    monkeypatch.setattr(rp_examples, "NOISE", 0.0)
    examples = pairs()
    image = torch.linspace(-2, 2, 64).reshape(1, 1, 4, 4, 4)
    changed = examples._other_scanner(torch.cat([image, image**2], dim=1), torch.Generator().manual_seed(1))
    assert not torch.equal(changed[:, :1], image)
    assert torch.allclose(changed[:, 1], changed[:, 0] ** 2, atol=1e-5)


def test_maps_keep_their_scale_within_three_percent_and_nothing_stays_nothing() -> None:
    examples = pairs(Sequence.DWI)
    scale = SCALES[Channel.ADC]
    adc = torch.tensor([0.5, 1.0, 2.0, 3.0]).reshape(1, 4, 1, 1)
    seen = torch.stack([torch.zeros(1, 4, 1, 1), (adc - scale.usual) / scale.span], dim=1)
    for seed in range(5):
        changed = examples._other_scanner(seen, torch.Generator().manual_seed(seed))
        again = changed[:, 1] * scale.span + scale.usual
        ratio = (again / adc).flatten()
        assert ratio.max() - ratio.min() < 1e-5
        assert abs(float(ratio[0]) - 1) <= 0.03
        assert not changed[:, 0].any()  # outside the image


def test_features_are_standardised_by_the_patients_trained_on_both_exams_on_one_scale() -> None:
    patients = made_up_patients()[:8]
    labels = np.array([bool(one.patient.complete_response) for one in patients])
    rest = np.array([0, 1, 3, 5])
    examples = Pairs(patients, labels, Sequence.DWI, QUICK.cut, ALL).refitted(rest)
    name = LEARNT[Sequence.DWI].index("log_volume")
    values = np.array(
        [[one.exams[when].described["features"][0]["log_volume"] for when in TimePoint] for one in patients]
    )
    expected = (values - values[rest].mean()) / values[rest].std()
    known = np.isfinite(examples.features[:, :, name].numpy())
    found = examples.features[:, :, name].numpy()
    assert found[known] == pytest.approx(expected.clip(-4, 4)[known], abs=1e-4)


def test_the_papers_way_changes_neither_gain_nor_contrast() -> None:
    settings = replace(QUICK, foreground=True, rule=replace(RULE, margin=(0, 0)))
    patients = made_up_patients(settings)[:8]
    labels = np.array([bool(one.patient.complete_response) for one in patients])
    examples = Pairs(patients, labels, Sequence.DWI, settings.cut, ALL)
    (pre, _), _ = drawn(examples, 3)
    assert pre.shape[1] == 1
    assert float(pre.min()) >= 0.0 and float(pre.max()) <= 1.0
