from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.explain.grad_cam import Looking, grad_cam, inside_share, scaled
from tests.pipelines.explain.made_networks import Deaf, Pooled, Twice

AT_RELU = Looking(lambda network: network.get_submodule("relu"), lambda output: output[:, 0])
AT_CONV = Looking(lambda network: network.get_submodule("conv"), lambda output: output[:, 0])


def images(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=shape).astype(np.float32))


def activation_map(network: Pooled, seen: torch.Tensor) -> torch.Tensor:
    """Zhou et al. 2016: the rectified maps weighted by the last layer, which Grad-CAM generalises."""
    with torch.no_grad():
        maps = torch.relu(network.conv(seen))
        weights = network.last.weight[0].view(1, -1, *(1,) * (maps.ndim - 2))
        return torch.relu((weights * maps).sum(dim=1)) / maps[0, 0].numel()


@pytest.mark.parametrize(("axes", "mode"), [(2, "bilinear"), (3, "trilinear")])
def test_with_a_linear_layer_after_the_mean_it_is_the_class_activation_map(axes: int, mode: str) -> None:
    network, seen = Pooled(axes), images(3, 2, *(8,) * axes)
    expected = activation_map(network, seen)
    fine = torch.nn.functional.interpolate(expected[:, None], size=seen.shape[2:], mode=mode, align_corners=False)
    wanted = fine[:, 0].numpy()
    wanted /= wanted.reshape(3, -1).max(axis=1).reshape(3, *(1,) * axes)
    np.testing.assert_allclose(grad_cam([network], AT_RELU, (seen,)), wanted, atol=1e-6)


def test_networks_are_averaged_before_their_maps_are_scaled() -> None:
    networks, seen = [Pooled(seed=0), Pooled(seed=1)], images(2, 2, 8, 8)
    with torch.no_grad():
        networks[1].last.weight *= 10  # its output hangs ten times as much on the image
    expected = sum(activation_map(network, seen) for network in networks)
    assert isinstance(expected, torch.Tensor)
    fine = torch.nn.functional.interpolate(expected[:, None], size=(8, 8), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(grad_cam(networks, AT_RELU, (seen,)), scaled(fine.numpy()), atol=1e-6)


def test_the_map_of_what_lowered_an_output_is_that_of_its_negative() -> None:
    network, opposite, seen = Pooled(), Pooled(), images(3, 2, 8, 8)
    with torch.no_grad():
        opposite.last.weight.copy_(-network.last.weight)
    found = grad_cam([network], AT_RELU, (seen,), [True, False, True])
    raised, lowered = (grad_cam([one], AT_RELU, (seen,)) for one in (network, opposite))
    np.testing.assert_allclose(found, np.stack([raised[0], lowered[1], raised[2]]), atol=1e-6)


def test_gradients_are_there_although_scoring_runs_without_them() -> None:
    network, seen = Pooled(), images(2, 2, 8, 8)
    expected = grad_cam([network], AT_RELU, (seen,))
    with torch.inference_mode():
        found = grad_cam([network], AT_RELU, (seen * 1.0,))  # a tensor of inference: never usable for gradients
    assert expected.max() == 1.0
    np.testing.assert_array_equal(found, expected)


def test_networks_are_left_as_they_were() -> None:
    network, seen = Pooled(), images(2, 2, 8, 8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    grad_cam([network], AT_RELU, (seen,))
    assert not network.relu._forward_hooks
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_that_fails_keeps_no_hook() -> None:
    network = Pooled()
    with pytest.raises(RuntimeError):
        grad_cam([network], AT_RELU, (images(2, 3, 8, 8),))
    assert not network.relu._forward_hooks


def test_a_layer_before_one_that_rectifies_in_place_can_be_read() -> None:
    network, seen = Pooled(), images(2, 2, 8, 8)
    assert np.isfinite(grad_cam([network], AT_CONV, (seen,))).all()


def test_a_map_of_nothing_stays_nothing() -> None:
    against = Pooled()
    with torch.no_grad():
        against.last.weight.copy_(-against.last.weight.abs())  # every place speaks against the outcome
    found = grad_cam([against], AT_RELU, (images(2, 2, 8, 8),))
    np.testing.assert_array_equal(found, np.zeros((2, 8, 8)))
    assert inside_share(found[0], np.ones((8, 8), dtype=bool)) == 0.0


def test_a_network_that_does_not_use_its_maps_has_looked_nowhere() -> None:
    np.testing.assert_array_equal(grad_cam([Deaf()], AT_CONV, (images(1, 2, 6, 6),)), np.zeros((1, 6, 6)))


def test_a_case_has_the_same_map_alone_and_in_a_batch() -> None:
    network, seen = Pooled(), images(3, 2, 8, 8)
    together = grad_cam([network], AT_RELU, (seen,))
    np.testing.assert_allclose(grad_cam([network], AT_RELU, (seen[1:2],))[0], together[1], atol=1e-6)


def test_of_a_layer_that_reads_both_exams_the_pass_is_chosen() -> None:
    pre, post = torch.zeros(1, 1, 2, 4, 4), torch.zeros(1, 1, 2, 4, 4)
    pre[0, 0, 1, 2, 3], post[0, 0, 0, 1, 1] = 5.0, -3.0
    first, last = (Looking(AT_CONV.layer_of, AT_CONV.output_of, call) for call in (0, -1))
    # The output rises with the first exam, and with what is negative in the second.
    np.testing.assert_array_equal(np.argwhere(grad_cam([Twice()], first, (pre, post))[0]), [[1, 2, 3]])
    np.testing.assert_array_equal(np.argwhere(grad_cam([Twice()], last, (pre, post))[0]), [[0, 1, 1]])


def test_the_share_inside_counts_the_map_and_not_the_voxels() -> None:
    saliency = np.array([[0.5, 1.0], [0.25, 0.25]], dtype=np.float32)
    assert inside_share(saliency, np.array([[False, True], [False, False]])) == 0.5
    assert inside_share(saliency, np.array([[0.0, 0.5], [1.0, 0.0]])) == pytest.approx(0.375)


def test_there_is_no_map_without_a_network_or_an_image() -> None:
    with pytest.raises(ValueError, match="needs networks, and an image"):
        grad_cam([], AT_RELU, (images(1, 2, 8, 8),))
    with pytest.raises(ValueError, match="needs networks, and an image"):
        grad_cam([Pooled()], AT_RELU, (None,))
