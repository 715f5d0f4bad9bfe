"""Numbers as results show them: one rounding for the report, the page and the check.

A volume is given to 1 mm³, a diameter to 0.1 mm, an ADC to 0.1×10⁻⁶ mm²/s, percentages to 0.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dicom_templates.errors import TemplateError
from pipelines.contract import Exam, Findings, Measurement, Quantity, TimePoint

DECIMALS = {Quantity.VOLUME: 3, Quantity.LONGEST_DIAMETER: 1, Quantity.ADC_MEAN: 1}
PERCENT_DECIMALS = 1
NAMES = {
    Quantity.VOLUME: "Volume",
    Quantity.LONGEST_DIAMETER: "Longest diameter",
    Quantity.ADC_MEAN: "Mean ADC",
}
IN_SENTENCES = {
    Quantity.VOLUME: "volume",
    Quantity.LONGEST_DIAMETER: "longest diameter",
    Quantity.ADC_MEAN: "mean ADC",
}
UNITS = {Quantity.VOLUME: "cm3", Quantity.LONGEST_DIAMETER: "mm", Quantity.ADC_MEAN: "10-6.mm2/s"}
UNIT_WORDS = {"cm3": "cm³", "mm": "mm", "10-6.mm2/s": "×10⁻⁶ mm²/s", "%": "%"}


@dataclass(frozen=True)
class Change:
    """Change of a quantity from baseline to restaging, percent of baseline; ``value`` None and why not."""

    quantity: Quantity
    value: float | None
    why_not: str = ""


def check_numbers(findings: Findings) -> None:
    """Raises TemplateError for a number that no result may carry: not finite, in another unit, no probability."""
    for one in findings.measurements:
        if one.unit != UNITS[one.quantity]:
            raise TemplateError(f"{one.quantity} in {one.unit!r}, not in {UNITS[one.quantity]!r}")
        if not math.isfinite(one.value):
            raise TemplateError(f"{one.time_point} {one.quantity} is {one.value}")
    for score in findings.scores:
        if not (0 <= score.lower <= score.upper <= 1 and 0 <= score.probability <= 1):
            numbers = f"{score.probability} ({score.lower} to {score.upper})"
            raise TemplateError(f"{score.model.name}: {numbers} is no probability with limits")


def rounded(measurement: Measurement) -> float:
    """The value as it is written."""
    return round(float(measurement.value), DECIMALS[measurement.quantity])


def percent(probability: float) -> float:
    """A probability as it is written."""
    return round(100.0 * float(probability), PERCENT_DECIMALS)


def shown(measurement: Measurement) -> str:
    """The value in a sentence or on the page: fewer digits than the coded one, with its unit."""
    digits = {Quantity.VOLUME: 2 if measurement.value < 10 else 1, Quantity.LONGEST_DIAMETER: 0, Quantity.ADC_MEAN: 0}
    return f"{measurement.value:.{digits[measurement.quantity]}f} {UNIT_WORDS[measurement.unit]}"


def find(findings: Findings, quantity: Quantity, time_point: TimePoint) -> Measurement | None:
    """The measurement of this quantity at this time point."""
    for measurement in findings.measurements:
        if (measurement.quantity, measurement.time_point) == (quantity, time_point):
            return measurement
    return None


def changes(findings: Findings) -> tuple[Change, ...]:
    """Every quantity that was measured at both time points, with its change or the reason why none is given."""
    return tuple(change for quantity in Quantity if (change := _change(findings, quantity)) is not None)


def _change(findings: Findings, quantity: Quantity) -> Change | None:
    before = find(findings, quantity, TimePoint.BASELINE)
    after = find(findings, quantity, TimePoint.RESTAGING)
    if before is None or after is None:
        return None
    if not before.value > 0:
        return Change(quantity, None, "the baseline value is not above zero")
    if quantity is Quantity.ADC_MEAN and (differing := _adc_differs(findings)):
        return Change(quantity, None, differing)
    change = round(100.0 * (after.value - before.value) / before.value, PERCENT_DECIMALS)
    return Change(quantity, change + 0.0)  # never -0.0


def _adc_differs(findings: Findings) -> str:
    """Why the two ADC maps must not be compared; empty where they may be."""
    first, second = findings.case.baseline, findings.case.restaging
    if first is None or second is None or first.adc is None or second.adc is None:
        return ""
    if set(first.adc.b_values) != set(second.adc.b_values):
        return f"b-values differ: {b_words(first)} at baseline, {b_words(second)} at restaging"
    if first.adc.fit != second.adc.fit:
        return f"ADC maps differ: {first.adc.fit} at baseline, {second.adc.fit} at restaging"
    return ""


def b_words(exam: Exam) -> str:
    """The b-values of the exam's ADC map, in words."""
    if exam.adc is None:
        return "no ADC"
    return "b " + ", ".join(f"{b:g}" for b in exam.adc.b_values) if exam.adc.b_values else "b-values unknown"
