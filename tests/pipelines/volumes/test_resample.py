from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from pipelines.contract import Volume
from pipelines.volumes.resample import coverage, map_onto, mask_onto, onto, regrid, spaced

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


@settings(max_examples=20, deadline=None)
@given(a=angles, b=angles, c=angles, order=st.sampled_from([0, 1]))
@example(a=0.0, b=45.0, c=0.0, order=0)
def test_values_are_those_of_scipy_on_any_oblique_grid(a: float, b: float, c: float, order: int) -> None:
    turn = Rotation.from_euler("xyz", [a, b, c], degrees=True).as_matrix()
    source = volume((9, 17, 14), (3.0, 1.1, 1.3), turn, (5, -3, 2))
    source = source.like(np.random.default_rng(3).normal(200, 60, source.array.shape).astype(np.float32))
    grid = volume((8, 15, 16), (2.6, 1.4, 0.9), turn.T, (3, -2, 4))
    matrix = np.linalg.inv(source.affine) @ grid.affine
    expected = ndimage.affine_transform(
        source.array.astype(np.float64), matrix, output_shape=grid.array.shape, order=order, mode="nearest"
    )
    found = onto(source, grid, nearest=order == 0).array
    inside = coverage(source, grid)
    index = np.tensordot(matrix[:3, :3], np.indices(grid.array.shape), 1) + matrix[:3, 3, None, None, None]
    # Halfway between two voxels either is the nearest.
    tie = (np.abs(index % 1 - 0.5) < 1e-6).any(axis=0) & (order == 0)
    np.testing.assert_allclose(found[inside & ~tie], expected[inside & ~tie], rtol=1e-4)
    assert not found[~inside].any()


@settings(max_examples=12, deadline=None)
@given(a=angles, b=angles, c=angles, radius=st.floats(8, 14), squeeze=st.floats(0.6, 1.0))
def test_a_mask_keeps_its_volume_whatever_way_the_grid_is_turned(
    a: float, b: float, c: float, radius: float, squeeze: float
) -> None:
    coarse = volume((16, 32, 32), (3.0, 1.5, 1.5), np.eye(3), (0, 0, 0))
    turned = Rotation.from_euler("xyz", [a, b, c], degrees=True).as_matrix()
    fine = volume((34, 38, 38), (1.6, 1.4, 1.4), turned, (0.3, -0.4, 0.2))
    ellipsoid = np.linalg.norm(world(coarse) * [1.0, squeeze, 1.0 / squeeze], axis=-1) <= radius
    moved = mask_onto(ellipsoid, coarse, fine)
    before, after = ellipsoid.sum() * coarse.voxel_mm3, moved.sum() * fine.voxel_mm3
    # Small bodies change by up to 7 % and a third of a voxel: what rounding to whole voxels does to their surface.
    assert abs(after / before - 1) < 0.09
    np.testing.assert_allclose(world(fine)[moved].mean(axis=0), world(coarse)[ellipsoid].mean(axis=0), atol=0.5)


def test_smoothing_is_a_gaussian_of_half_the_step_along_the_coarser_axes() -> None:
    source = volume((6, 40, 36), (3.0, 0.5, 0.7), np.eye(3), (0, 0, 0))
    source = source.like(np.random.default_rng(4).normal(200, 60, source.array.shape).astype(np.float32))
    grid = volume((6, 13, 30), (3.0, 1.5, 0.8), np.eye(3), (0, 0, 0))
    smooth = source.like(ndimage.gaussian_filter(source.array, (0, 1.5, 0)))
    np.testing.assert_allclose(onto(source, grid, smooth=True).array, onto(smooth, grid).array, rtol=1e-4)
    np.testing.assert_array_equal(onto(source, source, smooth=True).array, source.array)


