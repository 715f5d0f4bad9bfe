"""Where the signature networks of system 1 looked: Grad-CAM on the last convolution of each fold's DenseNet.

The maps are read after they are rectified. There the signature's logit is their mean times the last layer, so Grad-CAM
is the class activation map (Zhou et al. 2016): it adds up to what the places raised the logit by, or lowered it.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Several

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import Explanation, MaskArray, ModelIdentity, ModelInputs
from pipelines.explain.explanation import Seen, explanation
from pipelines.explain.grad_cam import Looking
from pipelines.explain.viewed import Viewed
from pipelines.systems.signature_inputs import CropRule, Sequence, crop_grid, network_input

LOOKING = Looking(lambda network: network.get_submodule("class_layers.relu"), lambda logits: logits[:, 0])
SHORT: Mapping[Sequence, str] = {Sequence.T2: "T2", Sequence.DWI: "DWI", Sequence.CE_T1: "CE-T1"}


def crops_viewed(
    name: str, networks: Several[torch.nn.Module], crops: NDArray[np.float16], raised: NDArray[np.bool_]
) -> Viewed:
    """Patients by their crops (cases, channels, pixels, pixels), the mask as last channel where there are several."""
    device = next(networks[0].parameters()).device
    tumour = crops[:, -1].astype(np.float32) if crops.shape[1] > 1 else None
    image = crops[:, 0].astype(np.float32)
    return Viewed(name, networks, LOOKING, (network_input(crops).to(device),), raised, image, tumour)


def crop_explanation(
    viewed: Viewed, inputs: ModelInputs, at: tuple[Sequence, MaskArray, CropRule], model: ModelIdentity
) -> Explanation | None:
    """The map of one patient's crop on the T2 of its exam; None where the crop does not lie on it.

    ``at``: the sequence, the mask on the T2 and the rule that the crop was cut by.
    """
    sequence, mask, rule = at
    how = f"Grad-CAM of the last convolution, mean of {len(viewed.networks)} networks, of one slice around the tumour"
    grid = crop_grid(inputs, sequence, mask, rule)
    seen = Seen(inputs.time_point, SHORT[sequence], how, model, bool(viewed.raised[0]))
    return explanation(seen, grid.like(viewed.saliency()), inputs.t2, mask)
