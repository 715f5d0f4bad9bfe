from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.contract import TimePoint
from pipelines.systems.signature_inputs import Sequence
from pipelines.training.signature_examples import LEARNT, Signature, SignatureExamples, signature_loss
from tests.pipelines.made_up_cohort import made_up_patients

ROWS = torch.arange(8)
RESTAGING_DWI = Signature(TimePoint.RESTAGING, Sequence.DWI)


def labels() -> np.ndarray:
    return np.array([bool(p.patient.good_response) for p in made_up_patients()])


def examples(cropped: bool = False, fitted_on: int = 20) -> SignatureExamples:
    return SignatureExamples(made_up_patients(), labels(), RESTAGING_DWI, np.arange(fitted_on), cropped)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_augmentation_a_batch_is_the_first_view_every_time() -> None:
    inputs, targets = examples().batch(ROWS, generator(1), augment=False)
    again, _ = examples().batch(ROWS, generator(2), augment=False)
    expected = np.stack([made_up_patients()[i].exams[TimePoint.RESTAGING].arrays["crop_0_dwi"] for i in range(8)])
    assert np.array_equal(inputs.numpy(), expected.astype(np.float32))
    assert torch.equal(inputs, again)
    assert targets[:, 0].tolist() == labels()[:8].tolist()


@pytest.mark.parametrize("cropped", [False, True])
def test_augmentation_changes_inputs_by_its_generator_alone(cropped: bool) -> None:
    found = [examples(cropped).batch(ROWS, generator(seed), augment=True)[0] for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.isfinite(found[0]).all()


def test_both_views_are_drawn_with_their_own_features() -> None:
    one = examples()
    drawn = torch.cat([one.batch(ROWS, generator(seed), augment=True)[1][:, 1] for seed in range(9)])
    first, second = one.targets[ROWS, 0, 1], one.targets[ROWS, 1, 1]
    assert set(drawn.tolist()) == set(first.tolist()) | set(second.tolist())


def test_features_are_standardised_by_the_patients_trained_on_alone() -> None:
    targets = examples(fitted_on=20).targets[:20, :, 1:].reshape(-1, len(LEARNT[Sequence.DWI]))
    assert targets.mean(dim=0).numpy() == pytest.approx(np.zeros(targets.shape[1]), abs=0.05)
    assert targets.std(dim=0).numpy() == pytest.approx(np.ones(targets.shape[1]), abs=0.1)
    assert not torch.equal(examples(fitted_on=10).targets, examples(fitted_on=20).targets)


def test_the_papers_crop_keeps_most_of_a_slice() -> None:
    """A ramp from −1 to 1 across the crop shows where it was cut: 0.8–1.0 of the area, ratio 0.9–1.1, or mirrored."""
    one = examples(cropped=True)
    ramp = torch.linspace(-1, 1, 16).half()
    one.crops = ramp.expand(36, 2, 1, 16, 16).clone()
    across = one.batch(torch.arange(36), generator(0), augment=True)[0][:, 0, 8]
    one.crops = ramp[:, None].expand(36, 2, 1, 16, 16).clone()
    down = one.batch(torch.arange(36), generator(0), augment=True)[0][:, 0, :, 8]
    width = ((across[:, 12] - across[:, 3]) / (ramp[12] - ramp[3])).float()
    height = ((down[:, 12] - down[:, 3]) / (ramp[12] - ramp[3])).float()
    area, ratio = (width.abs() * height), (width.abs() / height)
    assert 0.78 <= float(area.min()) <= float(area.max()) <= 1.01
    assert 0.88 <= float(ratio.min()) <= float(ratio.max()) <= 1.12
    assert 8 < int((width < 0).sum()) < 28


def test_the_loss_adds_the_error_of_features_by_its_weight() -> None:
    output, target = torch.zeros(4, 3), torch.tensor([[1.0, 2.0, 0.0]] * 4)
    assert float(signature_loss(0.0)(output[:, :1], target)) == pytest.approx(np.log(2))
    assert float(signature_loss(0.5)(output, target)) == pytest.approx(np.log(2) + 0.5 * 2.0)
