"""MR signal: tissues, sequence equations, receive field, noise.

T2 TSE: S = PD (1 − e^{−TR/T1}) e^{−TE/T2}. DWI: S(b) = PD e^{−TE/T2} exp(−bD + b²D²K/6) (Jensen and Helpern, NMR
Biomed 2010, eq. 4), b in ms/µm², D in µm²/ms = 10⁻³ mm²/s. CE-T1: spoiled gradient echo (Ernst) with 1/T1 raised
by the uptake of contrast agent, fat suppressed. Magnitude noise is Rician.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

from pipelines.contract import FloatArray
from pipelines.phantom.patient import Latents
from pipelines.phantom.site import Site

FAT_LEFT_ON_T1, FAT_LEFT_ON_DWI = 0.12, 0.04
CE_TR, CE_TE, CE_FLIP = 4.6, 1.9, 12.0
COUNTS_PER_UNIT = 1700.0
MAP_THRESHOLD = 0.05  # of the brightest tissue at the lowest b-value


@dataclass(frozen=True)
class Tissue:
    """PD relative to water, T1 and T2 in ms at 3 T, D in 10⁻³ mm²/s, uptake in 1/s; ``texture``: relative SD."""

    pd: float
    t1: float
    t2: float
    d: float
    k: float
    uptake: float
    texture: float = 0.06
    fat: bool = False


TISSUES: dict[str, Tissue] = {
    "air": Tissue(0.0, 1000, 50, 1.0, 0.0, 0.0, 0.0),
    "fat": Tissue(0.92, 380, 118, 0.25, 0.3, 0.0, 0.05, fat=True),
    "mesorectal fat": Tissue(0.95, 380, 122, 0.30, 0.3, 0.05, 0.06, fat=True),
    "muscle": Tissue(0.80, 1300, 42, 1.45, 0.6, 0.6, 0.13),
    "marrow": Tissue(0.76, 450, 98, 0.45, 0.6, 0.1, 0.10, fat=True),
    "cortical bone": Tissue(0.12, 900, 25, 0.5, 0.5, 0.0, 0.05),
    "urine": Tissue(1.05, 3800, 620, 2.9, 0.0, 0.0, 0.01),
    "bladder wall": Tissue(0.80, 1300, 50, 1.6, 0.5, 1.0, 0.05),
    "transition zone": Tissue(0.86, 1400, 74, 1.5, 0.6, 1.6, 0.16),
    "peripheral zone": Tissue(0.92, 1600, 128, 1.9, 0.4, 1.3, 0.10),
    "seminal vesicle": Tissue(0.95, 1700, 165, 2.0, 0.3, 1.2, 0.22),
    "myometrium": Tissue(0.85, 1400, 72, 1.6, 0.5, 2.2, 0.10),
    "endometrium": Tissue(0.95, 1700, 150, 1.7, 0.4, 1.4, 0.05),
    "vessel": Tissue(0.34, 1600, 90, 3.0, 0.0, 9.0, 0.05),
    "lymph node": Tissue(0.88, 1300, 88, 1.15, 0.8, 2.2, 0.06),
    "bowel": Tissue(0.86, 1200, 95, 1.8, 0.4, 1.8, 0.20),
    "nerve": Tissue(0.85, 1300, 66, 1.5, 0.6, 0.8, 0.06),
    "fascia": Tissue(0.60, 1000, 34, 1.0, 0.6, 0.3, 0.05),
    "muscularis": Tissue(0.80, 1300, 48, 1.55, 0.6, 1.2, 0.06),
    "mucosa": Tissue(0.92, 1400, 112, 1.75, 0.4, 2.0, 0.08),
    "gel": Tissue(1.0, 3000, 420, 2.3, 0.0, 0.0, 0.03),
    "stool": Tissue(0.70, 900, 66, 1.3, 0.5, 0.0, 0.25),
    "gas": Tissue(0.0, 1000, 50, 1.0, 0.0, 0.0, 0.0),
    "scar": Tissue(0.74, 1100, 38, 1.5, 0.6, 0.9, 0.08),
    "tumour": Tissue(0.88, 1250, 84, 1.365, 0.89, 1.5, 0.0),
    "fibrotic tumour": Tissue(0.80, 1150, 46, 1.365, 0.89, 0.9, 0.0),
}


def tissues_of(latents: Latents, after_therapy: bool, tumour_t2: float) -> dict[str, Tissue]:
    """The table with this patient's tumour. Its fibrotic part shares D and K: only T2, PD and uptake tell it apart."""
    d, k = (latents.d_post, latents.k_post) if after_therapy else (latents.d_pre, latents.k_pre)
    table = dict(TISSUES)
    table["tumour"] = replace(table["tumour"], d=d, k=k, t2=tumour_t2)
    table["fibrotic tumour"] = replace(table["fibrotic tumour"], d=d, k=k)
    return table


def t2_weighted(tissue: Tissue, te: float, tr: float) -> float:
    return tissue.pd * (1 - float(np.exp(-tr / tissue.t1))) * float(np.exp(-te / tissue.t2))


