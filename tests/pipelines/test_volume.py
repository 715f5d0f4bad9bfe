from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage

from pipelines.contract import Code, InputUnfit, Role, SeriesFiles, SeriesRole
from pipelines.files import find_files, read_files
from pipelines.series import classify
from pipelines.volume import load_dwi, load_volume, ordered_paths
from tests.pipelines.made_series import DWI, T2, Grid, Maker

OBLIQUE = Grid(orientation=(0.96, 0.28, 0.0, -0.28 * 0.8, 0.96 * 0.8, 0.6))
PIXELS = np.random.default_rng(5).integers(0, 4000, (6, 9, 7))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def as_files(paths: tuple[Path, ...]) -> SeriesFiles:
    return SeriesFiles(SeriesRole("1", "1", "", "MR", Role.T2_AXIAL, (), 1.0, ""), paths)


def test_slices_are_ordered_along_the_normal_whatever_the_order_of_files(maker: Maker) -> None:
    datasets = maker.slices(PIXELS, OBLIQUE, T2)
    paths = maker.write([datasets[index] for index in (3, 0, 5, 1, 4, 2)])
    volume = load_volume(as_files(paths))
    np.testing.assert_array_equal(volume.array, PIXELS)
    np.testing.assert_allclose(volume.affine, OBLIQUE.affine, atol=1e-6)
    assert volume.array.dtype == np.float32
    assert volume.frame_of_reference_uid == maker.frame_of_reference_uid
    assert [path.stem for path in ordered_paths(as_files(paths))] == [dataset.SOPInstanceUID for dataset in datasets]


def test_rescale_and_real_world_values_are_applied(maker: Maker) -> None:
    rescaled = maker.write(maker.slices(PIXELS, OBLIQUE, T2, RescaleSlope=2.5, RescaleIntercept=-10))
    np.testing.assert_allclose(load_volume(as_files(rescaled)).array, PIXELS * 2.5 - 10)
    mapping = Dataset()
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, 3.0
    mapped = maker.slices(PIXELS, OBLIQUE, T2, RescaleSlope=2.5, RealWorldValueMappingSequence=[mapping])
    np.testing.assert_allclose(load_volume(as_files(maker.write(mapped))).array, PIXELS * 0.5 + 3)


