from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from pipelines.contract import Code, InputUnfit, Role, SeriesFiles, SeriesRole
from pipelines.headers.files import find_files, read_files
from pipelines.roles.series import classify
from pipelines.volumes.volume import decode, load_dwi, load_volume, ordered_paths, phase_encode_axis
from tests.pipelines.made_enhanced import enhanced
from tests.pipelines.made_grids import grids
from tests.pipelines.made_mosaic import siemens_mosaic, uih_mosaic
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


@settings(max_examples=25, deadline=None)
@given(grid=grids(), order=st.permutations(range(6)), place=st.tuples(*(st.integers(0, n - 1) for n in (6, 9, 7))))
def test_classic_enhanced_and_mosaic_put_a_marked_voxel_at_the_same_place(
    tmp_path_factory: pytest.TempPathFactory, grid: Grid, order: list[int], place: tuple[int, int, int]
) -> None:
    maker = Maker(tmp_path_factory.mktemp("same"))
    pixels = np.zeros((6, 9, 7), dtype=int)
    pixels[place] = 1000
    slices = maker.slices(pixels, grid, T2)
    made = {
        "classic": [slices[index] for index in order],
        "enhanced": [enhanced(maker, pixels, grid, order=order)],
        "siemens": [siemens_mosaic(maker, pixels, grid)],
        "uih": [uih_mosaic(maker, pixels, grid)],
    }
    slice_step, row_step, column_step = (
        grid.normal * grid.spacing[0],
        np.array(grid.orientation[3:]) * grid.spacing[1],
        np.array(grid.orientation[:3]) * grid.spacing[2],
    )
    expected = np.array(grid.origin) + place[0] * slice_step + place[1] * row_step + place[2] * column_step
    for form, datasets in made.items():
        volume = load_volume(as_files(maker.write(datasets, form)))
        (found,) = np.argwhere(volume.array > 0)
        np.testing.assert_allclose((volume.affine @ [*found, 1])[:3], expected, atol=1e-3, err_msg=form)
        np.testing.assert_allclose(volume.spacing, grid.spacing, rtol=1e-4, err_msg=form)


def test_the_same_stack_is_the_same_volume_in_classic_and_enhanced_mr(maker: Maker) -> None:
    rescale = {"RescaleSlope": 1.75, "RescaleIntercept": -3}
    classic = load_volume(as_files(maker.write(maker.slices(PIXELS, OBLIQUE, T2, **rescale), "classic")))
    multi = enhanced(maker, PIXELS, OBLIQUE, order=(3, 0, 5, 1, 4, 2), rescale=(1.75, -3))
    loaded = load_volume(as_files(maker.write([multi], "enhanced")))
    np.testing.assert_array_equal(loaded.array, classic.array)
    np.testing.assert_allclose(loaded.affine, classic.affine, atol=1e-6)
    assert loaded.frame_of_reference_uid == classic.frame_of_reference_uid


def test_each_frame_is_rescaled_by_its_own_values_and_signed_ones_keep_their_sign(maker: Maker) -> None:
    multi = enhanced(maker, PIXELS - 2000, OBLIQUE, order=(3, 0, 5, 1, 4, 2))
    multi.PixelRepresentation, multi.PixelPaddingValue = 1, -2000
    multi.PixelData = (PIXELS - 2000)[[3, 0, 5, 1, 4, 2]].astype("<i2").tobytes()
    for slope, place in enumerate((3, 0, 5, 1, 4, 2), start=1):
        values = Dataset()
        values.RescaleSlope, values.RescaleIntercept = slope, place
        multi.PerFrameFunctionalGroupsSequence[slope - 1].PixelValueTransformationSequence = [values]
    slopes = np.array([2, 4, 6, 1, 5, 3])[:, None, None]
    expected = np.where(PIXELS == 0, 0, (PIXELS - 2000) * slopes + np.arange(6)[:, None, None])
    np.testing.assert_array_equal(load_volume(as_files(maker.write([multi]))).array, expected)


def test_images_in_several_units_are_not_one_volume(maker: Maker) -> None:
    datasets = maker.slices(PIXELS, OBLIQUE, T2)
    mapping = Dataset()
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, 3.0
    datasets[2].RealWorldValueMappingSequence = [mapping]
    with pytest.raises(InputUnfit, match="several kinds"):
        load_volume(as_files(maker.write(datasets)))


