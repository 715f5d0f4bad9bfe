"""Grad-CAM (Selvaraju et al. 2017, Visual Explanations from Deep Networks via Gradient-based Localization).

Where the maps of one convolution raised what a network says: each map weighted by the mean gradient of the output with
respect to it (equation 1), summed over the maps, negative sums cut off (equation 2). The output is a logit or a log
hazard, so what speaks for the outcome is bright, and what speaks against it is dark. Of a patient whom a network gives
less than it usually gives, that would hide what it went by: a tumour that is left speaks against a good response. Then
the map is that of the opposite answer, the counterfactual of the same paper (section 3.3): what lowered the output.
The map is as coarse as the convolution it comes from, and it is no outline of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import FloatArray

LayerOf = Callable[[torch.nn.Module], torch.nn.Module]
OutputOf = Callable[[Any], torch.Tensor]
MODES = {2: "bilinear", 3: "trilinear"}
LAST = -1


@dataclass(frozen=True)
class Looking:
    """How Grad-CAM asks a kind of network.

    ``layer_of``: the module whose output are the maps, (batch, channels, …) with two or three axes of place.
    ``output_of``: of what the network returns the numbers to explain, one per case. ``call``: which of the layer's
    passes, where the network uses it more than once (weights shared by two exams): 0 the first, -1 the last.
    """

    layer_of: LayerOf
    output_of: OutputOf
    call: int = LAST


def grad_cam(
    networks: Sequence[torch.nn.Module],
    looking: Looking,
    inputs: Sequence[torch.Tensor | None],
    raised: Sequence[bool] | NDArray[np.bool_] | None = None,
) -> FloatArray:
    """Where the networks of several folds looked, on the grid of the first input.

    Parameters
    ----------
    networks
        In evaluation mode; they are left as they were. Their maps are averaged before scaling, so that a network whose
        output hangs more on the image counts more.
    inputs
        What each network is called with; the first is an image (batch, channels, …), on the networks' device.
    raised
        Of each case whether its map shows what raised the output (None: of all) or what lowered it.

    Returns
    -------
    float32 (batch, …), each case scaled to a maximum of 1. All 0 where no place raised the output, or lowered it.
    """
    image = inputs[0]
    if image is None or not networks:
        raise ValueError("Grad-CAM needs networks, and an image as their first input")
    # Scoring may run without gradients: a tensor made there has to be copied before anything is derived from it.
    side = np.ones(len(image)) if raised is None else np.where(np.asarray(raised), 1.0, -1.0)
    with torch.inference_mode(False), torch.enable_grad():
        signs = torch.from_numpy(side).to(image.device, torch.float32)
        given = tuple(one.clone() if one is not None and one.is_inference() else one for one in inputs)
        coarse = torch.stack([_cam(network, looking, given, signs) for network in networks]).mean(dim=0)
    grid = tuple(image.shape[2:])
    fine = torch.nn.functional.interpolate(coarse[:, None], size=grid, mode=MODES[len(grid)], align_corners=False)
    return scaled(fine[:, 0].cpu().numpy().astype(np.float32))


def scaled(maps: FloatArray) -> FloatArray:
    """Maps (cases, …), each divided by its maximum; a map of nothing stays 0."""
    top = maps.reshape(len(maps), -1).max(axis=1).reshape(-1, *(1,) * (maps.ndim - 1))
    return np.asarray(np.divide(maps, top, out=np.zeros_like(maps), where=top > 0), dtype=np.float32)


def inside_share(saliency: NDArray[np.floating[Any]], tumour: NDArray[Any]) -> float:
    """The share of the map's sum that lies inside the tumour; ``tumour``: true or false, or how much of each voxel it
    covers. 0 of a map of nothing."""
    total = float(saliency.sum(dtype=np.float64))
    return float((saliency * tumour).sum(dtype=np.float64)) / total if total > 0 else 0.0


def _cam(
    network: torch.nn.Module, looking: Looking, inputs: Sequence[torch.Tensor | None], signs: torch.Tensor
) -> torch.Tensor:
    """One network's map (batch, …) on the grid of its layer, in units of its output, without gradient."""
    maps: list[torch.Tensor] = []

    def keep(layer: torch.nn.Module, given: Any, found: torch.Tensor) -> torch.Tensor:
        maps.append(found.detach().requires_grad_())
        return maps[-1].clone()  # the next layer may rectify in place, which a leaf does not bear

    handle = looking.layer_of(network).register_forward_hook(keep)
    try:
        output = looking.output_of(network(*inputs)) * signs
    finally:
        handle.remove()
    read = maps[looking.call]
    # A layer that the output does not hang on has no gradient: nothing was looked at.
    (gradient,) = torch.autograd.grad(output.sum(), read, allow_unused=True) if output.requires_grad else (None,)
    if gradient is None:
        return torch.zeros_like(read[:, 0])
    places = tuple(range(2, read.ndim))
    weights = gradient.mean(dim=places, keepdim=True)
    return torch.relu((weights * read.detach()).sum(dim=1)).detach()
