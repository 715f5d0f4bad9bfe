from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.systems.networks.standardised_conv import StandardisedConv3d


def test_a_filter_has_no_mean_and_a_variance_of_one_over_its_fan_in() -> None:
    conv = StandardisedConv3d(5, 3, 3)
    torch.nn.init.normal_(conv.weight, mean=4.0, std=2.0)
    raw = conv.weight.detach().numpy().reshape(3, -1).astype(np.float64)
    wanted = (raw - raw.mean(axis=1, keepdims=True)) / raw.std(axis=1, keepdims=True) / np.sqrt(5 * 27)
    assert conv.standardised().detach().numpy().reshape(3, -1) == pytest.approx(wanted, abs=1e-5)


def test_values_keep_their_size() -> None:
    torch.manual_seed(1)
    convolved = StandardisedConv3d(16, 64, 3, bias=False)(torch.randn(1, 16, 12, 12, 12))
    assert convolved.std().item() == pytest.approx(1.0, abs=0.1)


def test_a_level_common_to_all_channels_and_places_makes_no_difference() -> None:
    torch.manual_seed(2)
    conv, maps = StandardisedConv3d(4, 6, 3, bias=False), torch.randn(2, 4, 6, 6, 6)
    assert torch.allclose(conv(maps), conv(maps + 7.0), atol=1e-4)
