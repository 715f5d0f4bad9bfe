"""Whether the archive knows a study under the patient whom our result names, before anything is filed there.

A mismatch is a person's to decide: filed under another patient, a result is read as hers. The same name written
another way, or not stated, is none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from node.identity import contradictions
from pipelines.contract import Patient


class Agreement(StrEnum):
    IDENTICAL = "identical"
    COMPATIBLE = "compatible"
    MISMATCH = "mismatch"


@dataclass(frozen=True)
class ArchivedPatient:
    """Whose study it is in an archive. ``encoding``: Python's name of the character set that the answer came in."""

    patient: Patient
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Comparison:
    """What came of comparing; ``differences`` name each attribute that contradicts, with both values."""

    agreement: Agreement
    differences: tuple[str, ...] = ()


def compare(ours: Patient, archived: ArchivedPatient, here: str = "in the result") -> Comparison:
    """Our patient and the archive's. Raises nothing: what is blank or cannot be read is no evidence.

    ``here``: where our side of a difference stands, in words.
    """
    found = list(_contradictions(ours, archived))
    if found:
        words = tuple(f"{name} is '{one}' {here} and '{other}' in the archive" for name, one, other in found)
        return Comparison(Agreement.MISMATCH, words)
    return Comparison(Agreement.IDENTICAL if ours == archived.patient else Agreement.COMPATIBLE)


def _contradictions(ours: Patient, archived: ArchivedPatient) -> Iterator[tuple[str, str, str]]:
    theirs = archived.patient
    for attribute, here, there in (
        ("PatientID", ours.patient_id, theirs.patient_id),
        ("IssuerOfPatientID", ours.issuer, theirs.issuer),
    ):
        if here.strip(" \0") and there.strip(" \0") and here.strip(" \0") != there.strip(" \0"):
            yield attribute, here, there
    for attribute, here, there in contradictions(ours, theirs):
        if attribute != "PatientName" or not _legible_names_agree(ours, archived):
            yield attribute, here, there


def _legible_names_agree(ours: Patient, archived: ArchivedPatient) -> bool:
    """Whether the names agree in what the archive's character set can hold of ours.

    An archive that answers in Latin-1, say, leaves out other letters of its own name, or puts question marks; one that
    names no character set and uses one all the same (PS3.5 6.1.2) is read in the letters that all of them share.
    """
    theirs = _held(archived.patient.name, archived.encoding, "ignore")
    for lost in ("ignore", "replace"):
        reduced = _held(ours.name, archived.encoding, lost)
        if reduced == ours.name and theirs == archived.patient.name:
            return False  # nothing was lost
        pair = replace(ours, name=reduced), replace(archived.patient, name=theirs)
        if not any(attribute == "PatientName" for attribute, _, _ in contradictions(*pair)):
            return True
    return False


def _held(name: str, encoding: str, lost: str) -> str:
    return unicodedata.normalize("NFC", name).encode(encoding, lost).decode(encoding)
