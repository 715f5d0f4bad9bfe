from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipelines.bias.histogram_sharpening import Sharpening

CPU = torch.device("cpu")
BINS, FWHM, NOISE = 200, 0.15, 0.01


def sharpening(batch: int = 1) -> Sharpening:
    return Sharpening.on(CPU, batch, BINS, FWHM, NOISE)


def two_tissues(seed: int, count: int = 20_000) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.choice([4.0, 5.5], count) + random.normal(0, 0.12, count)).astype(np.float32)


def expectation(logs: NDArray[np.float32]) -> NDArray[np.float64]:
    """E(u | v) voxel by voxel: the window without places between bins, convolution and deconvolution with complex
    transforms of the whole circle, the look-up by numpy."""
    low, high = float(logs.min()), float(logs.max())
    width = (high - low) / (BINS - 1)
    at = (logs.astype(np.float64) - low) / width
    first = np.minimum(np.floor(at).astype(int), BINS - 2)
    histogram = np.zeros(512)
    np.add.at(histogram, 156 + first, 1 - (at - first))
    np.add.at(histogram, 157 + first, at - first)
    away = (np.arange(512) + 256) % 512 - 256
    blur = np.fft.fft(
        np.exp(-4 * np.log(2) * (away * width / FWHM) ** 2) * 2 * np.sqrt(np.log(2) / np.pi) * width / FWHM
    )
    sharp = np.fft.ifft(np.fft.fft(histogram) * (np.conj(blur) / (np.abs(blur) ** 2 + NOISE)).real).real.clip(0)
    value = low + (np.arange(512) - 156) * width
    weighted, weight = (np.fft.ifft(np.fft.fft(part) * blur).real for part in (sharp * value, sharp))
    return np.interp(at, np.arange(BINS), (weighted / weight)[156 : 156 + BINS])


def test_what_is_expected_of_a_voxel_is_sleds_expectation() -> None:
    logs = two_tissues(1)
    residual = sharpening().residual(torch.from_numpy(logs)[None], None)[0].numpy()
    difference = logs - expectation(logs) - residual
    assert np.abs(difference).max() < 0.002  # half a place, where the expectation is steepest
    assert abs(difference.mean()) < 1e-5
    assert np.abs(residual).max() > 0.05


def test_a_tissues_intensities_move_towards_its_own() -> None:
    logs = two_tissues(2)
    sharpened = logs - sharpening().residual(torch.from_numpy(logs)[None], None)[0].numpy()
    for tissue in (logs < 4.75, logs > 4.75):
        assert sharpened[tissue].std() < 0.9 * logs[tissue].std()
        assert sharpened[tissue].mean() == pytest.approx(logs[tissue].mean(), abs=0.01)


def test_a_batch_gives_what_each_series_gives_alone_and_padding_does_not_count() -> None:
    first, second = two_tissues(3), two_tissues(4, 12_000)
    missing = len(first) - len(second)
    both = torch.from_numpy(np.stack([first, np.pad(second, (0, missing), mode="edge")]))
    together = sharpening(2).residual(both, torch.tensor([[0], [missing]]))
    for i, logs in enumerate((first, second)):
        alone = sharpening().residual(torch.from_numpy(logs)[None], None)[0]
        np.testing.assert_allclose(together[i, : len(logs)], alone, atol=1e-6)


def test_equal_intensities_have_no_residual() -> None:
    flat = torch.full((1, 500), 6.0)
    assert sharpening().residual(flat, None).abs().max() < 1e-5


def test_the_logs_given_are_not_changed() -> None:
    logs = torch.from_numpy(two_tissues(5))[None]
    before = logs.clone()
    sharpening().residual(logs, None)
    assert torch.equal(logs, before)
