"""Whether an object came back from an archive as sent, but for what archives rewrite (PS3.4 Table B.2-1, 0xB000).

An archive files an object under what it knows of patient, visit and study, may say so in Original Attributes Sequence
(0400,0561), re-encodes and adds. It must not touch what the object says: pixel data, content tree, frames, references
and UIDs, and under which Patient ID it is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import DataElement, Dataset
from pydicom.tag import BaseTag, Tag

from node.identity import contradictions
from node.objects import patient_of

# What archives rewrite at the top level of an object from their own records of patient, visit, study and series.
COERCED = frozenset(
    {
        "SpecificCharacterSet",
        "TimezoneOffsetFromUTC",
        "InstanceCoercionDateTime",
        "OriginalAttributesSequence",
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "StationName",
        "StudyID",
        "StudyDate",
        "StudyTime",
        "StudyDescription",
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence",
        "ReferringPhysicianName",
        "NameOfPhysiciansReadingStudy",
        "PhysiciansOfRecord",
        "RequestingPhysician",
        "PerformingPhysicianName",
        "OperatorsName",
        "SeriesDate",
        "SeriesTime",
        "IssuerOfPatientID",
        "IssuerOfPatientIDQualifiersSequence",
        "OtherPatientIDs",
        "OtherPatientIDsSequence",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
        "AdmissionID",
        "ReferencedStudySequence",
        "ReferencedPatientSequence",
        "ReferencedPerformedProcedureStepSequence",
        "RequestAttributesSequence",
    }
)
# Compared as a person's name, birth date and sex are: written another way they are the same.
PATIENT = frozenset({"PatientName", "PatientBirthDate", "PatientSex"})
# Groups in which an addition would change what the object says: relationship, image, documents, segments, surfaces,
# presentation, structures, functional groups, pixels (PS3.6 section 6). Overlays are burnt into what is shown.
_MEANING = frozenset({0x0020, 0x0022, 0x0028, 0x0042, 0x0062, 0x0066, 0x0070, 0x3006, 0x5200, 0x7FE0})
_CONTENT_ITEMS = range(0xA000, 0xB000)  # of group 0040: the content tree, PS3.3 C.17.3
_TRAILING_PADDING = Tag(0xFFFC, 0xFFFC)
_LONGEST = 60


def differences(sent: Dataset, returned: Dataset) -> tuple[str, ...]:
    """How an object differs from the one that was sent, each attribute by name with both values; empty where it is it.

    Transfer syntax, group lengths, padding and private elements are no difference.
    """
    return (*_patient_differences(sent, returned), *_dataset_differences(sent, returned, ""))


def _patient_differences(sent: Dataset, returned: Dataset) -> Iterator[str]:
    for attribute, here, there in contradictions(patient_of(sent), patient_of(returned)):
        yield _differs(attribute, here, there)


def _dataset_differences(sent: Dataset, returned: Dataset, path: str) -> Iterator[str]:
    """``path`` leads to these datasets from the top, with a point at its end; empty at the top itself."""
    for element in sent:
        if not _is_ignored(element, path):
            yield from _element_differences(element, returned.get(element.tag), path)
    for element in returned:
        if element.tag in sent or _is_ignored(element, path) or not _values(element):
            continue
        if path or _has_meaning(element.tag):
            yield f"{path}{_name(element)} was not sent and is {_shown(element)} in the archive"


def _element_differences(sent: DataElement, returned: DataElement | None, path: str) -> Iterator[str]:
    where = f"{path}{_name(sent)}"
    if sent.VR == "SQ":
        items, others = list(sent.value), list(returned.value) if returned is not None and returned.VR == "SQ" else []
        if len(items) != len(others):
            yield f"{where} has {len(items)} items as sent and {len(others)} in the archive"
            return
        for number, (item, other) in enumerate(zip(items, others, strict=True), start=1):
            yield from _dataset_differences(item, other, f"{where}[{number}].")
        return
    there = _values(returned) if returned is not None else []
    if _values(sent) != there:
        yield _differs(where, _shown(sent), _shown(returned) if returned is not None else "absent")


def _is_ignored(element: DataElement, path: str) -> bool:
    tag = element.tag
    if tag.is_private or tag.element == 0 or tag == _TRAILING_PADDING:
        return True
    return not path and element.keyword in COERCED | PATIENT


def _has_meaning(tag: BaseTag) -> bool:
    is_overlay = tag.group & 0xFF00 == 0x6000
    return tag.group in _MEANING or is_overlay or (tag.group == 0x0040 and tag.element in _CONTENT_ITEMS)


def _values(element: DataElement) -> list[object]:
    """The values, so that equal ones compare equal in whatever encoding they came; empty where there is none."""
    value = element.value
    if value is None or value == "" or value == b"":
        return []
    if element.VR == "SQ":
        return list(value)
    if isinstance(value, bytes):
        return [value + b"\0" * (len(value) % 2)]  # values have an even length, PS3.5 7.1.1
    several = element.VM > 1
    return [_plain(one) for one in (value if several else [value])]


def _plain(value: object) -> object:
    if isinstance(value, float):
        return repr(float(value))  # not a number is itself here
    if isinstance(value, int):
        return int(value)
    return str(value).rstrip(" \0")


def _name(element: DataElement) -> str:
    return element.keyword or element.name  # repeating groups, such as overlays, have no keyword


def _shown(element: DataElement) -> str:
    if isinstance(element.value, bytes):
        return f"{len(element.value)} bytes"
    if element.VR == "SQ":
        return f"{len(element.value)} items"
    text = str(element.value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _differs(where: str, here: str, there: str) -> str:
    return f"{where} is '{here}' as sent and '{there}' in the archive"
