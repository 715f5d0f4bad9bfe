"""From where networks looked, on their own grid, to an explanation on the axial T2 that a reader sees it on.

A volume network reads a field around the tumour (``systems.tumour_field``); its map becomes an explanation by ::

    rule = replace(rule, margin=(0, 0))  # as the network was shown it
    grid = field_grid(exam.inputs.t2, mask, rule)
    raised = output >= usual  # what the networks say of the patient, and the mean of what they said in training
    (saliency,) = grad_cam(networks, looking, inputs, [raised])  # of one patient, on (slices, rows, columns)
    explanation(Seen(time_point, "T2", how, identity, raised), grid.like(saliency), exam.t2, mask)

where a network that reads (rows, columns, slices) has its map's last axis moved to the front first:
``np.moveaxis(saliency, -1, 0)``. Of several patients at once the first axis of what ``grad_cam`` gives is the patient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import Explanation, MapKind, MaskArray, ModelIdentity, ScalarMap, TimePoint, Volume
from pipelines.explain.grad_cam import inside_share
from pipelines.volumes.resample import HALF_FULL, coverage, index_map, onto


@dataclass(frozen=True)
class Seen:
    """Of which exam and ``sequence`` (T2, DWI, ADC, CE-T1) a map is, whose, and ``how``: network and layer in words.

    ``raised``: as ``grad_cam`` was asked, whether it shows what raised the output, or what lowered it.
    """

    time_point: TimePoint
    sequence: str
    how: str
    model: ModelIdentity
    raised: bool = True


def explanation(seen: Seen, saliency: Volume, t2: Volume, tumour: MaskArray) -> Explanation | None:
    """The map on the grid of ``t2``, with the share of it inside ``tumour`` (on that grid), and that of the area.

    ``saliency``: 0 to 1 where the network looked, NaN where it was shown nothing. Valid are the voxels of the T2 that
    lie in what it was shown. None where none does, so that there is nothing to lay the map on.
    """
    box = _box(saliency, t2)
    if any(one.start >= one.stop for one in box):
        return None
    part = _part(t2, box)
    known = np.isfinite(saliency.array)
    filled = onto(saliency.like(np.where(known, saliency.array, 0.0).astype(np.float32)), part).array
    weight = onto(saliency.like(known.astype(np.float32)), part).array
    usable = coverage(saliency, part) & (weight >= HALF_FULL)
    if not usable.any():
        return None
    array, valid = np.zeros(t2.array.shape, dtype=np.float32), np.zeros(t2.array.shape, dtype=np.bool_)
    array[box], valid[box] = np.divide(filled, weight, out=np.zeros_like(filled), where=usable), usable
    return Explanation(
        time_point=seen.time_point,
        sequence=seen.sequence,
        saliency=ScalarMap(MapKind.GRAD_CAM, t2.like(array), valid, seen.how, seen.model),
        inside_share=inside_share(array[box], tumour[box]),
        raised=seen.raised,
        area_share=float(np.mean(tumour[valid])),
    )


def _box(saliency: Volume, t2: Volume) -> tuple[slice, slice, slice]:
    """The part of the T2's grid that can lie in the map's extent: sampling the rest would only cost time."""
    edges = [(-0.5, size - 0.5) for size in saliency.array.shape]
    corners: NDArray[np.float64] = np.array([(*corner, 1.0) for corner in product(*edges)])
    indices = (index_map(t2, saliency) @ corners.T)[:3]
    low = np.maximum(np.floor(indices.min(axis=1)).astype(int), 0)
    high = np.minimum(np.ceil(indices.max(axis=1)).astype(int) + 1, t2.array.shape)
    first, second, third = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return first, second, third


def _part(t2: Volume, box: tuple[slice, slice, slice]) -> Volume:
    affine = t2.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([one.start for one in box], dtype=np.float64)
    return replace(t2, array=t2.array[box], affine=affine)
