"""Bias field correction (N4: Tustison et al., IEEE TMI 29, 2010), batched, on the CPU or a GPU.

Intensities drift across an image with the coils' sensitivity. What is smooth and would sharpen the histogram if it
were divided out is taken for that drift. The reference is ITK's filter, whose numbers this one gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipelines.bias.b_spline import basis, evaluate
from pipelines.bias.histogram_sharpening import LEAST_RANGE, Sharpening
from pipelines.bias.log_bias import Limits, Tissue, log_field
from pipelines.contract import FloatArray, MaskArray, Volume
from pipelines.volumes.normalise import foreground

LEAST_SAMPLES = 32  # per axis: an axis is never shrunk to fewer
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class N4Settings:
    """``shrink``: the field is estimated from every how many slices, rows, columns; slices are few and thick, so all
    are kept. ``iterations``: at most, per level; each level halves the spans between the ``control_points`` that the
    first has along each axis. A level ends when the coefficient of variation of the field's change falls to
    ``convergence_threshold``. ``bins``, ``fwhm``, ``noise``: see pipelines.bias.histogram_sharpening.
    All but ``shrink`` as SimpleITK has them.
    """

    shrink: Triple = (1, 4, 4)
    iterations: tuple[int, ...] = (50, 50, 50, 50)
    convergence_threshold: float = 0.001
    control_points: int = 4
    bins: int = 200
    fwhm: float = 0.15
    noise: float = 0.01

    def words(self) -> str:
        """For a report."""
        return (
            f"N4, at most {'/'.join(map(str, self.iterations))} iterations, threshold {self.convergence_threshold:g}, "
            f"{self.control_points} control points, {self.bins} bins, FWHM {self.fwhm:g}, noise {self.noise:g}"
        )


@dataclass(frozen=True)
class BiasField:
    """What N4 made of one series.

    ``corrected``: the image over ``field``. ``field``: float32 (slices, rows, columns), its geometric mean inside the
    mask 1, so that intensities keep their scale; ``log_mean`` is what was subtracted from its logarithm for that.
    ``iterations``: done at each level (none where there was nothing to estimate from, and ``field`` is 1).
    ``shrink``: as used. ``how``: for a report.
    """

    corrected: Volume
    field: FloatArray
    log_mean: float
    iterations: tuple[int, ...]
    shrink: Triple
    how: str


@dataclass(frozen=True)
class _Samples:
    """What the field of one volume is estimated from: ``mask`` and ``logs`` on the shrunk grid, 0 outside the mask."""

    volume: Volume
    shrink: Triple
    mask: MaskArray
    logs: FloatArray

    @property
    def sufficient(self) -> bool:
        inside = self.logs[self.mask]
        return inside.size > 1 and float(np.ptp(inside)) > LEAST_RANGE


def correct_bias(
    volumes: Sequence[Volume],
    masks: Sequence[MaskArray] | None = None,
    settings: N4Settings = N4Settings(),
    device: torch.device | None = None,
) -> list[BiasField]:
    """One result per volume, in their order; volumes may differ in shape.

    ``masks``: the tissue of each, same shape (None: :func:`pipelines.volumes.normalise.foreground`). Voxels that are
    not positive have no logarithm and do not count. Where no two different intensities are left, the image is returned
    as it is, and ``how`` says so. On a GPU volumes of one shape are corrected together; on the CPU one after another,
    which its caches like better.

    Raises ValueError where masks and volumes do not match.
    """
    device = device or torch.device("cpu")
    if masks is None:
        masks = [foreground(volume.array) for volume in volumes]
    samples = [_shrunk(volume, mask, settings) for volume, mask in zip(volumes, masks, strict=True)]
    results: dict[int, BiasField] = {i: _unchanged(each) for i, each in enumerate(samples) if not each.sufficient}
    for group in _groups({i: each for i, each in enumerate(samples) if each.sufficient}, device):
        results.update(zip(group, _corrected([samples[i] for i in group], settings, device), strict=True))
    return [results[i] for i in range(len(samples))]


def first_sample(size: int, factor: int) -> int:
    """Index of the first voxel that is kept when every ``factor``-th is, such that the kept ones are centred.

    Rounded up, as ITK's ShrinkImageFilter does, whose output's origin does not tell of the rounding.
    """
    return (size - 1 - (size // factor - 1) * factor + 1) // 2


def _shrunk(volume: Volume, mask: MaskArray, settings: N4Settings) -> _Samples:
    array = volume.array
    if mask.shape != array.shape:
        raise ValueError(f"mask of shape {mask.shape} for an image of shape {array.shape}")
    factors = [max(1, min(f, size // LEAST_SAMPLES)) for f, size in zip(settings.shrink, array.shape, strict=True)]
    kept = tuple(
        slice(first := first_sample(size, factor), first + (size // factor - 1) * factor + 1, factor)
        for size, factor in zip(array.shape, factors, strict=True)
    )
    values = array[kept]
    inside = np.asarray(mask[kept] & np.isfinite(values) & (values > 0))
    logs = np.log(values, out=np.zeros(values.shape, dtype=np.float32), where=inside)
    return _Samples(volume, (factors[0], factors[1], factors[2]), inside, logs)


def _groups(samples: dict[int, _Samples], device: torch.device) -> Iterable[list[int]]:
    """Indices of what is corrected together."""
    if device.type == "cpu":
        return [[i] for i in samples]
    shapes: dict[Triple, list[int]] = {}
    for i, each in samples.items():
        shapes.setdefault(each.volume.array.shape, []).append(i)
    return shapes.values()


def _unchanged(samples: _Samples) -> BiasField:
    ones = np.ones(samples.volume.array.shape, dtype=np.float32)
    how = "no bias correction: fewer than two different positive intensities inside the mask"
    return BiasField(samples.volume, ones, 0.0, (), samples.shrink, how)


def _corrected(group: Sequence[_Samples], settings: N4Settings, device: torch.device) -> list[BiasField]:
    """Results of samples of one shape."""
    tissue = Tissue.packed([each.logs for each in group], [each.mask for each in group], device)
    sharpening = Sharpening.on(device, len(group), settings.bins, settings.fwhm, settings.noise)
    limits = Limits(settings.iterations, settings.convergence_threshold)
    found = log_field(tissue, sharpening, limits, settings.control_points)
    bases = [
        basis((torch.arange(size, device=device) - first_sample(size, factor)) / factor, samples, points).float()
        for size, factor, samples, points in zip(
            group[0].volume.array.shape, group[0].shrink, tissue.samples, found.lattice.shape[1:], strict=True
        )
    ]
    # The basis functions sum to 1: what is taken off every control point is taken off the field.
    fields = evaluate(found.lattice - found.mean.to(torch.float64)[:, None, None, None], bases).exp_().cpu().numpy()
    return [
        _result(each, field, float(mean), tuple(map(int, done)), settings)
        for each, field, mean, done in zip(group, fields, found.mean, found.iterations, strict=True)
    ]


def _result(
    samples: _Samples, field: FloatArray, log_mean: float, iterations: tuple[int, ...], settings: N4Settings
) -> BiasField:
    how = f"{settings.words()}, shrink {'×'.join(map(str, samples.shrink))}; done {'/'.join(map(str, iterations))}"
    corrected = samples.volume.like(np.asarray(samples.volume.array / field, dtype=np.float32))
    return BiasField(corrected, field, log_mean, iterations, samples.shrink, how)