def test_the_axis_of_phase_encoding_is_that_of_the_volume(maker: Maker) -> None:
    def axis(datasets: list[Dataset]) -> int | None:
        return phase_encode_axis(as_files(maker.write(datasets, datasets[0].SOPInstanceUID)))

    assert axis(maker.slices(PIXELS, OBLIQUE, DWI, InPlanePhaseEncodingDirection="COL")) == 1
    rows = maker.slices(PIXELS, OBLIQUE, DWI, InPlanePhaseEncodingDirection="ROW")
    assert axis(rows) == 2
    rows[0].InPlanePhaseEncodingDirection = "COL"
    assert axis(rows) is None
    assert axis(maker.slices(PIXELS, OBLIQUE, DWI)) is None
    multi = enhanced(maker, PIXELS, OBLIQUE)
    multi.SharedFunctionalGroupsSequence[0].MRFOVGeometrySequence = [Dataset()]
    multi.SharedFunctionalGroupsSequence[0].MRFOVGeometrySequence[0].InPlanePhaseEncodingDirection = "COLUMN"
    assert axis([multi]) == 1


def test_enhanced_mr_loads_as_classic_mr_does(maker: Maker) -> None:
    files = as_files(maker.write([enhanced(maker, PIXELS[::-1], OBLIQUE, rescale=(2, 0))]))
    volume = load_volume(files)
    np.testing.assert_array_equal(volume.array, PIXELS[::-1] * 2.0)
    np.testing.assert_allclose(volume.affine, OBLIQUE.affine, atol=1e-5)
    assert ordered_paths(files) == files.paths


def test_enhanced_dwi_is_split_by_b_value(maker: Maker) -> None:
    both = np.concatenate([PIXELS, PIXELS // 2])
    dwi = load_dwi(as_files(maker.write([enhanced(maker, both, OBLIQUE, b_values=(0.0, 800.0), rescale=(2, 0))])))
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


def test_every_lossless_transfer_syntax_gives_the_identical_volume(shared_data: Path) -> None:
    files = sorted((shared_data / "siemens_trio_transfer_syntaxes").rglob("*.dcm"))
    syntaxes = {pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID for path in files}
    assert len(files) == 9
    assert len(syntaxes) == 7
    volumes = [load_volume(as_files((path,))) for path in files]
    for volume in volumes[1:]:
        np.testing.assert_array_equal(volume.array, volumes[0].array)
        np.testing.assert_allclose(volume.affine, volumes[0].affine, atol=1e-9)


# Rightly refused: what the README of the data lists, and colour. "" in the other table: no pixels at all.
REFUSED = {
    "MR_truncated.dcm", "badVR.dcm", "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm", "liver_rle.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm", "liver_deflate.dcm", "ExplVR_BigEnd.dcm", "HTJ2KLossless_08_RGB.dcm",
    "HTJ2K_08_RGB.dcm",
}  # fmt: skip
# (shape, smallest and largest stored value, as the headers of the files or their uncompressed siblings have them).
MR_SMALL, EMRI, LIVER = ((64, 64), 127, 2145), ((10, 64, 64), 0, 467), ((3, 512, 512), 0, 1)
DECODED = {
    **{f"MR_small{kind}.dcm": MR_SMALL for kind in (
        "", "_RLE", "_bigendian", "_expb", "_implicit", "_jp2klossless", "_jpeg_ls_lossless", "_padded",
    )},
    **{f"emri_small{kind}.dcm": EMRI for kind in ("", "_RLE", "_big_endian", "_jpeg_2k_lossless", "_jpeg_ls_lossless")},
    "liver_j2k.dcm": LIVER, "liver_1frame.dcm": ((512, 512), 0, 1), "image_dfl.dcm": ((512, 512), 0, 255),
    "MR2_J2KI.dcm": ((1024, 1024), 0, 600), "MR2_J2KR.dcm": ((1024, 1024), 0, 595),
    "J2K_pixelrep_mismatch.dcm": ((512, 512), -2000, 1896), "bad_sequence.dcm": ((512, 512), 13, 2267),
    "JPEGLSNearLossless_16.dcm": ((50, 10), 0, 65535),
}  # fmt: skip


def with_pixels(shared_data: Path) -> dict[str, Dataset]:
    """Every file of two sets that holds pixels in whole numbers."""
    found = {}
    for name in ("pydicom_data_compressed", "pydicom_test_files"):
        for path in sorted((shared_data / name / "files").rglob("*.dcm")):
            dataset = pydicom.dcmread(path, force=True)
            if "PixelData" in dataset:
                found[path.name] = dataset
    return found


def test_every_compressed_file_decodes_or_is_refused_as_it_should(shared_data: Path) -> None:
    found = with_pixels(shared_data)
    assert set(found) == set(DECODED) | REFUSED
    for name, dataset in found.items():
        if name in REFUSED:
            with pytest.raises(InputUnfit) as refused:
                decode(dataset)
            assert refused.value.code is Code.PIXELS_UNREADABLE
            continue
        array = decode(dataset)
        assert (array.shape, array.min(), array.max()) == DECODED[name], name
    for family in ("MR_small", "emri_small"):
        plain, *compressed = (decode(found[name]) for name in sorted(DECODED) if name.startswith(family))
        assert all(np.array_equal(array, plain) for array in compressed)


def test_real_enhanced_mr_lies_where_simpleitk_puts_it(shared_data: Path) -> None:
    paths = [
        *(shared_data / "philips_elition_enhanced").rglob("1901*.dcm"),
        *(shared_data / "siemens_prisma_xa30_enhanced" / "files" / "In" / "11_DWI_dir80_PA").iterdir(),
    ]
    assert len(paths) == 2
    for path in paths:
        volume, image = load_volume(as_files((path,))), sitk.ReadImage(str(path))
        slope = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
        stored = pydicom.dcmread(path).pixel_array
        np.testing.assert_allclose(volume.array, stored * float(slope.RescaleSlope), rtol=1e-6)
        for index in ((0, 0, 0), (20, 10, 60), (5, 70, 3)):
            expected = image.TransformIndexToPhysicalPoint([int(part) for part in index[::-1]])
            np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], expected, atol=1e-3)


