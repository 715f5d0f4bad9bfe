from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Polygon

from dicom_templates.outline import outlines


def filled(lines: tuple[np.ndarray, ...], shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres are inside an odd number of lines."""
    rows, columns = np.indices(shape)
    centres = np.column_stack([columns.ravel() + 0.5, rows.ravel() + 0.5])
    inside = np.zeros(shape, dtype=bool)
    for line in lines:
        inside ^= Polygon(line).contains_points(centres).reshape(shape)
    return inside


@given(arrays(bool, some.tuples(some.integers(1, 9), some.integers(1, 9))))
def test_the_pixels_inside_the_lines_are_the_mask(plane: np.ndarray) -> None:
    lines = outlines(plane)
    assert np.array_equal(filled(lines, plane.shape), plane)
    for line in lines:
        assert np.array_equal(line[0], line[-1]) and len(line) >= 5
        assert line.min() >= 0 and (line.max(axis=0) <= plane.shape[::-1]).all()


def test_one_pixel_is_a_diamond_around_its_centre() -> None:
    plane = np.zeros((5, 6), dtype=bool)
    plane[2, 3] = True
    (line,) = outlines(plane)
    assert sorted(map(tuple, line[:-1].tolist())) == [(3.0, 2.5), (3.5, 2.0), (3.5, 3.0), (4.0, 2.5)]


def test_pixels_that_touch_at_a_corner_have_lines_of_their_own() -> None:
    assert len(outlines(np.eye(3, dtype=bool))) == 3


def test_a_hole_has_a_line_of_its_own() -> None:
    plane = np.ones((7, 7), dtype=bool)
    plane[3, 3] = False
    assert len(outlines(plane)) == 2


@pytest.mark.parametrize("size", [1, 40])
def test_straight_sides_have_no_points_between_their_ends(size: int) -> None:
    (line,) = outlines(np.ones((size, size), dtype=bool))
    assert len(line) == (5 if size == 1 else 9)
