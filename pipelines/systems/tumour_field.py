"""What volume networks see of one exam: a field of fixed size in millimetres around the tumour, resampled per image.

Systems 2 and 3 read volumes. Their papers crop to the body and resize; from some hundred patients a network then learns
almost nothing. Here the field is centred on the mask that was given, so that the network need not search the tumour,
and has the same extent in every case, so that neither crop nor resolution can tell an outcome. The mask itself is no
input: these networks draw their own, and are judged by it.

Weighted images are logarithms relative to the exam's own tissue, maps keep a fixed physical scale; both are departures
from the usual tumour. Voxels outside an image, and invalid voxels of a map, are 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import Code, FloatArray, InputUnfit, MapKind, MaskArray, ModelInputs, Volume
from pipelines.volumes.resample import coverage, map_onto, mask_onto, onto

Halves = NDArray[np.float16]
FINER = 2
"""In-plane samples per voxel and axis, averaged: a voxel is the mean of its area; ``T2_SQUARE`` knows its spread."""
LOWEST_LOG, HIGHEST_LOG = -2.5, 2.0
LOG_SPAN = 0.5


class Channel(StrEnum):
    """An image of the field. ``T2_SQUARE``: mean square of the T2 logarithms within a voxel, texture finer than it."""

    T2 = "t2"
    T2_SQUARE = "t2_square"
    HIGH_B = "high_b"
    ADC = "adc"
    DAPP = "dapp"
    KAPP = "kapp"
    CE_T1 = "ce_t1"


@dataclass(frozen=True)
class Scale:
    """A map as (value − ``usual``) / ``span``, in 10⁻³ mm²/s or without unit."""

    usual: float
    span: float


SCALES: Mapping[Channel, Scale] = {
    Channel.ADC: Scale(0.95, 0.5),
    Channel.DAPP: Scale(1.4, 0.7),
    Channel.KAPP: Scale(0.85, 0.35),
}
MAPS: Mapping[Channel, MapKind] = {Channel.DAPP: MapKind.KURTOSIS_D, Channel.KAPP: MapKind.KURTOSIS_K}


@dataclass(frozen=True)
class FieldRule:
    """``slices`` × ``pixels`` × ``pixels`` voxels of ``slice_mm`` × ``pixel_mm`` × ``pixel_mm``, on the axes of the T2.

    ``margin``: further voxels on each side (along slices, in plane) that a cut for training keeps, so that it can
    move the field at random.
    """

    slices: int = 16
    pixels: int = 24
    slice_mm: float = 4.0
    pixel_mm: float = 2.5
    margin: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a field with its margin."""
        through, across = self.margin
        return self.slices + 2 * through, self.pixels + 2 * across, self.pixels + 2 * across

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FieldRule:
        through, across = values["margin"]
        return cls(
            slices=int(values["slices"]),
            pixels=int(values["pixels"]),
            slice_mm=float(values["slice_mm"]),
            pixel_mm=float(values["pixel_mm"]),
            margin=(int(through), int(across)),
        )


@dataclass(frozen=True)
class TumourField:
    """``channels``: those there are, each ``rule.shape`` in half precision; ``mask``: the tumour, of the same shape."""

    channels: Mapping[Channel, Halves]
    mask: MaskArray


def field_grid(t2: Volume, mask: MaskArray, rule: FieldRule) -> Volume:
    """Where the voxels of the field lie: along the axes of the T2, its middle at the centroid of ``mask`` (on the T2).

    Raises InputUnfit ``NO_MASK`` where the mask is empty.
    """
    return _grid(t2, mask, rule, 1)


