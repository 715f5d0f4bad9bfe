from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, conv3d

from pipelines.systems.networks.residual_unet import INSTANCE
from pipelines.systems.networks.rp_net import (
    PUBLISHED,
    SMALL,
    CorrelatedChange,
    RpNet,
    RpNetOutput,
    RpNetSize,
    SubtractedChange,
)

TINY = RpNetSize(base=4, depth=4, change_channels=3)
VARIANTS = [
    pytest.param({"change": change, "head_norm": norm, "shared": shared}, id=f"{change} {norm} shared={shared}")
    for change, norm, shared in itertools.product(
        ("subtract", "correlate"), ("instance", "batch", "none"), (True, False)
    )
]


def network(**changes: object) -> RpNet:
    torch.manual_seed(1)
    return RpNet(dataclasses.replace(TINY, **changes))  # type: ignore[arg-type]  # of mixed types


def exams(patients: int, seed: int, channels: int = 1) -> torch.Tensor:
    """(patients, channels, 8, 16, 24): the smallest that leaves the tiny network's bottleneck 1 × 2 × 3."""
    return torch.randn(patients, channels, 8, 16, 24, generator=torch.Generator().manual_seed(seed))


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tensors(output: RpNetOutput) -> list[torch.Tensor]:
    return [output.pre_mask, output.post_mask, *output.change, output.response]


def published_branch() -> tuple[int, int]:
    """Parameters of one branch as the authors' code draws it, counted by hand: all, and biases that a norm cancels.

    A convolution of kernel k from a to b channels has k³ab weights and b biases, its InstanceNorm 2b.
    """
    normed: list[tuple[int, int, int]] = []
    for before, width in ((1, 16), (16, 32), (32, 64), (64, 128), (128, 256)):
        normed += [(3, before, width), (3, width, width), (3, width, width)]  # down, and the context block's two
    for below, width in ((256, 128), (128, 64), (64, 32), (32, 16)):
        normed += [(3, below, width), (3, 2 * width, width), (1, width, width)]  # up, and the localisation's two
    cancelled = sum(width for _, _, width in normed)
    weights = sum(kernel**3 * before * width for kernel, before, width in normed)
    logits = (64 + 1) + (32 + 1) + (16 + 1)
    return weights + 3 * cancelled + logits, cancelled


def published_head() -> tuple[int, int]:
    """The same of the head: three convolutions to 32 channels, with InstanceNorm, and the last layer of 96."""
    return 27 * (64 + 256 + 1) * 32 + 3 * 3 * 32 + (96 + 1), 3 * 32


def test_the_published_size_has_the_parameters_of_the_authors_code() -> None:
    branch, cancelled = published_branch()
    head, cancelled_in_head = published_head()
    assert (branch, head) == (8_268_035, 277_729)
    separate = RpNet(dataclasses.replace(PUBLISHED, shared=False))
    assert parameters(separate) == 2 * (branch - cancelled) + head - cancelled_in_head == 16_809_287
    assert parameters(RpNet(PUBLISHED)) == branch - cancelled + head - cancelled_in_head == 8_543_460


def test_maps_have_the_published_shapes_on_16_by_64_by_64_voxels() -> None:
    net, encoded = RpNet(PUBLISHED).eval(), []
    for level in net.branches[0].encoder:  # type: ignore[union-attr]  # torch's, untyped
        level.register_forward_hook(lambda _, __, out: encoded.append(tuple(out.shape[1:])))
    with torch.inference_mode():
        maps = net.branches[0](torch.zeros(1, 1, 16, 64, 64))
        change, features, response = net.response(maps, maps)
    assert encoded == [(16, 16, 64, 64), (32, 8, 32, 32), (64, 4, 16, 16), (128, 2, 8, 8), (256, 1, 4, 4)]
    assert [tuple(tap.shape[1:]) for tap in maps.taps] == [(64, 4, 16, 16), (256, 1, 4, 4), (1, 8, 32, 32)]
    assert PUBLISHED.tapped == (64, 256, 1)
    assert maps.mask.shape == (1, 1, 16, 64, 64)
    assert [tuple(one.shape) for one in change] == [(1, 32)] * 3
    assert response.shape == (1, 1)
    assert features is None  # the published network reads nothing beside


def test_a_network_that_reads_features_has_them_of_both_exams_and_its_response_is_linear_in_them() -> None:
    net, pre, post = network(reads=3).eval(), exams(2, 1), exams(2, 2)
    with torch.inference_mode():
        found = net(pre, post)
        swapped = net(post, pre)
        net.of_features.weight.zero_()  # type: ignore[union-attr, operator]  # torch's, untyped
        net.of_features.bias.fill_(5.0)  # type: ignore[union-attr, operator]
        without = net(pre, post)
    assert found.features is not None and found.features.shape == (2, 2, 3)
    torch.testing.assert_close(swapped.features, found.features.flip(1))
    assert not torch.allclose(found.response, without.response, atol=1e-3)
    torch.testing.assert_close(without.response - 5.0, net.last(torch.cat(without.change, dim=1)))


