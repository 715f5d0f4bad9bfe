"""Measurements in a mask: volume, longest diameter, mean ADC; each says how it was made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from pipelines.contract import (
    AdcMap,
    Affine,
    Code,
    Exam,
    InputUnfit,
    Mask,
    MaskArray,
    Measurement,
    Quantity,
    Statement,
    TimePoint,
)
from pipelines.volumes.resample import index_map

NEEDED_VALID = 0.5  # of the mask, with a usable ADC; less would be the mean of a remnant


def measure(exam: Exam, time_point: TimePoint) -> tuple[Measurement, ...]:
    """Volume (cm3), longest diameter (mm) and, where it can be had, mean ADC (10-6.mm2/s) in the exam's mask.

    Without a mask, or with an empty one, there is nothing to measure; a tumour bed is none. What is left out is said
    by :func:`unmeasured`.
    """
    mask = exam.mask
    if mask is None or not mask.array.any():
        return ()
    made = [
        Measurement(
            Quantity.VOLUME,
            time_point,
            volume_cm3(mask.array, exam.t2.affine),
            "cm3",
            mask.origin,
            "voxels of the mask times voxel volume",
        ),
        Measurement(
            Quantity.LONGEST_DIAMETER,
            time_point,
            longest_diameter_mm(mask.array, exam.t2.affine),
            "mm",
            mask.origin,
            "maximum 3D diameter (IBSI L0JK): largest distance between points of the mask's surface at level 0.5",
        ),
    ]
    try:
        value, how = mean_adc(exam, mask)
    except InputUnfit:
        return tuple(made)  # stated by unmeasured()
    return (*made, Measurement(Quantity.ADC_MEAN, time_point, value, "10-6.mm2/s", mask.origin, how))


def unmeasured(exam: Exam, time_point: TimePoint) -> tuple[Statement, ...]:
    """Why the mean ADC is missing although there are a mask and an ADC map."""
    if exam.mask is None or exam.adc is None or not exam.mask.array.any():
        return ()
    try:
        mean_adc(exam, exam.mask)
    except InputUnfit as unfit:
        return (Statement(unfit.code, f"{time_point} ADC in the mask", unfit.reason),)
    return ()


def volume_cm3(mask: MaskArray, affine: Affine) -> float:
    """Volume of the voxels set, cm³."""
    return float(np.count_nonzero(mask)) * float(abs(np.linalg.det(affine[:3, :3]))) / 1000.0


def longest_diameter_mm(mask: MaskArray, affine: Affine) -> float:
    """Maximum 3D diameter, mm: IBSI 3.1.11 (L0JK), the largest distance between vertices of the surface mesh.

    At level 0.5 of a binary mask the mesh's vertices lie halfway between neighbouring set and unset voxel centres, so
    they are taken directly, and only those on the convex hull are compared. Raises ValueError for an empty mask.
    """
    vertices = _surface(mask)
    points = vertices @ affine[:3, :3].T
    hull = points[ConvexHull(points).vertices]
    return float(pdist(hull).max())


def mean_adc(exam: Exam, mask: Mask) -> tuple[float, str]:
    """Mean ADC in the mask in 10⁻⁶ mm²/s, and how it was made.

    Each voxel of the mask (T2 grid) reads the ADC voxel that it lies in, so an ADC voxel counts by its overlap with
    the mask; nothing is interpolated, and invalid voxels do not count. The map lies where the DWI was aligned to.

    Raises InputUnfit (ADC_NOT_ESTIMABLE) without an ADC map, or where it is valid in less than half of the mask.
    """
    if exam.adc is None:
        raise InputUnfit(Code.ADC_NOT_ESTIMABLE, "no ADC map")
    alignment = None if exam.inputs is None else exam.inputs.alignment
    placed = exam.adc.volume if alignment is None else alignment.moved(exam.adc.volume)
    values = _nearest(exam.adc, np.argwhere(mask.array), index_map(placed, exam.t2))
    share = len(values) / np.count_nonzero(mask.array)
    if share < NEEDED_VALID:
        raise InputUnfit(
            Code.ADC_NOT_ESTIMABLE, f"ADC usable in {share:.0%} of the mask only: at least {NEEDED_VALID:.0%} is needed"
        )
    how = f"{exam.adc.fit}; mean of ADC voxels weighted by overlap with the mask, {share:.0%} of it valid, no erosion"
    if alignment is not None and alignment.accepted:
        how += f"; {alignment.how}"
    return float(values.mean()) * 1000.0, how


def _nearest(adc: AdcMap, voxels: NDArray[np.intp], index: Affine) -> NDArray[np.float64]:
    """The valid ADC values that the T2 voxels (n, 3) lie in."""
    places = np.floor(voxels @ index[:3, :3].T + index[:3, 3] + 0.5).astype(np.intp)
    inside = ((places >= 0) & (places < adc.volume.array.shape)).all(axis=1)
    slices, rows, columns = places[inside].T
    usable = adc.valid[slices, rows, columns]
    return np.asarray(adc.volume.array[slices, rows, columns][usable], dtype=np.float64)


def _surface(mask: MaskArray) -> NDArray[np.float64]:
    """Index coordinates (n, 3) halfway between set and unset neighbours along each axis."""
    padded = np.pad(mask, 1)
    points = []
    for axis in range(3):
        edge = np.argwhere(np.diff(padded, axis=axis)).astype(np.float64)  # of booleans: where neighbours differ
        edge[:, axis] += 0.5
        points.append(edge - 1.0)
    if not sum(len(edge) for edge in points):
        raise ValueError("an empty mask has no diameter")
    return np.concatenate(points)
