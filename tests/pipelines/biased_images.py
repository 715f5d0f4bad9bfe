"""A made-up pelvis under a known bias field, and what SimpleITK's N4 makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from pipelines.bias.n4 import N4Settings
from pipelines.contract import FloatArray, MaskArray, Volume

NOISE = 8.0
# Signal, centre (z, y, x) and half axes of ellipsoids in a cube from −1 to 1; later ones lie over earlier ones.
ORGANS = (
    (310.0, (0.0, 0.0, 0.0), (9.0, 0.75, 0.9)),  # fat under the skin
    (130.0, (0.0, 0.0, 0.0), (9.0, 0.62, 0.78)),  # muscle
    (260.0, (0.0, 0.1, 0.0), (9.0, 0.38, 0.45)),  # fat of the pelvis
    (420.0, (-0.2, -0.15, 0.05), (0.9, 0.14, 0.2)),  # bladder
    (180.0, (0.1, 0.2, 0.0), (1.2, 0.12, 0.12)),  # rectum
    (70.0, (0.0, 0.1, 0.6), (9.0, 0.15, 0.1)),  # bone
    (70.0, (0.0, 0.1, -0.6), (9.0, 0.15, 0.1)),
)


@dataclass(frozen=True)
class BiasedImage:
    """``log_field``: the logarithm of the planted field, its mean inside ``mask`` 0. ``tissues``: the organ of each
    voxel, 0 outside the body."""

    volume: Volume
    mask: MaskArray
    log_field: NDArray[np.float64]
    tissues: NDArray[np.int64]


def biased_image(shape: tuple[int, int, int], seed: int = 1) -> BiasedImage:
    """Surface coils before and behind, Rician noise."""
    random = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    tissues = np.zeros(shape, dtype=np.int64)
    for number, (_, centre, axes) in enumerate(ORGANS, start=1):
        distance = sum(((at - c) / a) ** 2 for at, c, a in zip((z, y, x), centre, axes, strict=True))
        tissues[distance < 1] = number
    centre_x, tilt = random.uniform(-0.3, 0.3, 2)
    coils = 1.3 * np.exp(-((y - 1) ** 2 + (x - centre_x) ** 2) / 1.2) + 0.9 * np.exp(-((y + 1) ** 2) / 0.8)
    log_field = coils + tilt * x + 0.2 * z * y
    mask = tissues > 0
    log_field -= log_field[mask].mean()
    signal = np.array([0.0, *(organ[0] for organ in ORGANS)])[tissues] * np.exp(log_field)
    noisy = np.hypot(signal + random.normal(0, NOISE, shape), random.normal(0, NOISE, shape))
    return BiasedImage(Volume(noisy.astype(np.float32), np.diag([3.0, 0.6, 0.6, 1.0])), mask, log_field, tissues)


def reference_shrunk(volume: Volume, factors: tuple[int, int, int]) -> FloatArray:
    """The voxels that SimpleITK keeps."""
    shrunk = SimpleITK.Shrink(SimpleITK.GetImageFromArray(volume.array), factors[::-1])
    return np.asarray(SimpleITK.GetArrayFromImage(shrunk), dtype=np.float32)


@dataclass(frozen=True)
class ReferenceField:
    """SimpleITK's log bias field on the image's grid, and on the shrunk one that it was estimated on."""

    log_field: FloatArray
    shrunk: FloatArray


def reference_field(image: BiasedImage, settings: N4Settings, threads: int = 2) -> ReferenceField:
    """What SimpleITK estimates with the same settings."""
    whole = SimpleITK.GetImageFromArray(image.volume.array)
    factors = settings.shrink[::-1]
    shrunk, mask = (
        SimpleITK.Shrink(each, factors) for each in (whole, SimpleITK.GetImageFromArray(image.mask.astype(np.uint8)))
    )
    correction = SimpleITK.N4BiasFieldCorrectionImageFilter()
    correction.SetMaximumNumberOfIterations(settings.iterations)
    correction.SetConvergenceThreshold(settings.convergence_threshold)
    correction.SetNumberOfControlPoints([settings.control_points] * 3)
    correction.SetNumberOfHistogramBins(settings.bins)
    correction.SetBiasFieldFullWidthAtHalfMaximum(settings.fwhm)
    correction.SetWienerFilterNoise(settings.noise)
    correction.SetNumberOfThreads(threads)
    correction.Execute(shrunk, mask)
    fields = (SimpleITK.GetArrayFromImage(correction.GetLogBiasFieldAsImage(each)) for each in (whole, shrunk))
    return ReferenceField(*fields)