def test_real_enhanced_mr_of_several_echoes_or_times_is_refused_with_them(shared_data: Path) -> None:
    for name, words in (("1903", "temporal position 1, 2, 3"), ("2001", "echo time 2.3 ms, 4.6 ms; image component")):
        (path,) = (shared_data / "philips_elition_enhanced").rglob(f"{name}*.dcm")
        with pytest.raises(InputUnfit, match=words) as refused:
            load_volume(as_files((path,)))
        assert refused.value.code is Code.DUPLICATE_POSITIONS


def test_classic_and_enhanced_of_one_canon_scan_lie_at_the_same_place(shared_data: Path) -> None:
    folder = shared_data / "canon_galan_v61_dwi" / "files" / "In"
    dwi = load_dwi(as_files((folder / "enh" / "10000.dcm",)))
    assert list(dwi) == [0, 1500]
    stored, header = decode(pydicom.dcmread(folder / "enh" / "10000.dcm")), dwi[0].affine
    compared = 0
    for path in sorted((folder / "cl").iterdir()):
        classic = pydicom.dcmread(path)
        if classic.SeriesDescription != "SAG_DTI_PA-COR_20d":
            continue
        row, column = np.array(classic.ImageOrientationPatient).reshape(2, 3)
        np.testing.assert_allclose(header[:3, 1], column * classic.PixelSpacing[0], atol=1e-4)
        np.testing.assert_allclose(header[:3, 2], row * classic.PixelSpacing[1], atol=1e-4)
        index = np.linalg.inv(header) @ [*classic.ImagePositionPatient, 1]
        np.testing.assert_allclose(index, np.round(index), atol=1e-3)
        assert 0 <= round(index[0]) < 40
        same = [np.array_equal(classic.pixel_array, frame) for frame in stored]
        compared += any(same)
    assert compared >= 50


def test_the_phase_encoding_of_real_series(shared_data: Path) -> None:
    for folder, pattern, axis in (
        ("siemens_prisma_xa30_enhanced", "files/In/10_DWI_dir80_PA/*", 1),
        ("canon_galan_v61_dwi", "files/In/enh/10000.dcm", 2),
        ("uih_umr770_dwi", "files/In/*/dti*/*", 1),
    ):
        assert phase_encode_axis(as_files(tuple((shared_data / folder).glob(pattern)))) == axis
