from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipelines.contract import Code, InputUnfit
from pipelines.frames import frames
from pipelines.stack import stack
from tests.pipelines.made_series import T2, Grid, Maker

angles = st.floats(-180, 180, allow_nan=False)
lengths = st.floats(0.3, 6.0)
places = st.floats(-300, 300)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Any orthonormal orientation, spacing and origin."""
    turned = Rotation.from_euler("xyz", [draw(angles), draw(angles), draw(angles)], degrees=True).as_matrix()
    return Grid(
        spacing=(draw(lengths), draw(lengths), draw(lengths)),
        orientation=tuple(float(value) for value in (*turned[:, 0], *turned[:, 1])),
        origin=(draw(places), draw(places), draw(places)),
    )


@settings(max_examples=60, deadline=None)
@given(grid=grids(), order=st.permutations(range(6)))
def test_voxels_lie_where_dicom_says_whatever_the_orientation_and_the_order_of_files(
    grid: Grid, order: list[int]
) -> None:
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), grid, T2)
    found = stack(frames([datasets[index] for index in order]))
    for place, (frame,) in enumerate(found.slices):
        dataset = datasets[order[frame.file]]
        # PS3.3 equation C.7.6.2.1-1, at row 3 and column 4.
        row, column = np.array(dataset.ImageOrientationPatient).reshape(2, 3)
        rows, columns = dataset.PixelSpacing
        expected = np.array(dataset.ImagePositionPatient) + row * columns * 4 + column * rows * 3
        np.testing.assert_allclose((found.affine @ [place, 3, 4, 1])[:3], expected, atol=1e-3)
    normal = np.cross(*np.array(datasets[0].ImageOrientationPatient).reshape(2, 3))
    assert found.affine[:3, 0] @ normal > 0


def unfit(datasets: list, **options: bool) -> Code:
    with pytest.raises(InputUnfit) as refused:
        stack(frames(datasets), **options)
    return refused.value.code


@settings(max_examples=30, deadline=None)
@given(grid=grids(), missing=st.integers(1, 6))
def test_a_missing_slice_is_found_whatever_the_orientation(grid: Grid, missing: int) -> None:
    datasets = Maker(Path()).slices(np.zeros((8, 4, 5)), grid, T2)
    assert unfit(datasets[:missing] + datasets[missing + 1 :]) is Code.SLICE_MISSING


def test_repeats_are_allowed_only_when_asked_for_and_equally_many() -> None:
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    assert unfit(datasets * 2) is Code.DUPLICATE_POSITIONS
    assert [len(group) for group in stack(frames(datasets * 2), repeats=True).slices] == [2] * 6
    assert unfit(datasets + datasets[:5], repeats=True) is Code.SLICE_MISSING


def test_cosines_that_differ_by_rounding_are_one_orientation() -> None:
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    datasets[2].ImageOrientationPatient = [1, 1e-5, 0, -1e-5, 1, 0]
    assert len(stack(frames(datasets)).slices) == 6


def test_slices_shifted_in_their_plane_are_refused() -> None:
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    for index, dataset in enumerate(datasets):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x + 0.5 * index, y, z]
    assert unfit(datasets) is Code.IRREGULAR_SPACING


def test_a_mosaic_and_slices_of_different_matrix_have_no_geometry() -> None:
    mosaic = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    assert unfit(mosaic) is Code.NO_GEOMETRY
    mixed = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    mixed[0].Rows = 8
    assert unfit(mixed) is Code.NO_GEOMETRY
