from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage

from pipelines.contract import Code, Role, SeriesRole
from pipelines.roles.series import classify
from tests.pipelines.made_series import DWI, T1, T2, Grid, Maker

SHAPE = (8, 12, 10)
ORIGINAL, DERIVED = ["ORIGINAL", "PRIMARY", "OTHER"], ["DERIVED", "SECONDARY", "OTHER"]
GRE = {"ScanningSequence": "GR", "EchoTime": 1.4, "RepetitionTime": 3.9, "MRAcquisitionType": "3D"}
B0_B800 = {"ImageType": ORIGINAL, "Manufacturer": "GE MEDICAL SYSTEMS"}


def given(folder: Path, contrast: dict[str, Any], *b_values: float, **more: Any) -> SeriesRole:
    """The role of eight slices (at each b-value) with these attributes."""
    maker = Maker(folder)
    series = [
        dataset
        for b in b_values or (None,)
        for dataset in maker.slices(
            np.ones(SHAPE), Grid(), {**contrast, **more}, SeriesInstanceUID="1.2.3",
            **({} if b is None else {"DiffusionBValue": b}),
        )
    ]  # fmt: skip
    return classify(maker.headers(series))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"SeriesDescription": "t2_space_tra", "MRAcquisitionType": "3D", "EchoTime": 250}, Role.T2_AXIAL),
        ({"SeriesDescription": "t2_tse_tra", "EchoTime": 250}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "Ax T2 PROPELLER", "ScanningSequence": "RM"}, Role.T2_AXIAL),
        ({"SeriesDescription": "Ax PROPELLER", "ScanningSequence": "RM"}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "t2*_gre", "ScanningSequence": "GR", "EchoTime": 20}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "t2_stir_tra"}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "t2_tra", "ScanningSequence": ["SE", "IR"]}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "t2_tra", "EchoTrainLength": 128}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "T2 map"}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "t2_tra", "ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, Code.DERIVED_SERIES),
        ({"SeriesDescription": "t2_tra", "ImageType": ["DERIVED", "SECONDARY", "MPR"]}, Code.REFORMATTED),
        ({"SeriesDescription": "t2_tra_recon cor", "ImageType": DERIVED}, Code.REFORMATTED),
    ],
)
def test_t2_is_what_its_physics_says(tmp_path: Path, more: dict[str, Any], expected: Role | Code) -> None:
    role = given(tmp_path, T2, **more)
    assert expected in {role.role, role.code}, role


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "DIXON", "WATER"], "SeriesDescription": "t1 +C"}, Role.CE_T1),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIXON", "FAT"], "SeriesDescription": "t1 +C"}, Code.DERIVED_SERIES),
        ({"SeriesDescription": "t1_vibe_dixon_tra_opp"}, Code.DERIVED_SERIES),
        ({"SeriesDescription": "t1_vibe_dixon_tra_W"}, Role.T1),
        ({"SeriesDescription": "t1_vibe_arteriell"}, Code.DYNAMIC_SERIES),
        ({"SeriesDescription": "t1_vibe_tra", "NumberOfTemporalPositions": 5}, Code.DYNAMIC_SERIES),
        ({"SeriesDescription": "t1_vibe_sub"}, Code.SUBTRACTION),
        ({"SeriesDescription": "t1_vibe w/wo"}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "t1_vibe", "Manufacturer": "GE MEDICAL SYSTEMS", "ProtocolName": "PELVIS +C"}, Role.T1),
        ({"SeriesDescription": "t1_vibe", "ProtocolName": "t1_vibe_tra_+C"}, Role.CE_T1),
    ],
)
def test_t1_images_are_told_apart(tmp_path: Path, more: dict[str, Any], expected: Role | Code) -> None:
    role = given(tmp_path, {**T1, **GRE}, **more)
    assert expected in {role.role, role.code}, role


