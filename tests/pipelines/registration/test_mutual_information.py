from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipelines.contract import Volume
from pipelines.registration.mutual_information import Detail, NotComparable, centre, coarse, comparison, peak

RNG = np.random.default_rng(6)
AFFINE = np.array([[0, 0.1, 1.2, -30], [0.2, 1.2, -0.1, 10], [4, -0.05, 0.02, -60], [0, 0, 0, 1.0]])
IMAGE = Volume(ndimage.gaussian_filter(RNG.normal(100, 90, (6, 41, 30)), 2).astype(np.float32), AFFINE, "1")


def test_averaged_blocks_lie_where_their_voxels_lay() -> None:
    small = coarse(IMAGE, 2.5)
    assert small.array.shape == (6, 20, 15)
    assert small.array[2, 3, 4] == pytest.approx(IMAGE.array[2, 6:8, 8:10].mean(), rel=1e-5)
    np.testing.assert_allclose(small.affine @ [2, 3, 4, 1], AFFINE @ [2, 6.5, 8.5, 1])


def test_the_middle_of_a_volume_is_halfway_between_its_outermost_centres() -> None:
    np.testing.assert_allclose(centre(IMAGE), ((AFFINE @ [0, 0, 0, 1] + AFFINE @ [5, 40, 29, 1]) / 2)[:3])


def test_a_parabola_gives_its_top_between_positions_and_never_beyond_its_neighbours() -> None:
    positions = np.arange(-6, 6.1, 0.75)
    assert peak(positions, 1 - 0.02 * (positions - 1.1) ** 2, 1.5) == pytest.approx(1.1)
    assert peak(positions, positions, 1.5) == 6.0


def test_information_of_an_image_with_itself_is_the_entropy_of_its_histogram_and_falls_beside() -> None:
    images = comparison(IMAGE, IMAGE, None, Detail(0.5, 0.5, 10**6))
    here = images.at(np.eye(4)).information
    counts = np.histogram(IMAGE.array, bins=28)[0] / IMAGE.array.size  # ITK keeps two of 32 bins free at either end
    entropy = -float((counts[counts > 0] * np.log(counts[counts > 0])).sum())
    # Parzen windows and blurring by a fraction of a voxel take from it, nothing adds to it.
    assert 0.3 * entropy < here < entropy
    positions, information = images.along(np.eye(4), 0, (4, 1.2))
    np.testing.assert_allclose(positions, np.arange(-4, 5) * 1.2, atol=1e-9)
    assert information.argmax() == 4
    # A search along a line draws its samples once, a single comparison draws them anew.
    assert images.at(images.shifted(np.eye(4), 0, 2.4)).information == pytest.approx(information[6], rel=0.05)


def test_images_with_nothing_in_common_are_not_compared() -> None:
    away = np.eye(4)
    away[0, 3] = 4000
    with pytest.raises(NotComparable):
        comparison(IMAGE, IMAGE, None, Detail(2.5, 1.2, 1000)).at(away)
    with pytest.raises(NotComparable):
        comparison(IMAGE, IMAGE.like(np.ones_like(IMAGE.array)), None, Detail(2.5, 1.2, 1000)).at(np.eye(4))
