"""Apparent diffusion coefficients, 10⁻³ mm²/s: our own fit from DWI, or the scanner's map with its units checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pipelines.contract import AdcMap, Code, FloatArray, InputUnfit, MaskArray, Volume
from pipelines.normalise import foreground

PERFUSION_FREE_FROM = 100.0  # s/mm²: below, perfusion adds to the decay (Le Bihan 1988)
PREFERRED_SPREAD = 500.0  # s/mm², between lowest and highest b: closer together, noise outweighs perfusion
NEEDED_SPREAD = 300.0  # s/mm², without which no ADC is estimated
ADC_LIMITS = (0.0, 4.0)  # 10⁻³ mm²/s; free water at 37 °C is 3.0
# Of the median of air (1.18 sigma). Lower, the noise floor lowers the ADC; higher, the voxels with the highest ADC drop
# out first, which lowers the mean in a tumour that responded.
NOISE_MARGIN = 1.25
BACKGROUND_RATIO = 1 / 3  # of tissue: what Otsu separates is air only if it is this dark; a small field holds none
PLAUSIBLE_MEDIAN = (0.3, 3.0)  # 10⁻³ mm²/s, of a pelvis
UNITS = ((1.0, "10⁻³ mm²/s"), (1e-3, "10⁻⁶ mm²/s"), (1e3, "mm²/s"))


def fit_adc(dwi: Mapping[float, Volume]) -> AdcMap:
    """Weighted least squares of ln S = ln S₀ − b·ADC in every voxel at once.

    ``dwi``: b-value (s/mm²) to volume, all on one grid. Used are the b-values from 100 s/mm² on. Where these do not
    span 500 s/mm², it is two points, the highest and the lowest b-value (above 0 if there is one that is far enough),
    and ``fit`` says so: weighting by S² would let perfusion at low b lead. Weights are S², then once more with the
    fitted S (Salvador 2005; Veraart 2013). Valid are voxels with signal above the noise floor at each b and
    0 < ADC ≤ 4; others hold 0.

    Raises InputUnfit (ADC_NOT_ESTIMABLE) without two b-values far enough apart.
    """
    used, remark = _chosen(sorted(dwi))
    signals = np.stack([dwi[b].array for b in used])
    adc = _fitted(signals, used)
    floor = _noise_floor(dwi[used[0]])
    valid = (signals > floor).all(axis=0) & (signals > 0).all(axis=0) & (adc > ADC_LIMITS[0]) & (adc <= ADC_LIMITS[1])
    if not valid.any():
        raise InputUnfit(Code.ADC_NOT_ESTIMABLE, "no voxel decays with b above the noise: no ADC in this DWI")
    volume = dwi[used[0]].like(np.where(valid, adc, 0).astype(np.float32))
    method = "two-point" if len(used) == 2 else "weighted least squares"
    return AdcMap(volume, valid, tuple(used), f"{method}, b {'/'.join(f'{b:g}' for b in used)} s/mm²{remark}")


def scanner_adc(volume: Volume, b_values: tuple[float, ...] = ()) -> AdcMap:
    """The scanner's own map in 10⁻³ mm²/s; the unit is recognised by a plausible median of its positive voxels.

    Raises InputUnfit (ADC_UNITS) where no unit, or more than one, makes the median plausible (0.3–3 × 10⁻³ mm²/s).
    """
    positive = volume.array[np.isfinite(volume.array) & (volume.array > 0)]
    if not positive.size:
        raise InputUnfit(Code.ADC_UNITS, "the ADC map has no positive value")
    median = float(np.median(positive))
    fitting = [(scale, unit) for scale, unit in UNITS if PLAUSIBLE_MEDIAN[0] <= median * scale <= PLAUSIBLE_MEDIAN[1]]
    if len(fitting) != 1:
        raise InputUnfit(
            Code.ADC_UNITS, f"median {median:.4g} of the ADC map is plausible in none of mm²/s, 10⁻³ and 10⁻⁶ mm²/s"
        )
    scale, unit = fitting[0]
    scaled = (volume.array.astype(np.float64) * scale).astype(np.float32)
    valid: MaskArray = np.isfinite(scaled) & (scaled > ADC_LIMITS[0]) & (scaled <= ADC_LIMITS[1])
    known = f"b {'/'.join(f'{b:g}' for b in b_values)} s/mm²" if b_values else "b-values not stated"
    return AdcMap(
        volume.like(np.where(valid, scaled, 0).astype(np.float32)),
        valid,
        b_values,
        f"scanner's map ({known}; stored in {unit}, by its median)",
    )


def _chosen(available: Sequence[float]) -> tuple[list[float], str]:
    """The b-values to fit, and what to say of them."""
    high = [b for b in available if b >= PERFUSION_FREE_FROM]
    if len(high) >= 2 and high[-1] - high[0] >= PREFERRED_SPREAD:
        return high, ""
    for lowest in [b for b in available if 0 < b < PERFUSION_FREE_FROM] + list(available[:1]):
        if available[-1] - lowest >= NEEDED_SPREAD:
            low = lowest < PERFUSION_FREE_FROM
            return [lowest, available[-1]], " (with b below 100, so perfusion may add to it)" if low else ""
    listed = ", ".join(f"{b:g}" for b in available) or "none"
    raise InputUnfit(
        Code.ADC_NOT_ESTIMABLE, f"b-values {listed}: an ADC needs two at least {NEEDED_SPREAD:g} s/mm² apart"
    )


def _fitted(signals: FloatArray, b_values: Sequence[float]) -> FloatArray:
    """Closed-form weighted regression; ``signals`` (b, slices, rows, columns)."""
    signal = torch.from_numpy(np.ascontiguousarray(signals, dtype=np.float64))
    b = torch.tensor([value / 1000.0 for value in b_values], dtype=torch.float64).view(-1, 1, 1, 1)
    logs = torch.log(signal.clamp_min(1e-6))
    weight = signal.clamp_min(1e-6) ** 2
    adc, intercept = _line(b, logs, weight)
    if len(b_values) > 2:
        # The exponent is clamped so that a wild first fit (noise) cannot overflow the second.
        adc, _ = _line(b, logs, torch.exp(2 * (intercept - b * adc).clamp(-20, 20)))
    return np.asarray(adc.numpy(), dtype=np.float32)


def _line(b: torch.Tensor, logs: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Minus slope and intercept of ``logs`` over ``b``, weighted, along the first axis."""
    total = weight.sum(0)
    mean_b = (weight * b).sum(0) / total
    mean_log = (weight * logs).sum(0) / total
    spread = (weight * (b - mean_b) ** 2).sum(0)
    slope = (weight * (b - mean_b) * (logs - mean_log)).sum(0) / spread
    return -slope, mean_log - slope * mean_b


def _noise_floor(lowest: Volume) -> float:
    """From the air around the patient at the lowest b-value; 0 where no air is to be told from tissue."""
    tissue = foreground(lowest.array)
    background = lowest.array[~tissue & (lowest.array > 0)]
    if not tissue.any() or background.size < 1000:
        return 0.0
    dark = float(np.median(background))
    if dark > BACKGROUND_RATIO * float(np.median(lowest.array[tissue])):
        return 0.0
    return NOISE_MARGIN * dark
