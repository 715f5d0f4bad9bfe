from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ImplicitVRLittleEndian

from pipelines.contract import Code, InputUnfit, Role, SeriesFiles, SeriesRole
from pipelines.headers.files import find_files, read_files
from pipelines.headers.frames import frames
from pipelines.headers.mosaic import csa_header, mosaic
from pipelines.roles.series import classify
from pipelines.volumes.stack import stack
from pipelines.volumes.volume import load_dwi, load_volume, ordered_paths
from tests.pipelines.made_mosaic import csa, siemens_mosaic, uih_mosaic
from tests.pipelines.made_series import DWI, Grid, Maker

OBLIQUE = Grid(orientation=(0.96, 0.28, 0.0, -0.28 * 0.8, 0.96 * 0.8, 0.6))
PIXELS = np.random.default_rng(6).integers(1, 4000, (7, 6, 8))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def as_files(paths: tuple[Path, ...]) -> SeriesFiles:
    return SeriesFiles(SeriesRole("1", "1", "", "MR", Role.DWI, (), 1.0, ""), paths)


def test_a_mosaic_is_the_volume_that_its_single_slices_would_be(maker: Maker) -> None:
    single = load_volume(as_files(maker.write(maker.slices(PIXELS, OBLIQUE, DWI), "single")))
    made = (
        siemens_mosaic(maker, PIXELS, OBLIQUE),
        siemens_mosaic(maker, PIXELS, OBLIQUE, backwards=True),
        uih_mosaic(maker, PIXELS, OBLIQUE),
    )
    for dataset in made:
        files = as_files(maker.write([dataset], dataset.SOPInstanceUID))
        volume = load_volume(files)
        np.testing.assert_array_equal(volume.array, single.array)
        np.testing.assert_allclose(volume.affine, single.affine, atol=1e-4)
        assert ordered_paths(files) == files.paths


