"""Exact Shapley values: what each input adds to a patient's log odds or log hazard, against a background.

An input that is taken away has the value it has in a patient of the background, and the result is averaged over them
(the interventional game: Lundberg & Lee, NeurIPS 2017; Janzing et al., AISTATS 2020). A linear function needs the
background's means alone. A Gaussian kernel is a product over inputs, so a kernel machine is a sum of product games. In
such a game, Shapley's mean over orders is an integral over the time t at which each input arrives, uniform in [0, 1]
(Owen, Management Science 1972), here of a polynomial in t, which Gauss's quadrature solves exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_CHUNK = 1 << 18  # numbers of one array: such that a processor's cache holds it


def linear_shapley(coefficients: Numbers, values: Numbers, reference: Numbers) -> Numbers:
    """βⱼ (xⱼ − x̄ⱼ), (…, k), of a linear function of values (…, k) with the background's means ``reference`` (k,)."""
    return np.asarray((values - reference) * coefficients)


def gaussian_shapley(weights: Numbers, vectors: Numbers, gamma: float, values: Numbers, background: Numbers) -> Numbers:
    """Of f(x) = Σᵢ wᵢ exp(−γ |x − vᵢ|²), (n, k): what each of k inputs adds, exact but for rounding.

    ``weights`` (s,) and ``vectors`` (s, k) of the machine, ``values`` (n, k), ``background`` (m, k). A row adds up to
    f(x) minus the mean of f over the background. With a = exp(−γ (xⱼ − vᵢⱼ)²) and b the same of a background patient,

        φⱼ = Σᵢ wᵢ mean ∫₀¹ (aⱼ − bⱼ) Π_{l≠j} (t aₗ + (1 − t) bₗ) dt,

    of degree k − 1 in t: ⌈k/2⌉ nodes are exact. n · s · m · k · ⌈k/2⌉ multiplications in place of 2ᵏ subsets.
    """
    found = np.zeros(values.shape)
    step = max(1, _CHUNK // max(1, background.size))
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        absent = _kernel(background, vectors[part], gamma)
        for row, value in enumerate(values):
            found[row] += _product_games(weights[part], _kernel(value[None], vectors[part], gamma), absent)
    return found


def _kernel(rows: Numbers, vectors: Numbers, gamma: float) -> Numbers:
    """The kernel's factors, (k, s, m), of rows (m, k) and vectors (s, k)."""
    return np.asarray(np.exp(-gamma * (vectors.T[:, :, None] - rows.T[:, None, :]) ** 2))


def _product_games(weights: Numbers, present: Numbers, absent: Numbers) -> Numbers:
    """Shapley values (k,) of the weighted sum of s games, the mean over m: an input's factor is ``present`` (k, s, 1)
    where it is known and ``absent`` (k, s, m) where it is not."""
    inputs = len(absent)
    nodes, lengths = np.polynomial.legendre.leggauss((inputs + 1) // 2)
    times, lengths = (nodes + 1.0) / 2.0, lengths / 2.0
    gained = (present - absent) * (weights[:, None] / absent.shape[2])
    found = np.zeros(inputs)
    for time, length in zip(times, lengths, strict=True):
        factors = time * present + (1.0 - time) * absent
        found += length * np.einsum("ksm,ksm->k", gained, _others(factors))
    return found


def _others(factors: Numbers) -> Numbers:
    """The product of all other factors for each of k, (k, …): without a division, since a factor may be 0."""
    products = np.empty_like(factors)
    running = np.ones(factors.shape[1:])
    for index, factor in enumerate(factors):
        products[index] = running
        running = running * factor
    running = np.ones(factors.shape[1:])
    for index in range(len(factors) - 1, -1, -1):
        products[index] *= running
        running *= factors[index]
    return products
