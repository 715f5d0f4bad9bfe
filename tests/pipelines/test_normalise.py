from __future__ import annotations

import numpy as np
import pytest

from pipelines.normalise import discretise, foreground, z_score

IMAGE = np.random.default_rng(2).normal(300, 50, (4, 30, 30)).astype(np.float32)


def test_discretised_images_span_0_to_255_in_equal_steps() -> None:
    ramp = np.linspace(10, 20, 2561, dtype=np.float32).reshape(1, 1, -1)
    levels = discretise(ramp, limits=(0, 100))
    np.testing.assert_array_equal(np.unique(levels), np.arange(256))
    counts = np.bincount(levels.astype(int).ravel())
    assert counts.min() >= 9
    assert counts.max() <= 11
    outlier = IMAGE.copy()
    outlier[0, 0, 0] = 1e6
    assert np.abs(discretise(outlier) - discretise(IMAGE)).max() <= 2 or discretise(outlier)[0, 0, 0] == 255


def test_intensity_scale_and_offset_do_not_matter() -> None:
    np.testing.assert_allclose(z_score(IMAGE * 7 + 100), z_score(IMAGE), atol=1e-4)
    assert np.abs(discretise(IMAGE * 7 + 100) - discretise(IMAGE)).max() <= 1


def test_z_scores_have_mean_0_and_sd_1_within_the_limits() -> None:
    scored = z_score(IMAGE)
    low, high = np.percentile(IMAGE, (0.5, 99.5))
    inner = scored[(low <= IMAGE) & (high >= IMAGE)]
    assert inner.mean() == pytest.approx(0, abs=1e-5)
    assert inner.std() == pytest.approx(1, abs=1e-5)


def test_a_constant_image_gives_zeros_and_an_empty_mask_is_an_error() -> None:
    flat = np.full((2, 3, 3), 7, dtype=np.float32)
    assert not discretise(flat).any()
    assert not z_score(flat).any()
    with pytest.raises(ValueError, match="no finite voxel"):
        discretise(flat, within=np.zeros(flat.shape, dtype=bool))


def test_foreground_is_the_tissue() -> None:
    rng = np.random.default_rng(3)
    image = np.abs(rng.normal(0, 5, (4, 40, 40))).astype(np.float32)
    image[:, 10:30, 10:30] += rng.uniform(80, 400, (4, 20, 20))
    tissue = np.zeros(image.shape, dtype=bool)
    tissue[:, 10:30, 10:30] = True
    assert (foreground(image) == tissue).mean() > 0.99
    assert not foreground(np.zeros((2, 3, 3), dtype=np.float32)).any()
