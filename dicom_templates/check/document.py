"""The PDF against the findings it was made from: that it is one, whole, whose it is, and from which images."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_templates.errors import ResultUnfit
from dicom_templates.sources import used_series
from pipelines.contract import Findings

_BEGIN, _END = b"%PDF-", b"%%EOF"


def check_document(document: Dataset, findings: Findings) -> None:
    """Raises ResultUnfit for a PDF that is cut, says nothing of the name on it, or refers to other images."""
    length = int(document.get("EncapsulatedDocumentLength") or 0)
    stored = bytes(document.EncapsulatedDocument)
    pdf = stored[:length]
    if not 0 <= len(stored) - length <= 1 or not pdf.startswith(_BEGIN) or not pdf.rstrip().endswith(_END):
        raise ResultUnfit("DOC: the encapsulated document is no whole PDF")
    if document.get("MIMETypeOfEncapsulatedDocument") != "application/pdf":
        raise ResultUnfit("DOC: the MIME type is not application/pdf")
    if document.get("BurnedInAnnotation") != "YES":
        raise ResultUnfit("DOC: the pages show a name and must say so in Burned In Annotation")
    used = {
        str(header.SOPInstanceUID)
        for exam in findings.case.exams
        for series in used_series(exam)
        for header in series.headers
    }
    cited = {str(item.ReferencedSOPInstanceUID) for item in document.SourceInstanceSequence}
    if cited != used:
        raise ResultUnfit("DOC: its source instances are not the images that were used")
