from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import UID, CTImageStorage, EncapsulatedPDFStorage, RawDataStorage, SecondaryCaptureImageStorage

from pipelines.contract import Code, Role, SeriesRole
from pipelines.headers.b_values import nominal
from pipelines.headers.files import SeriesHeaders, find_files, read_files
from pipelines.headers.frames import frames
from pipelines.roles.series import classify, mr_images
from pipelines.roles.study_roles import classified
from tests.pipelines.made_series import DWI, T1, T2, Grid, Maker

SHAPE = (8, 12, 10)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def t2(maker: Maker) -> list[Any]:
    return maker.slices(np.ones(SHAPE), Grid(), T2)


@pytest.fixture
def dwi(maker: Maker) -> list[Any]:
    """Eight slices at b 50 and 800, as Siemens writes them."""
    series = maker.slices(np.ones(SHAPE), Grid(), DWI)
    series += maker.slices(np.ones(SHAPE), Grid(), DWI, SeriesInstanceUID=series[0].SeriesInstanceUID)
    for index, dataset in enumerate(series):
        block = dataset.private_block(0x19, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "OB", b"50" if index < SHAPE[0] else b"800 ")
    return series


def test_an_axial_t2_is_recognised_by_its_timing(maker: Maker, t2: list[Any]) -> None:
    role = classify(maker.headers(t2))
    assert (role.role, role.code) == (Role.T2_AXIAL, None)
    assert role.confidence > 0.9
    for dataset in t2:
        dataset.SeriesDescription = ""
    unnamed = classify(maker.headers(t2))
    assert unnamed.role is Role.T2_AXIAL
    assert unnamed.confidence < role.confidence


@pytest.mark.parametrize(
    ("degrees", "role"), [(0, Role.T2_AXIAL), (44.9, Role.T2_AXIAL), (45, Role.T2_AXIAL), (46, Role.T2_CORONAL)]
)
def test_a_stack_tilted_by_up_to_45_degrees_is_still_axial(maker: Maker, degrees: float, role: Role) -> None:
    angle = np.radians(degrees)
    orientation = (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(-np.sin(angle)))
    series = maker.slices(np.ones(SHAPE), Grid(orientation=orientation), T2)
    assert classify(maker.headers(series)).role is role


def test_dwi_lists_its_b_values(maker: Maker, dwi: list[Any]) -> None:
    role = classify(maker.headers(dwi))
    assert (role.role, role.b_values) == (Role.DWI, (50, 800))


def test_dwi_with_a_slice_missing_at_one_b_value_is_refused(maker: Maker, dwi: list[Any]) -> None:
    for missing in (10, 15):  # in the middle, and at the end where no gap shows
        role = classify(maker.headers([*dwi[:missing], *dwi[missing + 1 :]]))
        assert (role.role, role.code) == (Role.OTHER, Code.SLICE_MISSING)
        assert "looks like dwi" in role.reason


def test_dwi_without_any_b_value_is_refused(maker: Maker) -> None:
    role = classify(maker.headers(maker.slices(np.ones(SHAPE), Grid(), DWI)))
    assert role.code is Code.B_VALUE_UNKNOWN


def test_a_b_value_beyond_the_measured_range_is_calculated(maker: Maker) -> None:
    series = maker.slices(np.ones(SHAPE), Grid(), DWI, SequenceName="*ep_b50_800", DiffusionBValue=1400.0)
    role = classify(maker.headers(series))
    assert role.code is Code.CALCULATED_B_VALUE
    assert "calculated" in role.reason


def test_an_adc_series_is_not_taken_for_dwi_although_it_carries_a_b_value(maker: Maker) -> None:
    kind = ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]
    series = maker.slices(np.ones(SHAPE), Grid(), DWI, ImageType=kind, DiffusionBValue=800.0)
    assert classify(maker.headers(series)).role is Role.ADC


@pytest.mark.parametrize(
    ("more", "role"),
    [
        ({}, Role.T1),
        ({"ContrastBolusAgent": "NONE"}, Role.T1),
        ({"ContrastBolusAgent": "Dotarem"}, Role.CE_T1),
        ({"SeriesDescription": "t1_tse_tra +C"}, Role.CE_T1),
        ({"SeriesDescription": "T1 TSE post Gd"}, Role.CE_T1),
        ({"SeriesDescription": "t1_tse_fs_tra_KM"}, Role.CE_T1),
        ({"SeriesDescription": "t1_tse_tra nativ"}, Role.T1),
        ({"SeriesDescription": "t1_tse_tra pre contrast"}, Role.T1),
    ],
)
def test_contrast_enhancement_is_told_from_agent_and_name(maker: Maker, more: dict[str, Any], role: Role) -> None:
    series = maker.slices(np.ones(SHAPE), Grid(), T1, **more)
    assert classify(maker.headers(series)).role is role


