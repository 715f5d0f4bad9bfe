from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.phantom.grid import axial_axes, draw_placement, plan_exam
from pipelines.phantom.site import SITES, SMALL


def test_axial_slices_lean_with_the_rectum_and_keep_a_right_handed_frame() -> None:
    normal, down, left = axial_axes(20.0, 3.0).T
    assert np.cross(left, down) == pytest.approx(normal)
    assert np.degrees(np.arccos(normal[2])) == pytest.approx(20.0)
    assert normal[1] > 0


def test_points_are_the_affine_applied_to_indices() -> None:
    grid = plan_exam(default_rng(0), 20.0, SITES[0], SMALL).t2
    x, y, z = grid.points((slice(2, 5), slice(10, 14), slice(20, 23)), (1.0, 2.0, 3.0))
    expected = grid.affine @ [4, 12, 22, 1] + [1, 2, 3, 0]
    assert (x[2, 2, 2], y[2, 2, 2], z[2, 2, 2]) == pytest.approx(tuple(expected[:3]), abs=1e-3)


def test_a_box_covers_its_centre_and_is_empty_outside() -> None:
    grid = plan_exam(default_rng(0), 20.0, SITES[0], SMALL).t2
    box = grid.box(np.zeros(3), np.full(3, 10.0))
    x, y, z = grid.points(box)
    assert (x**2 + y**2 + z**2).min() < 16
    assert x.min() <= -10 <= 10 <= x.max()
    assert 0 in [s.stop - s.start for s in grid.box(np.array([0, 0, 900.0]), np.full(3, 5.0))]


def test_the_patient_lies_differently_at_each_visit_but_stays_rigid() -> None:
    first, second = draw_placement(default_rng(1)).matrix, draw_placement(default_rng(2)).matrix
    for matrix in (first, second):
        assert matrix[:3, :3] @ matrix[:3, :3].T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(1)
    assert not np.allclose(first, second)
