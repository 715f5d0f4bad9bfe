"""The page that says WITHDRAWN, for readers of archives that do not know rejection notes (IHE RAD IOCM).

It is made from the headers of what was sent alone, and filed in the series of summary pages, before the page that it
takes back: viewers open a series at its lowest instance number.
"""

from __future__ import annotations

from collections import Counter

from pydicom.dataset import Dataset

from dicom_templates import palette, wording
from dicom_templates.boxes import Box
from dicom_templates.identity import PHANTOM, ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.page import Page
from dicom_templates.palette import Ink, Style
from dicom_templates.secondary_capture import Capture, build_capture
from dicom_templates.summary.frame import BAND, HEIGHT, MARGIN, WIDTH, draw_made, draw_patient, draw_title, iso_date
from dicom_templates.withdrawal import Withdrawal
from pipelines.contract import Patient

_FIRST = 0  # Instance Number: before every version's page
_WORD = Style(270, Ink.ON_BRIGHT, bold=True)
_WHICH = Style(40, Ink.ON_BRIGHT, bold=True)
_REASON = Style(32)
_STEP = Style(27)
_ROW = 66.0
_MOST_SERIES = 9
_IDENTITY = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
_DO = (
    "Disregard every object listed at the right, in every study that holds one.",
    "Use none of its numbers and outlines. Check what was reported or decided with them.",
    "A newer version of the result, if there is one, is the only one that counts.",
)
#: The object in whose study the page is filed: the first of these that was sent.
_FILED_LIKE = (Kind.SUMMARY, Kind.REPORT, Kind.PDF, Kind.SEG_RESTAGING)


def build_withdrawn_page(withdrawal: Withdrawal) -> Dataset:
    """The page as a Secondary Capture Image object of Kind.WITHDRAWN."""
    identity = withdrawal.identity
    page = Page(WIDTH, HEIGHT)
    draw_withdrawn(page, withdrawal)
    what = identity.description("result WITHDRAWN, do not use", _is_phantom(withdrawal.objects))
    return build_capture(page.pixels(), Capture(Kind.WITHDRAWN, what, _FIRST, filed_like(withdrawal)), identity)


def draw_withdrawn(page: Page, withdrawal: Withdrawal) -> None:
    """Everything that is on the page."""
    draw_title(page, [PHANTOM] if _is_phantom(withdrawal.objects) else [])
    page.rectangle(BAND, Ink.PANEL)
    draw_patient(page, _patient(filed_like(withdrawal)), 1050)
    _draw_studies(page, withdrawal.objects)
    wide = Box(MARGIN, 240, page.width - 2 * MARGIN, 380)
    _draw_word(page, wide, withdrawal.identity, _made(withdrawal.objects))
    left, right = Box(MARGIN, 664, wide.width, 700).columns(2, 56)
    _draw_why(page, left, withdrawal.reason)
    _draw_objects(page, right, withdrawal.objects)
    rule = page.height - 106
    page.line(((MARGIN, rule), (page.width - MARGIN, rule)), Ink.AMBER, 4)
    page.text(MARGIN, rule + 12, wording.RESEARCH_USE, palette.STRONG)
    draw_made(page, withdrawal.identity, "Archives that know rejection notes hide these objects; this page is for all.")


def filed_like(withdrawal: Withdrawal) -> Dataset:
    """The object in whose study the page is filed: the summary page, or what a reader would open in its place."""
    for kind in _FILED_LIKE:
        series = str(withdrawal.identity.series_uid(kind))
        for one in withdrawal.objects:
            if str(one.get("SeriesInstanceUID", "")) == series:
                return one
    return withdrawal.objects[-1]


def _draw_studies(page: Page, objects: tuple[Dataset, ...]) -> None:
    """The studies that hold objects of the result, the latest last."""
    studies = {str(one.StudyInstanceUID): one for one in objects}
    shown = sorted(studies.values(), key=lambda one: str(one.get("StudyDate") or ""))[-2:]
    for row, one in enumerate(shown):
        words = " ".join(f"Study of {_date(one)} {one.get('StudyDescription') or ''}".split())
        y = BAND.y + 10 + row * 44 + (22 if len(shown) == 1 else 0)
        page.fitted(page.width - MARGIN, y, words, palette.HEADING, 800, "right")


def _draw_word(page: Page, box: Box, identity: ResultIdentity, made: str) -> None:
    """The one word that must be read from the other end of the room, and what it is said of."""
    page.panel(box, Ink.ROSE, Ink.ROSE)
    style = page.largest("WITHDRAWN", _WORD, box.width - 80, 60)
    page.centred(Box(box.x, box.y + 14, box.width, 270), "WITHDRAWN", style)
    words = f"Result version {identity.version}{made}, was withdrawn on {identity.local_time:%Y-%m-%d at %H:%M}."
    style = page.largest(words, _WHICH, box.width - 60, 22)
    page.centred(Box(box.x, box.bottom - 92, box.width, 60), words, style)


def _draw_why(page: Page, box: Box, reason: str) -> None:
    """The reason, then what a reader must do."""
    page.text(box.x, box.y, "Why", palette.HEADING)
    y = page.paragraph(box.below(box.y + 46).top(8 * _REASON.line), wording.sentence(reason), _REASON) + 30
    page.text(box.x, y, "What to do", palette.HEADING)
    y += 46
    for words in _DO:
        page.rectangle(Box(box.x, y + 15, 12, 12), Ink.ROSE)
        y = page.paragraph(Box(box.x + 32, y, box.width - 32, 3 * _STEP.line), words, _STEP) + 10


def _draw_objects(page: Page, box: Box, objects: tuple[Dataset, ...]) -> None:
    """What must be disregarded, as a viewer lists it: series description, study, number of objects."""
    page.text(box.x, box.y, "Objects of the withdrawn result", palette.HEADING)
    counted = Counter((_date(one), str(one.get("SeriesDescription") or one.get("Modality") or "")) for one in objects)
    y = box.y + 46
    for number, ((date, description), count) in enumerate(sorted(counted.items())):
        if number == _MOST_SERIES:
            page.text(box.x, y + 6, f"… and {len(counted) - number} more series", palette.NOTE)
            return
        page.rectangle(Box(box.x, y + 5, 6, _ROW - 14), Ink.ROSE)
        page.fitted(box.x + 20, y, description, palette.STRONG, box.width - 20)
        words = f"in the study of {date}" + (f", {count} objects" if count > 1 else "")
        page.text(box.x + 20, y + palette.STRONG.line - 3, words, palette.NOTE)
        y += _ROW


def _made(objects: tuple[Dataset, ...]) -> str:
    """When the result was made, where its objects say it."""
    dates = [str(one.get("ContentDate") or one.get("InstanceCreationDate") or "") for one in objects]
    known = sorted(date for date in dates if date)
    return f", made on {iso_date(known[-1])}" if known else ""


def _patient(source: Dataset) -> Patient:
    return Patient(*(str(source.get(keyword) or "") for keyword in _IDENTITY))


def _is_phantom(objects: tuple[Dataset, ...]) -> bool:
    return any(PHANTOM in str(one.get("SeriesDescription", "")) for one in objects)


def _date(one: Dataset) -> str:
    return iso_date(str(one.get("StudyDate") or "")) or "unknown date"
