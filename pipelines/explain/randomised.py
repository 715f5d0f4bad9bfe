"""Whether a saliency map hangs on what a network learnt (Adebayo et al. 2018, Sanity Checks for Saliency Maps).

A map that stays the same when all weights are drawn anew shows edges of the image or the shape of the network, not what
was learnt. So trained networks are compared with randomised ones, by the rank correlation of their maps.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr


def randomised(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    """A copy whose every weight is drawn anew, as before training; running statistics begin anew as well.

    Parameters that no layer knows how to draw (learned tokens) are normal, with the mean and spread they had.
    """
    drawn = copy.deepcopy(network)
    device = next(iter(drawn.parameters())).device
    drawn.to("cpu")
    known: set[int] = set()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in drawn.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                known |= {id(parameter) for parameter in module.parameters()}
        for parameter in drawn.parameters():
            if id(parameter) not in known:
                spread = parameter.std(unbiased=False)
                parameter.copy_(parameter.mean() + spread * torch.randn_like(parameter))
    return drawn.to(device).train(network.training)


def rank_correlation(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> float:
    """Spearman's ρ of two maps over their voxels; NaN where one of them is the same everywhere, or has no voxel."""
    one, other = first.ravel(), second.ravel()
    if not one.size or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)
