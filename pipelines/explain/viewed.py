"""Patients as networks were shown them: what Grad-CAM needs for the node's pictures, and for checking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import FloatArray
from pipelines.explain.grad_cam import Looking, grad_cam, scaled


@dataclass(frozen=True)
class Viewed:
    """n patients in the eyes of the networks of several folds.

    ``name``: what they look at, as reports call it (``pre_t2``). ``inputs``: what each network is called with, the
    image first. ``raised`` (n,): whom they give more than they usually give. ``image``: what a person would look at,
    and ``tumour``: how much of each place is tumour (None where the input does not tell), both (n, …) on the grid of
    the maps: (rows, columns), or with slices before them. ``slices_last``: whether the networks' maps have them behind.
    ``shown`` (n, …): the places of which the networks were shown anything; None where they were shown all.
    """

    name: str
    networks: Sequence[torch.nn.Module]
    looking: Looking
    inputs: tuple[torch.Tensor | None, ...]
    raised: NDArray[np.bool_]
    image: NDArray[np.float32]
    tumour: NDArray[np.float32] | None
    slices_last: bool = False
    shown: NDArray[np.bool_] | None = None

    def saliency(self) -> FloatArray:
        """The maps, (n, …), 0 to 1, and 0 where the networks were shown nothing."""
        maps = grad_cam(self.networks, self.looking, self.inputs, self.raised)
        if self.shown is not None:
            maps = scaled(np.where(self.shown, maps, np.float32(0.0)))
        return np.ascontiguousarray(np.moveaxis(maps, -1, 1)) if self.slices_last else maps

    def through(self, networks: Sequence[torch.nn.Module]) -> Viewed:
        """The same patients in the eyes of other networks."""
        return replace(self, networks=networks)
