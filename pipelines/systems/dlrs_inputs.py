"""What the networks of system 4 see: a stack of slices of the tumour, in T2 and in ADC, from the baseline exam.

Liu et al. cut each tumour slice to its minimum bounding rectangle, resize that to 112×112 and take the z-score of the
stack, padded with empty slices to 20. Such a box has lost size and, for a map, its unit. So by default the field is the
same number of millimetres in every case, T2 is relative to the exam's own tissue and ADC at a fixed physical scale,
both as departures from the usual tumour, and the mask is a second channel. The paper's way is ``PUBLISHED``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.contract import Code, FloatArray, InputUnfit, MaskArray, ModelInputs, Volume
from pipelines.volumes.normalise import ADC_SCALE, BOX_Z_SCORE, physical
from pipelines.volumes.resample import HALF_FULL, mask_onto

HALF = np.float16
TUMOUR_ADC = 0.95
"""10⁻³ mm²/s, the least-squares ADC of a usual tumour before therapy: the zero of the ADC channel."""
ADC_SPAN = 0.5
T2_SPAN = 0.5
LOWEST_LOG, HIGHEST_LOG = -2.5, 2.0


class Modality(StrEnum):
    T2 = "t2"
    ADC = "adc"


@dataclass(frozen=True)
class BoxRule:
    """How a stack is cut. ``slices``: how many it holds; ``pixels``: their side.

    ``field_mm``: side of the square field around the tumour's centroid, the same in every case; None: each slice's
    minimum bounding rectangle, resized and z-scored (the paper).
    """

    slices: int = 20
    pixels: int = 48
    field_mm: float | None = 66.0

    @property
    def channels(self) -> tuple[str, ...]:
        """What each slice of a stack consists of."""
        return ("image", "mask") if self.field_mm is not None else ("image",)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BoxRule:
        field = values["field_mm"]
        return cls(int(values["slices"]), int(values["pixels"]), None if field is None else float(field))


SMALL = BoxRule()
PUBLISHED = BoxRule(pixels=112, field_mm=None)


@dataclass(frozen=True)
class Box:
    """A stack, float16 (channels, slices, pixels, pixels), and how many slices of tumour did not fit in it."""

    array: NDArray[np.float16]
    dropped: int


def box(inputs: ModelInputs, modality: Modality, mask: MaskArray, rule: BoxRule) -> Box:
    """The stack of one modality through ``mask``, which lies on the grid of the exam's T2.

    Slices without tumour are left out, so that a slot means a place in the tumour, whose middle is in the middle; of
    more than ``rule.slices`` the central ones are taken. Empty slots and places outside the image are 0.
    Rounded to half precision here, so that an exam from a cache gives the same numbers as a new one.

    Raises
    ------
    InputUnfit
        ``NO_MASK`` where the mask is empty or lies outside the images; why there is no diffusion, where there is none.
    """
    source, on_source, chosen, dropped = _chosen(inputs, modality, mask, rule)
    stack = np.zeros((len(rule.channels), rule.slices, rule.pixels, rule.pixels), dtype=np.float32)
    first = (rule.slices - chosen.size) // 2
    filled = stack[:, first : first + chosen.size]
    lines = _lines(source, on_source, chosen, rule)
    if rule.field_mm is None:
        filled[0] = _rectangles(source, chosen, lines)
    else:
        scaled, valid = _scaled(source, modality, on_source)
        filled[:] = _field(scaled, valid, on_source, (chosen, lines))
    return Box(stack.astype(HALF), dropped)


def on_image(plane: FloatArray, inputs: ModelInputs, modality: Modality, mask: MaskArray, rule: BoxRule) -> Volume:
    """A map (pixels, pixels) of the stack, the same for each of its slices, on the grid of the image that it was cut
    from; NaN elsewhere, and where the map is. Raises InputUnfit as ``box`` does."""
    source, on_source, chosen, _ = _chosen(inputs, modality, mask, rule)
    weight = np.isfinite(plane).astype(np.float32)
    known = np.where(weight > 0, plane, np.float32(0.0))
    laid = np.full(source.array.shape, np.nan, dtype=np.float32)
    for index, lines in zip(chosen, _lines(source, on_source, chosen, rule), strict=True):
        axes = []
        for line, size in zip(lines, source.array.shape[1:], strict=True):
            place = (np.arange(size) - line[0]) / (line[1] - line[0])
            axes.append(np.where(np.abs(place - (rule.pixels - 1) / 2.0) <= rule.pixels / 2.0, place, np.nan))
        where = np.stack(np.meshgrid(*axes, indexing="ij"))
        shown = np.isfinite(where).all(axis=0)
        laid[index][shown] = ndimage.map_coordinates(known, where[:, shown], order=1, mode="nearest")
        near = ndimage.map_coordinates(weight, where[:, shown], order=1, mode="nearest")
        laid[index][shown] = np.where(near >= HALF_FULL, laid[index][shown] / np.maximum(near, HALF_FULL), np.nan)
    return source.like(laid)


def _chosen(
    inputs: ModelInputs, modality: Modality, mask: MaskArray, rule: BoxRule
) -> tuple[Volume, MaskArray, NDArray[np.intp], int]:
    """The image, the mask on it, which of its slices the stack holds, and how many with tumour it does not."""
    source = inputs.t2 if modality is Modality.T2 else inputs.fitted_adc
    on_source = mask if modality is Modality.T2 else _on_diffusion(mask, inputs)
    held = np.flatnonzero(on_source.any(axis=(1, 2)))
    if not held.size:
        where = "is empty" if not mask.any() else f"lies outside the {modality} images"
        raise InputUnfit(Code.NO_MASK, f"the tumour mask of the {inputs.time_point} exam {where}")
    dropped = max(0, held.size - rule.slices)
    return source, on_source, held[dropped // 2 : dropped // 2 + rule.slices], dropped


def _lines(source: Volume, mask: MaskArray, chosen: NDArray[np.intp], rule: BoxRule) -> NDArray[np.float64]:
    """Where the pixels of each slice lie on the image, (slices, 2, pixels): row and column indices."""
    if rule.field_mm is None:
        return np.stack([_rectangle(mask[index], rule.pixels) for index in chosen])
    centre = [float(indices.mean()) for indices in np.nonzero(mask)[1:]]
    offsets = (np.arange(rule.pixels) - (rule.pixels - 1) / 2.0) * rule.field_mm / rule.pixels
    lines = np.stack([centre[0] + offsets / source.spacing[1], centre[1] + offsets / source.spacing[2]])
    return np.repeat(lines[None], chosen.size, axis=0)


def _rectangle(plane: MaskArray, pixels: int) -> NDArray[np.float64]:
    """Row and column indices, (2, pixels), of the minimum bounding rectangle of a slice's tumour."""
    lines = []
    for axis in (1, 0):
        held = np.flatnonzero(plane.any(axis=axis))
        low, high = float(held[0]) - 0.5, float(held[-1]) + 0.5
        lines.append(low + (np.arange(pixels) + 0.5) * (high - low) / pixels)
    return np.stack(lines)


