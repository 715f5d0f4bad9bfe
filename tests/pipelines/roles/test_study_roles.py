from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import EnhancedMRImageStorage

from pipelines.contract import Code, Role, SeriesRole
from pipelines.roles.study_roles import classified
from tests.pipelines.made_protocols import PROTOCOLS
from tests.pipelines.made_series import T1, T2, Grid, Maker

SHAPE = (8, 12, 10)
GRE = {"ScanningSequence": "GR", "EchoTime": 1.4, "RepetitionTime": 3.9, "ImageType": ["ORIGINAL", "PRIMARY", "M"]}


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.mark.parametrize("vendor", PROTOCOLS)
def test_a_rectal_protocol_is_recognised_as_each_vendor_writes_it(maker: Maker, vendor: str) -> None:
    protocol = PROTOCOLS[vendor](maker)
    found = [role for _, role in classified([maker.headers(made.datasets) for made in protocol])]
    for made, role in zip(protocol, found, strict=True):
        assert (role.role, role.b_values, role.code) == (made.role, made.b_values, made.code), role


def roles(maker: Maker, *series: dict[str, Any]) -> list[SeriesRole]:
    """T1 series one after another, ten minutes apart."""
    made = [
        maker.slices(np.ones(SHAPE), Grid(), {**T1, "AcquisitionTime": f"10{10 * number:02d}00", **attributes})
        for number, attributes in enumerate(series)
    ]
    return [role for _, role in classified([maker.headers(one) for one in made])]


def test_a_t1_after_the_same_protocol_named_unenhanced_is_enhanced(maker: Maker) -> None:
    before, after = roles(maker, {"SeriesDescription": "t1_tse nativ"}, {})
    assert (before.role, after.role) == (Role.T1, Role.CE_T1)
    assert "t1_tse nativ" in after.reason
    assert after.confidence < 0.8


def test_a_t1_after_a_dynamic_series_or_an_enhanced_one_is_enhanced(maker: Maker) -> None:
    _, after = roles(maker, {"SeriesDescription": "t1_twist_dyn", **GRE}, {})
    assert (after.role, "dynamic series" in after.reason) == (Role.CE_T1, True)
    _, after = roles(maker, {"SeriesDescription": "t1_vibe +C", **GRE}, {})
    assert after.role is Role.CE_T1


@pytest.mark.parametrize("name", ["trufi_sag_dynamic_defaecation", "cine bh phase 1", "FIESTA dynamic", "sBTFE_dyn"])
def test_a_t1_after_a_cine_is_not_enhanced_by_it(maker: Maker, name: str) -> None:
    _, after = roles(maker, {**GRE, "SeriesDescription": name}, {})
    assert (after.role, after.code) == (Role.T1, None)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ({"SeriesDescription": "DCE_gre"}, Role.CE_T1),
        ({"SeriesDescription": "Ax DISCO"}, Role.CE_T1),
        ({"SeriesDescription": "gre_dyn", "ContrastBolusAgent": "Dotarem"}, Role.CE_T1),
        ({"SeriesDescription": "gre_dyn"}, Code.NOT_RECOGNISED),
        ({"SeriesDescription": "t1_vibe_dyn nativ"}, Role.T1),
    ],
)
def test_what_a_dynamic_series_says_of_the_t1_after_it(maker: Maker, first: dict[str, Any], expected: Any) -> None:
    _, dynamic, after = roles(maker, T2, {**GRE, **first}, {})
    assert dynamic.code is Code.DYNAMIC_SERIES
    assert expected in {after.role, after.code}, after


def test_a_t1_after_one_named_unenhanced_in_any_language_is_no_guess(maker: Maker) -> None:
    before, after = roles(maker, {"SeriesDescription": "T1 AX S/ CONTRASTE"}, {"RepetitionTime": 500})
    assert (before.role, after.role) == (Role.T1, Role.T1)


def test_the_same_protocol_twice_without_any_sign_is_not_guessed(maker: Maker) -> None:
    before, after = roles(maker, {}, {})
    assert (before.role, after.role, after.code) == (Role.T1, Role.OTHER, Code.NOT_RECOGNISED)
    assert "a repeat, or enhanced" in after.reason


def test_an_agent_carried_over_into_every_series_enhances_only_the_last(maker: Maker) -> None:
    agent = {"ContrastBolusAgent": "Dotarem"}
    t2, before, after = roles(maker, {**T2, **agent}, agent, agent)
    assert t2.role is Role.T2_AXIAL
    assert (before.role, before.code) == (Role.OTHER, Code.NOT_RECOGNISED)
    assert (after.role, after.confidence) == (Role.CE_T1, 0.6)
    assert "every series from the first on" in after.reason


def test_an_agent_in_one_series_alone_is_believed(maker: Maker) -> None:
    _, before, after = roles(maker, {**T2}, {}, {"ContrastBolusAgent": "Dotarem"})
    assert (before.role, after.role, after.confidence) == (Role.T1, Role.CE_T1, 0.75)


def test_an_object_without_any_frame_beside_a_t1_is_no_crash(maker: Maker) -> None:
    (empty, *_) = maker.slices(np.ones(SHAPE), Grid(), T2, SOPClassUID=EnhancedMRImageStorage)
    empty.PerFrameFunctionalGroupsSequence = []
    t1 = maker.slices(np.ones(SHAPE), Grid(), T1)
    found = [role for _, role in classified([maker.headers([empty]), maker.headers(t1)])]
    assert [role.role for role in found] == [Role.OTHER, Role.T1]


def test_the_start_of_the_injection_decides(maker: Maker) -> None:
    agent = {"ContrastBolusAgent": "Dotarem", "ContrastBolusStartTime": "100500"}
    before, after = roles(maker, agent, agent)
    assert (before.role, after.role) == (Role.T1, Role.CE_T1)
    assert "before the injection" in before.reason
    (contradiction,) = roles(maker, {**agent, "SeriesDescription": "t1 post gd"})
    assert contradiction.code is Code.NOT_RECOGNISED
