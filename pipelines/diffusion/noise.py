"""Where a diffusion image is signal and where noise: the floor below which a voxel says nothing of diffusion.

The signal itself is not corrected: ln of a Rician magnitude is unbiased down to a signal of about twice the noise,
while subtracting the second moment (2σ² from S²) bends every decay downwards (``tests/benchmarks/diffusion.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.contract import MaskArray, Volume
from pipelines.volumes.normalise import foreground

NOISE_MARGIN = 1.25  # of the median of air, which is 1.18 sigma (Rayleigh)
BACKGROUND_RATIO = 1 / 3  # of tissue: what Otsu separates is air only if it is this dark; a small field holds none
ENOUGH_AIR = 1000  # voxels


def noise_floor(lowest: Volume) -> float:
    """From the air around the patient at the lowest b-value; 0 where no air is to be told from tissue."""
    signal = lowest.array
    tissue = foreground(signal)
    background = signal[~tissue & (signal > 0) & np.isfinite(signal)]
    if not tissue.any() or background.size < ENOUGH_AIR:
        return 0.0
    dark = float(np.median(background))
    if dark > BACKGROUND_RATIO * float(np.median(signal[tissue])):
        return 0.0
    return NOISE_MARGIN * dark


def above_noise(dwi: Mapping[float, Volume], needed: int) -> MaskArray:
    """Voxels (slices, rows, columns) positive and finite at every b-value, and above the floor at ``needed`` of them.

    Needed are as many as the fit has coefficients. Asked of every b-value, the voxels that decay fastest would drop out
    first, which lowers the ADC of a tumour that responded (by 11 % at SNR 30 and b 2000); weights by S² leave the high
    b-values little say where they are noise.
    """
    floor = noise_floor(dwi[min(dwi)])
    shape = dwi[min(dwi)].array.shape
    usable, above = np.ones(shape, dtype=bool), np.zeros(shape, dtype=np.uint8)
    for volume in dwi.values():
        usable &= np.isfinite(volume.array) & (volume.array > 0)
        above += volume.array > floor
    return usable & (above >= needed)
