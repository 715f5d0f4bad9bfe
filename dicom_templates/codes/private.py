"""The private coding scheme 99RESTAGE: a code with its definition, and how an object names the scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as Concept

from pipelines.contract import PRIVATE_SCHEME

SCHEME: Final = PRIVATE_SCHEME


@dataclass(frozen=True)
class PrivateCode:
    """A code of scheme 99RESTAGE. ``value``: SH, 16 characters; ``meaning``: LO, 64 characters (PS3.3 8.8)."""

    value: str
    meaning: str
    definition: str

    def __post_init__(self) -> None:
        if len(self.value) > 16 or len(self.meaning) > 64:
            raise ValueError(f"code {self.value} or its meaning is too long for SH and LO")

    @property
    def concept(self) -> Concept:
        return Concept(self.value, SCHEME, self.meaning)


def scheme_item() -> Dataset:
    """Item of the Coding Scheme Identification Sequence for 99RESTAGE (PS3.3 C.12.1.1.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Restage private codes, defined in deploy/conformance-codes.md"
    item.CodingSchemeResponsibleOrganization = "Restage"
    return item