def test_the_b_values_of_a_mosaic_series_are_told_apart(maker: Maker) -> None:
    series = {"SeriesInstanceUID": "1.2.3"}
    low = siemens_mosaic(maker, PIXELS, OBLIQUE, DiffusionBValue=0.0, **series)
    high = siemens_mosaic(maker, PIXELS // 3, OBLIQUE, DiffusionBValue=900.0, **series)
    dwi = load_dwi(as_files(maker.write([high, low])))
    np.testing.assert_array_equal(dwi[0].array, PIXELS)
    np.testing.assert_array_equal(dwi[900].array, PIXELS // 3)


def test_a_uih_mosaic_is_read_after_its_sequence_lost_its_vr(maker: Maker) -> None:
    dataset = uih_mosaic(maker, PIXELS, OBLIQUE)
    maker.write([dataset])
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    file = BytesIO()
    dcmwrite(file, dataset, implicit_vr=True, little_endian=True, enforce_file_format=True)
    file.seek(0)
    again = pydicom.dcmread(file)
    assert isinstance(again[0x00651051].value, bytes)
    assert mosaic(again) == mosaic(dataset)


def unfit(dataset: Dataset) -> str:
    with pytest.raises(InputUnfit) as refused:
        stack(frames([dataset]))
    assert refused.value.code is Code.MOSAIC_UNFIT
    assert "send the slices one by one" in refused.value.reason
    return refused.value.reason


def test_a_mosaic_whose_slices_cannot_be_placed_is_refused_with_what_is_missing(maker: Maker) -> None:
    dataset = siemens_mosaic(maker, PIXELS, OBLIQUE)
    del dataset[0x00291010]
    assert "SliceNormalVector" in unfit(dataset)
    dataset.add_new(0x00291010, "OB", csa({"SliceNormalVector": ["1", "0", "0"]}))
    assert "not across its plane" in unfit(dataset)
    dataset = siemens_mosaic(maker, PIXELS, OBLIQUE)
    del dataset.SpacingBetweenSlices
    assert "Spacing Between Slices" in unfit(dataset)
    dataset = siemens_mosaic(maker, PIXELS, OBLIQUE)
    dataset[0x0019100A].value = 50
    assert "cannot be divided" in unfit(dataset)
    del dataset[0x0019100A]
    assert "number of its slices" in unfit(dataset)
    dataset = uih_mosaic(maker, PIXELS, OBLIQUE)
    del dataset[0x00651051].value[2].ImagePositionPatient
    assert "own position" in unfit(dataset)
    dataset[0x00651050].value = "6"
    assert "6 slices" in unfit(dataset)


def test_tiles_behind_the_last_slice_must_be_empty(maker: Maker) -> None:
    dataset = siemens_mosaic(maker, PIXELS, OBLIQUE)
    dataset[0x0019100A].value = 5  # as many tiles across as for seven slices
    with pytest.raises(InputUnfit) as refused:
        load_volume(as_files(maker.write([dataset])))
    assert refused.value.code is Code.MOSAIC_UNFIT


def test_a_csa_header_cut_off_anywhere_is_read_as_none_or_in_part() -> None:
    raw = csa({"SliceNormalVector": ["0", "0.5", "0.25"], "Other": ["x"]})
    assert csa_header(raw) == {"SliceNormalVector": ("0", "0.5", "0.25"), "Other": ("x",)}
    for length in range(len(raw)):
        assert isinstance(csa_header(raw[:length]), dict)
    assert csa_header(raw[:16] + b"\xff" * 200) == {} == csa_header(b"\x10\x00\x00\x00") == csa_header(None)


def planned_centres(dataset: Dataset) -> np.ndarray:
    """The slices' centres of a Siemens protocol (MrProt in the CSA series header): another record of the same."""
    protocol = dataset[0x00291020].value.decode("latin-1")
    count = int(re.search(r"sSliceArray\.lSize\s*=\s*(\d+)", protocol)[1])
    centres = np.zeros((count, 3))
    for index, axis, value in re.findall(
        r"sSliceArray\.asSlice\[(\d+)\]\.sPosition\.d(Sag|Cor|Tra)\s*=\s*(\S+)", protocol
    ):
        centres[int(index), ("Sag", "Cor", "Tra").index(axis)] = float(value)
    return centres


def test_a_real_siemens_mosaic_lies_where_its_protocol_planned_it(shared_data: Path) -> None:
    (path, *_) = sorted((shared_data / "siemens_trio_transfer_syntaxes").rglob("*.dcm"))
    volume = load_volume(as_files((path,)))
    assert volume.array.shape == (35, 64, 64)
    found = [(volume.affine @ [index, 32, 32, 1])[:3] for index in range(35)]  # a field of view's centre: C.7.6.2
    np.testing.assert_allclose(found, planned_centres(pydicom.dcmread(path, stop_before_pixels=True)), atol=1e-3)


def test_a_real_uih_mosaic_has_its_slices_around_the_centres_of_its_header(shared_data: Path) -> None:
    series = read_files(find_files(shared_data / "uih_umr770_dwi" / "files" / "In" / "DTI_134434")).series
    (one,) = [one for one in series if "dti" in str(one.paths[0])]
    assert classify(one).role is Role.DWI
    dwi = load_dwi(as_files(one.paths))
    volume = dwi[min(dwi)]
    assert volume.array.shape == (20, 64, 64)
    centres = [[float(part) for part in item[0x00651015].value] for item in one.headers[0][0x00651051].value]
    found = [(volume.affine @ [index, 32, 32, 1])[:3] for index in range(20)]
    np.testing.assert_allclose(found, centres, atol=1e-3)
    # A head fills the middle of its slices, tile borders in the wrong place would not.
    middle = volume.array[8:12, 16:48, 16:48].mean()
    assert middle > 10 * max(volume.array[:, 0].mean(), volume.array[:, :, 0].mean())
