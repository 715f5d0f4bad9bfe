"""The frame of the page: title and flags, patient and exams, limits of use, and what made it."""

from __future__ import annotations

from dicom_templates import palette, wording
from dicom_templates.fonts import display_name
from dicom_templates.identity import PHANTOM, ResultIdentity, phantom_trained
from dicom_templates.page import Box, Page, Style
from dicom_templates.report_context import version_sentence
from pipelines.contract import Exam, Findings, Patient

MARGIN = 40.0
HEADER_BOTTOM = 168.0
FOOTER_TOP = 1056.0


def draw_header(page: Page, findings: Findings) -> None:
    """Title, the flags that no reader may miss, the patient and the exams."""
    page.text(MARGIN, 27, "AI summary: rectal MR, tumour response", palette.TITLE)
    left = page.width - MARGIN
    if phantom_trained(findings):
        left = _tag(page, left, PHANTOM, palette.ROSE) - 14
    _tag(page, left, "RESEARCH USE ONLY", palette.AMBER)
    page.rectangle(Box(0, 82, page.width, 78), palette.PANEL)
    patient = findings.case.exams[-1].files.patient
    _patient(page, patient)
    _exams(page, findings)


def draw_footer(page: Page, findings: Findings, identity: ResultIdentity) -> None:
    """Limits of use in full sentences, then version, device and time."""
    box = Box(MARGIN, FOOTER_TOP, page.width - 2 * MARGIN, page.height - FOOTER_TOP - 36)
    page.line((MARGIN, FOOTER_TOP - 8), (page.width - MARGIN, FOOTER_TOP - 8), palette.AMBER, 3)
    first, *rest = wording.limits_of_use(findings)
    y = page.paragraph(box, first, palette.STRONG)
    page.paragraph(box.below(y + 2), " ".join(rest), palette.NOTE)
    made = f"{version_sentence(identity)} {identity.station}, {identity.local_time:%Y-%m-%d %H:%M}."
    page.text(MARGIN, page.height - 30, made, palette.SMALL)
    where = "Details, codes and references: AI Structured Report of the same study."
    page.text(page.width - MARGIN, page.height - 30, where, palette.SMALL, align="right")


def _tag(page: Page, right: float, words: str, colour: str) -> float:
    """A filled label that ends at ``right``; returns where it begins."""
    width = page.measure(words, palette.TAG) + 36
    page.rounded(Box(right - width, 16, width, 50), colour)
    page.text(right - width + 18, 27, words, palette.TAG)
    return right - width


def _patient(page: Page, patient: Patient) -> None:
    name = page.one_line(display_name(patient.name), palette.NAME, 760)
    page.text(MARGIN, 88, name, palette.NAME)
    parts = [f"ID {patient.patient_id}" + (f" ({patient.issuer})" if patient.issuer else "")]
    parts.append(f"born {_date(patient.birth_date)}" if patient.birth_date else "birth date unknown")
    parts.append({"F": "female", "M": "male", "O": "other sex"}.get(patient.sex, "sex unknown"))
    page.text(MARGIN, 129, page.one_line(" · ".join(parts), palette.BODY, 760), palette.BODY)


def _exams(page: Page, findings: Findings) -> None:
    """Dates of the exams and the interval, right-aligned."""
    right = page.width - MARGIN
    for row, exam in enumerate(findings.case.exams):
        colour = palette.TIME_POINTS[exam.files.time_point]
        words = f"{wording.TIME_POINT_WORDS[exam.files.time_point]} MR {exam.files.study_date.isoformat()}"
        page.text(right, 91 + row * 32, words + _interval(exam, findings), Style(21, colour, bold=True), align="right")


def _interval(exam: Exam, findings: Findings) -> str:
    before = findings.case.baseline
    if before is None or exam is before:
        return ""
    days = (exam.files.study_date - before.files.study_date).days
    return f" (after {days} days)"


def _date(value: str) -> str:
    """A DICOM date as ISO 8601; anything else unchanged."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdigit() else value
