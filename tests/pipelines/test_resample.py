from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipelines.contract import Volume
from pipelines.resample import coverage, mask_onto, onto

angles = st.floats(-180, 180)


def volume(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], turn: np.ndarray, centre: tuple[float, ...]
) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    affine[:3, 3] = np.array(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Volume(np.zeros(shape, dtype=np.float32), affine)


def world(grid: Volume) -> np.ndarray:
    indices = np.stack(np.meshgrid(*map(np.arange, grid.array.shape), indexing="ij"), axis=-1)
    return indices @ grid.affine[:3, :3].T + grid.affine[:3, 3]


@settings(max_examples=30, deadline=None)
@given(a=angles, b=angles, c=angles)
def test_a_linear_field_in_millimetres_is_kept_on_any_oblique_grid(a: float, b: float, c: float) -> None:
    turn = Rotation.from_euler("xyz", [a, b, c], degrees=True).as_matrix()
    source = volume((20, 30, 28), (3.0, 1.5, 1.2), turn, (5, -3, 2))
    grid = volume((6, 9, 8), (2.0, 1.0, 1.1), turn.T, (4, -2, 3))
    slope = np.array([0.5, -1.0, 0.25])
    sampled = onto(source.like((world(source) @ slope).astype(np.float32)), grid)
    index = (world(grid) - source.affine[:3, 3]) @ np.linalg.inv(source.affine[:3, :3]).T
    interior = ((index >= 0) & (index <= np.array(source.array.shape) - 1)).all(axis=-1)
    np.testing.assert_allclose(sampled.array[interior], (world(grid) @ slope)[interior], atol=1e-3)


def test_the_same_grid_gives_the_same_values_to_the_outermost_voxel() -> None:
    turn = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    source = volume((5, 7, 6), (3.0, 0.7, 0.7), turn, (101.7, -33.3, 12.1))
    source = source.like(np.random.default_rng(1).normal(size=(5, 7, 6)).astype(np.float32))
    np.testing.assert_allclose(onto(source, source).array, source.array, atol=1e-5)
    np.testing.assert_array_equal(onto(source, source, nearest=True).array, source.array)
    assert coverage(source, source).all()


def test_outside_is_zero_and_half_a_voxel_beyond_the_outermost_centre_is_inside() -> None:
    source = volume((5, 5, 5), (2.0, 2.0, 2.0), np.eye(3), (0, 0, 0))
    source = source.like(np.ones((5, 5, 5), dtype=np.float32))
    grid = volume((1, 1, 13), (2.0, 2.0, 1.0), np.eye(3), (0, 0, 0))
    expected = np.abs(np.arange(13) - 6) <= 5
    np.testing.assert_array_equal(onto(source, grid).array[0, 0] == 1, expected)
    np.testing.assert_array_equal(coverage(source, grid)[0, 0], expected)


def test_a_ball_keeps_its_volume_on_a_finer_oblique_grid() -> None:
    coarse = volume((24, 40, 40), (3.0, 1.5, 1.5), np.eye(3), (0, 0, 0))
    turn = Rotation.from_euler("x", 25, degrees=True).as_matrix()
    fine = volume((40, 90, 90), (1.5, 0.6, 0.6), turn, (0, 0, 0))
    ball = np.linalg.norm(world(coarse), axis=-1) <= 15
    moved = mask_onto(ball, coarse, fine)
    before, after = ball.sum() * coarse.voxel_mm3, moved.sum() * fine.voxel_mm3
    assert abs(after / before - 1) < 0.03
    np.testing.assert_allclose(world(fine)[moved].mean(axis=0), world(coarse)[ball].mean(axis=0), atol=0.2)
