"""How well one image explains another at a rigid displacement: Mattes' mutual information, by SimpleITK.

Mattes et al., IEEE Trans Med Imaging 2003, equations 2–6: joint histogram with cubic B-spline Parzen windows, here in
nats, larger is better. Everything is fixed (samples by a fixed seed, one thread), so the same images give the same
figure. Coordinates are those of a working frame, a rigid change of LPS, so that its axes can be an image's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.contract import Affine, FloatArray, MaskArray, Volume

BINS = 32
SEED = 20210
DECIMALS = 8
HIGHEST = 10.0
"""Nats: more than 32 × 32 bins can hold (ln 32). ITK answers with the largest float where samples fall outside."""
ARM_MM = 60.0
"""A radian counts as this many millimetres: half the width of what lies around a rectum."""

Vector = NDArray[np.float64]


class NotComparable(Exception):
    """Two images have too few samples in common, or one of them has no contrast."""


@dataclass(frozen=True)
class Found:
    """A rigid (4, 4) map from the fixed image's points to the moving one's, LPS, and its mutual information in nats."""

    matrix: Affine
    information: float


@dataclass(frozen=True)
class Comparison:
    """Two images made ready in one working frame; ``frame`` (4, 4) is the rigid map from LPS to it.

    ``share`` of the fixed image's voxels (inside its mask, where it has one) are sampled.
    """

    fixed: SimpleITK.Image
    moving: SimpleITK.Image
    mask: SimpleITK.Image | None
    frame: Affine
    share: float

    def along(self, start: Affine, axis: int, positions: tuple[int, float]) -> tuple[Vector, Vector]:
        """Information at ``start`` (LPS) followed by shifts along one axis of the working frame.

        ``positions``: how many to either side, and their distance in mm. Returns shifts (mm) and nats, in order,
        without places where too few samples fall inside both images.
        """
        count, step = positions
        counts = [0, 0, 0, 0, 0, 0]
        counts[3 + axis] = count
        transform = self._local(start)
        origin = transform.GetParameters()[3 + axis]
        method = self._method(transform)
        method.SetOptimizerAsExhaustive(counts, step)
        method.SetOptimizerScales([1.0] * 6)
        seen: list[tuple[float, float]] = []
        method.AddCommand(
            SimpleITK.sitkIterationEvent,
            lambda: seen.append((method.GetOptimizerPosition()[3 + axis] - origin, -method.GetMetricValue())),
        )
        self._executed(method)
        table = np.array(sorted(pair for pair in seen if abs(pair[1]) < HIGHEST))
        if not table.size:
            raise NotComparable("hardly a sample falls inside both images")
        return table[:, 0], table[:, 1]

    def shifted(self, start: Affine, axis: int, distance: float) -> Affine:
        """``start`` (LPS) followed by a shift of so many mm along an axis of the working frame."""
        step = np.eye(4)
        step[axis, 3] = distance
        return np.asarray(np.linalg.inv(self.frame) @ step @ self.frame @ start)

    def climbed(self, start: Affine, step_mm: float, iterations: int) -> Found:
        """The rigid transform (rotation and translation) uphill from ``start``, by gradient steps that halve."""
        transform = self._local(start)
        method = self._method(transform)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=step_mm, minStep=0.02, numberOfIterations=iterations, relaxationFactor=0.6
        )
        method.SetOptimizerScales([ARM_MM**2] * 3 + [1.0] * 3)
        self._executed(method)
        # ITK adds up in an order of its own: equal from run to run to 1e-11 mm, and so made equal.
        return self.at(np.round(self._world(transform), DECIMALS))

    def at(self, matrix: Affine) -> Found:
        """The information at one rigid map (LPS)."""
        method = self._method(self._local(matrix))
        try:
            information = -float(method.MetricEvaluate(self.fixed, self.moving))
        except RuntimeError as error:  # what SimpleITK makes of every ITK exception
            raise NotComparable(str(error)) from error
        if not np.isfinite(information) or abs(information) > HIGHEST:
            raise NotComparable("hardly a sample falls inside both images")
        return Found(matrix, information)

    def _executed(self, method: SimpleITK.ImageRegistrationMethod) -> None:
        try:
            method.Execute(self.fixed, self.moving)
        except RuntimeError as error:
            raise NotComparable(str(error)) from error

    def _method(self, start: SimpleITK.Euler3DTransform) -> SimpleITK.ImageRegistrationMethod:
        method = SimpleITK.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)  # threads add up in another order each time
        method.SetMetricAsMattesMutualInformation(BINS)
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(self.share, SEED)
        method.SetInterpolator(SimpleITK.sitkLinear)
        # Gradients at the samples alone: filtering the whole images costs ten times what a search along a line does.
        method.MetricUseFixedImageGradientFilterOff()
        method.MetricUseMovingImageGradientFilterOff()
        if self.mask is not None:
            method.SetMetricFixedMask(self.mask)
        method.SetInitialTransform(start, inPlace=True)
        return method

    def _local(self, matrix: Affine) -> SimpleITK.Euler3DTransform:
        """A map of LPS as ITK's transform of the working frame, about the fixed image's centre."""
        local = self.frame @ matrix @ np.linalg.inv(self.frame)
        middle = [(size - 1) / 2 for size in self.fixed.GetSize()]
        centre = np.array(self.fixed.TransformContinuousIndexToPhysicalPoint(middle))
        transform = SimpleITK.Euler3DTransform()
        transform.SetCenter(centre.tolist())
        transform.SetMatrix(_orthonormal(local[:3, :3]).ravel().tolist(), 1e-6)
        transform.SetTranslation((local[:3, :3] @ centre + local[:3, 3] - centre).tolist())
        return transform

    def _world(self, transform: SimpleITK.Euler3DTransform) -> Affine:
        local = np.eye(4)
        local[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
        local[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
        return np.asarray(np.linalg.inv(self.frame) @ local @ self.frame)


@dataclass(frozen=True)
class Detail:
    """At what resolution two images are compared: voxel size wanted (mm, fixed and moving) and samples at most."""

    fixed_mm: float
    moving_mm: float
    samples: int


def comparison(fixed: Volume, moving: Volume, within: MaskArray | None, detail: Detail) -> Comparison:
    """Both images averaged down to ``detail``, in the frame of the fixed image's own axes (column, row, slice).

    ``within`` (shape of ``fixed``) restricts where the fixed image is sampled; not finite is taken as 0.
    """
    frame = _axes_frame(fixed)
    small = coarse(fixed, detail.fixed_mm)
    mask, count = None, small.array.size
    if within is not None:
        kept = coarse(fixed.like(within.astype(np.float32)), detail.fixed_mm)
        inside = (kept.array >= 0.5).astype(np.uint8)
        mask, count = _image(kept, frame, inside), int(inside.sum())
    blurred = moving.like(_finite(moving.array))
    sigma = [0.0 if size >= detail.fixed_mm else 0.35 * detail.fixed_mm / size for size in moving.spacing]
    sharp = coarse(blurred, detail.moving_mm)
    ratio = [a / b for a, b in zip(moving.spacing, sharp.spacing, strict=True)]
    smooth = ndimage.gaussian_filter(sharp.array, [s * r for s, r in zip(sigma, ratio, strict=True)])
    share = min(1.0, detail.samples / max(1, count))
    return Comparison(_image(small, frame, small.array), _image(sharp, frame, smooth), mask, frame, share)


def peak(positions: Vector, information: Vector, half_mm: float) -> float:
    """Where a parabola through what lies within ``half_mm`` of the best position has its top; at most that far off."""
    best = float(positions[int(np.argmax(information))])
    near = np.abs(positions - best) <= half_mm + 1e-6
    bend, slope, _ = np.polyfit(positions[near] - best, information[near], 2) if near.sum() > 2 else (0.0, 0.0, 0.0)
    if bend >= 0:
        return best
    top = best + float(np.clip(-slope / (2 * bend), -half_mm, half_mm))
    return float(np.clip(top, positions.min(), positions.max()))


def coarse(volume: Volume, voxel_mm: float) -> Volume:
    """Blocks of whole voxels averaged along each axis to about ``voxel_mm``; what fills no block is left off."""
    factor = np.maximum(1, np.round(voxel_mm / np.array(volume.spacing) + 1e-6)).astype(int)
    factor = np.minimum(factor, volume.array.shape)
    a, b, c = (int(size // f) for size, f in zip(volume.array.shape, factor, strict=True))
    f, g, h = (int(value) for value in factor)
    array = _finite(volume.array)[: a * f, : b * g, : c * h].reshape(a, f, b, g, c, h).mean((1, 3, 5))
    affine = volume.affine.copy()
    affine[:3, :3] *= factor
    affine[:3, 3] += volume.affine[:3, :3] @ ((factor - 1) / 2)
    return Volume(array.astype(np.float32), affine, volume.frame_of_reference_uid)


def centre(volume: Volume) -> Vector:
    """LPS of the middle of a volume, mm."""
    middle = (np.array(volume.array.shape) - 1) / 2
    return np.asarray(volume.affine[:3, :3] @ middle + volume.affine[:3, 3])


def _finite(array: FloatArray) -> FloatArray:
    return np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)


def _orthonormal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ v)


def _axes_frame(volume: Volume) -> Affine:
    """LPS to a frame with the origin in the volume's middle; its axes run along columns, rows and slices."""
    axes = _orthonormal(volume.affine[:3, [2, 1, 0]] / np.array(volume.spacing)[[2, 1, 0]])
    frame = np.eye(4)
    frame[:3, :3] = axes.T
    frame[:3, 3] = -axes.T @ centre(volume)
    return frame


def _image(volume: Volume, frame: Affine, array: NDArray[np.generic]) -> SimpleITK.Image:
    """An ITK image in the working frame; ITK's axes are x = column, y = row, z = slice."""
    local = frame @ volume.affine
    spacing = np.linalg.norm(local[:3, [2, 1, 0]], axis=0)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(local[:3, 3].tolist())
    image.SetDirection(_orthonormal(local[:3, [2, 1, 0]] / spacing).ravel().tolist())
    return image
