from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pipelines.explain.randomised import randomised, rank_correlation
from pipelines.systems.networks.densenet import SMALL, densenet
from tests.pipelines.explain.made_networks import Deaf, Pooled


def trained() -> torch.nn.Module:
    """A network whose every weight, token and running statistic is far from where training begins."""
    network = densenet(SMALL, 3).eval()
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.is_floating_point():
                value.fill_(7.0)
    return network


def test_every_weight_is_drawn_anew_and_the_trained_network_stays() -> None:
    network = trained()
    drawn = randomised(network, 1)
    assert all((value == 7.0).all() for value in network.parameters())
    assert not any((value == 7.0).any() for value in drawn.parameters())
    assert not any((value == 7.0).any() for value in drawn.buffers() if value.is_floating_point())
    assert not drawn.training


def test_the_seed_decides() -> None:
    weights = [randomised(Pooled(), seed).state_dict()["conv.weight"] for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_who_draws_beside_it_is_not_disturbed() -> None:
    network = Pooled()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    randomised(network, 3)
    assert torch.equal(torch.rand(3), expected)


def test_a_learned_token_is_drawn_too() -> None:
    network = Deaf()
    network.answer = torch.nn.Parameter(torch.linspace(0.0, 1.0, 200))
    drawn = randomised(network, 4)
    assert isinstance(drawn, Deaf)
    assert not torch.equal(drawn.answer, network.answer)
    assert drawn.answer.mean().item() == pytest.approx(0.5, abs=0.1)


def test_maps_of_the_same_order_correlate_wholly_and_of_the_opposite_order_inversely() -> None:
    rising = np.arange(12.0).reshape(3, 4)
    assert rank_correlation(rising, np.exp(rising)) == pytest.approx(1.0)
    assert rank_correlation(rising, -(rising**3)) == pytest.approx(-1.0)
    # Spearman's formula without ties, 1 - 6 sum d^2 / (n (n^2 - 1)), with d = (0, 1, 1, 0).
    assert rank_correlation(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])) == pytest.approx(1 - 6 * 2 / (4 * 15))


def test_a_map_that_is_the_same_everywhere_has_no_order() -> None:
    assert math.isnan(rank_correlation(np.zeros((2, 2)), np.eye(2)))
    assert math.isnan(rank_correlation(np.eye(2), np.ones((2, 2))))
