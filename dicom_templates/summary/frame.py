"""The frame of a page: title and flags, patient and exams, version, limits of use, and what made it."""

from __future__ import annotations

from collections.abc import Iterable

from dicom_templates import palette, wording
from dicom_templates.boxes import Box
from dicom_templates.fonts import display_name
from dicom_templates.identity import PHANTOM, ResultIdentity, phantom_trained
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.report.context import version_sentence
from dicom_templates.summary.models import fine_print
from pipelines.contract import Code, Exam, Findings, Patient

WIDTH, HEIGHT = 2000, 1500
MARGIN = 48.0
# With the patient and the exams. A widely used viewer writes date and series description over the upper left corner,
# as far down as this band's upper edge: the title may be written over, the patient may not.
BAND = Box(0, 130, WIDTH, 104)
_STRIP = 52.0
_MOST_LINES = 6  # of the limits of use
_TITLES = ("AI summary: rectal MR", "AI summary")


def draw_header(page: Page, findings: Findings, identity: ResultIdentity) -> float:
    """Title, the flags that no reader may miss, the patient, the exams, and a version above 1; the y below."""
    draw_title(page, [PHANTOM] if phantom_trained(findings) else [])
    page.rectangle(BAND, Ink.PANEL)
    left = _exams(page, findings)
    draw_patient(page, findings.case.exams[-1].files.patient, left - MARGIN - 40)
    if identity.version == 1:
        return BAND.bottom
    _version(page, findings, identity)
    return BAND.bottom + _STRIP


def draw_title(page: Page, flags: Iterable[str], titles: tuple[str, ...] = _TITLES) -> None:
    """The longest title that fits, then the flags at the right: RESEARCH USE ONLY, and the given ones after it."""
    left = page.width - MARGIN
    for words in flags:
        left = _tag(page, left, words, Ink.ROSE) - 16
    left = _tag(page, left, "RESEARCH USE ONLY", Ink.AMBER)
    fitting = [title for title in titles if page.measure(title, palette.TITLE) < left - MARGIN - 20]
    page.text(MARGIN, 28, fitting[0] if fitting else titles[-1], palette.TITLE)


def draw_patient(page: Page, patient: Patient, width: float) -> None:
    """Name, ID, birth date and sex, in the band below the title."""
    page.fitted(MARGIN, BAND.y + 4, display_name(patient.name), palette.NAME, width)
    parts = [f"ID {patient.patient_id}" + (f" ({patient.issuer})" if patient.issuer else "")]
    parts.append(f"born {iso_date(patient.birth_date)}" if patient.birth_date else "birth date unknown")
    parts.append({"F": "female", "M": "male", "O": "other sex"}.get(patient.sex, "sex unknown"))
    page.fitted(MARGIN, BAND.y + 62, " · ".join(parts), palette.BODY, width)


def footer_top(page: Page, findings: Findings) -> float:
    """Where the footer begins: it is as high as the limits of use are long."""
    lines = min(_MOST_LINES, len(_limits(page, findings)))
    return page.height - 52 - palette.STRONG.line - lines * palette.SMALL.line


def draw_footer(page: Page, findings: Findings, identity: ResultIdentity) -> None:
    """Limits of use in full sentences, then version, device and time."""
    top = footer_top(page, findings)
    page.line(((MARGIN, top - 9), (page.width - MARGIN, top - 9)), Ink.AMBER, 4)
    box = Box(MARGIN, top, page.width - 2 * MARGIN, page.height - 44 - top)
    y = page.paragraph(box, wording.RESEARCH_USE, palette.STRONG)
    page.paragraph(box.below(y + 2), " ".join(_limits(page, findings)), palette.SMALL)
    draw_made(page, identity, "Details, codes and references: AI Structured Report of the same study.")


def draw_made(page: Page, identity: ResultIdentity, where: str) -> None:
    """The last line: what made the page, and where there is more."""
    y = page.height - 36
    made = f"{version_sentence(identity)} {identity.station}, {identity.local_time:%Y-%m-%d %H:%M}."
    page.text(MARGIN, y, made, palette.SMALL)
    page.text(page.width - MARGIN, y, where, palette.SMALL, align="right")


def iso_date(value: str) -> str:
    """A DICOM date as ISO 8601; anything else unchanged."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdigit() else value


def _limits(page: Page, findings: Findings) -> list[str]:
    """The fine print in lines: with what each model is for, where that fits."""
    for text in (fine_print(findings), fine_print(findings, short=True)):
        lines = page.lines(text, palette.SMALL, page.width - 2 * MARGIN)
        if len(lines) <= _MOST_LINES:
            break
    return lines


def _tag(page: Page, right: float, words: str, ink: Ink) -> float:
    """A filled label that ends at ``right``; returns where it begins."""
    width = page.measure(words, palette.TAG) + 40
    box = Box(right - width, 30, width, 70)
    page.rounded(box, ink)
    page.centred(box, words, palette.TAG)
    return box.x


def _exams(page: Page, findings: Findings) -> float:
    """Dates of the exams and the interval, right-aligned; the x where they begin."""
    right, left = page.width - MARGIN, page.width - MARGIN
    style = palette.HEADING
    rows = [(palette.TIME_POINTS[exam.files.time_point], _exam_words(exam, findings)) for exam in findings.case.exams]
    for row, (ink, words) in enumerate(rows):
        y = BAND.y + 10 + row * 44 + (22 if len(rows) == 1 else 0)
        page.text(right, y, words, style.with_ink(ink), "right")
        left = min(left, right - page.measure(words, style))
    return left


def _exam_words(exam: Exam, findings: Findings) -> str:
    words = f"{wording.TIME_POINT_WORDS[exam.files.time_point]} MR {exam.files.study_date.isoformat()}"
    before = findings.case.baseline
    if before is None:
        return f"{words}, no baseline exam"
    if exam is before:
        return words if findings.case.restaging else f"{words}, no restaging exam"
    return f"{words} (after {(exam.files.study_date - before.files.study_date).days} days)"


def _version(page: Page, findings: Findings, identity: ResultIdentity) -> None:
    """A bright strip: this version replaces another, and why where the findings say it."""
    strip = Box(0, BAND.bottom, page.width, _STRIP)
    page.rectangle(strip, Ink.GOOD)
    words = f"VERSION {identity.version}, replaces version {identity.version - 1}"
    y = strip.y + 7
    x = page.text(MARGIN, y, words, palette.HEADING.with_ink(Ink.ON_BRIGHT)) + 36
    reasons = [f"{one.subject}: {one.reason}" for one in findings.warnings if one.code is Code.READER_MASK_USED]
    why = reasons[0] if reasons else f"Version {identity.version - 1} is not to be used any more."
    page.fitted(x, y + 4, wording.sentence(why), palette.BODY.with_ink(Ink.ON_BRIGHT), page.width - MARGIN - x)
