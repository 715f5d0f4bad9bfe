from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.contract import Code, Role, TimePoint
from pipelines.exam import assemble
from pipelines.roles.series import classify
from pipelines.roles.site_rules import SiteRule, site_rule
from pipelines.roles.study_roles import classified
from tests.pipelines.made_series import DWI, T1, T2, Grid, Maker

SHAPE = (8, 12, 10)
SAGITTAL = Grid(orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_a_rule_names_a_series_that_would_be_refused(maker: Maker) -> None:
    odd = maker.slices(np.ones(SHAPE), Grid(), T2, SeriesDescription="rectum hr", ImageType=["DERIVED", "PRIMARY", "X"])
    assert classify(maker.headers(odd)).code is Code.DERIVED_SERIES
    rule = SiteRule(Role.T2_AXIAL, description="(?i)RECTUM hr", note="filtered on the console")
    role = classify(maker.headers(odd), [rule])
    assert (role.role, role.code, role.confidence) == (Role.T2_AXIAL, None, 1.0)
    assert "a rule of this site" in role.reason
    assert "filtered on the console" in role.reason


def test_a_rule_refuses_a_series_with_its_own_code(maker: Maker) -> None:
    rule = SiteRule(Role.OTHER, description="^t2_tse_tra$")
    role = classify(maker.headers(maker.slices(np.ones(SHAPE), Grid(), T2)), [rule])
    assert (role.role, role.code) == (Role.OTHER, Code.SITE_RULE)


def test_every_given_pattern_has_to_match_and_the_first_such_rule_counts(maker: Maker) -> None:
    (header, *_) = maker.slices(np.ones(SHAPE), Grid(), T2, ManufacturerModelName="Skyra", StationName="MR2")
    both = SiteRule(Role.T1, description="t2", station="MR3")
    first = SiteRule(Role.DWI, manufacturer="(?i)siemens", model="^Sky", station="MR2", protocol="")
    last = SiteRule(Role.ADC, description="t2")
    assert site_rule([both, first, last], header) is first
    assert site_rule([both], header) is None
    assert site_rule([SiteRule(Role.ADC, protocol="t2")], header) is None  # no Protocol Name at all


@pytest.mark.parametrize(
    ("role", "grid", "contrast", "code"),
    [
        (Role.DWI, Grid(), T2, Code.B_VALUE_UNKNOWN),
        (Role.T2_AXIAL, SAGITTAL, T1, Code.SITE_RULE),
        (Role.CE_T1, Grid(spacing=(25.0, 1.0, 1.0)), T1, Code.LOCALIZER),
    ],
)
def test_a_rule_decides_neither_geometry_nor_b_values(
    maker: Maker, role: Role, grid: Grid, contrast: dict[str, Any], code: Code
) -> None:
    series = maker.slices(np.ones(SHAPE), grid, contrast)
    assert classify(maker.headers(series), [SiteRule(role, description=".")]).code is code
    missing = maker.headers([*series[:3], *series[4:]])
    assert classify(missing, [SiteRule(Role.CE_T1, description=".")]).code in {Code.SLICE_MISSING, Code.LOCALIZER}


def test_a_ruled_dwi_lists_the_b_values_of_its_headers(maker: Maker) -> None:
    plain = {**DWI, "ImageType": ["DERIVED", "SECONDARY", "X"], "SeriesDescription": "x"}
    series = [
        dataset
        for b in (0.0, 900.0)
        for dataset in maker.slices(np.ones(SHAPE), Grid(), plain, SeriesInstanceUID="1.2.3", DiffusionBValue=b)
    ]
    assert classify(maker.headers(series)).role is Role.OTHER
    role = classify(maker.headers(series), [SiteRule(Role.DWI, description="^x$")])
    assert (role.role, role.b_values) == (Role.DWI, (0, 900))


def test_b_0_in_a_series_of_its_own_stays_with_its_partners_under_a_rule(maker: Maker) -> None:
    parts = [maker.slices(np.ones(SHAPE), Grid(), DWI, DiffusionBValue=b) for b in (0.0, 800.0)]
    rule = [SiteRule(Role.DWI, description="diff")]
    alone = classify(maker.headers(parts[0]), rule)
    assert (alone.role, alone.code, alone.b_values) == (Role.OTHER, Code.B_VALUES_UNFIT, (0.0,))
    found = classified([maker.headers(part) for part in parts], rule)
    assert [(role.role, role.b_values) for _, role in found] == [(Role.DWI, (0,)), (Role.DWI, (800,))]
    assert assemble(found, TimePoint.BASELINE, ()).chosen[Role.DWI].role.b_values == (0, 800)


def test_what_a_rule_decided_no_other_series_changes(maker: Maker) -> None:
    first = maker.slices(np.ones(SHAPE), Grid(), T1, AcquisitionTime="100000")
    later = maker.slices(np.ones(SHAPE), Grid(), T1, AcquisitionTime="101000", StationName="MR2")
    series = [maker.headers(first), maker.headers(later)]
    assert [role.role for _, role in classified(series)] == [Role.T1, Role.OTHER]
    assert [role.role for _, role in classified(series, [SiteRule(Role.T1, station="MR2")])] == [Role.T1, Role.T1]


def test_no_rule_matches_everything() -> None:
    with pytest.raises(ValueError, match="every series"):
        SiteRule(Role.T1)
