from __future__ import annotations

import torch

from pipelines.systems.networks.own_mask_reading import OwnMaskReading


def maps(side: int, value: float) -> torch.Tensor:
    """One channel that holds ``value`` in the first half of the slices and 9 in the other."""
    made = torch.full((1, 1, side, side, side), 9.0)
    made[:, :, : side // 2] = value
    return made


def drawn(inside: float = 20.0) -> torch.Tensor:
    """A mask of the first half of the slices."""
    logits = torch.full((1, 1, 8, 8, 8), -20.0)
    logits[:, :, :4] = inside
    return logits


def plain(channels: list[int]) -> OwnMaskReading:
    """Each input comes out as a feature of its own."""
    reading = OwnMaskReading(channels, sum(channels) + 2)
    torch.nn.init.eye_(reading.linear.weight)
    torch.nn.init.zeros_(reading.linear.bias)
    return reading


def test_maps_of_any_resolution_are_averaged_inside_the_mask_alone() -> None:
    read = plain([1, 1])(drawn(), (maps(8, 2.0), maps(4, 3.0)))
    torch.testing.assert_close(read[0, :2], torch.tensor([2.0, 3.0]), atol=2e-3, rtol=0)


def test_a_larger_mask_reads_as_a_larger_volume() -> None:
    small, large = drawn(), torch.full((1, 1, 8, 8, 8), 20.0)
    volumes = [float(plain([1])(mask, (maps(8, 2.0),))[0, 1].detach()) for mask in (small, large)]
    expected = torch.log(torch.tensor([276.0, 532.0])) - 5.5
    torch.testing.assert_close(torch.tensor(volumes), expected, atol=1e-4, rtol=0)


def test_an_empty_mask_reads_the_mean_of_the_field_and_a_finite_volume() -> None:
    read = plain([1])(drawn(inside=-20.0), (maps(8, 3.0),))
    torch.testing.assert_close(read[0, 0], torch.tensor(6.0), atol=1e-3, rtol=0)
    assert torch.isfinite(read).all()


def test_what_is_read_teaches_the_mask() -> None:
    logits = torch.zeros(1, 1, 8, 8, 8, requires_grad=True)
    plain([1])(logits, (maps(8, 2.0),))[0, 0].backward()
    assert logits.grad is not None and logits.grad.abs().sum() > 0