def test_a_t1_named_unenhanced_with_an_agent_in_its_header_gets_no_role(maker: Maker) -> None:
    more = {"SeriesDescription": "t1 nativ", "ContrastBolusAgent": "Dotarem"}
    role = classify(maker.headers(maker.slices(np.ones(SHAPE), Grid(), T1, **more)))
    assert (role.role, role.code) == (Role.OTHER, Code.NOT_RECOGNISED)


def test_geometry_that_is_no_stack_is_refused_with_its_code(maker: Maker, t2: list[Any]) -> None:
    def code(series: list[Any]) -> Code | None:
        role = classify(maker.headers(series))
        assert role.role is Role.OTHER
        assert "looks like t2" in role.reason
        return role.code

    sagittal = Grid(orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
    assert code([*t2[:3], *t2[4:]]) is Code.SLICE_MISSING
    assert code([*t2, t2[3]]) is Code.DUPLICATE_POSITIONS
    assert code(t2[:3]) is Code.TOO_FEW_SLICES
    assert code([*t2, *maker.slices(np.ones(SHAPE), sagittal, T2)]) is Code.MIXED_ORIENTATIONS
    t2[4].ImagePositionPatient = [*t2[4].ImagePositionPatient[:2], t2[4].ImagePositionPatient[2] + 0.5]
    assert code(t2) is Code.IRREGULAR_SPACING
    t2[4].FrameOfReferenceUID = "1.2.3"
    assert code(t2) is Code.NO_FRAME_OF_REFERENCE
    del t2[4].ImagePositionPatient
    assert code(t2) is Code.NO_GEOMETRY


def test_objects_that_are_no_mr_images_are_refused(maker: Maker, t2: list[Any]) -> None:
    for dataset in t2:
        dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    assert classify(maker.headers(t2)).code is Code.NOT_MR
    document = maker.common(EncapsulatedPDFStorage, "DOC")
    assert classify(maker.headers([document])).code is Code.NOT_AN_IMAGE


def test_raw_objects_beside_the_images_of_a_series_are_left_out(maker: Maker, t2: list[Any]) -> None:
    raw = maker.common(RawDataStorage, "MR")
    raw.SeriesInstanceUID = t2[0].SeriesInstanceUID
    assert classify(maker.headers([raw, *t2])).role is Role.T2_AXIAL
    assert mr_images(maker.headers([raw, *t2])).headers == tuple(t2)


def test_a_map_beside_its_diffusion_images_is_left_out(maker: Maker, dwi: list[Any]) -> None:
    kind = ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]
    uid = dwi[0].SeriesInstanceUID
    adc = maker.slices(np.ones(SHAPE), Grid(), DWI, SeriesInstanceUID=uid, ImageType=kind, DiffusionBValue=1400.0)
    role = classify(maker.headers([*dwi, *adc]))
    assert (role.role, role.b_values) == (Role.DWI, (50, 800))


@pytest.mark.parametrize(("manufacturer", "role"), [("TOSHIBA_MEC", Role.DWI), ("SIEMENS", Role.OTHER)])
def test_images_without_b_value_are_unweighted_where_the_vendor_means_that(
    maker: Maker, manufacturer: str, role: Role
) -> None:
    kind = ["ORIGINAL", "PRIMARY", "GDC"]
    common = {"Manufacturer": manufacturer, "ImageType": kind, "SeriesInstanceUID": "1.2.3"}
    series = maker.slices(np.ones(SHAPE), Grid(), DWI, **common)
    series += maker.slices(np.ones(SHAPE), Grid(), DWI, **common, DiffusionBValue=1000.0)
    found = classify(maker.headers(series))
    assert found.role is role
    if role is Role.DWI:
        assert found.b_values == (0, 1000)
        assert "8 images that state none taken as b 0" in found.reason
    else:
        assert found.code is Code.B_VALUE_UNKNOWN


def test_slices_acquired_again_and_again_are_a_dynamic_series(maker: Maker) -> None:
    series = [
        dataset
        for number in (1, 2, 3)
        for dataset in maker.slices(np.ones(SHAPE), Grid(), T1, SeriesInstanceUID="1.2.3", AcquisitionNumber=number)
    ]
    role = classify(maker.headers(series))
    assert (role.role, role.code) == (Role.OTHER, Code.DYNAMIC_SERIES)
    for dataset in series:
        dataset.AcquisitionNumber = 1
    assert classify(maker.headers(series)).code is Code.DUPLICATE_POSITIONS


def test_a_colour_map_in_secondary_captures_is_named_as_such(maker: Maker, t2: list[Any]) -> None:
    for dataset in t2:
        dataset.SOPClassUID, dataset.PhotometricInterpretation = SecondaryCaptureImageStorage, "RGB"
    assert classify(maker.headers(t2)).code is Code.COLOUR_MAP


def test_malformed_numbers_in_a_header_are_no_crash(maker: Maker, t2: list[Any]) -> None:
    t2[0].data_element("EchoTime")._value = "abc"
    role = classify(maker.headers(t2))
    assert (role.role, role.code) == (Role.OTHER, Code.NOT_RECOGNISED)


