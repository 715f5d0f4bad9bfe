from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicom_templates.errors import TemplateError
from dicom_templates.figures import (
    changes,
    check_numbers,
    percent,
    rounded,
    shown,
    shown_limits,
    shown_percent,
    signed,
)
from pipelines.contract import AdcMap, Case, Findings, Measurement, Quantity, TimePoint

MakeFindings = Callable[..., Findings]


def with_baseline_adc(findings: Findings, **edits: object) -> Findings:
    baseline = findings.case.baseline
    assert baseline is not None and baseline.adc is not None
    adc: AdcMap = replace(baseline.adc, **edits)
    return replace(findings, case=Case(replace(baseline, adc=adc), findings.case.restaging))


def test_changes_are_whole_percent_of_the_unrounded_baseline_size_first(make_findings: MakeFindings) -> None:
    assert [(change.quantity, change.value) for change in changes(make_findings())] == [
        (Quantity.LONGEST_DIAMETER, round(100 * (24.78 / 41.23 - 1))),
        (Quantity.VOLUME, round(100 * (3.0512 / 11.4567 - 1))),
        (Quantity.ADC_MEAN, round(100 * (1390.06 / 1010.4 - 1))),
    ]


@pytest.mark.parametrize("edits", [{"b_values": (0.0, 1000.0)}, {"fit": "scanner"}])
def test_adcs_of_different_maps_are_not_compared(make_findings: MakeFindings, edits: dict[str, object]) -> None:
    found = {change.quantity: change for change in changes(with_baseline_adc(make_findings(), **edits))}
    assert found[Quantity.ADC_MEAN].value is None and "differ" in found[Quantity.ADC_MEAN].why_not
    assert found[Quantity.VOLUME].value is not None


def test_a_change_needs_both_time_points_and_a_baseline_above_zero(make_findings: MakeFindings) -> None:
    assert changes(make_findings("single exam")) == ()
    findings = make_findings()
    zero = replace(findings.measurements[0], value=0.0)
    found = {one.quantity: one for one in changes(replace(findings, measurements=(zero, *findings.measurements[1:])))}
    assert found[Quantity.VOLUME].value is None
    assert "not above zero" in found[Quantity.VOLUME].why_not


def test_numbers_are_rounded_as_radiologists_write_them(make_findings: MakeFindings) -> None:
    volume, diameter, adc = make_findings().measurements[3:]
    assert [rounded(one) for one in (volume, diameter, adc)] == [3.1, 25, 1390]
    assert [shown(one) for one in (volume, diameter, adc)] == ["3.1 cm³", "25 mm", "1390 ×10⁻⁶ mm²/s"]
    assert (percent(0.7344), shown_percent(0.7344), shown_limits(0.004, 0.829)) == (73, "73 %", "0.4–83 %")


@pytest.mark.parametrize(
    ("volume", "digits"),
    [(123.44, "123"), (99.97, "100"), (99.94, "99.9"), (7.02, "7.0"), (0.14, "0.1"), (0.0423, "0.042")],
)
def test_a_volume_has_one_decimal_below_a_hundred_and_is_never_rounded_away(
    make_findings: MakeFindings, volume: float, digits: str
) -> None:
    one = replace(make_findings().measurements[0], value=volume)
    assert shown(one) == f"{digits} cm³"


def test_a_change_has_its_sign() -> None:
    assert [signed(one) for one in (-73.0, 38.0, 0.0)] == ["−73 %", "+38 %", "0 %"]


def test_numbers_that_no_result_may_carry_are_refused(make_findings: MakeFindings) -> None:
    findings = make_findings()
    first = findings.measurements[0]
    bad: list[Findings] = [
        replace(findings, measurements=(replace(first, unit="mm3"),)),
        replace(findings, measurements=(replace(first, value=float("nan")),)),
        replace(findings, scores=(replace(findings.scores[0], probability=1.2),)),
        replace(findings, scores=(replace(findings.scores[0], lower=0.9, upper=0.1),)),
        replace(findings, scores=(replace(findings.scores[0], lower=float("nan")),)),
    ]
    check_numbers(findings)
    for one in bad:
        with pytest.raises(TemplateError):
            check_numbers(one)


def test_a_measurement_is_found_by_quantity_and_time(make_findings: MakeFindings) -> None:
    numbers: tuple[Measurement, ...] = make_findings().measurements
    assert {(one.quantity, one.time_point) for one in numbers} == {(q, t) for q in Quantity for t in TimePoint}