@pytest.mark.parametrize(
    ("b_values", "more", "expected"),
    [
        ((0, 800), {"SeriesDescription": "Ax DWI ADC", **B0_B800}, Role.DWI),
        ((), {"SeriesDescription": "ADC", "ImageType": DERIVED}, Role.ADC),
        ((800,), {"SeriesDescription": "ADC", "ImageType": DERIVED}, Role.ADC),
        ((), {"SeriesDescription": "ADC (calculated)", "ImageType": DERIVED}, Role.ADC),
        ((), {"SeriesDescription": "ADC", "ImageType": ORIGINAL}, Code.NOT_RECOGNISED),
        ((), {"SeriesDescription": "eADC", "ImageType": DERIVED}, Code.DERIVED_SERIES),
        ((), {"SeriesDescription": "FA", "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "FA"]}, Code.DERIVED_SERIES),
        ((), {"SeriesDescription": "FA", "PhotometricInterpretation": "RGB"}, Code.COLOUR_MAP),
        ((1500,), {"SeriesDescription": "computed DWI b1500"}, Code.CALCULATED_B_VALUE),
        ((1500,), {"SeriesDescription": "DWI ADC calcb1500"}, Code.CALCULATED_B_VALUE),
        (
            (1000,),
            {"SeriesDescription": "DWI/ADC b1000", "ImageType": ["DERIVED", "PRIMARY", "OTHER"]},
            Code.DERIVED_SERIES,
        ),
        ((1000,), {"SeriesDescription": "DWI/ADC b1000"}, Role.DWI),
        ((), {"SeriesDescription": "ADC (10^-6 mm²/s): DWI b1000", "ImageType": DERIVED}, Role.ADC),
        ((), {"SeriesDescription": "DWI ADC", "ImageType": DERIVED}, Role.ADC),
        ((0,), {"SeriesDescription": "dwi"}, Code.B_VALUES_UNFIT),
        ((50, 800), {"SeriesDescription": "x", "ImageType": DERIVED}, Code.DERIVED_SERIES),
        ((50, 800), {"SeriesDescription": "x", "ImageType": DERIVED, "DiffusionDirectionality": "ISOTROPIC"}, Role.DWI),
    ],
)
def test_diffusion_images_are_told_from_what_is_made_of_them(
    tmp_path: Path, b_values: tuple[float, ...], more: dict[str, Any], expected: Role | Code
) -> None:
    role = given(tmp_path, DWI, *b_values, **more)
    assert expected in {role.role, role.code}, role
    if role.role is Role.DWI:
        assert role.b_values == b_values


def enhanced(folder: Path, stated: str, echo: str, echo_time: float, name: str = "") -> SeriesRole:
    """The role of eight frames of Enhanced MR whose header states this Acquisition Contrast."""
    maker = Maker(folder)
    series = maker.slices(
        np.ones(SHAPE), Grid(), {"SeriesDescription": name, "ImageType": ["ORIGINAL", "PRIMARY", stated]}
    )
    files = []
    for dataset in series:
        dataset.SOPClassUID, dataset.AcquisitionContrast = EnhancedMRImageStorage, stated
        dataset.EchoPulseSequence, dataset.NumberOfFrames = echo, 1
        groups = Dataset()
        for keyword, attributes in (
            ("PlanePositionSequence", {"ImagePositionPatient": list(dataset.ImagePositionPatient)}),
            ("PlaneOrientationSequence", {"ImageOrientationPatient": list(dataset.ImageOrientationPatient)}),
            ("PixelMeasuresSequence", {"PixelSpacing": list(dataset.PixelSpacing)}),
            ("MREchoSequence", {"EffectiveEchoTime": echo_time}),
            ("MRTimingAndRelatedParametersSequence", {"RepetitionTime": 4000.0 if echo == "SPIN" else 5.0}),
        ):
            nested = Dataset()
            for name_, value in attributes.items():
                setattr(nested, name_, value)
            setattr(groups, keyword, [nested])
        dataset.PerFrameFunctionalGroupsSequence = [groups]
        files.append(dataset)
    return classify(maker.headers(files))


@pytest.mark.parametrize(
    ("stated", "echo", "echo_time", "name", "expected"),
    [
        ("T1", "GRADIENT", 2.3, "", Role.T1),
        ("UNKNOWN", "GRADIENT", 2.3, "", Code.NOT_RECOGNISED),
        ("T2", "SPIN", 100.0, "", Role.T2_AXIAL),
        ("T1", "SPIN", 100.0, "", Code.NOT_RECOGNISED),
        ("PROTON_DENSITY", "SPIN", 100.0, "", Code.NOT_RECOGNISED),
        ("STIR", "SPIN", 100.0, "", Code.NOT_RECOGNISED),
        ("PERFUSION", "GRADIENT", 2.3, "", Code.NOT_RECOGNISED),
        ("DIFFUSION", "SPIN", 70.0, "", Code.B_VALUE_UNKNOWN),
    ],
)
def test_the_contrast_that_an_enhanced_header_states_counts_as_its_name_does(
    tmp_path: Path, stated: str, echo: str, echo_time: float, name: str, expected: Role | Code
) -> None:
    role = enhanced(tmp_path, stated, echo, echo_time, name)
    assert expected in {role.role, role.code}, role
