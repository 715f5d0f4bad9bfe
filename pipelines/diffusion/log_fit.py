"""ln S as a polynomial in b by weighted least squares: closed form, all voxels at once, safe in float32.

Signals of a decay have an error of ln S that grows as 1/S, so the weights are S², and then the squares of the fitted
signal, whose noise does not favour the voxel's own outliers (Salvador et al., Hum Brain Mapp 2005; Veraart et al.,
NeuroImage 2013). b is in ms/µm², so that slopes are diffusivities in 10⁻³ mm²/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import FloatArray, MaskArray

CHUNK = 1 << 16  # voxels: the temporaries of one chunk stay in the cache, and the volume's size costs no memory
# Of ln S below the voxel's highest: keeps the square of a wild fitted signal inside float32.
FITTED_LIMITS = (-12.0, 3.0)


@dataclass(frozen=True)
class LogFit:
    """ln S = c₀ + c₁·b (+ c₂·b²), b in ms/µm².

    ``coefficients``: c₁ (and c₂), each of the volume's shape, 0 outside ``where``. ``r_squared``: weighted coefficient
    of determination, of the same shape; None where there are as many coefficients as b-values, which fit anything.
    ``end_error``: standard error of the slope of ln S at the highest b-value, from the residuals of the whole volume;
    0 where those are none.
    """

    coefficients: tuple[FloatArray, ...]
    r_squared: FloatArray | None
    end_error: FloatArray


@dataclass(frozen=True)
class Scheme:
    """How to fit: ``degree`` 1 or 2, S² weights or none, how often the weights are taken from the fitted signal."""

    degree: int
    weighted: bool = True
    reweightings: int = 2


@dataclass(frozen=True)
class Polynomial:
    """Of one chunk: the coefficients of b and b², the ``fitted`` logarithms (b, voxels), and the variance of the slope
    at the highest b for weights that are one over the variances of the logarithms."""

    coefficients: tuple[torch.Tensor, ...]
    fitted: torch.Tensor
    end_variance: torch.Tensor


def fit_log_signal(
    signals: Sequence[FloatArray],
    b_values: Sequence[float],
    where: MaskArray,
    scheme: Scheme,
    device: torch.device | str | None = None,
) -> LogFit:
    """Fit the voxels of ``where``, in which every signal is positive and finite.

    ``signals``: one array (slices, rows, columns) per b-value (s/mm², ascending); float64 ones are fitted in float64.
    ``device``: where torch computes, the CPU where none is given.
    """
    voxels = np.flatnonzero(where)
    flat = [signal.reshape(-1) for signal in signals]
    planes = np.zeros((scheme.degree + 3, where.size), dtype=flat[0].dtype)
    b = torch.from_numpy(np.array(b_values, dtype=flat[0].dtype)[:, None] / 1000).to(device)
    for start in range(0, len(voxels), CHUNK):
        chunk = voxels[start : start + CHUNK]
        logs = torch.from_numpy(np.stack([signal[chunk] for signal in flat])).to(device).log()
        planes[:, chunk] = torch.stack(_fit(logs, b, scheme)).cpu().numpy()
    *coefficients, r_squared, residual, end_error = planes.reshape(-1, *where.shape)
    free = len(b_values) - scheme.degree - 1
    noise = _noise(residual[where], free) if free and len(voxels) else 0.0
    return LogFit(tuple(coefficients), r_squared if free else None, end_error * planes.dtype.type(noise))


def held(valid: MaskArray, array: FloatArray) -> FloatArray:
    """A map as it is kept: its values where valid, 0 elsewhere."""
    return np.where(valid, array, 0).astype(np.float32)


def _noise(residual: NDArray[np.floating], free: int) -> float:
    """The standard deviation of the signal's noise from the median sum of squares of ``free`` residuals, which motion
    and other misfits of some tissues hardly move; the median of chi-squared is Wilson and Hilferty's (1931)."""
    return float(np.median(residual)) / float(np.sqrt(free * (1 - 2 / (9 * free)) ** 3))


def _fit(logs: torch.Tensor, b: torch.Tensor, scheme: Scheme) -> list[torch.Tensor]:
    """Coefficients of b and b², R², root of the residual squares (in units of the signal), and the standard error of
    the last slope for noise of 1; ``logs`` (b, voxels)."""
    highest = logs.amax(0)
    logs = logs - highest
    weight = torch.exp(2 * logs) if scheme.weighted else torch.ones_like(logs)
    found = _polynomial(logs, b, weight, scheme.degree)
    for _ in range(scheme.reweightings if scheme.weighted and len(b) > scheme.degree + 1 else 0):
        weight = torch.exp(2 * found.fitted.clamp(*FITTED_LIMITS))
        found = _polynomial(logs, b, weight, scheme.degree)
    mean = (weight * logs).sum(0) / weight.sum(0)
    spread = (weight * (logs - mean) ** 2).sum(0)
    left = (weight * (logs - found.fitted) ** 2).sum(0)
    r_squared = torch.where(spread > 0, 1 - left / spread.clamp_min(torch.finfo(spread.dtype).tiny), 0.0)
    scale = highest.exp()
    return [*found.coefficients, r_squared, left.sqrt() * scale, found.end_variance.sqrt() / scale]


def _polynomial(logs: torch.Tensor, b: torch.Tensor, weight: torch.Tensor, degree: int) -> Polynomial:
    """Weighted regression on polynomials orthogonal under the weights (Forsythe 1957): no matrix, no cancellation."""
    total = weight.sum(0)
    mean = (weight * b).sum(0) / total
    level = (weight * logs).sum(0) / total
    first = b - mean
    norm = (weight * first**2).sum(0)
    slope = (weight * first * (logs - level)).sum(0) / norm
    fitted = level + slope * first
    if degree == 1:
        return Polynomial((slope,), fitted, 1 / norm)
    skew = (weight * first**3).sum(0) / norm
    second = first**2 - skew * first - norm / total
    second_norm = (weight * second**2).sum(0)
    bend = (weight * second * (logs - fitted)).sum(0) / second_norm
    turn = skew + 2 * mean  # the second polynomial's slope at b is 2b − turn
    end_variance = 1 / norm + (2 * b[-1] - turn) ** 2 / second_norm
    return Polynomial((slope - bend * turn, bend), fitted + bend * second, end_variance)
