"""Where the networks of system 4 looked: Grad-CAM in the plane of the stack that each fold's ResNet reads.

The first convolution mixes the slices, so there is one map for all slices of the tumour. A box of 48 pixels ends in
maps of 2×2, which show no place: read is the last stage whose maps have at least 4 pixels a side, as those of the
published 112 pixels have in the last stage of all. The image is read inside the tumour alone (``network_input``), so
there is no map where no slice of the stack has any of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import Explanation, MaskArray, ModelIdentity, ModelInputs
from pipelines.explain.explanation import Seen, explanation
from pipelines.explain.grad_cam import Looking
from pipelines.explain.viewed import Viewed
from pipelines.systems.dlrs_inputs import BoxRule, Modality, on_image
from pipelines.systems.dlrs_network import network_input
from pipelines.systems.networks.resnet import ResNetSize

LEAST_SIDE = 4
STAGES = 4
SHORT: Mapping[Modality, str] = {Modality.T2: "T2", Modality.ADC: "ADC"}


def stage_read(size: ResNetSize, pixels: int) -> tuple[int, int]:
    """The last stage, from 1, whose maps of boxes of ``pixels`` have the least side, and that side; the first at least.

    The stages after the first halve their maps; before it there are two halvings, or none where it starts fine.
    """
    stage, side = 1, pixels if size.fine_start else -(-pixels // 4)
    while stage < STAGES and -(-side // 2) >= LEAST_SIDE:
        stage, side = stage + 1, -(-side // 2)
    return stage, side


def looking(size: ResNetSize, pixels: int) -> Looking:
    """How to ask networks of this size about boxes of ``pixels``."""
    stage, _ = stage_read(size, pixels)
    return Looking(lambda network: network.get_submodule(f"resnet.layer{stage}"), lambda output: output[:, 0])


def stacks_viewed(
    modality: Modality,
    of: tuple[Sequence[torch.nn.Module], ResNetSize],
    boxes: NDArray[np.float16],
    raised: NDArray[np.bool_],
) -> Viewed:
    """Patients by their stacks (cases, channels, slices, pixels, pixels); the tumour is the mean of its slices, and the
    image the middle one."""
    networks, size = of
    device = next(networks[0].parameters()).device
    stacks = network_input(torch.from_numpy(boxes).float()).to(device)
    image = boxes[:, 0, boxes.shape[2] // 2].astype(np.float32)
    how = looking(size, boxes.shape[-1])
    if boxes.shape[1] == 1:
        return Viewed(SHORT[modality], networks, how, (stacks,), raised, image, None)
    masks = boxes[:, 1].astype(np.float32)
    filled = masks.any(axis=(2, 3)).sum(axis=1)
    tumour = masks.sum(axis=1) / np.maximum(filled, 1)[:, None, None]
    return Viewed(SHORT[modality], networks, how, (stacks,), raised, image, tumour, shown=tumour > 0)


def stack_explanation(
    viewed: Viewed,
    inputs: ModelInputs,
    at: tuple[Modality, MaskArray, BoxRule],
    how: tuple[ResNetSize, ModelIdentity],
) -> Explanation | None:
    """The map of one patient in the tumour's slices of the exam's T2; None where the stack does not lie on it.

    ``at``: as the stack was cut. ``how``: the size of the networks, and the model.
    """
    modality, mask, rule = at
    size, model = how
    stage, side = stage_read(size, rule.pixels)
    words = (
        f"Grad-CAM of stage {stage} of {STAGES} of a ResNet18 ({side}×{side} pixels), mean of {len(viewed.networks)} "
        "networks, one map for all slices of the tumour"
    )
    seen = Seen(inputs.time_point, SHORT[modality], words, model, bool(viewed.raised[0]))
    saliency = viewed.saliency()[0]
    if viewed.shown is not None:
        saliency = np.where(viewed.shown[0], saliency, np.float32(np.nan))
    return explanation(seen, on_image(saliency, inputs, modality, mask, rule), inputs.t2, mask)
