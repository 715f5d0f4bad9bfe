from __future__ import annotations

import torch

from pipelines.systems.dlrs_network import DlrsSize, dlrs_network, network_input
from pipelines.systems.networks.resnet import ResNetSize


def test_the_published_network_is_resnet18_behind_a_convolution_over_20_slices() -> None:
    network = dlrs_network(DlrsSize(), slices=20, channels=1)
    # torchvision's ResNet18 has 11,689,512 weights, 513,000 of them in a last layer for 1000 classes.
    resnet = 11_689_512 - 513_000 + 513
    assert sum(weight.numel() for weight in network.parameters()) == resnet + 3 * (20 + 1)
    assert network(torch.zeros(2, 20, 112, 112)).shape == (2, 1)


def test_what_is_learnt_beside_the_risk_are_further_outputs() -> None:
    size = DlrsSize(ResNetSize(width=2, dropout=0.1), mixed=6, outputs=4)
    assert dlrs_network(size, slices=8, channels=2)(torch.zeros(3, 24, 32, 32)).shape == (3, 4)
    assert DlrsSize.from_json(size.as_json()) == size


def test_the_image_is_seen_inside_the_mask_and_the_mask_beside_it() -> None:
    boxes = torch.rand(2, 2, 5, 4, 4)
    boxes[:, 1] = (boxes[:, 1] > 0.5).float()
    seen = network_input(boxes)
    assert seen.shape == (2, 15, 4, 4)
    assert (seen[:, :5] == boxes[:, 0] * boxes[:, 1]).all()
    assert torch.allclose(seen[:, 5:10], boxes[:, 0] ** 2 * boxes[:, 1])
    assert (seen[:, 10:] == boxes[:, 1]).all()
    assert (network_input(boxes[:, :1]) == boxes[:, 0]).all()
