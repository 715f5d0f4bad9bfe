"""One sitting at OHIF: what of a study is opened by look.js, and what it saw."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from tests.conftest import missing
from tests.peers.javascript import run_script
from tests.peers.orthanc import running_orthanc
from tests.peers.scored import ScoredPair
from tests.peers.viewer.looks import Look
from tests.peers.viewer.site import running_site
from tests.programs import program

HERE = Path(__file__).parent
OHIF = HERE / "ohif"
SITTING_SECONDS = 180


@dataclass(frozen=True)
class Filed:
    """The results that are filed in the restaging study, beside the images that they were made from."""

    seg: Dataset
    report: Dataset
    page: Dataset
    document: Dataset | None

    @property
    def t2_series(self) -> str:
        """The series that the SEG belongs to."""
        return str(self.seg.ReferencedSeriesSequence[0].SeriesInstanceUID)


@dataclass(frozen=True)
class Document:
    """The bytes that OHIF handed to the browser's PDF viewer, and the window with what that made of them."""

    content: bytes
    window: Path


@dataclass(frozen=True)
class Seen:
    """What was on the screen. ``seg``: the T2 with the SEG over it, for each slice that was asked for.

    ``report`` is the text of the whole tree, and ``volume_mm3`` what OHIF itself measures in the segment.
    """

    t2: Look
    seg: tuple[Look, ...]
    volume_mm3: float
    report: str
    page: Look
    document: Document | None
    errors: tuple[str, ...]


def filed(pair: ScoredPair) -> Filed:
    """The results in the study that holds the report."""
    (report,) = pair.of(Comprehensive3DSRStorage)

    def beside(sop_class: UID) -> list[Dataset]:
        return [one for one in pair.of(sop_class) if one.StudyInstanceUID == report.StudyInstanceUID]

    (seg,), (page,) = beside(SegmentationStorage), beside(SecondaryCaptureImageStorage)
    (document,) = beside(EncapsulatedPDFStorage) or [None]
    return Filed(seg, report, page, document)


def sitting(pair: ScoredPair, slices: tuple[str, ...], folder: Path, artefacts: Path) -> Seen:
    """Store both exams and the results in an archive, open the restaging study, and look at everything in turn.

    ``slices`` are SOP instances of the T2. The screenshots stay in ``artefacts``.
    """
    browser = program("chromium", "chromium")
    if not (OHIF / "index.html").exists():
        missing("OHIF is not installed (run tests/peers/install.sh)")
    artefacts.mkdir(parents=True, exist_ok=True)
    drawings = folder / "drawings"
    drawings.mkdir()
    results = filed(pair)
    plan: dict[str, Any] = {
        "chromium": str(browser),
        "out": str(artefacts),
        "drawings": str(drawings),
        "study": results.report.StudyInstanceUID,
        "t2": results.t2_series,
        "slices": slices,
        "seg": results.seg.SeriesInstanceUID,
        "report": results.report.SeriesInstanceUID,
        "page": results.page.SeriesInstanceUID,
        "document": results.document.SeriesInstanceUID if results.document else None,
    }
    with running_orthanc(folder / "orthanc", dicomweb=True) as orthanc:
        for exam in (pair.baseline, pair.restaging):
            orthanc.store(exam.glob("*.dcm"))
        orthanc.store(pair.results)
        with running_site(OHIF, orthanc.address) as address:
            (folder / "plan.json").write_text(json.dumps({**plan, "address": address}))
            done = run_script(HERE / "look.js", folder / "plan.json", seconds=SITTING_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return _seen(artefacts, drawings, with_document=results.document is not None)


def _seen(artefacts: Path, drawings: Path, *, with_document: bool) -> Seen:
    found = json.loads((artefacts / "seen.json").read_text())

    def look(what: dict[str, Any]) -> Look:
        picture = f"{what['name']}.png"
        place = {name: value for name, value in what.items() if name != "name"}
        return Look(drawings / picture, artefacts / picture, **place)

    return Seen(
        t2=look(found["t2"]),
        seg=tuple(look(one) for one in found["seg"]),
        volume_mm3=found["volume_mm3"],
        report=found["report"],
        page=look(found["page"]),
        document=_document(artefacts) if with_document else None,
        errors=tuple(found["errors"]),
    )


def _document(artefacts: Path) -> Document:
    return Document((artefacts / "6_document.pdf").read_bytes(), artefacts / "6_document.png")
