"""Enhanced MR objects made for a test, with the geometry of a made classic series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage

from tests.pipelines.made_series import T2, Grid, Maker


def enhanced(
    maker: Maker,
    pixels: np.ndarray,
    grid: Grid,
    *,
    b_values: Sequence[float] = (),
    order: Sequence[int] | None = None,
    rescale: tuple[float, float] | None = None,
    **more: Any,
) -> Dataset:
    """One Enhanced MR object; with ``b_values`` the slices repeat for each; ``order`` of the frames in the file."""
    dataset = maker.slices(pixels, grid, T2, **more)[0]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    ordered = list(range(len(pixels))) if order is None else list(order)
    dataset.SOPClassUID, dataset.NumberOfFrames = EnhancedMRImageStorage, len(pixels)
    dataset.PixelData = pixels[ordered].astype("<u2").tobytes()
    dataset.SharedFunctionalGroupsSequence = [_shared(grid, rescale)]
    slices = len(pixels) // max(len(b_values), 1)
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame(grid, index % slices, b_values[index // slices] if b_values else None) for index in ordered
    ]
    return dataset


def _shared(grid: Grid, rescale: tuple[float, float] | None) -> Dataset:
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [float(f"{value:.9g}") for value in grid.spacing[1:]]
    plane.ImageOrientationPatient = [float(f"{value:.9g}") for value in grid.orientation]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    if rescale is not None:
        values = Dataset()
        values.RescaleSlope, values.RescaleIntercept = rescale
        shared.PixelValueTransformationSequence = [values]
    return shared


def _frame(grid: Grid, place: int, b_value: float | None) -> Dataset:
    groups, position = Dataset(), Dataset()
    there = np.array(grid.origin) + grid.normal * grid.spacing[0] * place
    position.ImagePositionPatient = [float(f"{value:.9g}") for value in there]
    groups.PlanePositionSequence = [position]
    if b_value is not None:
        diffusion = Dataset()
        diffusion.DiffusionBValue = b_value
        groups.MRDiffusionSequence = [diffusion]
    return groups
