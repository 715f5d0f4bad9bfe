"""Every coded concept that we wrote must be a published one, with its published meaning."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_templates import codes
from dicom_templates.errors import ResultUnfit
from dicom_templates.sources import PATIENT, STUDY

_INHERITED = frozenset((*PATIENT, *STUDY))


def check_codes(dataset: Dataset) -> None:
    """Raises ResultUnfit for a (code, meaning) pair that neither PS3.16 (by pydicom) nor our own table has.

    What was copied from the source study is the sender's business and not looked at.
    """
    for element in dataset:
        if element.VR == "SQ" and element.keyword not in _INHERITED:
            for item in element.value:
                _check_item(item, str(dataset.Modality), element.keyword)


def _check_item(item: Dataset, modality: str, where: str) -> None:
    if "CodeValue" in item:
        value, scheme, meaning = str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning)
        known = codes.meanings(value, scheme)
        if meaning.casefold() not in {one.casefold() for one in known}:  # PS3.16 itself varies in case
            expected = f"its meaning is {' or '.join(sorted(known))}" if known else "nobody defines this code"
            raise ResultUnfit(f"{modality}: ({value}, {scheme}, {meaning!r}) in {where}: {expected}")
    for element in item:
        if element.VR == "SQ":
            for child in element.value:
                _check_item(child, modality, element.keyword)
