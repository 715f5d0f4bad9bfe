"""Decays of known diffusivity and kurtosis, with and without noise, for the tests of the fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.contract import Volume

SPREAD = np.linspace(0.5, 3.0, 4 * 40 * 40).reshape(4, 40, 40)
"""Diffusivities in 10⁻³ mm²/s."""


def decay(b_values: Sequence[float], d: np.ndarray = SPREAD, kurtosis: np.ndarray | float = 0.0) -> dict[float, Volume]:
    """S = 1000·exp(−bD + (bD)²K/6), without noise."""
    signals = {b: 1000 * np.exp(-b / 1000 * d + (b / 1000 * d) ** 2 * kurtosis / 6) for b in b_values}
    return {b: Volume(signal.astype(np.float32), np.eye(4)) for b, signal in signals.items()}


def with_noise(dwi: dict[float, Volume], sigma: float, seed: int = 4) -> dict[float, Volume]:
    """Rician magnitudes."""
    rng = np.random.default_rng(seed)
    shape = next(iter(dwi.values())).array.shape

    def magnitude(clean: np.ndarray) -> np.ndarray:
        return np.hypot(clean + rng.normal(0, sigma, shape), rng.normal(0, sigma, shape)).astype(np.float32)

    return {b: volume.like(magnitude(volume.array)) for b, volume in dwi.items()}
