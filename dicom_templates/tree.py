"""Reading an SR tree (PS3.3 C.17.3): the few questions that the check and the text rendering ask."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as Concept


def concept(item: Dataset) -> tuple[str, str]:
    """(code value, scheme) of an item's name; two empty strings where it has none."""
    names = item.get("ConceptNameCodeSequence")
    return (str(names[0].CodeValue), str(names[0].CodingSchemeDesignator)) if names else ("", "")


def name(item: Dataset) -> str:
    """Meaning of an item's name."""
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeMeaning) if names else ""


def key(code: Concept) -> tuple[str, str]:
    """A code as :func:`concept` gives it."""
    return code.value, code.scheme_designator


def children(item: Dataset, wanted: Concept | None = None) -> list[Dataset]:
    """The items below this one, all of them or those of one name."""
    below = list(item.get("ContentSequence", []))
    return below if wanted is None else [child for child in below if concept(child) == key(wanted)]


def child(item: Dataset, wanted: Concept) -> Dataset | None:
    """The first item of this name below this one."""
    found = children(item, wanted)
    return found[0] if found else None


def walk(item: Dataset) -> Iterator[Dataset]:
    """Every item below this one."""
    for below in children(item):
        yield below
        yield from walk(below)


def value(item: Dataset | None) -> str:
    """The value of a TEXT, CODE, UIDREF, DATE or NUM item as text; empty for anything else."""
    if item is None:
        return ""
    if item.ValueType == "CODE":
        return str(item.ConceptCodeSequence[0].CodeMeaning)
    if item.ValueType == "NUM":
        return digits(item)
    attribute = {"TEXT": "TextValue", "UIDREF": "UID", "DATE": "Date"}.get(str(item.ValueType))
    return str(item.get(attribute, "")) if attribute else ""


def number(item: Dataset) -> float:
    """The value of a NUM item."""
    return float(item.MeasuredValueSequence[0].NumericValue)


def digits(item: Dataset) -> str:
    """The value of a NUM item as it is written."""
    return str(item.MeasuredValueSequence[0].NumericValue)


def unit(item: Dataset) -> str:
    """The UCUM unit of a NUM item."""
    return str(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue)
