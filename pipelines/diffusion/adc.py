"""Apparent diffusion coefficients, 10⁻³ mm²/s: our own fit from DWI, or the scanner's map with its units checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pipelines.contract import AdcMap, Code, InputUnfit, Volume
from pipelines.diffusion.adc_units import NAMES, scale_of_map
from pipelines.diffusion.log_fit import Scheme, fit_log_signal, held
from pipelines.diffusion.noise import above_noise

PERFUSION_FREE_FROM = 100.0  # s/mm²: below, perfusion adds to the decay (Le Bihan 1988)
PREFERRED_SPREAD = 500.0  # s/mm², between lowest and highest b: closer together, noise outweighs perfusion
NEEDED_SPREAD = 300.0  # s/mm², without which no ADC is estimated
ADC_LIMITS = (0.0, 4.0)  # 10⁻³ mm²/s; free water at 37 °C is 3.0


def fit_adc(dwi: Mapping[float, Volume], device: torch.device | str | None = None, *, every_b: bool = False) -> AdcMap:
    """Least squares of ln S = ln S₀ − b·ADC in every voxel at once.

    ``dwi``: b-value (s/mm²) to volume, all on one grid. Used are the b-values from 100 s/mm² on, with weights S² and
    then twice those of the fitted S (``log_fit``). Where these do not span 500 s/mm², the lowest b-value that is far
    enough below (above 0 if there is one) is used with them, without weights, because those would let perfusion lead;
    so are the Siemens maps of b 50/400/800 that were compared. ``fit`` says which. Valid are voxels with signal above
    the noise, without weights at every b-value (:func:`pipelines.diffusion.noise.above_noise`), and 0 < ADC ≤ 4; others
    hold 0. ``r_squared`` is None for a fit of two points. ``every_b``: all b-values are used, the lowest included,
    without weights, as models of several protocols need it: with 0/500/1000 and 0/600/1000 the ADC of one tissue
    differs by 1 %, with 500/1000 and 0/600/1000 by 8 %.

    Raises InputUnfit (ADC_NOT_ESTIMABLE) without two b-values far enough apart, or where no voxel is valid.
    """
    used, perfused = _every(sorted(dwi)) if every_b else _chosen(sorted(dwi))
    signals = {b: dwi[b] for b in used}
    usable = above_noise(signals, needed=len(used) if perfused else 2)
    arrays = [volume.array.astype(np.float32, copy=False) for volume in signals.values()]
    fitted = fit_log_signal(arrays, used, usable, Scheme(degree=1, weighted=not perfused), device)
    adc = -fitted.coefficients[0]
    valid = usable & (adc > ADC_LIMITS[0]) & (adc <= ADC_LIMITS[1])
    if not valid.any():
        raise InputUnfit(Code.ADC_NOT_ESTIMABLE, "no voxel decays with b above the noise: no ADC in this DWI")
    volume = dwi[used[0]].like(held(valid, adc))
    r_squared = None if fitted.r_squared is None else held(valid, fitted.r_squared)
    return AdcMap(volume, valid, tuple(used), _method(used, perfused), r_squared)


def scanner_adc(volume: Volume, b_values: tuple[float, ...] = (), stated_unit: str = "") -> AdcMap:
    """The scanner's own map in 10⁻³ mm²/s. Its unit is the one that makes most of its values those of tissue.

    ``stated_unit``: what the header states (``adc_units.stated_unit``), which has to agree. Valid are
    voxels with 0 < ADC ≤ 4, which leaves out background, padding and what was clipped at 4095; others hold 0.

    Raises InputUnfit (ADC_UNITS) where no unit is plausible, or another one than the stated.
    """
    scale = scale_of_map(volume.array, stated_unit)
    scaled = (volume.array.astype(np.float64) * scale).astype(np.float32)
    valid = np.isfinite(scaled) & (scaled > ADC_LIMITS[0]) & (scaled <= ADC_LIMITS[1])
    known = f"b {_listed(b_values)} s/mm²" if b_values else "b-values not stated"
    stored = f"stored in {NAMES[scale]}, {'as stated' if stated_unit else 'by its median'}"
    return AdcMap(volume.like(held(valid, scaled)), valid, b_values, f"scanner's map ({known}; {stored})")


def _chosen(available: Sequence[float]) -> tuple[list[float], bool]:
    """The b-values to fit, and whether one of them is low enough for perfusion."""
    high = [b for b in available if b >= PERFUSION_FREE_FROM]
    if len(high) >= 2 and high[-1] - high[0] >= PREFERRED_SPREAD:
        return high, False
    for lowest in [b for b in available if 0 < b < PERFUSION_FREE_FROM] + list(available[:1]):
        if available[-1] - lowest >= NEEDED_SPREAD:
            return sorted({lowest, *high}), lowest < PERFUSION_FREE_FROM
    raise _too_close(available)


def _every(available: Sequence[float]) -> tuple[list[float], bool]:
    """All b-values, and whether one of them is low enough for perfusion."""
    if len(available) < 2 or available[-1] - available[0] < NEEDED_SPREAD:
        raise _too_close(available)
    return list(available), available[0] < PERFUSION_FREE_FROM


def _too_close(available: Sequence[float]) -> InputUnfit:
    listed = ", ".join(f"{b:g}" for b in available) or "none"
    reason = f"b-values {listed}: an ADC needs two at least {NEEDED_SPREAD:g} s/mm² apart"
    return InputUnfit(Code.ADC_NOT_ESTIMABLE, reason)


def _method(used: Sequence[float], perfused: bool) -> str:
    method = "least squares" if perfused else "weighted least squares"
    remark = " (with b below 100, so perfusion may add to it)" if perfused else ""
    return f"{'two-point' if len(used) == 2 else method}, b {_listed(used)} s/mm²{remark}"


def _listed(b_values: Sequence[float]) -> str:
    return "/".join(f"{b:g}" for b in b_values)