def test_the_small_network_fits_a_bundle() -> None:
    assert parameters(RpNet(SMALL)) * 2 < 1_200_000  # bytes, in half precision


def test_the_mask_sums_the_logits_of_the_three_finest_levels_and_the_third_tap_those_of_two() -> None:
    net = network().eval()
    for layer, value in zip(net.branches[0].logits, (1.0, 10.0, 100.0), strict=True):  # type: ignore[arg-type]  # torch's
        torch.nn.init.zeros_(layer.weight)  # type: ignore[arg-type]  # torch's
        torch.nn.init.constant_(layer.bias, value)  # type: ignore[arg-type]  # torch's
    maps, _ = net.branch_maps(exams(1, 1), exams(1, 2))
    assert torch.equal(maps.mask, torch.full((1, 1, 8, 16, 24), 111.0))
    assert torch.equal(maps.taps[2], torch.full((1, 1, 4, 8, 12), 110.0))


@pytest.mark.parametrize("change", ["subtract", "correlate"])
def test_swapping_the_exams_flips_the_sign_of_the_raw_differences(change: str) -> None:
    net, pre, post = network(change=change).eval(), exams(2, 1), exams(2, 2)
    there, back = net.raw_differences(pre, post), net.raw_differences(post, pre)
    for tap in (0, 1, 2):
        assert there[tap].abs().max() > 0.01
        torch.testing.assert_close(back[tap], -there[tap])


def test_swapping_the_exams_does_not_merely_flip_what_follows_the_norm() -> None:
    net, pre, post = network().eval(), exams(2, 1), exams(2, 2)
    for there, back in zip(net(pre, post).change, net(post, pre).change, strict=True):
        assert not torch.allclose(back, -there, atol=1e-3)


def test_separate_branches_see_a_difference_between_one_exam_and_itself_and_shared_ones_none() -> None:
    exam = exams(1, 1)
    assert all(not tap.any() for tap in network(shared=True).eval().raw_differences(exam, exam))
    assert all(tap.any() for tap in network(shared=False).eval().raw_differences(exam, exam))


@pytest.mark.parametrize(
    ("change", "norm"), [("subtract", "batch"), ("subtract", "none"), ("correlate", "instance"), ("correlate", "none")]
)
def test_the_order_of_the_exams_counts(change: str, norm: str) -> None:
    net, pre, post = network(change=change, head_norm=norm).eval(), exams(2, 1), exams(2, 2)
    assert not torch.allclose(net(pre, post).response, net(post, pre).response, atol=1e-4)


