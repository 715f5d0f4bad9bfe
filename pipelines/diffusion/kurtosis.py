"""Diffusivity and kurtosis of the kurtosis model, per voxel: ln S = ln S₀ − b·D + b²·D²·K/6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from pipelines.contract import Code, InputUnfit, MapKind, MaskArray, ScalarMap, Volume
from pipelines.diffusion.log_fit import Scheme, fit_log_signal, held
from pipelines.diffusion.noise import above_noise

NEEDED_B_VALUES = 3
NEEDED_STEP = 200.0  # s/mm²: closer b-values are one point of the curve
NEEDED_HIGHEST = 1500.0  # s/mm²: below, the curve bends less than its noise
D_LIMITS = (0.1, 4.0)  # 10⁻³ mm²/s
K_LIMITS = (0.0, 3.0)
# Standard errors. Marked by their own noise, voxels of high D and K drop out first: without it 29 % of a complete
# responder's voxels at SNR 50, and the median D of the others is 2.5 % low (tests/benchmarks/diffusion.py).
RISE_ALLOWED = 1.0


def fit_kurtosis(
    dwi: Mapping[float, Volume], device: torch.device | str | None = None, rise_allowed: float = RISE_ALLOWED
) -> tuple[ScalarMap, ScalarMap]:
    """D (10⁻³ mm²/s) and K (no unit) by weighted least squares over all b-values, in every voxel at once.

    ``dwi``: b-value (s/mm²) to volume, all on one grid. Jensen and Helpern, NMR Biomed 2010, equation 4. One ``valid``
    for both: signal above the noise, D in [0.1, 4], K in [0, 3], and K ≤ 3/(D·b) at the highest b, beyond which the
    fitted signal would rise again (ibid.). Voxels outside are marked, never clamped, and hold 0.
    ``rise_allowed``: by how many standard errors of its slope the fit may rise there, 0 for not at all; the error comes
    from the residuals and is 0 without noise, and with three b-values, through which every parabola goes. ``r_squared``
    is None with these.

    Raises InputUnfit (KURTOSIS_NOT_ESTIMABLE) without three b-values 200 s/mm² apart and one of 1500 s/mm² or more, or
    where no voxel is valid.
    """
    used = sorted(dwi)
    _demand(used)
    signals = {b: dwi[b] for b in used}
    usable = above_noise(signals, needed=NEEDED_B_VALUES)
    arrays = [volume.array.astype(np.float32, copy=False) for volume in signals.values()]
    fitted = fit_log_signal(arrays, used, usable, Scheme(degree=2), device)
    slope, bend = fitted.coefficients
    d = -slope
    decays = usable & (d >= D_LIMITS[0]) & (d <= D_LIMITS[1])
    k = 6 * bend / np.where(decays, d, 1) ** 2
    # K ≤ 3/(D·b) in other words: it is linear in the coefficients, so its error is known.
    falls = slope + 2 * bend * (used[-1] / 1000) <= rise_allowed * fitted.end_error
    valid: MaskArray = decays & falls & (k >= K_LIMITS[0]) & (k <= K_LIMITS[1])
    if not valid.any():
        raise InputUnfit(Code.KURTOSIS_NOT_ESTIMABLE, "no voxel above the noise follows the kurtosis model in this DWI")
    how = f"kurtosis model by weighted least squares, b {'/'.join(f'{b:g}' for b in used)} s/mm²"
    r_squared = None if fitted.r_squared is None else held(valid, fitted.r_squared)
    grid = dwi[used[0]]
    return (
        ScalarMap(MapKind.KURTOSIS_D, grid.like(held(valid, d)), valid, how, r_squared=r_squared),
        ScalarMap(MapKind.KURTOSIS_K, grid.like(held(valid, k)), valid, how, r_squared=r_squared),
    )


def _demand(available: list[float]) -> None:
    if _apart(available) >= NEEDED_B_VALUES and available[-1] >= NEEDED_HIGHEST:
        return
    listed = ", ".join(f"{b:g}" for b in available) or "none"
    raise InputUnfit(
        Code.KURTOSIS_NOT_ESTIMABLE,
        f"b-values {listed} s/mm²: D and K need {NEEDED_B_VALUES}, at least {NEEDED_STEP:g} apart, the highest "
        f"{NEEDED_HIGHEST:g} or more",
    )


def _apart(available: Iterable[float]) -> int:
    """How many of the ascending b-values are at least a step from the one counted before."""
    counted: list[float] = []
    for b in available:
        if not counted or b - counted[-1] >= NEEDED_STEP:
            counted.append(b)
    return len(counted)
