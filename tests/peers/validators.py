"""What validators and readers of others say against DICOM objects: ``validate`` for objects of any class we write.

A message is a complaint unless a table here accepts it, each with its reason. A class that no table names is one too:
nothing goes unchecked because nobody thought of it.
"""

from __future__ import annotations

import html
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from tests.peers import pixelmed, published_codes
from tests.programs import program

#: What dciodvfy says of correct objects, by regular expression, and why that is no fault of theirs.
ACCEPTED_BY_DCIODVFY: Final[Mapping[str, str]] = {
    r"Warning - .*CodingSchemeDesignator.* - Unrecognized defined term = <99RESTAGE>$": (
        "a private scheme, identified in the object; dciodvfy knows the schemes of the standard"
    ),
    r"Warning - </StudyID\(0020,0010\)> - Missing attribute or value that would be needed to build DICOMDIR$": (
        "as empty as in the real study's own images; the study's attributes are theirs, never ours to make up"
    ),
    r"Warning - </.*(ImageType|FrameType)\(.*\)\[4\]> - Unrecognized defined term = <QUANTITY>$": (
        "the term of a parametric map, PS3.3 C.8.16.1.4, which its tables of 2022 do not have"
    ),
    r"Warning - </(FrameOfReferenceUID|PositionReferenceIndicator|Image(Position|Orientation)Patient|SliceThickness)"
    r"\(\w+,\w+\)> - Attribute is not present in standard DICOM IOD$": (
        "the place of a picture of a slice, by which viewers sort and link: a Standard Extended SOP Class (PS3.2)"
    ),
}
#: What dcentvfy says of objects that agree with their study.
ACCEPTED_BY_DCENTVFY: Final[Mapping[str, str]] = {
    r"Warning - Different information entities for attribute - Element=<AccessionNumber> IE <(Study|Series)> versus": (
        "its own tables count Accession Number to the study in documents and to the series in images; the values "
        "themselves are compared by same_accession_number"
    ),
    r"Warning - Attribute present in one instance but not the other - Element=<(ReferringPhysicianName|StudyID)>": (
        "Type 2 attributes, which real images lack against the standard: they stand empty in our objects, as they "
        "must, or dciodvfy reports an error"
    ),
}
#: What DCMTK's programs say of objects that they read completely.
ACCEPTED_BY_DCMTK: Final[Mapping[str, str]] = {
    r"W: The VR checker does not support this Specific Character Set: ISO_IR 192$": "text in UTF-8 is not checked",
    r"W: Check for template constraints not yet supported$": "said of every key object selection; PixelMed checks them",
    r"W: (Testing: .*|Test passed\.)$": "what dcmpschk says of every file, and of every good one",
}


def validate(paths: Iterable[Path]) -> list[str]:
    """All that anybody has to say against these objects; empty for good ones. One line each, the file's name first."""
    return [one for check in CHECKS for one in check(list(paths))]


def unknown_classes(paths: Sequence[Path]) -> list[str]:
    """Objects whose class has no reader in :data:`READERS`."""
    classes = {path: dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID for path in paths}
    return [f"{path.name}: no reader is named for {one.name}" for path, one in classes.items() if one not in READERS]


def dciodvfy(paths: Sequence[Path]) -> list[str]:
    """Errors and warnings against the IOD, with the place of the attribute."""
    found = []
    for path in paths:
        lines = _run("dciodvfy", "dicom3tools", "-new", path).stderr.splitlines()
        said = [line for line in lines if line.startswith(("Error", "Warning", "Abort"))]
        found += [f"{path.name}: dciodvfy: {line}" for line in _beyond(said, ACCEPTED_BY_DCIODVFY)]
        if len(said) == len(lines):
            found.append(f"{path.name}: dciodvfy does not name the IOD")
    return found


def dcentvfy(results: Sequence[Path], sources: Sequence[Path]) -> list[str]:
    """Where our objects and the study they are filed in say different things of one patient, study or series.

    What it says of two source files is the scanner's business.
    """
    with tempfile.NamedTemporaryFile("w") as listed:
        listed.write("".join(f"{path}\n" for path in (*sources, *results)))
        listed.flush()
        done = _run("dcentvfy", "dicom3tools", "-f", Path(listed.name))
    lines = done.stderr.splitlines()
    said = [line for line in lines if line.startswith("Abort") or any(f"<{path}>" in line for path in results)]
    # It says the same of every pair of files: the first pair is enough.
    first = {line.split(" for file ")[0]: line for line in reversed(_beyond(said, ACCEPTED_BY_DCENTVFY))}
    return [f"dcentvfy: {line}" for line in first.values()]


