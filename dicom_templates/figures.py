"""Numbers as results show them: one rounding for the coded value, the sentence, the page and the check.

As radiologists write them: a diameter in whole mm, a volume in cm³ with one decimal below 100 (a remnant under 0.1 cm³
to the cubic millimetre, or it would read 0.0), an ADC in whole 10⁻⁶ mm²/s, a change in whole percent of the unrounded
values, a probability as :func:`pipelines.contract.in_percent` has it. What a reader reported keeps the reader's digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from dicom_templates.errors import TemplateError
from pipelines.contract import Exam, Findings, Measurement, Quantity, Score, TimePoint, in_percent

#: Size first, as reports of restaging have it; signal after it.
ORDER: Final = (Quantity.LONGEST_DIAMETER, Quantity.VOLUME, Quantity.ADC_MEAN)
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
        _check_score(score)
    for exam in findings.case.exams:
        for reported in exam.clinical:
            if reported.millimetres is not None and not (math.isfinite(reported.millimetres)):
                raise TemplateError(f"{reported.variable} is reported as {reported.millimetres} mm")


def rounded(measurement: Measurement) -> float:
    """The value as it is written."""
    return float(written(measurement))


def written(measurement: Measurement) -> str:
    """The digits of the value, in the coded item, in sentences and on the page."""
    value = float(measurement.value)
    if measurement.quantity is not Quantity.VOLUME or value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.3f}"


def percent(probability: float) -> float:
    """A probability as it is written."""
    return in_percent(probability)


def plain(number: float) -> str:
    """A percentage or a reported value as text, without trailing zeros."""
    return f"{number:.10g}"


def signed(change: float) -> str:
    """A change in percent as text, with a typographic minus."""
    return f"{change:+.0f} %".replace("-", "−") if change else "0 %"


def shown(measurement: Measurement) -> str:
    """The value in a sentence or on the page, with its unit."""
    return f"{written(measurement)} {UNIT_WORDS[measurement.unit]}"


def shown_percent(probability: float) -> str:
    """A probability in a sentence or on the page."""
    return f"{plain(percent(probability))} %"


def shown_limits(lower: float, upper: float) -> str:
    """The limits of a probability in a sentence or on the page."""
    return f"{plain(percent(lower))}–{plain(percent(upper))} %"


def find(findings: Findings, quantity: Quantity, time_point: TimePoint) -> Measurement | None:
    """The measurement of this quantity at this time point."""
    for measurement in findings.measurements:
        if (measurement.quantity, measurement.time_point) == (quantity, time_point):
            return measurement
    return None


def changes(findings: Findings) -> tuple[Change, ...]:
    """Every quantity that was measured at both time points, with its change or the reason why none is given."""
    return tuple(change for quantity in ORDER if (change := _change(findings, quantity)) is not None)


def _change(findings: Findings, quantity: Quantity) -> Change | None:
    before = find(findings, quantity, TimePoint.BASELINE)
    after = find(findings, quantity, TimePoint.RESTAGING)
    if before is None or after is None:
        return None
    if not before.value > 0:
        return Change(quantity, None, "the baseline value is not above zero")
    if quantity is Quantity.ADC_MEAN and (differing := _adc_differs(findings)):
        return Change(quantity, None, differing)
    return Change(quantity, float(round(100.0 * (after.value - before.value) / before.value)))


def _adc_differs(findings: Findings) -> str:
    """Why the two ADC maps must not be compared; empty where they may be."""
    first, second = findings.case.baseline, findings.case.restaging
    if first is None or second is None or first.adc is None or second.adc is None:
        return ""
    if not first.adc.b_values or set(first.adc.b_values) != set(second.adc.b_values):
        return f"b-values differ: {b_words(first)} at baseline, {b_words(second)} at restaging"
    if first.adc.fit != second.adc.fit:
        return f"ADC maps differ: {first.adc.fit} at baseline, {second.adc.fit} at restaging"
    return ""


def b_words(exam: Exam) -> str:
    """The b-values of the exam's ADC map, in words."""
    if exam.adc is None:
        return "no ADC"
    return "b " + ", ".join(f"{b:g}" for b in exam.adc.b_values) if exam.adc.b_values else "b-values unknown"


def _check_score(score: Score) -> None:
    if not (0 <= score.lower <= score.upper <= 1 and 0 <= score.probability <= 1):
        numbers = f"{score.probability} ({score.lower} to {score.upper})"
        raise TemplateError(f"{score.model.name}: {numbers} is no probability with limits")
    for explanation in score.explanations:
        if not 0 <= explanation.inside_share <= 1:
            raise TemplateError(f"{score.model.name}: {explanation.inside_share} is no share of a saliency map")
    if score.nomogram is not None:
        points = (score.nomogram.total, *(axis.points for axis in score.nomogram.axes))
        if not all(math.isfinite(one) for one in points):
            raise TemplateError(f"{score.model.name}: the nomogram has points {points}")
