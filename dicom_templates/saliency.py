"""Where a network looked, laid over the key slice: colours that get lighter with the value, so grey shows the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from dicom_templates.key_slice import KeySlice, slice_at
from pipelines.contract import Exam, Explanation, FloatArray, Score, TimePoint

_COLOURS = colormaps["inferno"]  # its lightness rises evenly from black to pale yellow
_DARKEST = 0.25
_T2_SHARE = 0.42  # the T2 stays below the lightness of the map's upper half


def seen_slice(key: KeySlice, exam: Exam, explanation: Explanation) -> KeySlice:
    """The key slice where the map reaches it, else the slice with most of the map: networks may read another one."""
    saliency = explanation.saliency
    if key.sample(saliency.volume.like(saliency.valid.astype(np.float32))).any():
        return key
    if saliency.valid.shape != exam.t2.array.shape or not saliency.valid.any():
        return key
    amounts = np.where(saliency.valid, saliency.volume.array + np.float32(1e-6), 0.0).sum(axis=(1, 2))
    return slice_at(exam, key.field_mm, int(amounts.argmax()))


def overlay(key: KeySlice, explanation: Explanation) -> FloatArray:
    """The key slice's T2, dimmed, with the map over it: (rows, columns, 3), values 0 to 1."""
    saliency = explanation.saliency
    usable = saliency.volume.like(np.where(saliency.valid, saliency.volume.array, 0.0).astype(np.float32))
    heat = np.clip(key.sample(usable), 0.0, 1.0)
    return _blend(_T2_SHARE * key.t2, heat)


def ramp(steps: int = 128) -> FloatArray:
    """The map's scale from 0 to 1 over mid-grey T2: (1, steps, 3)."""
    values = np.linspace(0.0, 1.0, steps, dtype=np.float32)[None]
    return _blend(np.full_like(values, 0.5 * _T2_SHARE), values)


def by_time_point(scores: Iterable[Score], time_point: TimePoint) -> tuple[tuple[Score, Explanation], ...]:
    """Every explanation of one exam with the score it belongs to, in the order of the scores."""
    return tuple((score, one) for score in scores for one in score.explanations if one.time_point is time_point)


def _blend(grey: FloatArray, heat: FloatArray) -> FloatArray:
    colours: NDArray[np.float64] = _COLOURS(_DARKEST + (1 - _DARKEST) * heat)[..., :3]
    weight = np.clip(1.6 * heat, 0.0, 0.9)[..., None]
    return np.asarray((1 - weight) * grey[..., None] + weight * colours, dtype=np.float32)
