from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import MapKind, ModelIdentity, TimePoint, Volume
from pipelines.explain.explanation import Seen, explanation
from tests.pipelines.made_up_exam import grid

MODEL = ModelIdentity("made_up", "net", "1.0", "0" * 64, "nobody", "0" * 64, True, "tests", "none")
SEEN = Seen(TimePoint.RESTAGING, "DWI", "Grad-CAM of a made-up layer", MODEL, raised=False)
T2 = grid((10, 60, 72), 1.5, 3.0)


def field(shape: tuple[int, int, int], slice_mm: float, pixel_mm: float, centre: tuple[float, float, float]) -> Volume:
    """A grid along the T2's axes with its middle at an LPS point; a quarter of its map is known to be there."""
    found = grid(shape, pixel_mm, slice_mm)
    affine = found.affine.copy()
    affine[:3, 3] += centre
    return replace(found, affine=affine)


def lps_of(index: np.ndarray, volume: Volume) -> np.ndarray:
    return volume.affine[:3, :3] @ index + volume.affine[:3, 3]


def test_a_bright_place_is_bright_at_the_same_millimetres_on_the_t2() -> None:
    own = field((8, 16, 16), 4.0, 2.0, (6.0, -9.0, 1.5))
    places = np.indices(own.array.shape).reshape(3, -1)
    target = np.array([11.0, -5.0, 4.0])
    distance = np.linalg.norm(own.affine[:3, :3] @ places + own.affine[:3, 3:] - target[:, None], axis=0)
    heat = np.exp(-((distance / 6.0) ** 2)).astype(np.float32).reshape(own.array.shape)
    found = explanation(SEEN, own.like(heat), T2, np.zeros(T2.array.shape, dtype=bool))
    assert found is not None
    brightest = np.array(np.unravel_index(found.saliency.volume.array.argmax(), T2.array.shape))
    assert np.abs(lps_of(brightest, T2) - target).max() <= 2.0
    assert np.array_equal(found.saliency.volume.affine, T2.affine)


def test_only_places_that_the_network_was_shown_are_valid() -> None:
    own = field((4, 10, 12), 4.0, 2.0, (3.0, 0.0, 0.0))
    found = explanation(SEEN, own.like(np.ones(own.array.shape, np.float32)), T2, np.zeros(T2.array.shape, dtype=bool))
    assert found is not None
    index = np.indices(T2.array.shape).reshape(3, -1)
    offset = np.abs(T2.affine[:3, :3] @ index + T2.affine[:3, 3:] - np.array([[3.0], [0.0], [0.0]]))
    inside = (offset <= np.array([[12.0], [10.0], [8.0]]) + 1e-9).all(axis=0).reshape(T2.array.shape)
    np.testing.assert_array_equal(found.saliency.valid, inside)
    np.testing.assert_allclose(found.saliency.volume.array, inside, atol=1e-6)


def test_the_shares_are_those_of_the_map_and_of_the_area() -> None:
    own = field((1, 20, 20), 3.0, 1.5, (0.0, 0.0, 1.5))  # its pixels are the T2's
    values = np.zeros((1, 20, 20), np.float32)
    values[0, 4:8, 4:8] = 1.0
    values[0, 15, 15] = 0.5
    full = explanation(SEEN, own.like(values), T2, np.ones(T2.array.shape, dtype=bool))
    assert full is not None and full.inside_share == 1.0 and full.area_share == 1.0
    rows = np.argwhere(full.saliency.valid)
    first = rows.min(axis=0)
    assert full.saliency.valid.sum() == 400
    tumour = np.zeros(T2.array.shape, dtype=bool)
    tumour[first[0], first[1] + 4 : first[1] + 6, first[2] : first[2] + 20] = True
    tumour[first[0] + 1] = True  # a slice that the network never saw
    found = explanation(SEEN, own.like(values), T2, tumour)
    assert found is not None
    assert found.inside_share == pytest.approx(8.0 / 16.5)
    assert found.area_share == pytest.approx(40 / 400)
    assert (found.time_point, found.sequence, found.raised) == (TimePoint.RESTAGING, "DWI", False)
    assert found.saliency.kind is MapKind.GRAD_CAM and found.saliency.model is MODEL


def test_a_place_without_a_value_is_no_dark_place() -> None:
    own = field((1, 20, 20), 3.0, 1.5, (0.0, 0.0, 1.5))
    values = np.ones((1, 20, 20), np.float32)
    values[0, :, 10:] = np.nan
    found = explanation(SEEN, own.like(values), T2, np.zeros(T2.array.shape, dtype=bool))
    assert found is not None
    assert found.saliency.valid.sum() == 200
    np.testing.assert_allclose(found.saliency.volume.array[found.saliency.valid], 1.0)


def test_a_map_of_nothing_has_no_share_and_no_division() -> None:
    own = field((4, 10, 12), 4.0, 2.0, (0.0, 0.0, 0.0))
    found = explanation(SEEN, own, T2, np.ones(T2.array.shape, dtype=bool))
    assert found is not None
    assert found.inside_share == 0.0
    assert not found.saliency.volume.array.any()


def test_a_map_that_misses_the_t2_is_none() -> None:
    tumour = np.ones(T2.array.shape, dtype=bool)
    for centre in ((500.0, 0.0, 0.0), (0.0, 0.0, -400.0)):
        assert explanation(SEEN, field((4, 8, 8), 4.0, 2.0, centre), T2, tumour) is None
    nowhere = field((4, 8, 8), 4.0, 2.0, (0.0, 0.0, 0.0))
    assert explanation(SEEN, nowhere.like(np.full((4, 8, 8), np.nan, np.float32)), T2, tumour) is None
