from __future__ import annotations

import pytest
import torch

from pipelines.packing import LARGE, SCALE, STEPS, packed, unpacked

GENERATOR = torch.Generator().manual_seed(1)
LARGE_ONE = torch.randn(16, 32, 3, 3, 3, generator=GENERATOR) * torch.logspace(-3, 1, 16).reshape(16, 1, 1, 1, 1)
NETWORK = {
    "conv.weight": LARGE_ONE,
    "conv.bias": torch.randn(16, generator=GENERATOR),
    "norm.batches": torch.tensor(7),
    "head.weight": torch.randn(2, 8, generator=GENERATOR),
}


def test_every_weight_comes_back_within_half_a_step_of_its_channel() -> None:
    found = unpacked(packed(NETWORK))
    assert found.keys() == NETWORK.keys()
    step = LARGE_ONE.flatten(1).abs().amax(dim=1) / STEPS
    off = (found["conv.weight"] - LARGE_ONE).flatten(1).abs().amax(dim=1)
    assert (off <= step / 2 * 1.001).all()
    assert torch.equal(found["norm.batches"], NETWORK["norm.batches"])
    for name in ("conv.bias", "head.weight"):
        assert torch.equal(found[name].half(), NETWORK[name].half())


def test_large_weights_take_a_byte_each_and_small_ones_two() -> None:
    stored = packed(NETWORK)
    assert LARGE_ONE.numel() >= LARGE
    assert stored["conv.weight"].dtype is torch.int8 and stored["conv.weight" + SCALE].shape == (16,)
    assert {stored["conv.bias"].dtype, stored["head.weight"].dtype} == {torch.float16}
    assert sum(value.numel() * value.element_size() for value in stored.values()) < 1.1 * LARGE_ONE.numel()


def test_a_channel_of_zeros_stays_zero() -> None:
    empty = LARGE_ONE.clone()
    empty[3] = 0.0
    assert not unpacked(packed({"w": empty}))["w"][3].any()


def test_packing_what_was_packed_changes_nothing() -> None:
    once = packed(NETWORK)
    again = packed(unpacked(once))
    assert all(torch.equal(value, again[name]) for name, value in once.items() if value.dtype is not torch.float32)
    assert torch.allclose(once["conv.weight" + SCALE], again["conv.weight" + SCALE])


def test_a_name_like_that_of_a_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="like the scale"):
        packed({"batch.scale": torch.ones(2)})