def series_below(folder: Path) -> tuple[SeriesHeaders, ...]:
    return read_files(find_files(folder)).series


def test_two_real_pelvic_studies_are_classified(shared_data: Path) -> None:
    roles = [classify(series) for series in series_below(shared_data / "prostatex_0000_0001")]
    named = {role.description: role for role in roles}
    assert Counter(role.role for role in roles) == {
        Role.T2_AXIAL: 3,
        Role.T2_SAGITTAL: 2,
        Role.T2_CORONAL: 2,
        Role.DWI: 2,
        Role.ADC: 2,
        Role.OTHER: 7,
    }
    assert all(role.description.startswith("t2_tse_tra") for role in roles if role.role is Role.T2_AXIAL)
    assert all(role.b_values == (50, 400, 800) for role in roles if role.role is Role.DWI)
    refused = {role.description: role.code for role in roles if role.role is Role.OTHER}
    assert refused == {
        "ep2d_diff_tra_DYNDISTCALC_BVAL": Code.CALCULATED_B_VALUE,
        "ep2d_diff_tra_DYNDIST_MIXCALC_BVAL": Code.CALCULATED_B_VALUE,
        "tfl_3d PD ref_tra_1.5x1.5_t3": Code.NOT_RECOGNISED,
        "t2_localizer": Code.LOCALIZER,
        "t2_loc sag": Code.LOCALIZER,
    }
    assert all(named[description].reason for description in refused)


def test_a_real_calculated_series_with_a_slice_missing_is_refused(shared_data: Path) -> None:
    (series,) = series_below(shared_data / "prostatex_0000_missing_slice")
    assert classify(series).code is Code.CALCULATED_B_VALUE


@dataclass(frozen=True)
class Expected:
    """A line of series_roles.csv; ``b_values`` as 0/800."""

    role: str
    b_values: str
    code: str
    header_tells: str
    why_not: str


def expected_roles() -> dict[tuple[str, str, str], list[Expected]]:
    """What each public series is, by set, series description and SOP class."""
    table = defaultdict(list)
    with (Path(__file__).parent / "series_roles.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row.pop("set"), row.pop("series"), row.pop("sop_class")
            table[key].append(Expected(**row))
    return table


def stated_b_values(series: SeriesHeaders, role: SeriesRole) -> str:
    """The b-values of a role; those that the headers state where diffusion images are refused."""
    b_values: Iterable[float] = role.b_values
    if role.role is Role.OTHER and "looks like dwi" in role.reason:
        b_values = sorted(
            set(nominal(frame.b_value for frame in frames(series.headers) if frame.b_value is not None).values())
        )
    return "/".join(f"{b:g}" for b in b_values)


def test_every_public_series_gets_its_role_or_none_and_those_whose_header_tells_get_it(shared_data: Path) -> None:
    table = expected_roles()
    found: dict[tuple[str, str, str], list[SeriesRole]] = defaultdict(list)
    shown: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for folder in sorted({name for name, _, _ in table}):
        for series, role in classified(series_below(shared_data / folder)):
            key = folder, role.description, UID(str(series.headers[0].SOPClassUID)).name
            found[key].append(role)
            shown[key].append((str(role.code or ""), stated_b_values(series, role)))
    assert {key: len(roles) for key, roles in found.items()} == {key: len(rows) for key, rows in table.items()}
    told, right = Counter[str](), Counter[str]()
    for key, rows in table.items():
        assert len({(row.role, row.header_tells) for row in rows}) == 1, f"{key}: rows that cannot be told apart"
        for row, role in zip(rows, found[key], strict=True):
            assert role.role in {row.role, Role.OTHER}, f"{key} is {row.role}, and was taken for {role.role}"
            assert (row.header_tells == "yes") != bool(row.why_not), f"{key}: why does its header not tell?"
            if row.header_tells == "yes":
                kind = "refused" if row.role == Role.OTHER else "usable"
                told[kind] += 1
                right[kind] += (str(role.role), str(role.code or "")) == (row.role, row.code)
        assert sorted(shown[key]) == sorted((row.code, row.b_values) for row in rows), key
    assert told["usable"] >= 18
    for kind in told:
        assert right[kind] >= 0.9 * told[kind], f"{kind}: {right[kind]} of {told[kind]}"


def test_files_damaged_anywhere_are_classified_or_named_but_never_crash(maker: Maker, t2: list[Any]) -> None:
    random = np.random.default_rng(9)
    paths = maker.write(t2)
    sound = paths[0].read_bytes()
    for _ in range(60):
        damaged = bytearray(sound)
        for place in random.integers(132, len(sound), 12):
            damaged[place] = random.choice([0, 255, ord("\\"), ord("x")])
        paths[0].write_bytes(damaged)
        found = read_files(paths)
        assert sum(len(series.paths) for series in found.series) + len(found.skipped) == len(paths)
        for series in found.series:
            role = classify(series)
            assert (role.code is None) == (role.role is not Role.OTHER)
            assert role.reason
