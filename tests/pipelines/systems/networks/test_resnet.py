from __future__ import annotations

import pytest
import torch

from pipelines.systems.networks.resnet import PUBLISHED, SMALL, ResNetSize, resnet18
from pipelines.training.imagenet import Checkpoint, load_imagenet
from tests.pipelines.systems.networks.published import checkpoint, listing_digest, photograph, resnet18_shapes


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_published_size_is_resnet18() -> None:
    # 11,689,512 parameters with 1,000 classes (He et al. 2016, as torchvision counts them): the last layer's
    # 512 × 1000 + 1000 make way for 512 + 1.
    assert parameters(resnet18(PUBLISHED)) == 11_689_512 - 513_000 + 513 == 11_177_025


def test_with_the_same_weights_it_gives_what_torchvision_gives() -> None:
    """Figures of torchvision 0.28.0's resnet18 with these weights on this image; 0 of its 1000 classes is ours."""
    shapes = resnet18_shapes()
    assert listing_digest(shapes) == "02568eab318c210f0d857b7e345cc37b86e30b66a49663acb8af1653c0d25830"
    weights = checkpoint(shapes)
    network = resnet18(PUBLISHED).eval()
    load_imagenet(network, Checkpoint(None, "", weights))  # type: ignore[arg-type]  # of no file
    network.fc.weight.data, network.fc.bias.data = weights["fc.weight"][:1], weights["fc.bias"][:1]
    stages: list[torch.Tensor] = []
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        stage.register_forward_hook(lambda _, __, out: stages.append(out))
    with torch.inference_mode():
        logits = network(photograph(112))
    shapes_seen = [tuple(stage.shape[1:]) for stage in stages]
    assert shapes_seen == [(64, 28, 28), (128, 14, 14), (256, 7, 7), (512, 4, 4)]
    assert [stage.mean().item() for stage in stages] == pytest.approx([2.8870673, 5.6871982, 9.9662104, 18.47007], 1e-4)
    assert [stage.std().item() for stage in stages] == pytest.approx([3.2044530, 7.0175576, 13.642943, 23.874434], 1e-4)
    assert logits[:, 0].tolist() == pytest.approx([3.8554401, 4.6205463], rel=1e-3)


def test_a_narrow_network_keeps_the_shape_of_the_published_one() -> None:
    network = resnet18(SMALL, outputs=4).eval()
    assert network(torch.zeros(3, 3, 112, 112)).shape == (3, 4)
    assert parameters(network) < 450_000


def test_a_fine_start_reads_each_pixel_at_first() -> None:
    network = resnet18(ResNetSize(width=8, fine_start=True), channels=4).eval()
    seen: list[torch.Size] = []
    network.layer1.register_forward_hook(lambda _, __, out: seen.append(out.shape))
    assert network(torch.zeros(2, 4, 40, 40)).shape == (2, 1)
    assert seen == [torch.Size([2, 8, 40, 40])]


def test_a_size_survives_json() -> None:
    assert ResNetSize.from_json(SMALL.as_json()) == SMALL
