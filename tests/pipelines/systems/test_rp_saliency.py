from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.contract import TimePoint
from pipelines.explain.randomised import randomised, rank_correlation
from pipelines.systems.networks.residual_unet import TAPPED_LEVEL
from pipelines.systems.networks.rp_net import RpNet, RpNetSize
from pipelines.systems.rp_saliency import pairs_viewed
from pipelines.systems.signature_inputs import Sequence

BASELINE, RESTAGING = TimePoint


def network(shared: bool, seed: int = 1) -> RpNet:
    torch.manual_seed(seed)
    size = RpNetSize(base=3, depth=4, channels=1, change_channels=4, head_norm="none", shared=shared)
    return RpNet(size).eval()


def exam(seed: int) -> torch.Tensor:
    return torch.randn(2, 1, 8, 16, 16, generator=torch.Generator().manual_seed(seed)).half().float()


def saliency(asked: RpNet, when: TimePoint, pre: torch.Tensor, post: torch.Tensor) -> np.ndarray:
    """As the node asks for it, of patients whom the network gives more than usual."""
    pairs = dict(zip(TimePoint, (pre.numpy(), post.numpy()), strict=True))
    outlines = np.zeros((2, 8, 16, 16), dtype=bool)
    return pairs_viewed([asked], (Sequence.CE_T1, when), pairs, outlines, np.array([True, True])).saliency()


def by_hand(asked: RpNet, when: TimePoint, pre: torch.Tensor, post: torch.Tensor) -> torch.Tensor:
    """Equations 1 and 2 of Selvaraju et al. on the tapped level, the response derived from there on again.

    What lies below the tapped level hangs on it as well, so the encoder is run anew from a copy of its maps.
    """
    kept: list[torch.Tensor] = []

    def swap(module: torch.nn.Module, given: object, found: torch.Tensor) -> torch.Tensor:
        kept.append(found.detach().requires_grad_())
        return kept[-1]

    handles = [branch.encoder[TAPPED_LEVEL].register_forward_hook(swap) for branch in asked.branches]  # type: ignore[union-attr, index]
    asked(pre, post).response.sum().backward()
    for handle in handles:
        handle.remove()
    maps = kept[0 if when is BASELINE else 1]
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(2, 3, 4), keepdim=True)
    return torch.relu((weights * maps.detach()).sum(1))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("when", list(TimePoint))
def test_each_exams_map_is_that_of_its_own_pass(shared: bool, when: TimePoint) -> None:
    asked, pre, post = network(shared), exam(1), exam(2)
    coarse = by_hand(asked, when, pre, post)
    fine = torch.nn.functional.interpolate(coarse[:, None], size=(8, 16, 16), mode="trilinear")[:, 0]
    expected = fine / fine.flatten(1).max(1).values.reshape(-1, 1, 1, 1)
    found = saliency(asked, when, pre, post)
    assert found.shape == (2, 8, 16, 16)
    assert found == pytest.approx(expected.numpy(), abs=1e-4)


def test_the_maps_of_both_exams_differ_and_hang_on_the_weights() -> None:
    asked, pre, post = network(True), exam(1), exam(2)
    before, after = (saliency(asked, when, pre, post) for when in TimePoint)
    assert not np.allclose(before, after)
    other = randomised(asked, 5)
    assert isinstance(other, RpNet)
    assert abs(rank_correlation(before, saliency(other, BASELINE, pre, post))) < 0.6
