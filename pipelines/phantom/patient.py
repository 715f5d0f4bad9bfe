"""The virtual patient: who it is, what was planted in it, and the true probability of its outcome.

What is planted, and where images show it (drawn before any image is made; ranges as published for D, K and volume):

=============  ==========================================================  =======================================
latent         value                                                       readable from
=============  ==========================================================  =======================================
delta_d        D after − D before = 0.715 + 0.346 z (10⁻³ mm²/s)           DWI of both exams, in the tumour
k_post         K after = 0.65 − 0.085 z                                    DWI after therapy (curvature over b)
remaining      V after / V before = 0.42 exp(−0.6 z)                       size of the tumour in both exams
heterogeneity  log-SD of the T2 signal inside the tumour = 0.29 − 0.05 z   axial T2 before therapy
fibrosis       dark share of the tumour after therapy = 0.30 + 0.10 z,     axial T2 after therapy
               and a dark scar of matching thickness in the tumour bed
=============  ==========================================================  =======================================

Each z is standard normal, loads 0.5 on one common factor and is clipped to what the images can show. Good response
(AJCC tumour regression grade 0–1) is drawn with probability sigmoid(1.95 Σ w z − 1.05), w = .30, .20, .27, .33, .33:
a function of image-visible quantities only, so ``p_good_response`` is the exact ceiling for a model of the pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from pipelines.phantom.site import SITES, Site

LOADING = 0.5
WEIGHTS = np.array([0.30, 0.20, 0.27, 0.33, 0.33])
SLOPE = 1.95
INTERCEPT = -1.05
# z of the remaining volume stops at −1.6 (a tumour that grew by a tenth); the others at physically sound values.
LOWEST = np.array([-2.8, -2.8, -1.6, -2.8, -2.8])
HIGHEST = 2.8
CE_T1_MISSING = 0.25
SHARE_TRG_0 = 0.5
SHARE_TRG_3 = 0.4


@dataclass(frozen=True)
class Latents:
    """What decides the outcome. D in 10⁻³ mm²/s, K without unit, volumes in cm³."""

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


@dataclass(frozen=True)
class VirtualPatient:
    """Identity, dates, site, latents and outcome of patient ``index`` of the cohort with this ``seed``."""

    seed: int
    index: int
    sex: str
    birth_date: date
    dates: tuple[date, date]
    site: Site
    has_ce_t1: bool
    latents: Latents
    good_response: bool
    trg_ajcc: str

    @property
    def patient_id(self) -> str:
        return f"PHANTOM-S{self.seed}-{self.index:04d}"

    @property
    def name(self) -> str:
        return f"Phantom^Patient {self.index:04d}"


def stream(seed: int, index: int, purpose: int) -> Generator:
    """An independent random stream per (seed, patient, purpose): no patient depends on how many there are."""
    return default_rng(SeedSequence(entropy=seed, spawn_key=(index, purpose)))


def good_response_probability(z: np.ndarray) -> np.ndarray:
    """P(good response | latents), for z of shape (..., 5)."""
    return np.asarray(1.0 / (1.0 + np.exp(-(SLOPE * (z @ WEIGHTS) + INTERCEPT))))


def draw_latents(rng: Generator) -> Latents:
    """Latents of one patient from its random stream."""
    common, own = rng.standard_normal(), rng.standard_normal(5)
    z = np.clip(LOADING * common + np.sqrt(1 - LOADING**2) * own, LOWEST, HIGHEST)
    d_pre = float(np.clip(rng.normal(1.365, 0.10), 1.05, 1.70))
    volume_pre = float(np.clip(20 * np.exp(0.5 * rng.standard_normal()), 7, 50))
    return Latents(
        d_pre=d_pre,
        k_pre=float(np.clip(rng.normal(0.89, 0.06), 0.70, 1.05)),
        d_post=d_pre + 0.715 + 0.346 * float(z[0]),
        k_post=0.65 - 0.085 * float(z[1]),
        volume_pre=volume_pre,
        volume_post=volume_pre * 0.42 * float(np.exp(-0.6 * z[2])),
        heterogeneity=0.29 - 0.05 * float(z[3]),
        fibrosis=0.30 + 0.10 * float(z[4]),
        z=(float(z[0]), float(z[1]), float(z[2]), float(z[3]), float(z[4])),
        p_good_response=float(good_response_probability(z)),
    )


def draw_patient(seed: int, index: int) -> VirtualPatient:
    """Patient ``index`` (from 0) of the cohort with this ``seed``; the same whatever else is drawn."""
    rng = stream(seed, index, 0)
    latents = draw_latents(rng)
    good = bool(rng.random() < latents.p_good_response)
    extreme = rng.random() < (SHARE_TRG_0 if good else SHARE_TRG_3)
    baseline = date(2021, 1, 4) + timedelta(days=int(rng.integers(0, 4 * 365)))
    return VirtualPatient(
        seed=seed,
        index=index,
        sex=str(rng.choice(["M", "F"], p=[0.62, 0.38])),
        birth_date=baseline - timedelta(days=int(365.25 * np.clip(rng.normal(61, 10), 32, 86))),
        dates=(baseline, baseline + timedelta(days=int(rng.integers(60, 111)))),
        site=SITES[int(rng.choice(len(SITES), p=[0.45, 0.30, 0.25]))],
        has_ce_t1=bool(rng.random() >= CE_T1_MISSING),
        latents=latents,
        good_response=good,
        trg_ajcc=f"AJCC-{(0 if extreme else 1) if good else (3 if extreme else 2)}",
    )
