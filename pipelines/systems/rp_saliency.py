"""Where the networks of system 2 looked: Grad-CAM on the encoder level that the response taps, of both exams.

The response hangs on each exam through the maps of its branch. Where both exams share one branch it passes twice, first
for the exam before therapy. The tapped level has a quarter of each axis; the bottleneck below it would show no place.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Several
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import Explanation, MaskArray, ModelIdentity, ModelInputs, TimePoint, Volume
from pipelines.explain.explanation import Seen, explanation
from pipelines.explain.grad_cam import Looking
from pipelines.explain.viewed import Viewed
from pipelines.systems.networks.residual_unet import TAPPED_LEVEL, ResidualUNet
from pipelines.systems.networks.rp_net import RpNet
from pipelines.systems.rp_cut import RpCut
from pipelines.systems.rp_inputs import foreground_grid
from pipelines.systems.rp_models import ALONE
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_models import signature_name
from pipelines.systems.tumour_field import field_grid

FIRST, LAST = 0, -1
PASS: Mapping[TimePoint, int] = {TimePoint.BASELINE: FIRST, TimePoint.RESTAGING: LAST}
Pairs = Mapping[TimePoint, NDArray[np.float16]]
"""What the networks of a sequence read of both exams, (cases, channels, slices, rows, columns) each."""


def looking(when: TimePoint) -> Looking:
    """How to ask a network about the exam before or after therapy."""
    return Looking(lambda network: _tapped(network, when), lambda said: said.response[:, 0], PASS[when])


def pairs_viewed(
    networks: Several[RpNet],
    at: tuple[Sequence, TimePoint],
    pairs: Pairs,
    outlines: MaskArray,
    raised: NDArray[np.bool_],
) -> Viewed:
    """Patients by their pairs, at one sequence and exam; ``outlines``: the tumour in that exam's field."""
    sequence, when = at
    device = next(networks[0].parameters()).device
    inputs = tuple(torch.from_numpy(pairs[one]).float().to(device) for one in PASS)
    image, tumour = pairs[when][:, 0].astype(np.float32), outlines.astype(np.float32)
    return Viewed(signature_name(when, sequence), networks, looking(when), inputs, raised, image, tumour)


def pair_explanation(
    viewed: Viewed,
    at: tuple[Sequence, TimePoint],
    seen: tuple[ModelInputs, MaskArray],
    of: tuple[RpCut, ModelIdentity],
) -> Explanation | None:
    """The map of one patient on the T2 of that exam. ``seen``: the exam, and the mask that it was cut through; ``of``:
    how, and the model. None where the field does not lie on the T2."""
    sequence, when = at
    inputs, mask = seen
    cut, model = of
    how = f"Grad-CAM of encoder level {TAPPED_LEVEL + 1} of an RP-Net, mean of {len(viewed.networks)} networks"
    asked = Seen(when, ALONE[sequence], how, model, bool(viewed.raised[0]))
    return explanation(asked, _grid(inputs, mask, cut).like(viewed.saliency()[0]), inputs.t2, mask)


def _tapped(network: torch.nn.Module, when: TimePoint) -> torch.nn.Module:
    branch = cast(ResidualUNet, cast(RpNet, network).branches[PASS[when]])
    return branch.encoder[TAPPED_LEVEL]


def _grid(inputs: ModelInputs, mask: MaskArray, cut: RpCut) -> Volume:
    """Where the voxels lie that a network read."""
    if cut.foreground:
        return foreground_grid(inputs, cut.rule)
    return field_grid(inputs.t2, mask, replace(cut.rule, margin=(0, 0)))
