"""What is planted in a virtual patient's images, and how it leads to response and spread.

Drawn before any image is made; ranges as published for D, K and volume:

=============  ==========================================================  =======================================
latent         value                                                       readable from
=============  ==========================================================  =======================================
delta_d        D after − D before = 0.715 + 0.346 z (10⁻³ mm²/s)           DWI of both exams, in the tumour
k_post         K after = 0.65 − 0.085 z                                    DWI after therapy (curvature over b)
remaining      V after / V before = 0.42 exp(−0.6 z)                       size of the tumour in both exams
heterogeneity  log-SD of the T2 signal inside the tumour = 0.29 − 0.05 z   axial T2 before therapy
fibrosis       dark share of the tumour after therapy = 0.30 + 0.10 z,     axial T2 after therapy
               and a dark scar of matching thickness in the tumour bed
d_pre, k_pre   1.365 ± 0.10 and 0.89 ± 0.06 (mucinous 1.94, 0.66)          DWI before therapy
volume_pre     20 cm³, log-SD 0.5                                          size of the tumour before therapy
=============  ==========================================================  =======================================

Each z is standard normal, loads 0.5 on one common factor and is clipped to what the images can show. Response follows
the index r = Σ w z, w = .30, .20, .27, .33, .33; good response (AJCC tumour regression grade 0–1) has probability
sigmoid(1.95 r − 1.05): a function of image-visible quantities only. Spread follows ``spread``, a sum over what the
baseline images show (a large, heterogeneous tumour of low D and high K spreads more), and r.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

LOADING = 0.5
WEIGHTS = np.array([0.30, 0.20, 0.27, 0.33, 0.33])
SLOPE = 1.95
INTERCEPT = -1.05
# z of the remaining volume stops at −1.6 (a tumour that grew by a tenth); the others at physically sound values.
LOWEST = np.array([-2.8, -2.8, -1.6, -2.8, -2.8])
HIGHEST = 2.8
TEXTURE = 3  # the one response latent that the baseline exam shows
# Log hazard of metastasis per standard deviation of log volume, low D, high K and heterogeneity before therapy.
SPREAD_VOLUME, SPREAD_D, SPREAD_K, SPREAD_TEXTURE = 0.62, 0.42, 0.22, 0.52
LOG_SD_VOLUME = 0.5
UNSEEN_POINTS, UNSEEN_STEPS = 2048, 32
PLASTIC_5 = 1.1347241384015194  # root of x⁶ = x + 1; its powers fill the five-dimensional cube evenly


class Histology(StrEnum):
    """Histological type of the biopsy."""

    ADENOCARCINOMA = "adenocarcinoma"
    MUCINOUS = "mucinous adenocarcinoma"
    SIGNET_RING = "signet-ring cell carcinoma"


# Mean D (10⁻³ mm²/s) and K before therapy, with the range that is possible.
D_BEFORE = {Histology.ADENOCARCINOMA: 1.365, Histology.MUCINOUS: 1.94, Histology.SIGNET_RING: 1.365}
K_BEFORE = {Histology.ADENOCARCINOMA: 0.89, Histology.MUCINOUS: 0.66, Histology.SIGNET_RING: 0.89}
SD_D, SD_K = 0.10, 0.06
D_REACH, K_REACH = (-0.315, 0.335), (-0.19, 0.16)


@dataclass(frozen=True)
class Latents:
    """What decides the outcome. D in 10⁻³ mm²/s, K without unit, volumes in cm³.

    ``p_good_response`` is the probability given both exams; ``spread`` the log hazard ratio of metastasis that the
    baseline exam shows.
    """

    d_pre: float
    k_pre: float
    d_post: float
    k_post: float
    volume_pre: float
    volume_post: float
    heterogeneity: float
    fibrosis: float
    z: tuple[float, float, float, float, float]
    p_good_response: float
    spread: float = 0.0

    @property
    def response_index(self) -> float:
        """r: what both exams show of the response."""
        return float(np.dot(self.z, WEIGHTS))


def good_response_probability(z: np.ndarray) -> np.ndarray:
    """P(good response | latents), for z of shape (..., 5)."""
    return np.asarray(1.0 / (1.0 + np.exp(-(SLOPE * (z @ WEIGHTS) + INTERCEPT))))


def draw_latents(rng: Generator, histology: Histology = Histology.ADENOCARCINOMA) -> Latents:
    """Latents of one patient from its random stream."""
    common, own = rng.standard_normal(), rng.standard_normal(5)
    z = np.clip(LOADING * common + np.sqrt(1 - LOADING**2) * own, LOWEST, HIGHEST)
    d_off = float(np.clip(rng.normal(0, SD_D), *D_REACH))
    volume_pre = float(np.clip(20 * np.exp(LOG_SD_VOLUME * rng.standard_normal()), 7, 50))
    k_off = float(np.clip(rng.normal(0, SD_K), *K_REACH))
    d_pre = D_BEFORE[histology] + d_off
    spread = SPREAD_VOLUME * float(np.log(volume_pre / 20)) / LOG_SD_VOLUME - SPREAD_D * d_off / SD_D
    return Latents(
        d_pre=d_pre,
        k_pre=K_BEFORE[histology] + k_off,
        d_post=d_pre + 0.715 + 0.346 * float(z[0]),
        k_post=0.65 - 0.085 * float(z[1]),
        volume_pre=volume_pre,
        volume_post=volume_pre * 0.42 * float(np.exp(-0.6 * z[2])),
        heterogeneity=0.29 - 0.05 * float(z[TEXTURE]),
        fibrosis=0.30 + 0.10 * float(z[4]),
        z=(float(z[0]), float(z[1]), float(z[2]), float(z[3]), float(z[4])),
        p_good_response=float(good_response_probability(z)),
        spread=spread + SPREAD_K * k_off / SD_K - SPREAD_TEXTURE * float(z[TEXTURE]),
    )


@cache
def _lattice() -> np.ndarray:
    """Standard normal points (UNSEEN_POINTS, 5) of equal weight, mean 0 and variance 1: an additive recurrence and its
    mirror image."""
    steps = np.arange(1, UNSEEN_POINTS // 2 + 1)[:, None] * PLASTIC_5 ** -np.arange(1.0, 6.0)[None, :]
    points = ndtri((steps + 0.5) % 1.0)
    mirrored = np.concatenate([points, -points])
    return np.asarray(mirrored / mirrored.std(axis=0))


def response_given_baseline(latents: Latents) -> np.ndarray:
    """Equally likely values of r, shape (UNSEEN_STEPS,), ascending, given the heterogeneity that the baseline shows.

    The common factor is normal given the texture's z with mean LOADING z and variance 1 − LOADING²; the other four
    latents are independent given the factor. (A z that was clipped is taken as it stands.) Each value is the mean of
    its share of UNSEEN_POINTS points.
    """
    texture = latents.z[TEXTURE]
    points = _lattice()
    rest = np.sqrt(1 - LOADING**2)
    common = LOADING * texture + rest * points[:, 0]
    z = np.empty((UNSEEN_POINTS, 5))
    for column, point in zip((0, 1, 2, 4), range(1, 5), strict=True):
        z[:, column] = LOADING * common + rest * points[:, point]
    z[:, TEXTURE] = texture
    r = np.sort(np.clip(z, LOWEST, HIGHEST) @ WEIGHTS)
    return np.asarray(r.reshape(UNSEEN_STEPS, -1).mean(axis=1))
