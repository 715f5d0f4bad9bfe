"""Received bytes -> what their header says. Pixels are never decoded here; a broken object is named, not kept."""

from __future__ import annotations

import re
from datetime import date, datetime
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from node.errors import ObjectError
from node.records import ObjectFacts
from pipelines.contract import Patient

# C-STORE failure statuses, PS3.4 Table B.2-1: 0xC000-0xCFFF is "Error: Cannot understand".
NOT_DICOM = 0xC000
IDENTIFIER_MISSING = 0xC001
TRUNCATED = 0xC002
MISMATCH = 0xA900  # "Error: Data Set does not match SOP Class"

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_HEADER_ERRORS = (InvalidDicomError, EOFError, ValueError, KeyError, AttributeError, TypeError, NotImplementedError)


def read_facts(encoded: bytes, announced_sop_uid: str = "") -> ObjectFacts:
    """What the header of one Part 10 object says.

    ``announced_sop_uid`` is the Affected SOP Instance UID of the C-STORE request (empty: not checked).
    Raises ObjectError, with the status to answer, for anything that could not be scored or found again.
    """
    try:
        dataset = dcmread(BytesIO(encoded))
        facts = _facts(dataset)
        _refuse_truncated(dataset)
    except ObjectError:
        raise
    except _HEADER_ERRORS as error:
        raise ObjectError(NOT_DICOM, f"not a readable DICOM object: {error}") from error
    if announced_sop_uid and facts.sop_uid != announced_sop_uid:
        raise ObjectError(MISMATCH, f"SOP Instance UID {facts.sop_uid} is not the announced {announced_sop_uid}")
    return facts


def _facts(dataset: Dataset) -> ObjectFacts:
    return ObjectFacts(
        sop_uid=_uid(dataset, "SOPInstanceUID"),
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        series_uid=_uid(dataset, "SeriesInstanceUID"),
        study_uid=_uid(dataset, "StudyInstanceUID"),
        patient=Patient(
            patient_id=_text(dataset, "PatientID"),
            issuer=_text(dataset, "IssuerOfPatientID"),
            name=_text(dataset, "PatientName"),
            birth_date=_text(dataset, "PatientBirthDate"),
            sex=_text(dataset, "PatientSex"),
        ),
        study_date=parse_date(_text(dataset, "StudyDate")),
        study_description=_text(dataset, "StudyDescription"),
        modality=_text(dataset, "Modality"),
        manufacturer=_text(dataset, "Manufacturer"),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
    )


def parse_date(text: str) -> date | None:
    """A DICOM DA value as a date; None where it is empty or no date."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _uid(dataset: Dataset, keyword: str) -> str:
    value = _text(dataset, keyword)
    if not value:
        raise ObjectError(IDENTIFIER_MISSING, f"{keyword} is missing")
    if len(value) > 64 or not _UID.fullmatch(value):
        raise ObjectError(IDENTIFIER_MISSING, f"{keyword} is not a UID")
    return value


def _refuse_truncated(dataset: Dataset) -> None:
    """Native pixel data must have the length its attributes promise (PS3.5 8.1.1); encapsulated must end as such."""
    if "PixelData" not in dataset:
        if "Rows" in dataset and "Columns" in dataset and "BitsAllocated" in dataset:
            raise ObjectError(TRUNCATED, "the object ends before its pixel data")
        return
    found = len(dataset.PixelData)
    if UID(dataset.file_meta.TransferSyntaxUID).is_encapsulated:
        if found == 0:
            raise ObjectError(TRUNCATED, "the encapsulated pixel data are empty")
        return
    frames = int(dataset.get("NumberOfFrames") or 1)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    bits = frames * samples * int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if found < (bits + 7) // 8:
        raise ObjectError(TRUNCATED, f"pixel data hold {found} of {(bits + 7) // 8} bytes")
