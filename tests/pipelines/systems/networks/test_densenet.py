from __future__ import annotations

import pytest
import torch

from pipelines.systems.networks.densenet import PUBLISHED, SMALL, DenseNetSize, densenet
from pipelines.training.imagenet import Checkpoint, load_imagenet
from tests.pipelines.systems.networks.published import checkpoint, densenet121_shapes, listing_digest, photograph


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_published_size_is_densenet121_with_6_95_million_parameters() -> None:
    # DenseNet121 has 7,978,856 parameters with 1,000 classes (Huang et al. 2017, as torchvision counts them):
    # the last layer's 1024 × 1000 + 1000 make way for 1024 + 1.
    assert parameters(densenet(PUBLISHED, channels=3)) == 7_978_856 - 1_025_000 + 1_025 == 6_954_881


def test_feature_maps_have_the_published_shapes_on_256_pixels() -> None:
    # Huang et al. 2017, table 1, for 256 in place of 224 pixels: 128, 64, 64, 32, 16, 8.
    network, seen = densenet(PUBLISHED, channels=3).eval(), {}
    for name, part in network.features.named_children():  # type: ignore[operator]  # MONAI's, untyped
        part.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, tuple(out.shape[1:])))
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 256, 256)).shape == (1, 1)
    assert seen["conv0"] == (64, 128, 128)
    assert [seen[f"denseblock{i}"] for i in (1, 2, 3, 4)] == [
        (256, 64, 64),
        (512, 32, 32),
        (1024, 16, 16),
        (1024, 8, 8),
    ]
    assert seen["norm5"] == (1024, 8, 8)


def test_with_the_same_weights_it_gives_what_torchvision_gives() -> None:
    """Figures of torchvision 0.28.0's densenet121 with these weights on this image; 0 of its 1000 classes is ours."""
    shapes = densenet121_shapes()
    assert listing_digest(shapes) == "590913c7c269d76d77aa7acde8b0d37d813b49d3bdeaca40e7cba1113b39795c"
    weights = checkpoint(shapes)
    network = densenet(PUBLISHED, channels=3).eval()
    load_imagenet(network, Checkpoint(None, "", weights))  # type: ignore[arg-type]  # of no file
    network.class_layers.out.weight.data = weights["classifier.weight"][:1]  # type: ignore[union-attr]  # MONAI's
    network.class_layers.out.bias.data = weights["classifier.bias"][:1]  # type: ignore[union-attr]  # MONAI's
    with torch.inference_mode():
        features, logits = network.features(photograph(64)), network(photograph(64))  # type: ignore[operator]  # MONAI's
    assert logits[:, 0].tolist() == pytest.approx([1.2717044, 1.2921902], rel=1e-4)
    assert (features.mean().item(), features.std().item()) == pytest.approx((0.0323013, 1.0462019), rel=1e-4)


def test_the_small_network_gives_one_logit_per_case_and_reads_each_pixel_at_first() -> None:
    network = densenet(SMALL, channels=2).eval()
    assert network(torch.zeros(3, 2, 48, 48)).shape == (3, 1)
    assert network.features.conv0(torch.zeros(1, 2, 48, 48)).shape[-2:] == (48, 48)  # type: ignore[union-attr]  # MONAI's
    assert parameters(network) < 100_000


def test_a_size_survives_json() -> None:
    assert DenseNetSize.from_json(SMALL.as_json()) == SMALL
