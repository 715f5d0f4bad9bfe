from __future__ import annotations

import struct
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset

from pipelines.headers.b_values import b_value, directionality, gradient, nominal


def private(manufacturer: str, group: int, creator: str, offset: int, vr: str, value: object) -> Dataset:
    dataset = Dataset()
    dataset.Manufacturer = manufacturer
    dataset.private_block(group, creator, create=True).add_new(offset, vr, value)
    return dataset


def csa_header_of(name: str, value: str) -> bytes:
    """A Siemens CSA header (SV10) with one tag of one item."""
    text = value.encode().ljust(-(-len(value) // 4) * 4, b"\0")
    tag = name.encode().ljust(64, b"\0") + struct.pack("<I4sIII", 1, b"FD\0\0", 4, 1, 77)
    return b"SV10\4\3\2\1" + struct.pack("<II", 1, 77) + tag + struct.pack("<IIII", 0, len(value), 77, 0) + text


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (private("SIEMENS", 0x19, "SIEMENS MR HEADER", 0x0C, "OB", b"800 "), 800),
        (private("SIEMENS", 0x19, "SIEMENS MR HEADER", 0x0C, "IS", "50"), 50),
        (private("GE MEDICAL SYSTEMS", 0x43, "GEMS_PARM_01", 0x39, "IS", [1000000800, 8, 0, 0]), 800),
        (private("GE MEDICAL SYSTEMS", 0x43, "GEMS_PARM_01", 0x39, "UN", b"500\\8\\0\\0 "), 500),
        (private("Philips", 0x2001, "Philips Imaging DD 001", 0x03, "FL", 273.0), 273),
        (private("Philips", 0x2001, "Philips Imaging DD 001", 0x03, "UN", struct.pack("<f", 273.0)), 273),
        (private("SIEMENS", 0x29, "SIEMENS CSA HEADER", 0x10, "OB", csa_header_of("B_value", "600")), 600),
        (private("UIH", 0x65, "Image Private Header", 0x09, "UN", struct.pack("<d", 929.75)), 930),
    ],
)
def test_a_vendors_private_attribute_gives_the_b_value(dataset: Dataset, expected: float) -> None:
    assert b_value(dataset) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("*ep_b800t", 800), ("ep_b1000#3", 1000), ("re_b50t", 50), ("*ep_b50_800", None), ("*tse", None)],
)
def test_a_siemens_sequence_name_says_it_where_everything_private_was_removed(
    name: str, expected: float | None
) -> None:
    dataset = Dataset()
    dataset.Manufacturer, dataset.SequenceName = "SIEMENS", name
    assert b_value(dataset) == expected
    dataset.Manufacturer = "Acme"
    assert b_value(dataset) is None


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (private("SIEMENS", 0x19, "SIEMENS MR HEADER", 0x0E, "UN", struct.pack("<3d", 0.6, 0.0, 0.8)), (0.6, 0.0, 0.8)),
        (private("SIEMENS", 0x19, "SIEMENS MR HEADER", 0x0E, "FD", [0.0, 0.0, 0.0]), None),
        (private("UIH", 0x65, "Image Private Header", 0x37, "FD", [1.0, 0.0, 0.0]), (1.0, 0.0, 0.0)),
        (private("Acme", 0x19, "ACME", 0x0E, "FD", [1.0, 0.0, 0.0]), None),
    ],
)
def test_directions_are_read_from_private_attributes_too(dataset: Dataset, expected: tuple[float, ...] | None) -> None:
    assert gradient(dataset) == expected


def test_three_elements_of_one_number_are_a_direction() -> None:
    dataset = private("Philips", 0x2005, "Philips MR Imaging DD 001", 0xB0, "FL", 0.6)
    block = dataset.private_block(0x2005, "Philips MR Imaging DD 001")
    block.add_new(0xB1, "FL", 0.0)
    assert gradient(dataset) is None
    block.add_new(0xB2, "UN", struct.pack("<f", 0.8))
    assert gradient(dataset) == (0.6, 0.0, 0.8)


def test_the_trace_of_philips_is_known_in_implicit_vr_too() -> None:
    assert directionality(private("Philips", 0x2001, "Philips Imaging DD 001", 0x04, "UN", b"I ")) == "ISOTROPIC"
    assert directionality(private("Philips", 0x2001, "Philips Imaging DD 001", 0x04, "CS", "O")) == ""


def test_the_nominal_value_of_uih_is_taken_before_the_measured_one() -> None:
    dataset = private("UIH", 0x65, "Image Private Header", 0x09, "FD", 929.75)
    dataset.private_block(0x65, "Image Private Header").add_new(0x0A, "FD", 1000.0)
    assert b_value(dataset) == 1000


def test_a_private_attribute_of_another_vendor_means_nothing() -> None:
    dataset = private("Acme", 0x19, "ACME STUFF", 0x0C, "IS", "800")
    assert b_value(dataset) is None


def test_the_standard_attribute_comes_first() -> None:
    dataset = private("SIEMENS", 0x19, "SIEMENS MR HEADER", 0x0C, "IS", "50")
    dataset.DiffusionBValue = 600.0
    assert b_value(dataset) == 600


@pytest.mark.parametrize(
    ("manufacturer", "expected"), [("CANON_MEC", 1500), ("TOSHIBA_MEC", 1500), ("SIEMENS", None), ("", None)]
)
def test_canon_alone_writes_it_into_the_image_comments(manufacturer: str, expected: float | None) -> None:
    dataset = Dataset()
    dataset.Manufacturer, dataset.ImageComments = manufacturer, "b=1500(0.0,0.0,1.0)"
    assert b_value(dataset) == expected


def test_where_the_creator_was_lost_its_usual_block_is_read_unless_it_is_anothers() -> None:
    lost = Dataset()
    lost.Manufacturer = "SIEMENS"
    lost.add_new(0x0019100C, "IS", "700")
    assert b_value(lost) == 700
    assert b_value(private("SIEMENS", 0x19, "SOMEONE ELSE", 0x0C, "IS", "700")) is None


def test_an_enhanced_frame_without_direction_and_b_value_is_unweighted() -> None:
    diffusion = Dataset()
    diffusion.DiffusionDirectionality = "NONE"
    assert b_value(Dataset(), diffusion) == 0
    diffusion.DiffusionDirectionality = "ISOTROPIC"
    assert b_value(Dataset(), diffusion) is None


def test_neighbouring_b_values_stand_for_one_nominal_value() -> None:
    assert nominal([0, 5, 995, 1000, 1005, 2000]) == {0: 0, 5: 5, 995: 1000, 1000: 1000, 1005: 1000, 2000: 2000}


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("philips_achieva_dwi_classic", {0, 40, 273, 800}),
        ("ge_pioneer_dwi/files/In/02_Ax_DWI_TENSOR_R3", {0, 1000}),
        ("uih_umr770_dwi/files/In/DTI_134434/dti_tra_dir16_PA_SaveBySlc__135612", {0, 1000}),
        ("canon_galan_v61_dwi/files/In/cl", {0, 1500}),
    ],
)
def test_real_files_of_each_vendor_give_their_b_values(shared_data: Path, folder: str, expected: set[float]) -> None:
    files = [path for path in (shared_data / folder).rglob("*") if path.suffix not in {".md", ".upstream", ""}]
    found = {b_value(pydicom.dcmread(path, stop_before_pixels=True)) for path in files if path.is_file()}
    assert found - {None} == expected
