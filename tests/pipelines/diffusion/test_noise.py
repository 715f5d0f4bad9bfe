from __future__ import annotations

import numpy as np
import pytest

from pipelines.contract import Volume
from pipelines.diffusion.noise import above_noise, noise_floor
from tests.pipelines.made_decays import decay, with_noise

TISSUE = np.zeros((4, 60, 60), dtype=bool)
TISSUE[:, 15:45, 15:45] = True


def body(b_values: tuple[float, ...], sigma: float, adc: float = 1.0) -> dict[float, Volume]:
    """A block of tissue in air."""
    clean = decay(b_values, np.full(TISSUE.shape, adc))
    return with_noise({b: volume.like(np.where(TISSUE, volume.array, 0)) for b, volume in clean.items()}, sigma)


@pytest.mark.parametrize("sigma", [5.0, 20.0])
def test_the_floor_lies_a_quarter_over_the_median_of_air(sigma: float) -> None:
    assert noise_floor(body((0,), sigma)[0]) == pytest.approx(1.25 * 1.1774 * sigma, rel=0.05)


def test_a_field_without_air_has_no_floor() -> None:
    (inside,) = with_noise(decay((0,), np.full((4, 40, 40), 1.0)), 20.0).values()
    assert noise_floor(inside) == 0


def test_air_that_the_scanner_set_to_zero_gives_no_floor() -> None:
    (volume,) = body((0,), 20.0).values()
    assert noise_floor(volume.like(np.where(TISSUE, volume.array, 0).astype(np.float32))) == 0


def test_tissue_that_decays_fast_stays_and_air_goes() -> None:
    """At b 2000 a quarter of these voxels lies below the floor; two b-values above it are enough for a line."""
    dwi = body((0, 600, 2000), 1000 / 30, adc=1.9)
    assert (dwi[2000].array[TISSUE] < noise_floor(dwi[0])).mean() > 0.1
    assert above_noise(dwi, needed=2)[TISSUE].all()
    assert above_noise(dwi, needed=2)[~TISSUE].mean() < 0.3
    assert above_noise(dwi, needed=3)[TISSUE].mean() < 0.9


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_every_b_value_needs_a_signal(bad: float) -> None:
    dwi = decay((0, 500, 1000))
    dwi[1000].array[0, 1, 2] = bad
    usable = above_noise(dwi, needed=2)
    assert not usable[0, 1, 2]
    assert usable.sum() == usable.size - 1