def kurtosis_decay(b: float, d: FloatArray | float, k: FloatArray | float) -> FloatArray:
    """S(b)/S(0) for b in s/mm², D in 10⁻³ mm²/s. Beyond its minimum (b D K = 3) the parabola is held, not followed."""
    bd = np.asarray(b * 1e-3 * np.asarray(d), np.float32)
    return np.asarray(np.exp(-bd + bd * np.minimum(bd * k, 3.0) / 6), dtype=np.float32)


def diffusion_weighted(tissue: Tissue, te: float, b: float, gradient: float) -> float:
    """``gradient``: the scanner's true b over its nominal b (ADC scale error)."""
    suppressed = FAT_LEFT_ON_DWI if tissue.fat else 1.0
    s0 = suppressed * tissue.pd * float(np.exp(-te / tissue.t2))
    return s0 * float(kurtosis_decay(b * gradient, tissue.d, tissue.k))


def contrast_enhanced_t1(tissue: Tissue, agent: float = 1.0) -> float:
    """``agent``: share of the contrast agent that is there; 0 for the unenhanced image."""
    e1 = float(np.exp(-CE_TR * (1 / tissue.t1 + agent * tissue.uptake / 1000)))
    alpha = np.radians(CE_FLIP)
    steady = float(np.sin(alpha) * (1 - e1) / (1 - np.cos(alpha) * e1))
    suppressed = FAT_LEFT_ON_T1 if tissue.fat else 1.0
    return 12.0 * suppressed * tissue.pd * steady * float(np.exp(-CE_TE / tissue.t2))


def noise_free_adc(d: float, k: float, b_values: Sequence[float]) -> float:
    """The ADC (10⁻³ mm²/s) that a log-linear fit of noise-free signals with weights S² gives for this b-set."""
    b = np.asarray(b_values, dtype=np.float64) * 1e-3
    log_s = -b * d + (b * d) ** 2 * k / 6
    w = np.exp(2 * log_s)
    mean_b, mean_s = np.average(b, weights=w), np.average(log_s, weights=w)
    return float(-np.sum(w * (b - mean_b) * (log_s - mean_s)) / np.sum(w * (b - mean_b) ** 2))


def receive_field(rng: Generator, shape: tuple[int, int, int], amplitude: float) -> FloatArray:
    """Smooth multiplicative field, mean about 1, log amplitude about ``amplitude``."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    c = rng.normal(0, amplitude, 5).astype(np.float32)
    plane = c[0] * axes[1][:, None] + c[1] * axes[2][None, :] + abs(c[2]) * axes[1][:, None] ** 2
    plane = plane + c[3] * axes[2][None, :] ** 2 - c[0] * axes[1][:, None] * axes[2][None, :] * 0.5
    return np.asarray(np.exp(plane[None] + (0.5 * c[4] * axes[0])[:, None, None]), dtype=np.float32)


def smooth_field(rng: Generator, shape: tuple[int, int, int], sigma: tuple[float, float, float]) -> FloatArray:
    """Gaussian random field of zero mean and unit variance; ``sigma`` in voxels."""
    field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, mode="wrap")
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def to_counts(rng: Generator, signal: FloatArray, sigma: float, gain: float) -> np.ndarray:
    """Rician magnitude of ``signal`` with noise SD ``sigma`` (same units), as unsigned 12-bit counts (uint16)."""
    real = signal + np.float32(sigma) * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(sigma) * rng.standard_normal(signal.shape, dtype=np.float32)
    counts = np.sqrt(real * real + imaginary * imaginary) * np.float32(COUNTS_PER_UNIT * gain)
    return np.asarray(np.clip(np.rint(counts), 0, 4095), dtype=np.uint16)


def scanner_map(stacks: Sequence[tuple[float, np.ndarray]], step: float) -> np.ndarray:
    """A scanner's own ADC map from noisy counts of (b, image): a straight line through ln S, all b-values alike.

    Counts of ``step`` × 10⁻³ mm²/s, 12 bit; 0 where the tissue gives too little signal, as scanners mask it.
    """
    b = np.array([one for one, _ in stacks], np.float32) * np.float32(1e-3)
    logs = np.stack([np.log(np.maximum(counts, 1).astype(np.float32)) for _, counts in stacks])
    share = (b - b.mean()) / np.sum((b - b.mean()) ** 2)
    counts = np.tensordot(-share, logs, axes=1) / np.float32(step)
    lowest = stacks[0][1]
    shown = lowest > MAP_THRESHOLD * np.percentile(lowest[:, ::2, ::2], 99)
    return np.asarray(np.clip(np.rint(counts), 0, 4095) * shown, dtype=np.uint16)


def noise_sigma(site: Site, reference: float, rng: Generator) -> float:
    """σ for an SNR (S0/σ of the reference tissue) drawn from the site's range."""
    return reference / rng.uniform(*site.snr)
