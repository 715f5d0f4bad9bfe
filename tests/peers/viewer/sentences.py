"""Whether a report, read without its concept names as some viewers show it, still says what each number is.

Such a viewer prints "34 % 15 % 47 %". What helps then is the Comment (121106, DCM) of each group, whose sentences
repeat every number after its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom import Dataset

COMMENT = "121106"
_NUMBER = r"(?P<number>[+−-]?\d+(?:\.\d+)?)"
_PREDICTION = r"probability of [^:]+: [\d.]+ % "
_DIAMETER, _VOLUME, _ADC = r"longest diameter: %s mm", r"volume: %s cm³", r"mean ADC: %s ×10⁻⁶ mm²/s"
_CHANGE = rf", {_NUMBER} % from baseline"
#: What stands around a number in the sentences, by the meaning of its concept; otherwise the meaning comes before it.
_WORDS: dict[str, str] = {
    "Maximum 3D Diameter of a Mesh": _DIAMETER % _NUMBER,
    "Volume": _VOLUME % _NUMBER,
    "Apparent Diffusion Coefficient": _ADC % _NUMBER,
    "Change of longest diameter from baseline": _DIAMETER % r"[\d.]+" + _CHANGE,
    "Change of volume from baseline": _VOLUME % r"[\d.]+" + _CHANGE,
    "Change of mean ADC from baseline": _ADC % r"[\d.]+" + _CHANGE,
    "Coverage of the outcomes that remain possible": rf"{_NUMBER} % confidence",
    "Lower limit of predicted probability": rf"{_PREDICTION}\({_NUMBER}–",
    "Upper limit of predicted probability": rf"{_PREDICTION}\([\d.]+–{_NUMBER}",
}
for _months in (12, 24, 36, 60):
    _WORDS |= {
        f"Event-free share at {_months} months": rf"at {_months} months {_NUMBER} %",
        f"Lower limit of event-free share at {_months} months": rf"at {_months} months [\d.]+ % \({_NUMBER}–",
        f"Upper limit of event-free share at {_months} months": rf"at {_months} months [\d.]+ % \([\d.]+–{_NUMBER} %",
    }
_UNITS: Mapping[str, str] = {"10-6.mm2/s": "×10⁻⁶ mm²/s", "cm3": "cm³", "mm": "mm", "%": "%"}


@dataclass(frozen=True)
class Number:
    """A NUM of a report, with the comments of its group. ``unit`` is its UCUM code."""

    meaning: str
    value: str
    unit: str
    comments: tuple[str, ...]

    @property
    def decimals(self) -> int:
        return len(self.value.partition(".")[2])

    @property
    def is_explained(self) -> bool:
        """Whether a comment says the same number after its words, and with its unit."""
        otherwise = rf"{re.escape(self.meaning)}[^:.]*: {_NUMBER} {re.escape(_UNITS.get(self.unit, self.unit))}"
        pattern = re.compile(_WORDS.get(self.meaning, otherwise), re.IGNORECASE)
        found = (pattern.search(comment) for comment in self.comments)
        return any(match is not None and _value(match["number"]) == float(self.value) for match in found)


def numbers(report: Dataset) -> list[Number]:
    """Every NUM that has a value."""
    return [number for group in _containers(report) for number in _numbers_of(group)]


def unexplained(report: Dataset) -> list[Number]:
    return [number for number in numbers(report) if not number.is_explained]


def comments(item: Dataset) -> tuple[str, ...]:
    """The comments in a container, and not those further down."""
    return tuple(str(child.TextValue) for child in item.get("ContentSequence", ()) if is_comment(child))


def is_comment(item: Dataset) -> bool:
    return item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeValue == COMMENT


def without_comments(item: Dataset) -> None:
    """Take every comment out, here and further down."""
    if "ContentSequence" in item:
        item.ContentSequence = [child for child in item.ContentSequence if not is_comment(child)]
        for child in item.ContentSequence:
            without_comments(child)


def volume(report: Dataset, series: str) -> Number:
    """The volume in the group whose mask was drawn on this series."""
    (group,) = (group for group in _containers(report) if _source_series(group) == series)
    (found,) = (number for number in _numbers_of(group) if number.meaning == "Volume")
    return found


def _source_series(group: Dataset) -> str | None:
    return next((str(item.UID) for item in group.ContentSequence if _meaning(item).startswith("Source Series")), None)


def _containers(item: Dataset) -> Iterator[Dataset]:
    if item.ValueType == "CONTAINER":
        yield item
    for child in item.get("ContentSequence", ()):
        yield from _containers(child)


def _numbers_of(group: Dataset) -> Iterator[Number]:
    for item in group.get("ContentSequence", ()):
        if item.ValueType == "NUM" and item.get("MeasuredValueSequence"):
            measured = item.MeasuredValueSequence[0]
            unit = str(measured.MeasurementUnitsCodeSequence[0].CodeValue)
            yield Number(_meaning(item), str(measured.NumericValue), unit, comments(group))


def _meaning(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning) if "ConceptNameCodeSequence" in item else ""


def _value(said: str) -> float:
    """A number as sentences write it, with a minus sign and not a hyphen."""
    return float(said.replace("−", "-"))