def same_accession_number(results: Sequence[Path], sources: Sequence[Path]) -> list[str]:
    """What dcentvfy does not compare: the Accession Number of an object and of the images of its study."""
    tags = ["StudyInstanceUID", "AccessionNumber"]
    wanted = {
        str(header.StudyInstanceUID): str(header.get("AccessionNumber", ""))
        for header in (dcmread(path, specific_tags=tags) for path in sources)
    }
    found = []
    for path in results:
        header = dcmread(path, specific_tags=tags)
        stated, study = str(header.get("AccessionNumber", "")), wanted.get(str(header.StudyInstanceUID))
        if stated != study:
            found.append(f"{path.name}: AccessionNumber is {stated!r}, its study's images say {study!r}")
    return found


def readable(paths: Sequence[Path]) -> list[str]:
    """What DCMTK's programs cannot read, class by class."""
    found = []
    for path in paths:
        dataset = dcmread(path)
        for reader in READERS.get(dataset.SOPClassUID, ()):
            found += [f"{path.name}: {one}" for one in reader(path, dataset)]
    return found


def reports_valid(paths: Sequence[Path]) -> list[str]:
    """PixelMed's complaints about the reports among the objects."""
    reports = [path for path in paths if dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID in REPORTS]
    return [f"PixelMed: {one}" for path in reports for one in pixelmed.complaints(path)]


def codes_published(paths: Sequence[Path]) -> list[str]:
    return [f"{path.name}: {one}" for path in paths for one in published_codes.complaints(dcmread(path))]


CHECKS: Final = (unknown_classes, dciodvfy, readable, codes_published, reports_valid)


def _dumped(path: Path, _: Dataset) -> list[str]:
    return _dcmtk("dcmdump", path)


def _report_read(path: Path, dataset: Dataset) -> list[str]:
    """dsrdump and dsr2html read the whole tree: every sentence and every number is on the page they make of it."""
    found = _dcmtk("dsrdump", path)
    done = _run("dsr2html", "dcmtk", "--convert-to-utf8", path)
    page = _words(html.unescape(re.sub(r"<[^>]*>", " ", done.stdout)))
    found += _dcmtk("dsr2html", path)
    found += [f"dsr2html does not show {text!r}" for text in _shown(dataset) if _words(text) not in page]
    return found


def _shown(item: Dataset) -> Iterator[str]:
    for child in item.get("ContentSequence") or ():
        if child.ValueType == "TEXT":
            yield str(child.TextValue)
        if child.ValueType == "NUM" and child.get("MeasuredValueSequence"):
            yield str(child.MeasuredValueSequence[0].NumericValue)
        yield from _shown(child)


def _words(text: str) -> str:
    return " ".join(text.split())


def _picture_drawn(path: Path, _: Dataset) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return _dcmtk("dcm2pnm", path, Path(folder) / "picture.pnm")


def _pdf_taken_out(path: Path, _: Dataset) -> list[str]:
    """The document comes out whole, and poppler opens it."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "document.pdf"
        if found := _dcmtk("dcm2pdf", path, document):
            return found
        done = _run("pdftotext", "poppler-utils", document, "-")
        return [] if done.returncode == 0 and done.stdout.strip() else [f"pdftotext: {done.stderr or 'no text'}"]


def _presentation_state_checked(path: Path, _: Dataset) -> list[str]:
    return _dcmtk("dcmpschk", path)


Reader = Callable[[Path, Dataset], list[str]]
REPORTS: Final = (Comprehensive3DSRStorage, ComprehensiveSRStorage, KeyObjectSelectionDocumentStorage)
#: Who reads an object of each class here. The masks and numbers in them: test_other_readers.
READERS: Final[Mapping[str, tuple[Reader, ...]]] = {
    **dict.fromkeys(REPORTS, (_dumped, _report_read)),
    SegmentationStorage: (_dumped,),
    ParametricMapStorage: (_dumped,),
    SecondaryCaptureImageStorage: (_dumped, _picture_drawn),
    EncapsulatedPDFStorage: (_dumped, _pdf_taken_out),
    GrayscaleSoftcopyPresentationStateStorage: (_dumped, _presentation_state_checked),
}


def _dcmtk(name: str, *arguments: str | Path) -> list[str]:
    done = _run(name, "dcmtk", *arguments)
    said = [line for line in done.stderr.splitlines() if re.match("[WEF]: ", line)]
    found = [f"{name}: {line}" for line in _beyond(said, ACCEPTED_BY_DCMTK)]
    return found + ([f"{name} ended with {done.returncode}"] if done.returncode else [])


def _run(name: str, package: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(program(name, package)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)


def _beyond(lines: Iterable[str], accepted: Mapping[str, str]) -> list[str]:
    return [line for line in lines if not any(re.match(pattern, line) for pattern in accepted)]
