from __future__ import annotations

import numpy as np
import pytest

from pipelines.contract import MapKind
from pipelines.volumes.normalise import (
    BOX_Z_SCORE,
    CROP_Z_SCORE_MIN_MAX,
    SIGNATURE_LEVELS,
    TISSUE_RELATIVE,
    VOLUME_Z_SCORE,
    Normalisation,
    Scaling,
    discretise,
    foreground,
    map_scale,
    relative,
    z_score,
)

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


BOX = np.zeros(IMAGE.shape, dtype=bool)
BOX[1:3, 5:20, 8:25] = True


def test_the_z_score_of_a_box_has_mean_0_and_sd_1_in_the_box_whatever_lies_outside() -> None:
    scored = BOX_Z_SCORE.apply(IMAGE, BOX)
    assert scored[BOX].mean() == pytest.approx(0, abs=1e-5)
    assert scored[BOX].std() == pytest.approx(1, abs=1e-5)
    elsewhere = np.where(BOX, IMAGE, 5000).astype(np.float32)
    np.testing.assert_allclose(BOX_Z_SCORE.apply(elsewhere, BOX)[BOX], scored[BOX], atol=1e-5)


def test_the_z_score_of_a_volume_is_that_of_its_tissue_not_of_the_air() -> None:
    rng = np.random.default_rng(4)
    image = np.abs(rng.normal(0, 5, (4, 40, 40))).astype(np.float32)
    image[:, 10:30, 10:30] += rng.normal(300, 40, (4, 20, 20)).astype(np.float32)
    tissue = VOLUME_Z_SCORE.apply(image)[:, 10:30, 10:30]
    assert np.median(tissue) == pytest.approx(0, abs=0.05)
    # Without its outer percent a normal distribution is a little narrower than with it.
    assert tissue.std() == pytest.approx(1.03, abs=0.04)


def test_z_score_then_min_max_spans_0_to_1_and_holds_what_lies_beyond_its_percentiles() -> None:
    scaled = CROP_Z_SCORE_MIN_MAX.apply(IMAGE, BOX)
    low, high = np.percentile(IMAGE[BOX], (0.5, 99.5))
    np.testing.assert_allclose(scaled, np.clip((IMAGE - low) / (high - low), 0, 1), atol=1e-5)


def test_a_map_keeps_its_physical_scale_whatever_else_is_in_it() -> None:
    adc = np.array([[[0.7, 1.4, 3.5, np.nan, 9.0]]], dtype=np.float32)
    np.testing.assert_allclose(map_scale(MapKind.ADC).apply(adc), [[[0.2, 0.4, 1.0, 0.0, 1.5]]], rtol=1e-6)
    np.testing.assert_allclose(map_scale(MapKind.ADC).apply(adc[..., :2]), [[[0.2, 0.4]]], rtol=1e-6)
    with pytest.raises(ValueError, match="no physical scale"):
        map_scale(MapKind.GRAD_CAM)


def test_relative_to_the_tissue_puts_its_median_at_one_half() -> None:
    image = np.zeros((2, 20, 20), dtype=np.float32)
    image[:, 5:15, 5:15] = IMAGE[:2, :10, :10]
    assert np.median(relative(image)[:, 5:15, 5:15]) == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_allclose(relative(image * 12), relative(image), atol=1e-6)
    assert relative(np.full((1, 2, 2), 4, dtype=np.float32)).max() == pytest.approx(0.5)


@pytest.mark.parametrize(
    "way",
    [SIGNATURE_LEVELS, CROP_Z_SCORE_MIN_MAX, VOLUME_Z_SCORE, BOX_Z_SCORE, TISSUE_RELATIVE, map_scale(MapKind.ADC)],
)
def test_no_way_lets_a_missing_voxel_through_or_be_decided_by_it(way: Normalisation) -> None:
    broken = IMAGE.copy()
    broken[0, 0, :3] = (np.nan, np.inf, -np.inf)
    done = way.apply(broken)
    assert done.dtype == np.float32
    assert np.isfinite(done).all()
    np.testing.assert_allclose(done[1:], way.apply(IMAGE)[1:], atol=0.02 if way.kind is not Scaling.DISCRETISED else 1)


def test_what_was_chosen_is_said() -> None:
    assert SIGNATURE_LEVELS.words == "256 equal grey levels between percentiles 0.5 and 99.5"
    assert BOX_Z_SCORE.words == "z-score by mean and SD of all voxels"
    assert map_scale(MapKind.ADC).words.startswith("divided by 3.5")
    assert len({Normalisation(kind).words for kind in Scaling}) == len(Scaling)
    with pytest.raises(ValueError, match="no such scale"):
        Normalisation(Scaling.Z_SCORE, limits=(90, 10))