def test_a_chequerboard_becomes_grey_and_not_another_pattern() -> None:
    source = volume((5, 64, 64), (3.0, 0.5, 0.5), np.eye(3), (0, 0, 0))
    board = np.indices(source.array.shape)[1:].sum(axis=0) % 2 * 100.0
    grid = volume((5, 24, 24), (3.0, 1.1, 1.1), np.eye(3), (0, 0, 0))
    assert onto(source.like(board.astype(np.float32)), grid).array.std() > 10
    smoothed = onto(source.like(board.astype(np.float32)), grid, smooth=True).array
    np.testing.assert_allclose(smoothed, 50, atol=2)


def test_regridding_keeps_edges_and_mean() -> None:
    turn = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    source = volume((12, 60, 50), (3.0, 0.5, 0.6), turn, (40, -30, 20))
    blob = np.exp(-(np.linalg.norm(world(source) - [40, -30, 20], axis=-1) ** 2) / 50) * 100
    source = source.like(blob.astype(np.float32))
    coarse = regrid(source, 1.5)
    assert coarse.array.shape == (24, 20, 20)
    np.testing.assert_allclose(coarse.spacing, 1.5)
    for corner, opposite in (((0, 0, 0), (0, 0, 0)), (source.array.shape, coarse.array.shape)):
        before = source.affine @ [*(np.array(corner) - 0.5), 1]
        after = coarse.affine @ [*(np.array(opposite) - 0.5), 1]
        np.testing.assert_allclose(after, before, atol=1e-6)
    total = float(coarse.array.sum()) * coarse.voxel_mm3
    assert total == pytest.approx(float(source.array.sum()) * source.voxel_mm3, rel=0.02)
    assert spaced(source, (3.0, 100.0, 0.6)).array.shape == (12, 1, 50)


def test_one_slice_is_held_over_its_thickness() -> None:
    source = volume((1, 4, 4), (4.0, 1.0, 1.0), np.eye(3), (0, 0, 0)).like(np.full((1, 4, 4), 7, dtype=np.float32))
    grid = volume((5, 4, 4), (1.5, 1.0, 1.0), np.eye(3), (0, 0, 0))
    np.testing.assert_array_equal(onto(source, grid).array[:, 1, 1], [0, 7, 7, 7, 0])


def test_views_of_arrays_and_big_grids_in_several_runs_are_sampled_alike() -> None:
    source = volume((14, 130, 120), (3.0, 0.5, 0.5), np.eye(3), (0, 0, 0))
    array = np.random.default_rng(5).normal(size=(14, 120, 130)).astype(np.float32)
    view = source.like(array.transpose(0, 2, 1)[:, ::-1])
    np.testing.assert_array_equal(onto(view, source).array, view.array)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_the_gpu_gives_what_the_cpu_gives() -> None:
    turn = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    source = volume((12, 60, 50), (3.0, 0.5, 0.6), turn, (4, -3, 2))
    source = source.like(np.random.default_rng(6).normal(200, 60, source.array.shape).astype(np.float32))
    grid = volume((12, 30, 30), (3.0, 1.1, 1.1), np.eye(3), (4, -3, 2))
    expected = onto(source, grid, smooth=True).array
    found = onto(source, grid, smooth=True, device=torch.device("cuda")).array
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_a_map_is_interpolated_between_its_valid_voxels_alone() -> None:
    fine = Volume(np.zeros((4, 12, 12), np.float32), np.diag([1.0, 0.5, 0.5, 1.0]))
    values = np.full((4, 6, 6), 1.3, np.float32)
    values[:, :, 3:] = np.nan
    found = map_onto(Volume(values, np.eye(4)), fine).array
    assert set(np.round(np.unique(found), 4)) == {0.0, np.float32(1.3)}
    assert found[1, 4, 4] == pytest.approx(1.3)
    assert found[1, 4, 8] == 0.0
    whole = map_onto(Volume(np.nan_to_num(values, nan=1.3), np.eye(4)), fine)
    assert whole.array == pytest.approx(onto(Volume(np.nan_to_num(values, nan=1.3), np.eye(4)), fine).array)
