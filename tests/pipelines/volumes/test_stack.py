from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contract import Code, InputUnfit
from pipelines.headers.frames import frames
from pipelines.volumes.stack import stack
from tests.pipelines.made_grids import grids
from tests.pipelines.made_series import T2, Grid, Maker


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


def test_slices_shifted_in_their_plane_are_a_sheared_stack() -> None:
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    for index, dataset in enumerate(datasets):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x + 0.5 * index, y, z]
    assert unfit(datasets) is Code.SHEARED_STACK
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    x, y, z = datasets[3].ImagePositionPatient
    datasets[3].ImagePositionPatient = [x, y + 2, z]
    assert unfit(datasets) is Code.SHEARED_STACK


def test_slices_at_changing_distances_are_refused() -> None:
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    x, y, z = datasets[3].ImagePositionPatient
    datasets[3].ImagePositionPatient = [x, y, z + 0.4]
    assert unfit(datasets) is Code.IRREGULAR_SPACING


def test_a_slowly_changing_distance_is_refused_though_each_step_passes() -> None:
    datasets = Maker(Path()).slices(np.zeros((40, 4, 5)), Grid(), T2)
    for index, dataset in enumerate(datasets):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 0.12 * abs(index - 20)]
    assert unfit(datasets) is Code.IRREGULAR_SPACING


def test_a_slice_that_is_turned_is_another_orientation() -> None:
    datasets = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    datasets[4].ImageOrientationPatient = [1, 0, 0, 0, np.cos(0.02), np.sin(0.02)]
    assert unfit(datasets) is Code.MIXED_ORIENTATIONS


def test_a_mosaic_without_its_vendors_header_and_slices_of_different_matrix_are_refused() -> None:
    mosaic = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    assert unfit(mosaic) is Code.MOSAIC_UNFIT
    mixed = Maker(Path()).slices(np.zeros((6, 4, 5)), Grid(), T2)
    mixed[0].Rows = 8
    assert unfit(mixed) is Code.NO_GEOMETRY


@pytest.mark.parametrize(
    ("differing", "words"),
    [
        ({"EchoTime": 160}, "echo time 100 ms, 160 ms"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "image component PHASE, MAGNITUDE"),
        ({"ImageType": ["DERIVED", "PRIMARY", "WATER"]}, "image type M/ND, WATER"),
        ({"TemporalPositionIdentifier": 2}, "temporal position 1, 2"),
        ({}, "nothing in their headers tells apart"),
    ],
)
def test_images_at_one_place_are_refused_with_what_tells_them_apart(differing: dict, words: str) -> None:
    maker = Maker(Path())
    first = maker.slices(np.zeros((6, 4, 5)), Grid(), T2, TemporalPositionIdentifier=1)
    more = {"TemporalPositionIdentifier": 1, **differing}
    both = first + maker.slices(np.zeros((6, 4, 5)), Grid(), {**T2, **more})
    with pytest.raises(InputUnfit) as refused:
        stack(frames(both))
    assert refused.value.code is Code.DUPLICATE_POSITIONS
    assert words in refused.value.reason
    assert "a series of its own" in refused.value.reason


def test_repeats_of_another_echo_or_phase_images_are_never_taken_together() -> None:
    maker = Maker(Path())
    first = maker.slices(np.zeros((6, 4, 5)), Grid(), T2)
    for differing in ({"EchoTime": 160}, {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}):
        both = first + maker.slices(np.zeros((6, 4, 5)), Grid(), {**T2, **differing})
        assert unfit(both, repeats=True) is Code.DUPLICATE_POSITIONS
    later = maker.slices(np.zeros((6, 4, 5)), Grid(), T2, TemporalPositionIdentifier=2)
    assert len(stack(frames(first + later), repeats=True).slices) == 6