def _on_diffusion(mask: MaskArray, inputs: ModelInputs) -> MaskArray:
    """The mask on the diffusion grid; of a tumour smaller than its voxels the voxel that most of it lies in."""
    grid = inputs.fitted_adc
    found = mask_onto(mask, inputs.t2, grid)
    if found.any() or not mask.any():
        return found
    centre = inputs.t2.affine @ np.append(np.argwhere(mask).mean(axis=0), 1.0)
    index = np.round((np.linalg.inv(grid.affine) @ centre)[:3]).astype(int)
    if np.all((index >= 0) & (index < grid.array.shape)):
        found[tuple(index)] = True
    return found


def _scaled(source: Volume, modality: Modality, mask: MaskArray) -> tuple[FloatArray, MaskArray]:
    """The image as departures from the usual, and where it has a value.

    T2: ln(signal / median of the tissue in the tumour's slices) / 0.5. ADC: (ADC − 0.95) / 0.5 in 10⁻³ mm²/s, from
    ADC/3.5, so that a map means the same from every exam.
    """
    if modality is Modality.ADC:
        valid = np.isfinite(source.array)
        return (physical(source.array, ADC_SCALE) * ADC_SCALE - TUMOUR_ADC) / ADC_SPAN, valid
    slices = source.array[mask.any(axis=(1, 2))]
    tissue = slices[slices > 0.1 * np.percentile(slices, 99)]
    reference = float(np.median(tissue)) if tissue.size else 1.0
    logs = np.log(np.maximum(source.array, 1e-3 * reference) / reference)
    return (np.clip(logs, LOWEST_LOG, HIGHEST_LOG) / T2_SPAN).astype(np.float32), np.ones(logs.shape, dtype=bool)


def _field(
    image: FloatArray, valid: MaskArray, mask: MaskArray, where: tuple[NDArray[np.intp], NDArray[np.float64]]
) -> FloatArray:
    """(2, slices, pixels, pixels): image and mask in a fixed field around the mask's centroid."""
    planes = []
    for index, lines in zip(*where, strict=True):
        places = np.stack(np.meshgrid(*lines, indexing="ij"))
        # Linear between valid voxels alone: an invalid neighbour has no value, not a low one.
        sampled, weight, covered = (
            ndimage.map_coordinates(plane.astype(np.float32), places, order=1, mode="constant")
            for plane in (np.where(valid[index], image[index], 0.0), valid[index], mask[index])
        )
        usable = weight >= HALF_FULL
        planes.append((np.divide(sampled, weight, out=np.zeros_like(sampled), where=usable), covered))
    return np.asarray(np.stack([np.stack(parts) for parts in zip(*planes, strict=True)]), dtype=np.float32)


def _rectangles(source: Volume, chosen: NDArray[np.intp], lines: NDArray[np.float64]) -> FloatArray:
    """(slices, pixels, pixels): each slice's minimum bounding rectangle, resized; the stack's z-score."""
    filled = np.nan_to_num(source.array, nan=0.0)
    planes = []
    for index, line in zip(chosen, lines, strict=True):
        where = np.stack(np.meshgrid(*line, indexing="ij"))
        planes.append(ndimage.map_coordinates(filled[index], where, order=1, mode="nearest"))
    return BOX_Z_SCORE.apply(np.stack(planes).astype(np.float32))