def tumour_field(inputs: ModelInputs, mask: MaskArray, rule: FieldRule) -> TumourField:
    """The field of one exam; ``mask`` lies on its T2. Channels of images that the exam lacks are left out.

    Rounded to half precision here, so that an exam from a cache gives the same numbers as a new one.

    Raises
    ------
    InputUnfit
        ``NO_MASK`` where the mask is empty.
    """
    fine, grid = _grid(inputs.t2, mask, rule, FINER), field_grid(inputs.t2, mask, rule)
    logs = _logarithms(inputs.t2, mask, fine)
    channels = {Channel.T2: _pooled(logs), Channel.T2_SQUARE: _pooled(logs**2)}
    if inputs.dwi:
        high_b = inputs.dwi[max(inputs.dwi)]
        channels[Channel.HIGH_B] = _pooled(_logarithms(high_b, mask_onto(mask, inputs.t2, high_b), fine))
    if inputs.adc is not None:
        channels[Channel.ADC] = _scaled(Channel.ADC, inputs.adc, grid)
    for channel, kind in MAPS.items():
        for found in inputs.maps:
            if found.kind is kind:
                gaps = np.where(found.valid, found.volume.array, np.nan).astype(np.float32)
                channels[channel] = _scaled(channel, found.volume.like(gaps), grid)
    if inputs.ce_t1 is not None:
        on_ce_t1 = mask_onto(mask, inputs.t2, inputs.ce_t1)
        channels[Channel.CE_T1] = _pooled(_logarithms(inputs.ce_t1, on_ce_t1, fine))
    halves = {channel: array.astype(np.float16) for channel, array in channels.items()}
    return TumourField(halves, mask_onto(mask, inputs.t2, grid))


def central(array: NDArray[Any], rule: FieldRule) -> NDArray[Any]:
    """(…, slices, rows, columns) without the margin."""
    through, across = rule.margin
    return array[..., through : through + rule.slices, across : across + rule.pixels, across : across + rule.pixels]


def _grid(t2: Volume, mask: MaskArray, rule: FieldRule, finer: int) -> Volume:
    if not mask.any():
        raise InputUnfit(Code.NO_MASK, "the tumour mask is empty, so there is no place to look at")
    shape = np.array(rule.shape) * (1, finer, finer)
    step = np.array([rule.slice_mm, rule.pixel_mm / finer, rule.pixel_mm / finer])
    centre = t2.affine @ np.append(np.argwhere(mask).mean(axis=0), 1.0)
    affine = np.eye(4)
    affine[:3, :3] = t2.affine[:3, :3] / np.array(t2.spacing) * step
    affine[:3, 3] = centre[:3] - affine[:3, :3] @ ((shape - 1) / 2.0)
    return Volume(np.zeros(tuple(shape), dtype=np.float32), affine, t2.frame_of_reference_uid)


def _logarithms(image: Volume, mask: MaskArray, grid: Volume) -> FloatArray:
    """ln(signal / median of the tissue in the tumour's slices) / 0.5 on ``grid``; 0 outside the image."""
    slices = image.array[mask.any(axis=(1, 2))] if mask.any() else image.array
    tissue = slices[slices > 0.1 * np.percentile(slices, 99)]
    reference = max(float(np.median(tissue)), 1e-6) if tissue.size else 1.0
    logs = np.clip(np.log(np.maximum(image.array, 1e-3 * reference) / reference), LOWEST_LOG, HIGHEST_LOG) / LOG_SPAN
    sampled = onto(image.like(logs.astype(np.float32)), grid).array
    return np.where(coverage(image, grid), sampled, 0.0).astype(np.float32)


def _pooled(fine: FloatArray) -> FloatArray:
    """Means of the samples of each voxel."""
    slices, rows, columns = fine.shape
    blocks = fine.reshape(slices, rows // FINER, FINER, columns // FINER, FINER)
    return np.asarray(blocks.mean(axis=(2, 4)), dtype=np.float32)


def _scaled(channel: Channel, found: Volume, grid: Volume) -> FloatArray:
    """A map as departure from the usual; 0 where it has no value, which ``map_onto`` says by a 0 that no tissue has."""
    values = map_onto(found, grid).array
    scale = SCALES[channel]
    departure = np.where(values != 0, (values - scale.usual) / scale.span, 0.0)
    return np.asarray(np.clip(departure, -4.0, 4.0), dtype=np.float32)
