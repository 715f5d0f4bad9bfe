"""Intensities to a common scale. For weighted images only: quantitative maps keep their physical scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import FloatArray, MaskArray

HISTOGRAM_BINS = 256


def percentile_range(array: FloatArray, within: MaskArray | None, limits: tuple[float, float]) -> tuple[float, float]:
    """The values at two percentiles of the finite voxels, optionally ``within`` a mask of the same shape.

    Raises ValueError where no voxel is left.
    """
    chosen = array[np.isfinite(array) if within is None else within & np.isfinite(array)]
    if not chosen.size:
        raise ValueError("no finite voxel to normalise by")
    low, high = np.percentile(chosen, limits)
    return float(low), float(high)


def discretise(
    array: FloatArray,
    *,
    within: MaskArray | None = None,
    limits: tuple[float, float] = (0.5, 99.5),
    levels: int = 256,
) -> FloatArray:
    """Equal-width grey levels 0 … ``levels`` − 1 as float32, clipped at two percentiles.

    The paper of system 1 discretises to 0–255 without naming its limits; percentiles keep single bright voxels
    (flow, implants) from setting the scale. A constant image gives zeros.
    """
    low, high = percentile_range(array, within, limits)
    if high <= low:
        return np.zeros(array.shape, dtype=np.float32)
    scaled = (np.nan_to_num(array, nan=low, posinf=high, neginf=low).astype(np.float64) - low) / (high - low)
    return np.asarray(np.clip(np.floor(scaled * levels), 0, levels - 1), dtype=np.float32)


def z_score(
    array: FloatArray, *, within: MaskArray | None = None, limits: tuple[float, float] = (0.5, 99.5)
) -> FloatArray:
    """(x − mean) / SD with mean and SD of the voxels between two percentiles; a constant image gives zeros."""
    low, high = percentile_range(array, within, limits)
    chosen = np.isfinite(array) & (array >= low) & (array <= high)
    values = array[chosen if within is None else chosen & within].astype(np.float64)
    spread = float(values.std())
    if spread == 0:
        return np.zeros(array.shape, dtype=np.float32)
    filled = np.nan_to_num(array, nan=float(values.mean()), posinf=high, neginf=low).astype(np.float64)
    return np.asarray((filled - values.mean()) / spread, dtype=np.float32)


def foreground(array: FloatArray) -> MaskArray:
    """Tissue against background: voxels above Otsu's threshold of the logarithm of the signal.

    The logarithm, because tissue spans decades in a surface-coil image. Nothing is foreground in a constant image.
    """
    positive = np.isfinite(array) & (array > 0)
    if not positive.any():
        return positive
    logs = np.log(np.where(positive, array, 1.0))
    return positive & (logs > otsu(logs[positive]))


def otsu(values: NDArray[np.floating]) -> float:
    """Threshold with the largest variance between the two classes (Otsu 1979, equation 18)."""
    counts, edges = np.histogram(values, bins=HISTOGRAM_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.argmax(np.nan_to_num(between[:-1], nan=-1.0)))])
