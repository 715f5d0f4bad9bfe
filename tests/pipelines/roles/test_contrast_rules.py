from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
