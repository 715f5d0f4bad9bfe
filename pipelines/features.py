"""Measured features: what a radiologist could measure in the tumour, as numbers beside the deep-learning signatures.

All are taken inside the mask at a physical scale, so that they mean the same on every scanner: volume and thickness
in millimetres, diffusion in 10⁻³ mm²/s from b ≤ 1000 s/mm² whatever else was acquired, T2 signal relative to the
exam's own tissue.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from pipelines.contract import Code, FloatArray, InputUnfit, MaskArray, ModelInputs, Volume
from pipelines.volumes.resample import mask_onto

MIN_VOXELS = 8


def measured_features(inputs: ModelInputs, mask: MaskArray) -> dict[str, float]:
    """Features of one exam by name; ``mask`` lies on the grid of its T2.

    ``log_volume`` ln cm³; ``thickness`` mm, diameter of the largest inscribed in-plane circle; ``adc_*`` 10⁻³ mm²/s;
    ``slope`` and ``curvature`` of −ln S(b), b in ms/µm², of the tumour's mean signal (with three b-values or more);
    ``t2_*`` of ln(signal / median of the tissue in the tumour's slices).

    Raises
    ------
    InputUnfit
        ``INPUTS_MISSING`` where an image has no signal to measure; ``NO_MASK`` where the mask covers fewer than
        ``MIN_VOXELS`` voxels of the T2 or of the DWI; why there is no diffusion, where there is none.
    """
    adc = inputs.fitted_adc
    on_dwi = mask_onto(mask, inputs.t2, adc)
    _demand(int(mask.sum()), "axial T2", inputs)
    _demand(int((on_dwi & np.isfinite(adc.array)).sum()), "diffusion images", inputs)
    if not (inputs.t2.array[mask.any(axis=(1, 2))] > 0).any():
        reason = f"the {inputs.time_point} exam: the axial T2 is empty where the tumour is"
        raise InputUnfit(Code.INPUTS_MISSING, reason)
    features = _shape(mask, inputs.t2) | _texture(inputs.t2.array, mask, inputs.t2.spacing)
    features |= _diffusion(inputs, adc, on_dwi)
    wrong = [name for name, value in features.items() if not np.isfinite(value)]
    if wrong:
        reason = f"the {inputs.time_point} exam: {', '.join(wrong)} cannot be measured, the image has no usable signal"
        raise InputUnfit(Code.INPUTS_MISSING, reason)
    return features


def pair_features(baseline: Mapping[str, float], restaging: Mapping[str, float]) -> dict[str, float]:
    """Features of a pair: both exams', and what changed, as the difference restaging − baseline."""
    features = {f"pre_{name}": value for name, value in baseline.items()}
    features |= {f"post_{name}": value for name, value in restaging.items()}
    shared = sorted(baseline.keys() & restaging.keys())
    return features | {f"change_{name}": restaging[name] - baseline[name] for name in shared}


def _demand(voxels: int, where: str, inputs: ModelInputs) -> None:
    if voxels < MIN_VOXELS:
        reason = (
            f"the tumour mask of the {inputs.time_point} exam covers {voxels} voxels of the {where}; "
            f"at least {MIN_VOXELS} are needed"
        )
        raise InputUnfit(Code.NO_MASK, reason)


def _shape(mask: MaskArray, t2: Volume) -> dict[str, float]:
    depths = [
        float(ndimage.distance_transform_edt(plane, sampling=t2.spacing[1:]).max()) for plane in mask if plane.any()
    ]
    return {
        "log_volume": float(np.log(mask.sum() * t2.voxel_mm3 / 1000.0)),
        "thickness": 2.0 * max(depths),
        "length": float(np.any(mask, axis=(1, 2)).sum() * t2.spacing[0]),
    }


def _core(mask: MaskArray, spacing: tuple[float, float, float]) -> MaskArray:
    """The mask without its outermost layer in plane, where neighbours mix in; the mask itself where nothing is left."""
    core = np.stack([ndimage.distance_transform_edt(plane, sampling=spacing[1:]) > 1.5 for plane in mask])
    return core if core.sum() >= MIN_VOXELS else mask


def _texture(t2: FloatArray, mask: MaskArray, spacing: tuple[float, float, float]) -> dict[str, float]:
    slices = t2[mask.any(axis=(1, 2))]
    tissue = slices[slices > 0.1 * np.percentile(slices, 99)]
    reference = float(np.median(tissue))
    values = np.log(np.maximum(t2[_core(mask, spacing)], 0.01 * reference) / reference).astype(np.float64)
    low, middle, high = np.percentile(values, (10, 50, 90))
    return {
        "t2_median": float(middle),
        "t2_spread": float(values.std()),
        "t2_low": float(low - middle),
        "t2_high": float(high - middle),
        "t2_dark_share": float((values < middle - 0.25).mean()),
        "t2_skewness": float(stats.skew(values)) if values.std() > 0 else 0.0,
        "t2_ratio": float(values.mean()),
    }


def _diffusion(inputs: ModelInputs, adc_map: Volume, mask: MaskArray) -> dict[str, float]:
    adc = adc_map.array[mask]
    adc = adc[np.isfinite(adc)].astype(np.float64)
    core = _core(mask, adc_map.spacing)
    high_b = inputs.high_b.array
    tissue = high_b[mask.any(axis=(1, 2))]
    features = {
        "adc_mean": float(adc.mean()),
        "adc_median": float(np.median(adc)),
        "adc_spread": float(adc.std()),
        "adc_low": float(np.percentile(adc, 10)),
        "dwi_ratio": float(high_b[mask].mean() / max(float(tissue.mean()), 1e-6)),
    }
    return features | _curve({b: float(volume.array[core].mean()) for b, volume in inputs.dwi.items()})


def _curve(signal: Mapping[float, float]) -> dict[str, float]:
    """Least-squares fit of ln S = β0 − slope·b + curvature·b² to the tumour's mean signal, b in ms/µm²."""
    if len(signal) < 3 or min(signal.values()) <= 0:
        return {}
    b: NDArray[np.float64] = np.array(sorted(signal)) / 1000.0
    logs = np.log([signal[value] for value in sorted(signal)])
    curvature, slope, _ = np.polyfit(b, logs, 2)
    return {"slope": float(-slope), "curvature": float(curvature)}
