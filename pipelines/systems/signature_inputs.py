"""What a signature network sees: one axial slice of one sequence, cut to a fixed field around the tumour.

Zhang et al. take, for each sequence on its own, the axial slice with the largest tumour area. The field is the same
number of millimetres in every case, so that neither the crop nor its resolution can tell the outcome, and the mask is
a channel of its own: without either, a network learns almost nothing from some hundred patients. The paper's own way,
the whole slice at 256×256 pixels in 0–255, is a rule of its own (``CropRule.whole``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.contract import Code, FloatArray, InputUnfit, MaskArray, ModelInputs, Volume
from pipelines.volumes.normalise import ADC_SCALE, discretise, physical
from pipelines.volumes.resample import HALF_FULL, mask_onto


class Sequence(StrEnum):
    T2 = "t2"
    DWI = "dwi"
    CE_T1 = "ce_t1"


CHANNELS: Mapping[Sequence, tuple[str, ...]] = {
    Sequence.T2: ("image", "tumour", "mask"),
    Sequence.DWI: ("image", "adc", "mask"),
    Sequence.CE_T1: ("image", "tumour", "mask"),
}


WHOLE_SLICE = ("image",)


@dataclass(frozen=True)
class CropRule:
    """Side of the square field (mm) and of the crop (pixels). ``whole``: the slice from edge to edge in its place."""

    field_mm: float = 60.0
    pixels: int = 48
    whole: bool = False

    def channels(self, sequence: Sequence) -> tuple[str, ...]:
        """The names of the crop's channels."""
        return WHOLE_SLICE if self.whole else CHANNELS[sequence]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CropRule:
        return cls(float(values["field_mm"]), int(values["pixels"]), bool(values["whole"]))


def signature_input(inputs: ModelInputs, sequence: Sequence, mask: MaskArray, rule: CropRule) -> FloatArray:
    """Channels of ``rule.channels(sequence)``, float32 (channels, pixels, pixels).

    ``image``: 0–255 of its volume divided by 255; ``tumour``: the image times the mask; ``adc``: 10⁻³ mm²/s divided by
    3.5, invalid voxels 0; ``mask``: the share of each pixel it covers.

    Raises
    ------
    InputUnfit
        ``INPUTS_MISSING`` where the exam has no such sequence (no diffusion: why), ``NO_MASK`` where the tumour lies
        outside of it.
    """
    source, on_source, index = _largest(inputs, sequence, mask)
    planes: dict[str, NDArray[Any]] = {
        "image": discretise(source.array)[index] / 255.0,
        "mask": on_source[index].astype(np.float32),
    }
    if sequence is Sequence.DWI:
        adc = inputs.fitted_adc.array[index]
        planes |= {"adc": physical(adc, ADC_SCALE), "valid": np.isfinite(adc).astype(np.float32)}
    plane = on_source[index]
    where = _where(plane, source, rule)
    cut = {name: ndimage.map_coordinates(values, where, order=1, mode="nearest") for name, values in planes.items()}
    cut["tumour"] = cut["image"] * cut["mask"]
    if sequence is Sequence.DWI:
        # Linear between valid voxels alone: an invalid neighbour taken as 0 would lower the ADC beside air.
        usable = cut["valid"] >= HALF_FULL
        cut["adc"] = np.divide(cut["adc"], cut["valid"], out=np.zeros_like(cut["adc"]), where=usable)
    return np.stack([cut[name] for name in rule.channels(sequence)]).astype(np.float32)


def crop_grid(inputs: ModelInputs, sequence: Sequence, mask: MaskArray, rule: CropRule) -> Volume:
    """Where the pixels of that crop lie: zeros (1, pixels, pixels), as thick as its slice and no thinner than the T2's,
    so that it lies on one of them. Raises InputUnfit as ``signature_input`` does.
    """
    source, on_source, index = _largest(inputs, sequence, mask)
    rows, columns = _where(on_source[index], source, rule)
    steps = np.diag([1.0, rows[1, 0] - rows[0, 0], columns[0, 1] - columns[0, 0], 1.0])
    steps[:3, 3] = index, rows[0, 0], columns[0, 0]
    affine = source.affine @ steps
    affine[:3, 0] *= max(1.0, inputs.t2.spacing[0] / source.spacing[0])
    return Volume(np.zeros((1, rule.pixels, rule.pixels), dtype=np.float32), affine, source.frame_of_reference_uid)


def _largest(inputs: ModelInputs, sequence: Sequence, mask: MaskArray) -> tuple[Volume, MaskArray, int]:
    """The sequence, the mask on it, and its slice with the largest tumour area."""
    source = _source(inputs, sequence)
    on_source = mask if sequence is Sequence.T2 else mask_onto(mask, inputs.t2, source)
    areas = on_source.sum(axis=(1, 2))
    if not areas.any():
        reason = f"the tumour mask of the {inputs.time_point} exam lies outside the {sequence} images"
        raise InputUnfit(Code.NO_MASK, reason)
    return source, on_source, int(areas.argmax())


def _source(inputs: ModelInputs, sequence: Sequence) -> Volume:
    if sequence is Sequence.T2:
        return inputs.t2
    if sequence is Sequence.DWI:
        return inputs.high_b
    if inputs.ce_t1 is None:
        reason = f"the {inputs.time_point} exam has no contrast-enhanced T1"
        raise InputUnfit(Code.INPUTS_MISSING, reason)
    return inputs.ce_t1


def _where(plane: MaskArray, source: Volume, rule: CropRule) -> NDArray[np.float64]:
    return _everywhere(plane.shape, rule) if rule.whole else _positions(plane, source.spacing[1:], rule)


def _positions(mask: MaskArray, spacing: tuple[float, float], rule: CropRule) -> NDArray[np.float64]:
    """Row and column indices, (2, pixels, pixels), of a field around the mask's centroid; axes stay as acquired."""
    centre = [float(indices.mean()) for indices in np.nonzero(mask)]
    offsets = (np.arange(rule.pixels) - (rule.pixels - 1) / 2.0) * rule.field_mm / rule.pixels
    rows = centre[0] + offsets / spacing[0]
    columns = centre[1] + offsets / spacing[1]
    return np.stack(np.meshgrid(rows, columns, indexing="ij"))


def _everywhere(shape: tuple[int, ...], rule: CropRule) -> NDArray[np.float64]:
    """Row and column indices, (2, pixels, pixels), from edge to edge of a slice."""
    rows, columns = ((np.arange(rule.pixels) + 0.5) * size / rule.pixels - 0.5 for size in shape)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"))


def network_input(crops: FloatArray | NDArray[np.float16]) -> torch.Tensor:
    """Crops (cases, channels, pixels, pixels) as a network sees them: a lone image three times, as a colour image."""
    tensor = torch.from_numpy(np.ascontiguousarray(crops, dtype=np.float32))
    return tensor.expand(-1, 3, -1, -1) if tensor.shape[1] == 1 else tensor
