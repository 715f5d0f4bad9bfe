"""Every (code, meaning) pair of an object against the tables that others can read, without our own code.

The standard's codes as pydicom prints them, our private ones as ``deploy/conformance-codes.md`` publishes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pydicom.sr.codedict import codes

PUBLISHED = Path(__file__).resolve().parents[2] / "deploy" / "conformance-codes.md"
OUR_SCHEME = "99RESTAGE"

#: Standard codes that pydicom's dictionaries lack: (code, scheme) to the meaning, and where the standard prints it.
BY_HAND: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("276214006", "SCT"): ("Finding category", "PS3.16 TID 1411 and 1501"),
    ("C2348792", "UMLS"): ("Time Point", "PS3.16 TID 1502"),
    ("C0034375", "UMLS"): ("Qualitative Evaluations", "PS3.16 TID 1500"),
    ("260753009", "SCT"): ("Source", "PS3.16 TID 1601; pydicom has the wording of another edition"),
    ("15388", "FMA"): ("Wall of rectum", "Foundational Model of Anatomy; PS3.16 takes other codes from it"),
    ("en-US", "RFC5646"): ("English (United States)", "PS3.16 CID 5000"),
}

_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")


def complaints(dataset: Dataset) -> list[str]:
    """Every pair whose code nobody publishes, or not with this meaning (capitals apart: PS3.16 itself varies)."""
    found: dict[str, None] = {}
    declared = {str(item.CodingSchemeDesignator) for item in dataset.get("CodingSchemeIdentificationSequence") or ()}
    for where, item in _coded(dataset, "root"):
        value = next(str(item[keyword].value) for keyword in _VALUES if keyword in item)
        scheme, meaning = str(item.get("CodingSchemeDesignator", "")), str(item.get("CodeMeaning", ""))
        known = meanings().get((value, scheme), frozenset())
        if meaning.casefold() not in {one.casefold() for one in known}:
            found[f"{where}: ({value}, {scheme}, {meaning!r}), published as {sorted(known) or 'nothing'}"] = None
        if scheme.startswith("99") and scheme not in declared:
            found[f"{scheme} is used and not identified (PS3.3 C.12.1.1.1, Coding Scheme Identification)"] = None
    return list(found)


@cache
def meanings() -> Mapping[tuple[str, str], frozenset[str]]:
    """(code, scheme) to every meaning that is published for it."""
    known: dict[tuple[str, str], set[str]] = {}
    for scheme in codes.schemes():
        for code in getattr(codes, scheme).concepts.values():
            known.setdefault((code.value, scheme), set()).add(code.meaning)
    for key, (meaning, _) in BY_HAND.items():
        known.setdefault(key, set()).add(meaning)
    for value, meaning in private_table():
        known.setdefault((value, OUR_SCHEME), set()).add(meaning)
    return {key: frozenset(words) for key, words in known.items()}


def private_table() -> list[tuple[str, str]]:
    """(code, meaning) of every row under "Private codes" in the published table."""
    text = PUBLISHED.read_text(encoding="utf-8")
    section = text.split("## Private codes: 99RESTAGE", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    head, _, *body = rows
    assert head == ["code", "meaning", "definition"], head
    assert all(definition for _, _, definition in body), "a private code without a definition"
    return [(value, meaning) for value, meaning, _ in body]


def _coded(dataset: Dataset, where: str) -> Iterator[tuple[str, Dataset]]:
    if any(keyword in dataset for keyword in _VALUES):
        yield where, dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _coded(item, element.keyword or str(element.tag))
