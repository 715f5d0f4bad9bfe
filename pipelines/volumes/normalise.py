"""Intensities to a common scale: weighted images relative to themselves, quantitative maps by a fixed physical scale.

A map that is discretised or z-scored loses the quantity it was made for, so those are for weighted images, and for maps
only where a paper is followed to the letter. Non-finite voxels never decide a scale; they become the scale's own
"nothing" (0, or the lowest value kept).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import FloatArray, MapKind, MaskArray

HISTOGRAM_BINS = 256
ADC_SCALE = 3.5
"""ADC of free water at body temperature is about 3 × 10⁻³ mm²/s: ADC / 3.5 stays below 1."""
MAP_SCALES: Mapping[MapKind, float] = {MapKind.ADC: ADC_SCALE, MapKind.KURTOSIS_D: 4.0, MapKind.KURTOSIS_K: 3.0}
"""What a map is divided by: D and K by the largest value that a fit counts as valid (10⁻³ mm²/s; no unit)."""
HIGHEST_SCALED = 1.5


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


def min_max(array: FloatArray, *, within: MaskArray | None = None) -> FloatArray:
    """0 at the lowest and 1 at the highest finite value ``within`` the mask, clipped there; a constant gives zeros."""
    low, high = percentile_range(array, within, (0.0, 100.0))
    if high <= low:
        return np.zeros(array.shape, dtype=np.float32)
    filled = np.nan_to_num(array, nan=low, posinf=high, neginf=low).astype(np.float64)
    return np.asarray(np.clip((filled - low) / (high - low), 0.0, 1.0), dtype=np.float32)


def relative(array: FloatArray) -> FloatArray:
    """A weighted image divided by twice the median of its foreground, clipped to [0, 3]; NaN as no signal."""
    array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
    foreground = array[array > 0.1 * np.percentile(array, 99)]
    reference = 2.0 * float(np.median(foreground)) if foreground.size else 1.0
    return np.asarray(np.clip(array / max(reference, 1e-6), 0.0, 3.0), dtype=np.float32)


def physical(array: FloatArray, scale: float) -> FloatArray:
    """A map divided by a fixed scale of its own unit, clipped to [0, 1.5]; NaN (invalid) becomes 0."""
    filled = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(filled / scale, 0.0, HIGHEST_SCALED), dtype=np.float32)


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


class Scaling(StrEnum):
    """A way of bringing intensities to a common scale. ``Z_SCORE_TISSUE`` finds the foreground by itself."""

    DISCRETISED = "discretised"
    Z_SCORE = "z_score"
    Z_SCORE_TISSUE = "z_score_tissue"
    Z_SCORE_MIN_MAX = "z_score_min_max"
    RELATIVE = "relative"
    PHYSICAL = "physical"


@dataclass(frozen=True)
class Normalisation:
    """One way with its parameters, so that what was chosen can travel into a report.

    ``limits``: percentiles between which a scale is found, (0, 100) for all values. ``levels``: grey levels of
    ``DISCRETISED``. ``scale``: what ``PHYSICAL`` divides by, in the map's unit. The others have no use for them.
    """

    kind: Scaling
    limits: tuple[float, float] = (0.5, 99.5)
    levels: int = 256
    scale: float = 1.0

    def __post_init__(self) -> None:
        low, high = self.limits
        if not (0 <= low < high <= 100 and self.levels >= 2 and self.scale > 0):
            raise ValueError(f"no such scale: percentiles {low:g} to {high:g}, {self.levels} levels, {self.scale:g}")

    def apply(self, array: FloatArray, within: MaskArray | None = None) -> FloatArray:
        """The array on this scale, float32 of the same shape; ``within`` says which voxels decide the scale.

        Raises ValueError where a scale must be found and no finite voxel is left to find it by.
        """
        return _APPLIED[self.kind](self, array, within)

    @property
    def words(self) -> str:
        """What was done, for a report."""
        low, high = self.limits
        between = "of all voxels" if self.limits == (0.0, 100.0) else f"between percentiles {low:g} and {high:g}"
        return {
            Scaling.DISCRETISED: f"{self.levels} equal grey levels {between}",
            Scaling.Z_SCORE: f"z-score by mean and SD {between}",
            Scaling.Z_SCORE_TISSUE: f"z-score by mean and SD {between} of the tissue",
            Scaling.Z_SCORE_MIN_MAX: f"z-score by mean and SD {between}, held there, then 0 to 1",
            Scaling.RELATIVE: "divided by twice the median of the tissue, at most 3",
            Scaling.PHYSICAL: f"divided by {self.scale:g} in its own unit, at most {HIGHEST_SCALED:g}; invalid 0",
        }[self.kind]


def _discretised(how: Normalisation, array: FloatArray, within: MaskArray | None) -> FloatArray:
    return discretise(array, within=within, limits=how.limits, levels=how.levels)


def _z_score(how: Normalisation, array: FloatArray, within: MaskArray | None) -> FloatArray:
    return z_score(array, within=within, limits=how.limits)


def _z_score_tissue(how: Normalisation, array: FloatArray, within: MaskArray | None) -> FloatArray:
    tissue = foreground(array)
    return z_score(array, within=tissue if within is None else tissue & within, limits=how.limits)


def _z_score_min_max(how: Normalisation, array: FloatArray, within: MaskArray | None) -> FloatArray:
    # The z-score alone would vanish in the min–max: what stays of it is the clipping at its limits.
    low, high = percentile_range(array, within, how.limits)
    held = np.clip(np.nan_to_num(array, nan=low, posinf=high, neginf=low), low, high).astype(np.float32)
    return min_max(z_score(held, within=within, limits=(0.0, 100.0)), within=within)


def _relative(how: Normalisation, array: FloatArray, within: MaskArray | None) -> FloatArray:
    return relative(array)


def _physical(how: Normalisation, array: FloatArray, within: MaskArray | None) -> FloatArray:
    return physical(array, how.scale)


_APPLIED: Mapping[Scaling, Callable[[Normalisation, FloatArray, MaskArray | None], FloatArray]] = {
    Scaling.DISCRETISED: _discretised,
    Scaling.Z_SCORE: _z_score,
    Scaling.Z_SCORE_TISSUE: _z_score_tissue,
    Scaling.Z_SCORE_MIN_MAX: _z_score_min_max,
    Scaling.RELATIVE: _relative,
    Scaling.PHYSICAL: _physical,
}

SIGNATURE_LEVELS = Normalisation(Scaling.DISCRETISED)
"""System 1 (Zhang et al.): 0–255."""
CROP_Z_SCORE_MIN_MAX = Normalisation(Scaling.Z_SCORE_MIN_MAX)
"""System 2 (Jin et al. 2021): z-score, then min–max, of a crop to the foreground."""
VOLUME_Z_SCORE = Normalisation(Scaling.Z_SCORE_TISSUE)
"""System 3: weighted images by their whole tissue; its maps by :func:`map_scale`."""
BOX_Z_SCORE = Normalisation(Scaling.Z_SCORE, limits=(0.0, 100.0))
"""System 4 (Liu et al. 2021): z-score of the tumour's bounding box, which ``within`` gives."""
TISSUE_RELATIVE = Normalisation(Scaling.RELATIVE)
"""The segmenter's weighted images."""


def map_scale(kind: MapKind) -> Normalisation:
    """The fixed physical scale of a quantitative map; ValueError for a map that is none."""
    if kind not in MAP_SCALES:
        raise ValueError(f"{kind} has no physical scale")
    return Normalisation(Scaling.PHYSICAL, scale=MAP_SCALES[kind])
