"""Received bytes -> what their header says. Pixels are never decoded here; a broken object is named, not kept."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag, Tag
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

from node.errors import ObjectError
from node.header_walk import Header, walk
from node.records import ObjectFacts
from pipelines.contract import Patient

# C-STORE failure statuses, PS3.4 Table B.2-1: 0xC000-0xCFFF is "Error: Cannot understand".
NOT_DICOM = 0xC000
IDENTIFIER_MISSING = 0xC001
TRUNCATED = 0xC002
MISMATCH = 0xA900  # "Error: Data Set does not match SOP Class"

_UNDEFINED = 0xFFFFFFFF
_TRAILING_PADDING = 0xFFFCFFFC
_EMPTY_OFFSET_TABLE = 8  # bytes of an item without a value, PS3.5 A.4
_SHORT = 2  # bytes of an unsigned short, PS3.5 6.2
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
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_HEADER = (
    "SpecificCharacterSet",
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyDescription",
    "Modality",
    "Manufacturer",
)
_EXTENT = ("NumberOfFrames", "SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "PhotometricInterpretation")
_WANTED = frozenset(map(Tag, (*_HEADER, *_EXTENT, *_PIXELS, "ContentSequence")))
_PLAIN = re.compile(rb"[0-9A-Za-z .,;:^()/+_*#&%<>!?@'\"-]*")
"""No delimiter, escape or control character, and none that some character set has another sign for."""


@dataclass(frozen=True)
class Announced:
    """What the C-STORE request said is coming: Affected SOP Class UID and Affected SOP Instance UID."""

    sop_class_uid: str
    sop_uid: str


def read_facts(encoded: bytes, announced: Announced | None = None) -> ObjectFacts:
    """What the header of one Part 10 object says.

    Raises ObjectError, with the status to answer, for anything that could not be scored or found again.
    """
    try:
        header = walk(encoded, _WANTED) or _read(encoded)
        facts = _facts(header)
        _refuse_truncated(header.dataset)
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


def _read(encoded: bytes) -> Header:
    """The whole object as pydicom reads it."""
    dataset = dcmread(BytesIO(encoded))
    _refuse_short_values(dataset)
    return Header(dataset, str(dataset.file_meta.TransferSyntaxUID))


def _facts(header: Header) -> ObjectFacts:
    dataset = header.dataset
    return ObjectFacts(
        sop_uid=_uid(dataset, "SOPInstanceUID"),
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        series_uid=_uid(dataset, "SeriesInstanceUID"),
        study_uid=_uid(dataset, "StudyInstanceUID"),
        patient=patient_of(dataset),
        study_date=parse_date(_text(dataset, "StudyDate")),
        study_description=_text(dataset, "StudyDescription"),
        modality=_text(dataset, "Modality"),
        manufacturer=_text(dataset, "Manufacturer"),
        transfer_syntax_uid=header.transfer_syntax_uid,
    )


def patient_of(dataset: Dataset) -> Patient:
    """Whose object, or whose study in a query's answer, this is; blank where it does not say."""
    return Patient(
        patient_id=_text(dataset, "PatientID"),
        issuer=_text(dataset, "IssuerOfPatientID"),
        name=_text(dataset, "PatientName"),
        birth_date=_text(dataset, "PatientBirthDate"),
        sex=_text(dataset, "PatientSex"),
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
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def _text(dataset: Dataset, keyword: str) -> str:
    plain = _plain(_raw(dataset, keyword))
    if plain is not None:
        return plain
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _plain(element: RawDataElement | None) -> str | None:
    """The text of an element that means the same in every character set; None where pydicom has to decode it."""
    if element is None or not isinstance(element.value, bytes):
        return None
    text = element.value.rstrip(b" \0")
    return text.decode("ascii").strip() if _PLAIN.fullmatch(text) else None


def _raw(dataset: Dataset, keyword: str) -> RawDataElement | None:
    """An element as it is encoded, as long as pydicom has not decoded it."""
    found: object = dataset.get_item(keyword)
    return found if isinstance(found, RawDataElement) else None


def _uid(dataset: Dataset, keyword: str) -> str:
    value = _text(dataset, keyword)
    if not value:
        raise ObjectError(IDENTIFIER_MISSING, f"{keyword} is missing")
    if len(value) > 64 or not _UID.fullmatch(value):
        raise ObjectError(IDENTIFIER_MISSING, f"{keyword} is not a UID")
    return value


def _refuse_short_values(dataset: Dataset) -> None:
    """A value shorter than its own length field: the bytes end before the object does."""
    for element in dataset.values():
        if not isinstance(element, RawDataElement) or element.length == _UNDEFINED or element.value is None:
            continue
        if len(element.value) < element.length:
            raise ObjectError(TRUNCATED, f"{element.tag} holds {len(element.value)} of {element.length} bytes")


def _refuse_truncated(dataset: Dataset) -> None:
    """Images end in pixel data of the length their attributes promise (PS3.5 8.1.1), documents have a content tree."""
    sop_class_uid = _text(dataset, "SOPClassUID")
    if sop_class_uid in _DOCUMENTS and "ContentSequence" not in dataset:
        raise ObjectError(TRUNCATED, "the document ends before its content")
    if sop_class_uid in _WITHOUT_PIXELS:
        return
    pixels = next((keyword for keyword in _PIXELS if keyword in dataset), None)
    if pixels is None:
        raise ObjectError(TRUNCATED, "the object ends before its pixel data")
    found, is_encapsulated = _extent(dataset, pixels)
    # Encapsulated pixel data have an undefined length (PS3.5 A.4), also in a transfer syntax newer than this program.
    if is_encapsulated:
        if found <= _EMPTY_OFFSET_TABLE:
            raise ObjectError(TRUNCATED, "the encapsulated pixel data hold no fragment")
        return
    frames, samples = _number(dataset, "NumberOfFrames") or 1, _number(dataset, "SamplesPerPixel") or 1
    bits = frames * samples
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        bits *= _needed(dataset, keyword)
    if _text(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if found < (bits + 7) // 8:
        raise ObjectError(TRUNCATED, f"pixel data hold {found} of {(bits + 7) // 8} bytes")


def _extent(dataset: Dataset, pixels: str) -> tuple[int, bool]:
    """Bytes of pixel data, and whether their length is undefined."""
    raw = _raw(dataset, pixels)
    if raw is not None and raw.VR in ("OB", "OW"):
        return len(raw.value or b""), raw.length == _UNDEFINED
    element = dataset[pixels]
    return len(element.value or b""), element.is_undefined_length


def _number(dataset: Dataset, keyword: str) -> int | None:
    raw = _raw(dataset, keyword)
    if raw is not None and raw.VR == "US" and raw.is_little_endian and raw.length == _SHORT:
        return int.from_bytes(raw.value or b"", "little")
    value = dataset.get(keyword)
    return None if value in (None, "") else int(value)


def _needed(dataset: Dataset, keyword: str) -> int:
    number = _number(dataset, keyword)
    if number is None:
        raise ValueError(f"{keyword} is missing")
    return number
