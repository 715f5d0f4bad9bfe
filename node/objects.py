"""Received bytes -> what their header says. Pixels are never decoded here; a broken object is named, not kept."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
)

from node.durable import Draft
from node.errors import ObjectError
from node.header import PIXELS, TRUNCATED, Header, read_header, walked
from node.records import ObjectFacts
from pipelines.contract import Patient

# C-STORE failure statuses, PS3.4 Table B.2-1: 0xC000-0xCFFF is "Error: Cannot understand".
NOT_DICOM = 0xC000
IDENTIFIER_MISSING = 0xC001
MISMATCH = 0xA900  # "Error: Data Set does not match SOP Class"

_TRAILING_PADDING = 0xFFFCFFFC
_BEGIN_BYTES = 64 * 1024
_DA_LENGTH = 8  # YYYYMMDD, PS3.5 6.2
_EMPTY_OFFSET_TABLE = 8  # bytes of an item without a value, PS3.5 A.4
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
# All that pydicom raises on bytes that are not what they claim to be; some of it derives from nothing but Exception.
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    RecursionError,
    NotImplementedError,
    zlib.error,
)
_DOCUMENTS = {
    BasicTextSRStorage,
    EnhancedSRStorage,
    ComprehensiveSRStorage,
    Comprehensive3DSRStorage,
    KeyObjectSelectionDocumentStorage,
}
_WITHOUT_PIXELS = _DOCUMENTS | {
    RTStructureSetStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    EncapsulatedPDFStorage,
}


@dataclass(frozen=True)
class Announced:
    """What the C-STORE request said is coming: Affected SOP Class UID and Affected SOP Instance UID."""

    sop_class_uid: str
    sop_uid: str


def read_facts(encoded: bytes, announced: Announced | None = None) -> ObjectFacts:
    """What the header of one Part 10 object says.

    Raises ObjectError, with the status to answer, for anything that could not be scored or found again.
    """
    return _judged(lambda: read_header(encoded), announced)


def drafted_facts(draft: Draft, announced: Announced | None = None) -> ObjectFacts:
    """``read_facts`` of a file that has arrived; most are understood from their begin. Raises OSError too."""
    header = walked(draft.read(_BEGIN_BYTES), draft.size)
    return read_facts(draft.read(), announced) if header is None else _judged(lambda: header, announced)


def _judged(read: Callable[[], Header], announced: Announced | None) -> ObjectFacts:
    try:
        header = read()
        facts = _facts(header)
        _refuse_truncated(header)
    except ObjectError:
        raise
    except UNREADABLE as error:
        raise ObjectError(NOT_DICOM, f"not a readable DICOM object: {error}") from error
    if announced is not None and announced.sop_uid != facts.sop_uid:
        raise ObjectError(MISMATCH, f"SOP Instance UID {facts.sop_uid} is not the announced {announced.sop_uid}")
    if announced is not None and announced.sop_class_uid != facts.sop_class_uid:
        raise ObjectError(
            MISMATCH, f"SOP Class UID {facts.sop_class_uid} is not the announced {announced.sop_class_uid}"
        )
    return facts


def _facts(header: Header) -> ObjectFacts:
    return ObjectFacts(
        sop_uid=_uid(header, "SOPInstanceUID"),
        sop_class_uid=_uid(header, "SOPClassUID"),
        series_uid=_uid(header, "SeriesInstanceUID"),
        study_uid=_uid(header, "StudyInstanceUID"),
        patient=_patient(header),
        study_date=parse_date(header.text("StudyDate")),
        study_description=header.text("StudyDescription"),
        modality=header.text("Modality"),
        manufacturer=header.text("Manufacturer"),
        transfer_syntax_uid=_transfer_syntax(header),
    )


def patient_of(dataset: Dataset) -> Patient:
    """Whose object, or whose study in a query's answer, this is; blank where it does not say."""
    return _patient(Header(whole=dataset))


def _patient(header: Header) -> Patient:
    return Patient(
        patient_id=header.text("PatientID"),
        issuer=header.text("IssuerOfPatientID"),
        name=header.text("PatientName"),
        birth_date=header.text("PatientBirthDate"),
        sex=header.text("PatientSex"),
    )


def same_content(first: bytes, second: bytes) -> bool:
    """Whether two encodings hold the same data set: senders differ in VR encoding, item lengths and padding.

    Pixel data are compared as they are encoded, never decoded: another compression is another content.
    """
    try:
        return _elements(first) == _elements(second)
    except UNREADABLE:
        return False


def _elements(encoded: bytes) -> dict[BaseTag, DataElement]:
    """All elements but group lengths and trailing padding, which say nothing of the content (PS3.5 7.2, PS3.10 7.2)."""
    dataset = dcmread(BytesIO(encoded))
    return {one.tag: one for one in dataset if one.tag.element != 0 and one.tag != _TRAILING_PADDING}


def parse_date(text: str) -> date | None:
    """A DICOM DA value as a date; None where it is empty or no date."""
    if not (len(text) == _DA_LENGTH and text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _uid(header: Header, keyword: str) -> str:
    value = header.text(keyword)
    if not value:
        raise ObjectError(IDENTIFIER_MISSING, f"{keyword} is missing")
    if len(value) > 64 or not _UID.fullmatch(value):
        raise ObjectError(IDENTIFIER_MISSING, f"{keyword} is not a UID")
    return value


def _transfer_syntax(header: Header) -> str:
    if not header.transfer_syntax_uid:
        raise ObjectError(IDENTIFIER_MISSING, "TransferSyntaxUID is missing from the File Meta Information")
    return header.transfer_syntax_uid


def _refuse_truncated(header: Header) -> None:
    """Images end in pixel data of the length their attributes promise (PS3.5 8.1.1), documents have a content tree."""
    sop_class_uid = header.text("SOPClassUID")
    if sop_class_uid in _DOCUMENTS and not header.has("ContentSequence"):
        raise ObjectError(TRUNCATED, "the document ends before its content")
    if sop_class_uid in _WITHOUT_PIXELS:
        return
    pixels = next((keyword for keyword in PIXELS if header.has(keyword)), None)
    if pixels is None:
        raise ObjectError(TRUNCATED, "the object ends before its pixel data")
    found, is_encapsulated = header.extent(pixels)
    # Encapsulated pixel data have an undefined length (PS3.5 A.4), also in a transfer syntax newer than this program.
    if is_encapsulated:
        if found <= _EMPTY_OFFSET_TABLE:
            raise ObjectError(TRUNCATED, "the encapsulated pixel data hold no fragment")
        return
    bits = (header.number("NumberOfFrames") or 1) * (header.number("SamplesPerPixel") or 1)
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        number = header.number(keyword)
        if number is None:
            raise ObjectError(NOT_DICOM, f"{keyword} is missing")
        bits *= number
    if header.text("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if found < (bits + 7) // 8:
        raise ObjectError(TRUNCATED, f"pixel data hold {found} of {(bits + 7) // 8} bytes")