def enhanced(maker: Maker, pixels: np.ndarray, grid: Grid, b_values: tuple[float, ...] = ()) -> Dataset:
    """One Enhanced MR object; with ``b_values`` the slices repeat for each."""
    dataset = maker.slices(pixels, grid, T2)[0]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, keyword)
    dataset.SOPClassUID, dataset.NumberOfFrames = EnhancedMRImageStorage, len(pixels)
    dataset.PixelData = pixels.astype("<u2").tobytes()
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [Dataset()], [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = list(grid.spacing[1:])
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = list(grid.orientation)
    shared.PixelValueTransformationSequence = [Dataset()]
    shared.PixelValueTransformationSequence[0].RescaleSlope = 2
    shared.PixelValueTransformationSequence[0].RescaleIntercept = 0
    dataset.SharedFunctionalGroupsSequence = [shared]
    per_frame = []
    slices = len(pixels) // max(len(b_values), 1)
    for index in range(len(pixels)):
        groups = Dataset()
        groups.PlanePositionSequence = [Dataset()]
        position = np.array(grid.origin) + grid.normal * grid.spacing[0] * (index % slices)
        groups.PlanePositionSequence[0].ImagePositionPatient = [round(float(value), 6) for value in position]
        if b_values:
            groups.MRDiffusionSequence = [Dataset()]
            groups.MRDiffusionSequence[0].DiffusionBValue = b_values[index // slices]
        per_frame.append(groups)
    dataset.PerFrameFunctionalGroupsSequence = per_frame
    return dataset


def test_enhanced_mr_loads_as_classic_mr_does(maker: Maker) -> None:
    files = as_files(maker.write([enhanced(maker, PIXELS[::-1], OBLIQUE)]))
    volume = load_volume(files)
    np.testing.assert_array_equal(volume.array, PIXELS[::-1] * 2.0)
    np.testing.assert_allclose(volume.affine, OBLIQUE.affine, atol=1e-5)
    assert ordered_paths(files) == files.paths


def test_enhanced_dwi_is_split_by_b_value(maker: Maker) -> None:
    both = np.concatenate([PIXELS, PIXELS // 2])
    dwi = load_dwi(as_files(maker.write([enhanced(maker, both, OBLIQUE, (0.0, 800.0))])))
    np.testing.assert_array_equal(dwi[0].array, PIXELS * 2.0)
    np.testing.assert_array_equal(dwi[800].array, (PIXELS // 2) * 2.0)


def dwi_series(maker: Maker, images: list[tuple[np.ndarray, dict[str, Any]]]) -> SeriesFiles:
    uid = "1.2.3"
    return as_files(
        tuple(
            path
            for number, (pixels, more) in enumerate(images)
            for path in maker.write(maker.slices(pixels, OBLIQUE, DWI, SeriesInstanceUID=uid, **more), f"d{number}")
        )
    )


def test_repeats_are_averaged_and_directions_combined_geometrically(maker: Maker) -> None:
    signal = np.full((5, 4, 4), 100)
    x, y = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    dwi = load_dwi(
        dwi_series(
            maker,
            [
                (signal * 3, {"DiffusionBValue": 0.0}),
                (signal, {"DiffusionBValue": 800.0, "DiffusionGradientOrientation": x}),
                (signal * 3, {"DiffusionBValue": 800.0, "DiffusionGradientOrientation": x}),
                (signal * 9, {"DiffusionBValue": 800.0, "DiffusionGradientOrientation": y}),
                (signal * 9, {"DiffusionBValue": 800.0, "DiffusionGradientOrientation": y}),
            ],
        )
    )
    assert list(dwi) == [0, 800]
    np.testing.assert_allclose(dwi[0].array, 300)
    np.testing.assert_allclose(dwi[800].array, np.sqrt(200 * 900), rtol=1e-6)


def test_the_scanners_own_trace_is_taken_before_the_directions(maker: Maker) -> None:
    signal = np.full((5, 4, 4), 100)
    dwi = load_dwi(
        dwi_series(
            maker,
            [
                (signal * 3, {"DiffusionBValue": 0.0, "DiffusionDirectionality": "NONE"}),
                (signal, {"DiffusionBValue": 800.0, "DiffusionDirectionality": "DIRECTIONAL"}),
                (signal * 2, {"DiffusionBValue": 800.0, "DiffusionDirectionality": "ISOTROPIC"}),
            ],
        )
    )
    np.testing.assert_allclose(dwi[800].array, 200)


def test_pixels_that_cannot_be_decoded_are_refused(maker: Maker) -> None:
    datasets = maker.slices(PIXELS, OBLIQUE, T2)
    datasets[2].PixelData = datasets[2].PixelData[:10]
    with pytest.raises(InputUnfit) as refused:
        load_volume(as_files(maker.write(datasets)))
    assert refused.value.code is Code.PIXELS_UNREADABLE
    assert datasets[2].SOPInstanceUID in refused.value.reason


def real(shared_data: Path, role: Role) -> list[SeriesFiles]:
    found = read_files(find_files(shared_data / "prostatex_0000_0001")).series
    classified = [(classify(series), series.paths) for series in found]
    return [SeriesFiles(kind, paths) for kind, paths in classified if kind.role is role]


def test_a_real_oblique_stack_lies_where_simpleitk_puts_it(shared_data: Path) -> None:
    for series in real(shared_data, Role.T2_AXIAL) + real(shared_data, Role.T2_SAGITTAL):
        volume = load_volume(series)
        image = sitk.ReadImage([str(path) for path in ordered_paths(series)])
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
        for index in ((0, 0, 0), (18, 10, 200), (5, 319, 3)):
            expected = image.TransformIndexToPhysicalPoint([int(part) for part in index[::-1]])
            np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], expected, atol=1e-3)


def test_the_b_values_of_a_real_series_share_one_grid_and_decay(shared_data: Path) -> None:
    for series in real(shared_data, Role.DWI):
        dwi = load_dwi(replace(series, paths=series.paths[::-1]))
        assert list(dwi) == [50, 400, 800]
        assert dwi[50].array.mean() > dwi[400].array.mean() > dwi[800].array.mean()
        np.testing.assert_array_equal(dwi[50].affine, dwi[800].affine)


def test_compressed_transfer_syntaxes_decode_to_the_same_pixels(shared_data: Path) -> None:
    files = sorted((shared_data / "siemens_trio_transfer_syntaxes").rglob("*.dcm"))
    arrays = [pydicom.dcmread(path).pixel_array for path in files]
    assert len(arrays) >= 7
    assert all(np.array_equal(array, arrays[0]) for array in arrays[1:])
