"""The summary page and the whole report as a PDF, for readers without a viewer of Structured Reports.

An Encapsulated PDF object (PS3.3 A.45.1, C.24.2). The first page is the summary page as vectors, light for paper, on A4
landscape; the report's sentences follow it uncut. Nothing in the bytes depends on the clock or on chance: a repeat of
the same work is the same object.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from matplotlib import rc_context
from matplotlib.backends.backend_pdf import PdfPages
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from dicom_templates import codes
from dicom_templates.document_text import draw_text_pages
from dicom_templates.filing import file_in, stamp
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, ResultIdentity, phantom_trained
from dicom_templates.kinds import Kind
from dicom_templates.page import Page
from dicom_templates.palette import DPI, PAPER
from dicom_templates.sources import reported_exam, study_header, used_series
from dicom_templates.summary import draw_summary
from dicom_templates.summary.frame import HEIGHT, WIDTH
from pipelines.contract import Findings

TITLE: Final = "AI summary: rectal MR"
MIME_TYPE: Final = "application/pdf"
_A4_LANDSCAPE_MM = (297.0, 210.0)
_PICTURE_DPI = 250  # of the pictures on the page; text and lines are vectors
#: Glyph outlines (Type 3): fonts with PostScript outlines, such as Noto Sans CJK, are embedded correctly only so.
_FONT_TYPE = 3


def build_document(findings: Findings, identity: ResultIdentity) -> Dataset:
    """The PDF as an Encapsulated PDF object, filed where the report is."""
    pdf = render_document(findings, identity)
    exam = reported_exam(findings.case)
    document = Dataset()
    document.SOPClassUID, document.SOPInstanceUID = EncapsulatedPDFStorage, identity.sop_uid(Kind.PDF)
    document.Modality, document.ConversionType = "DOC", "WSD"  # workstation, PS3.3 C.8.6.1
    document.SeriesDescription = identity.description("rectal MR summary and report", phantom_trained(findings))
    document.InstanceNumber = identity.version
    document.ContentDate, document.ContentTime = _date_and_time(identity)
    document.AcquisitionDateTime = ""
    document.BurnedInAnnotation = "YES"
    document.RecognizableVisualFeatures = "NO"
    document.VerificationFlag = "UNVERIFIED"
    document.DocumentTitle = TITLE
    document.ConceptNameCodeSequence = [_title_item()]
    document.SourceInstanceSequence = _sources(findings)
    document.MIMETypeOfEncapsulatedDocument = MIME_TYPE
    document.EncapsulatedDocumentLength = len(pdf)
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)  # OB has an even length, PS3.5 6.2
    stamp(document, Kind.PDF, identity)
    del document.BodyPartExamined  # the Encapsulated Document Series module has none (PS3.3 C.24.1)
    file_in(document, study_header(exam))
    return document


def render_document(findings: Findings, identity: ResultIdentity) -> bytes:
    """The PDF's own bytes."""
    pages = [_paper()]
    draw_summary(pages[0], findings, identity)
    pages += draw_text_pages(_paper, findings, identity)
    buffer = BytesIO()
    about = {
        "Title": TITLE,
        "Author": f"{MANUFACTURER}, {identity.station}",
        "Subject": "RESEARCH USE ONLY",
        "Creator": f"{MODEL_NAME} {identity.software_version}",
        "Producer": "matplotlib",
        "CreationDate": identity.created,
    }
    with rc_context({"pdf.fonttype": _FONT_TYPE, "pdf.compression": 9}), PdfPages(buffer, metadata=about) as pdf:
        for page in pages:
            pdf.savefig(page.figure, dpi=_PICTURE_DPI)
    return buffer.getvalue()


def _paper() -> Page:
    """A light page in the middle of A4."""
    full = [millimetres / 25.4 * DPI for millimetres in _A4_LANDSCAPE_MM]
    return Page(WIDTH, HEIGHT, PAPER, ((full[0] - WIDTH) / 2, (full[1] - HEIGHT) / 2))


def _date_and_time(identity: ResultIdentity) -> tuple[str, str]:
    created = identity.local_time
    return created.strftime("%Y%m%d"), created.strftime("%H%M%S")


def _title_item() -> Dataset:
    item = Dataset()
    title = codes.SUMMARY
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = title.value, title.scheme_designator, title.meaning
    return item


def _sources(findings: Findings) -> list[Dataset]:
    """The images that the numbers and the pictures come from."""
    items = []
    for exam in reversed(findings.case.exams):
        for series in used_series(exam):
            for header in series.headers:
                item = Dataset()
                item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
                items.append(item)
    return items
