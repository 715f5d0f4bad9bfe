"""Every coded concept that we wrote must be a published one, with its published meaning."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_templates import codes
from dicom_templates.errors import ResultUnfit
from dicom_templates.sources import PATIENT, STUDY

_INHERITED = frozenset((*PATIENT, *STUDY))


def check_codes(dataset: Dataset) -> None:
    """Raises ResultUnfit for a (code, meaning) pair that neither PS3.16 (by pydicom) nor our own table has.

    An object that uses our own scheme must identify it (PS3.3 C.12.1.1.1). What was copied from the source study is
    the sender's business and not looked at.
    """
    schemes = set()
    for where, item in _coded(dataset):
        value, scheme, meaning = str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning)
        known = codes.meanings(value, scheme)
        if meaning.casefold() not in {one.casefold() for one in known}:  # PS3.16 itself varies in case
            expected = f"its meaning is {' or '.join(sorted(known))}" if known else "nobody defines this code"
            raise ResultUnfit(f"{dataset.Modality}: ({value}, {scheme}, {meaning!r}) in {where}: {expected}")
        schemes.add(scheme)
    declared = {str(item.CodingSchemeDesignator) for item in dataset.get("CodingSchemeIdentificationSequence", [])}
    if codes.SCHEME in schemes - declared:
        raise ResultUnfit(f"{dataset.Modality}: it uses the coding scheme {codes.SCHEME} and does not identify it")


def _coded(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Every code item that we wrote, with the sequence it stands in."""
    for element in dataset:
        if element.VR == "SQ" and element.keyword not in _INHERITED:
            for item in element.value:
                if "CodeValue" in item:
                    yield element.keyword, item
                yield from _coded(item)
