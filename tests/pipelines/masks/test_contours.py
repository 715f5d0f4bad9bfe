from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from pipelines.contract import Code, InputUnfit
from pipelines.masks.contours import fill, own_grid


def test_a_polygon_is_filled_as_matplotlib_fills_it() -> None:
    rng = np.random.default_rng(8)
    rows, columns = np.mgrid[:40, :50]
    centres = np.column_stack([rows.ravel(), columns.ravel()])
    for _ in range(20):
        turn = np.sort(rng.uniform(0, 2 * np.pi, 30))
        radius = rng.uniform(5, 25, 30)
        polygon = np.column_stack([20 + radius * np.sin(turn), 24 + radius * np.cos(turn)])
        expected = Polygon(polygon).contains_points(centres).reshape(40, 50)
        np.testing.assert_array_equal(fill(polygon, (40, 50)), expected)


def test_vertices_exactly_on_pixel_centres_are_crossed_once() -> None:
    square = np.array([[2.0, 3.0], [2.0, 7.0], [6.0, 7.0], [6.0, 3.0]])
    filled = fill(square, (10, 10))
    assert filled.sum() == 16
    assert filled[3:5, 4:6].all()


def test_a_polygon_outside_fills_nothing() -> None:
    assert not fill(np.array([[-9.0, -9.0], [-9.0, -5.0], [-5.0, -5.0]]), (10, 10)).any()


def test_contours_that_are_not_parallel_have_no_grid() -> None:
    flat = np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0]])
    tilted = flat + np.array([[0, 0, 3], [0, 0, 3], [0, 0, 6], [0, 0, 6]])
    with pytest.raises(InputUnfit) as refused:
        own_grid([flat, tilted], 3.0)
    assert refused.value.code is Code.READER_MASK_UNFIT
