from __future__ import annotations

import torch

from pipelines.systems.signature_network import PUBLISHED, SMALL, SignatureSize, signature_network


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_published_size_is_densenet121_with_6_95_million_parameters() -> None:
    # DenseNet121 has 7,978,856 parameters with 1,000 classes (Huang et al. 2017, as torchvision counts them):
    # the last layer's 1024 × 1000 + 1000 make way for 1024 + 1.
    assert parameters(signature_network(PUBLISHED, channels=3)) == 7_978_856 - 1_025_000 + 1_025 == 6_954_881


def test_the_small_network_gives_one_logit_per_case() -> None:
    network = signature_network(SMALL, channels=2).eval()
    assert network(torch.zeros(3, 2, 48, 48)).shape == (3, 1)
    assert parameters(network) < 100_000


def test_a_size_survives_json() -> None:
    assert SignatureSize.from_json(SMALL.as_json()) == SMALL
