"""What the networks of system 2 see of one exam, sequence by sequence.

Ours is the tumour field (:mod:`pipelines.systems.tumour_field`). Jin et al. 2021 crop to the foreground, resample to
64 × 64 × 16 and bring each image to a common scale by z-score and min–max (repository Heng14/3D_RP-Net); a network then
has to find the tumour by itself, and an ADC map would lose its quantity, so that only the weighted images are read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.contract import Code, InputUnfit, MaskArray, ModelInputs, Volume
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.tumour_field import Channel, FieldRule, TumourField
from pipelines.volumes.normalise import CROP_Z_SCORE_MIN_MAX, foreground
from pipelines.volumes.resample import coverage, mask_onto, onto

Channels = Mapping[Sequence, tuple[Channel, ...]]
OURS: Channels = {
    Sequence.T2: (Channel.T2, Channel.T2_SQUARE),
    Sequence.DWI: (Channel.HIGH_B, Channel.ADC),
    Sequence.CE_T1: (Channel.CE_T1,),
}
PUBLISHED: Channels = {
    Sequence.T2: (Channel.T2,),
    Sequence.DWI: (Channel.HIGH_B,),
    Sequence.CE_T1: (Channel.CE_T1,),
}


def foreground_field(inputs: ModelInputs, mask: MaskArray, rule: FieldRule) -> TumourField:
    """The weighted images cut to the foreground of the T2 and resampled to ``rule.shape``, 0 to 1; sizes in millimetres
    follow the patient. ``mask`` lies on the T2.

    Raises
    ------
    InputUnfit
        ``INPUTS_MISSING`` where the T2 has no foreground, or an image does not reach into it.
    """
    grid = foreground_grid(inputs, rule)
    images = {Channel.T2: inputs.t2, Channel.CE_T1: inputs.ce_t1, Channel.HIGH_B: inputs.high_b}
    channels = {}
    for channel, image in images.items():
        if image is None:
            continue
        within = coverage(image, grid)
        if not within.any():
            reason = f"the {inputs.time_point} exam: {channel} shows nothing of what the axial T2 shows"
            raise InputUnfit(Code.INPUTS_MISSING, reason)
        scaled = CROP_Z_SCORE_MIN_MAX.apply(onto(image, grid, smooth=True).array, within)
        channels[channel] = np.where(within, scaled, 0.0).astype(np.float16)
    return TumourField(channels, mask_onto(mask, inputs.t2, grid))


def foreground_grid(inputs: ModelInputs, rule: FieldRule) -> Volume:
    """Where those voxels lie. Raises InputUnfit ``INPUTS_MISSING`` where the T2 has no foreground."""
    t2 = inputs.t2
    tissue = np.argwhere(foreground(t2.array))
    if not tissue.size:
        raise InputUnfit(Code.INPUTS_MISSING, f"the {inputs.time_point} exam: the axial T2 has no foreground")
    first, last = tissue.min(axis=0), tissue.max(axis=0)
    step = (last - first + 1) / np.array(rule.shape)
    affine = t2.affine.copy()
    affine[:3, :3] = t2.affine[:3, :3] * step
    # The outer faces of the first voxels coincide, not their centres.
    affine[:3, 3] = (t2.affine @ np.append(first + (step - 1) / 2, 1.0))[:3]
    return Volume(np.zeros(rule.shape, dtype=np.float32), affine, t2.frame_of_reference_uid)