def test_subtraction_under_an_untrained_instance_norm_is_blind_to_the_order_of_the_exams() -> None:
    """The mean of LeakyReLU(z) is 0.35 mean|z| where the mean of z is 0: even, until the norm's shift is trained."""
    net, pre, post = network().eval(), exams(2, 1), exams(2, 2)
    torch.testing.assert_close(net(pre, post).response, net(post, pre).response)
    for reads in net.changes:
        torch.nn.init.constant_(reads.read.adn.N.bias, 0.5)  # type: ignore[union-attr,arg-type]  # MONAI's, untyped
    assert not torch.allclose(net(pre, post).response, net(post, pre).response, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_gradient_reaches_every_parameter(variant: Mapping[str, object]) -> None:
    net = network(dropout=0.0, **variant).train()
    output = net(exams(2, 1), exams(2, 2))
    inside = (exams(2, 3) > 1).float()
    masks = [binary_cross_entropy_with_logits(mask, inside) for mask in (output.pre_mask, output.post_mask)]
    loss = binary_cross_entropy_with_logits(output.response, torch.tensor([[0.0], [1.0]])) + sum(masks)
    loss.backward()
    least = {name: 0.0 if one.grad is None else one.grad.abs().max().item() for name, one in net.named_parameters()}
    assert min(least.values()) > 1e-6, min(least, key=least.__getitem__)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_of_one_and_a_batch_of_eight_give_each_patient_the_same(variant: Mapping[str, object]) -> None:
    net, pre, post = network(**variant), exams(8, 1), exams(8, 2)
    net.train()(pre, post)  # so that batch norm has seen patients
    net.eval()
    with torch.inference_mode():
        together = net(pre, post)
        for patient in (0, 3, 7):
            alone = net(pre[patient : patient + 1], post[patient : patient + 1])
            for one, many in zip(tensors(alone), tensors(together), strict=True):
                torch.testing.assert_close(one[0], many[patient], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("pre_moves", "moved", "still"), [(True, "pre_mask", "post_mask"), (False, "post_mask", "pre_mask")]
)
def test_each_mask_is_of_its_own_exam_and_the_response_of_both(pre_moves: bool, moved: str, still: str) -> None:
    net, pre, post = network(change="correlate", shared=False).eval(), exams(1, 1), exams(1, 2)
    first = net(pre, post)
    second = net(exams(1, 3), post) if pre_moves else net(pre, exams(1, 3))
    assert torch.equal(getattr(first, still), getattr(second, still))
    assert not torch.allclose(getattr(first, moved), getattr(second, moved), atol=1e-3)
    assert not torch.allclose(first.response, second.response, atol=1e-5)


@pytest.mark.parametrize(("norm", "grown"), [(INSTANCE, 1.0), (("BATCH", {}), 3.0)])
def test_instance_norm_hides_how_large_a_change_was(norm: tuple[str, dict[str, bool]], grown: float) -> None:
    torch.manual_seed(1)
    reads, none = SubtractedChange(4, 3, norm).eval(), torch.zeros(2, 4, 4, 8, 8)
    change = torch.randn_like(none)
    torch.testing.assert_close(reads(3 * change, none), grown * reads(change, none), rtol=1e-3, atol=1e-4)


def test_correlation_is_the_depth_wise_convolution_of_one_exam_with_the_other() -> None:
    torch.manual_seed(1)
    reads = CorrelatedChange(4, 3, None)
    pre, post = torch.randn(2, 4, 2, 5, 6), torch.randn(2, 4, 2, 5, 6)
    kernels, maps = reads.read_pre(pre), reads.read_post(post)
    expected = conv3d(maps.reshape(1, 6, 2, 5, 6), kernels.reshape(6, 1, 2, 5, 6), groups=6)
    torch.testing.assert_close(reads(pre, post), expected.reshape(2, 3) / (2 * 5 * 6))


def test_an_exam_of_one_value_gives_finite_outputs() -> None:
    blank = torch.zeros(1, 1, 8, 16, 24)
    assert all(value.isfinite().all() for value in tensors(network().eval()(blank, blank)))


def test_it_learns_which_tumours_vanished() -> None:
    """Four pairs with a bright box before therapy, which two still have after it."""
    pre, post = 0.1 * exams(4, 1), 0.1 * exams(4, 2)
    pre[:, :, 2:6, 4:12, 4:12] += 1
    post[:2, :, 2:6, 4:12, 4:12] += 1
    vanished = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    net = network(dropout=0.0, head_norm="batch").train()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(15):
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(net(pre, post).response, vanished).backward()
        optimiser.step()
    assert ((net(pre, post).response > 0) == (vanished > 0)).all()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 1, 12, 16, 16), "multiples of 8, at least one axis longer than that; these are 12 × 16 × 16"),
        ((1, 1, 4, 16, 16), "these are 4 × 16 × 16"),
        ((1, 1, 16, 16, 20), "these are 16 × 16 × 20"),
        ((1, 1, 0, 16, 16), "these are 0 × 16 × 16"),
        ((1, 1, 8, 8, 8), "these are 8 × 8 × 8"),
        ((1, 2, 8, 16, 16), r"reads \(batch, 1, slices, rows, columns\), not \(1, 2, 8, 16, 16\)"),
        ((1, 8, 16, 16), r"reads \(batch, 1, slices, rows, columns\), not \(1, 8, 16, 16\)"),
    ],
)
def test_exams_it_cannot_halve_are_refused_with_their_shape(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        network()(torch.zeros(shape), torch.zeros(shape))


def test_exams_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape, not \(1, 1, 8, 16, 16\) before and \(1, 1, 16, 16, 16\) after"):
        network()(torch.zeros(1, 1, 8, 16, 16), torch.zeros(1, 1, 16, 16, 16))


@pytest.mark.parametrize(
    "wrong",
    [{"depth": 3}, {"base": 0}, {"channels": 0}, {"dropout": 1.0}, {"change": "divide"}, {"head_norm": "layer"}],
    ids=str,
)
def test_a_size_that_no_network_can_have_is_refused(wrong: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match="RP-Net"):
        dataclasses.replace(TINY, **wrong)  # type: ignore[arg-type]  # of mixed types


def test_several_sequences_may_be_the_channels_of_an_exam() -> None:
    output = network(channels=3).eval()(exams(1, 1, channels=3), exams(1, 2, channels=3))
    assert output.pre_mask.shape == (1, 1, 8, 16, 24)


@pytest.mark.parametrize("shared", [True, False])
def test_no_weight_is_stored_twice(shared: bool) -> None:
    stored = network(shared=shared).state_dict().values()
    assert len({tensor.data_ptr() for tensor in stored}) == len(stored)


@pytest.mark.parametrize("size", [PUBLISHED, SMALL, dataclasses.replace(TINY, change="correlate", shared=False)])
def test_a_size_survives_json(size: RpNetSize) -> None:
    assert RpNetSize.from_json(size.as_json()) == size
