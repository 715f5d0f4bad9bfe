from __future__ import annotations

import math

import pytest
import torch

from pipelines.training.rp_loss import outline_loss, rp_loss, soft_dice

NOTHING = torch.full((1, 1, 2, 2, 2), -20.0)
EMPTY = torch.zeros(1, 1, 2, 2, 2)
NO_FEATURE = torch.zeros(1, 2, 0)


def test_an_outline_costs_its_cross_entropy_and_a_fifth_of_what_its_dice_lacks() -> None:
    """Two voxels, one of them tumour, each called so with probability ½: by hand."""
    logits, outline = torch.zeros(1, 1, 1, 1, 2), torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    dice = (2 * 0.5 + 1) / (1 + 1 + 1)
    assert soft_dice(torch.sigmoid(logits), outline).tolist() == pytest.approx([dice])
    assert float(outline_loss(logits, outline)) == pytest.approx(math.log(2) + 0.2 * (1 - dice))


def test_an_empty_outline_is_a_valid_target() -> None:
    assert float(outline_loss(NOTHING, EMPTY)) == pytest.approx(0.0, abs=1e-6)
    wrong = torch.zeros_like(NOTHING, requires_grad=True)
    loss = outline_loss(wrong, EMPTY)
    loss.backward()
    assert float(loss.detach()) > 0.7
    assert wrong.grad is not None and (wrong.grad > 0).all()  # towards nothing


def test_the_dice_is_that_of_each_case_not_of_the_batch() -> None:
    outline = torch.cat([torch.ones(1, 1, 2, 2, 2), EMPTY])
    logits = torch.cat([torch.full((1, 1, 2, 2, 2), 20.0), NOTHING])
    assert soft_dice(torch.sigmoid(logits), outline).tolist() == pytest.approx([1.0, 1.0])


def test_both_outlines_the_response_and_the_features_add_up_with_their_weights() -> None:
    pre, post = torch.randn(3, 1, 2, 2, 2), torch.randn(3, 1, 2, 2, 2)
    masks = [(torch.rand(3, 1, 2, 2, 2) > 0.5).float() for _ in range(2)]
    response, wanted = torch.tensor([[0.3], [-1.0], [2.0]]), torch.tensor([[1.0], [0.0], [1.0]])
    features = torch.zeros(3, 2, 2)
    targets = torch.tensor([[[1.0, 2.0], [math.nan, 0.0]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, math.nan], [3.0, 0.0]]])
    by_hand = sum(math.log1p(math.exp(-s * z)) for s, z in ((1, 0.3), (-1, -1.0), (1, 2.0))) / 3
    squared = (1 + 4 + 1 + 9) / 10  # of the ten known ones
    expected = 0.5 * float(outline_loss(pre, masks[0]) + outline_loss(post, masks[1])) + by_hand + 0.3 * squared
    found = rp_loss(0.5, 0.3)((pre, post, response, features), (*masks, wanted, targets))
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_without_features_nothing_is_added() -> None:
    response, wanted = torch.tensor([[0.0]]), torch.tensor([[1.0]])
    found = rp_loss(1.0, 0.0)((NOTHING, NOTHING, response, NO_FEATURE), (EMPTY, EMPTY, wanted, torch.ones(1, 2, 3)))
    assert float(found) == pytest.approx(math.log(2), abs=1e-5)
    unknown = torch.full((1, 2, 3), math.nan)
    found = rp_loss(1.0, 1.0)((NOTHING, NOTHING, response, torch.ones(1, 2, 3)), (EMPTY, EMPTY, wanted, unknown))
    assert float(found) == pytest.approx(math.log(2), abs=1e-5)
