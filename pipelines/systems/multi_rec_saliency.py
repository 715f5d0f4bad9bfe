"""Where the networks of system 3 looked: Grad-CAM of the log risk in the field around the tumour.

Channel attention joins the sequences before the maps that are read, so there is one map for all of them. The deepest
maps of a small field have a few voxels a side, which show no place: read is the last level with at least 4 in plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import Explanation, MaskArray, ModelIdentity, ModelInputs
from pipelines.explain.explanation import Seen, explanation
from pipelines.explain.grad_cam import Looking
from pipelines.explain.viewed import Viewed
from pipelines.systems.multi_rec_cut import T2_SQUARE
from pipelines.systems.networks.multi_rec_net import MultiRecNet, MultiRecNetSize
from pipelines.systems.tumour_field import FieldRule, field_grid

LEAST_SIDE = 4


def level_read(size: MultiRecNetSize) -> tuple[int, int]:
    """How many halvings below the fused maps (the input halved) are read, and their voxels a side in plane."""
    level, side = 0, size.shape[0] // 2
    while level < size.downs and side // 2 >= LEAST_SIDE:
        level, side = level + 1, side // 2
    return level, side


def looking(size: MultiRecNetSize) -> Looking:
    """How to ask networks of this size."""
    level, _ = level_read(size)
    layer = "image.fuse" if level == 0 else f"image.downs.{level - 1}"
    return Looking(lambda network: network.get_submodule(layer), lambda output: output.log_risk)


def fields_viewed(
    networks: Sequence[MultiRecNet],
    inputs: Sequence[torch.Tensor | None],
    outlines: MaskArray,
    raised: NDArray[np.bool_],
) -> Viewed:
    """Patients by their fields. ``inputs``: as the networks are called; ``outlines``: the tumour in each field, (cases,
    slices, rows, columns)."""
    size = networks[0].size
    images, present, *table = inputs
    assert images is not None and present is not None
    there = [name for name, shown in zip(size.sequences, present.any(dim=0).tolist(), strict=True) if shown]
    image = np.ascontiguousarray(np.moveaxis(images[:, 0].float().cpu().numpy(), -1, 1))
    return Viewed(
        name=", ".join(name for name in there if name != T2_SQUARE),
        networks=networks,
        looking=looking(size),
        inputs=(images.float(), present, *table),
        raised=raised,
        image=image,
        tumour=outlines.astype(np.float32),
        slices_last=True,
    )


def field_explanation(
    viewed: Viewed, size: MultiRecNetSize, at: tuple[ModelInputs, MaskArray, FieldRule], model: ModelIdentity
) -> Explanation | None:
    """The map of one patient on the exam's T2. ``at``: the exam, its mask and the rule by which the field was cut.
    None where the field does not lie on the T2."""
    exam, mask, rule = at
    grid = field_grid(exam.t2, mask, replace(rule, margin=(0, 0)))
    level, side = level_read(size)
    words = (
        f"Grad-CAM {level} halvings below the fused maps ({side} voxels a side), mean of {len(viewed.networks)} "
        "networks; one map for all sequences"
    )
    seen = Seen(exam.time_point, viewed.name, words, model, bool(viewed.raised[0]))
    return explanation(seen, grid.like(viewed.saliency()[0]), exam.t2, mask)
