"""PixelMed's DicomSRValidator, which the IHE Connectathon uses, on whole reports and on each measurement group alone.

Its matching is greedy: in a document with a group of TID 1411 it also measures groups of TID 1501 against TID 1411.
So every group is validated in a document of its own as well, and there nothing is excused.
"""

from __future__ import annotations

import atexit
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from pydicom import Dataset, dcmread

from tests.conftest import missing
from tests.programs import program

JAR = Path("/usr/share/java/pixelmed.jar")
PROGRAM = Path(__file__).parent / "ValidateReports.java"
# JDK 17 limits what XPath may do to less than the rules need.
_OPTIONS = (
    "-Xmx3g",
    "-XX:+UseSerialGC",
    *(f"-Djdk.xml.{limit}=0" for limit in ("xpathTotalOpLimit", "xpathExprOpLimit", "xpathExprGrpLimit")),
)
COMPLETE = "IOD validation complete"

_OUTSIDE = r"\(({}),\"[^\"]*\"\): Content Item not in template$"
#: What it says of correct reports, by regular expression, and why that is no fault of theirs.
ACCEPTED: Final[Mapping[str, str]] = {
    r"Warning: .*/(NUM|CODE|TEXT|UIDREF) " + _OUTSIDE.format(r"\w+,99RESTAGE"): (
        "our own items in a group: TID 1411 and 1501 are extensible"
    ),
    r"Warning: .*/TEXT " + _OUTSIDE.format("121106,DCM"): "the sentence in a group, which extends the templates too",
    r"Warning: .*\)/TEXT " + _OUTSIDE.format("55112-7,LN"): "the summary before all else, which extends TID 1500",
    r"Warning: .*/(TEXT|CODE) " + _OUTSIDE.format("276214006,SCT|(111000|111001|111002|111003|122405),DCM"): (
        "finding category and algorithm, which highdicom writes in every group: later editions than this program's"
    ),
    r'Warning: .*Code \((\d+),DCM,"([^"]*)"\) has different code meaning \("(?i:\2)"\) than code meaning in template '
    r'concept name \("(?i:\2)"\)$': "the meaning is the same but for its capitals, which PS3.16 changed after 2022",
}
#: And what it says of a whole document where a group of TID 1501 stands beside one of TID 1411.
ACCEPTED_BESIDE_OTHERS: Final[Mapping[str, str]] = {
    r"Error: Template 1411 VolumetricROIMeasurements/.*/\[Row (5|7|10)\] .*: Missing conditional content item$": (
        "greedy matching: alone in a document, the same group is found to be one of TID 1501, without an error"
    ),
}

Shape: TypeAlias = tuple[str, str, tuple[tuple[str, str, str], ...], tuple["Shape", ...]]

_MEASUREMENTS = "126010"  # Imaging Measurements, PS3.16 TID 1500 row 6


def complaints(path: Path) -> list[str]:
    """What it says of a report, whole and group by group, beyond what is accepted."""
    report = dcmread(path)
    found = [f"{path.name}: {one}" for one in _said_of(report, {**ACCEPTED, **ACCEPTED_BESIDE_OTHERS})]
    for number, document in enumerate(groups_alone(report), start=1):
        found += [f"{path.name}, group {number} alone: {one}" for one in _said_of_its_like(document)]
    return found


def _said_of_its_like(document: Dataset) -> list[str]:
    """What it says of a document, or said of one with the same items and codes: it takes seconds for each."""
    shape = _shape(document)
    if shape not in _said:
        _said[shape] = _said_of(document, ACCEPTED)
    return _said[shape]


_said: dict[Shape, list[str]] = {}


def _shape(item: Dataset) -> Shape:
    """Everything about an item that a template rules: its type, its place, its codes, and the items in it."""
    sequences = ("ConceptNameCodeSequence", "ConceptCodeSequence", "MeasurementUnitsCodeSequence")
    owners = (item, *item.get("MeasuredValueSequence", ()))
    named = [one for owner in owners for name in sequences for one in owner.get(name, ())]
    codes = tuple((str(one.CodeValue), str(one.CodingSchemeDesignator), str(one.CodeMeaning)) for one in named)
    children = tuple(_shape(child) for child in item.get("ContentSequence", ()))
    return (str(item.get("ValueType", "")), str(item.get("RelationshipType", "")), codes, children)


def groups_alone(report: Dataset) -> Iterator[Dataset]:
    """A document per measurement group, without the others."""
    count = sum(len(item.ContentSequence) for item in _measurements(report))
    for number in range(count):
        document = deepcopy(report)
        for item in _measurements(document):
            item.ContentSequence = [item.ContentSequence[number]]
        yield document


def _measurements(report: Dataset) -> list[Dataset]:
    """The containers of measurement groups."""
    items = report.get("ContentSequence") or []
    names = [item.get("ConceptNameCodeSequence") for item in items]
    return [item for item, name in zip(items, names, strict=True) if name and name[0].CodeValue == _MEASUREMENTS]


def _said_of(document: Dataset, accepted: Mapping[str, str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.dcm"
        document.save_as(path)
        lines = _validated(path)
    found = [line for line in lines if line.startswith(("Error", "Warning"))]
    found = [line for line in found if not any(re.match(pattern, line) for pattern in accepted)]
    return found if COMPLETE in lines else [*found, f"not validated: {' '.join(lines).strip()}"]


def _validated(path: Path) -> list[str]:
    """What it says of one file, line by line."""
    validator = _running_validator()
    assert validator.stdin is not None
    assert validator.stdout is not None
    validator.stdin.write(f"{path}\n")
    validator.stdin.flush()
    lines = []
    for line in validator.stdout:
        if line.rstrip("\n") == f"END {path}":
            return lines
        lines.append(line.rstrip("\n"))
    raise AssertionError("PixelMed's validator ended: " + " ".join(lines))


@cache
def _running_validator() -> subprocess.Popen[str]:
    """One process for the whole session: it takes ten seconds to become quick."""
    if not JAR.exists():
        missing(f"{JAR} is not installed (Debian package libpixelmed-java)")
    command = [str(program("java", "pixelmed-apps")), *_OPTIONS, "-cp", str(JAR), str(PROGRAM)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    atexit.register(process.kill)
    return process
