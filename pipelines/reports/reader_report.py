"""A reader's Structured Report: who made it, when, how final it is, and what it says of an exam's tumour."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom import Dataset

from pipelines.contract import ClinicalVariable, Code, InputUnfit, TimePoint
from pipelines.exam import is_report
from pipelines.headers.attributes import item, text, value
from pipelines.headers.files import UNREADABLE
from pipelines.reports.content_tree import Context, coded, content_items
from pipelines.reports.reported_item import About, Said, said_by

NOBODY = "a person not named"


@dataclass(frozen=True)
class Reported:
    """One value that a report gives a variable; ``rank`` as in :class:`pipelines.reports.clinical_codes.Meant`."""

    said: Said
    variable: ClinicalVariable


@dataclass(frozen=True)
class ReaderReport:
    """What a report says of one exam. ``when``: the later of its content and its verification, YYYYMMDDHHMMSS.

    ``standing``: 2 verified, 1 complete, 0 partial or preliminary. ``unfit``: why some of it cannot be used.
    """

    name: str
    when: str
    standing: int
    values: tuple[Reported, ...]
    unfit: tuple[str, ...]


def read_reader_report(path: Path, study_uids: Iterable[str], time_point: TimePoint) -> ReaderReport | None:
    """What the report says of the exam; None where it is no report of these studies, our own, or says nothing of it.

    Basic Text, Enhanced, Comprehensive, Comprehensive 3D and Extensible SR are read alike, by their NUM and CODE
    items, in measurement groups (PS3.16 TID 1410, 1411, 1501) or not. What a device alone observed is no reader's.

    Raises InputUnfit (READER_REPORT_UNFIT) where the object cannot be read.
    """
    try:
        dataset = pydicom.dcmread(path)
        return _read(dataset, frozenset(study_uids), time_point)
    except UNREADABLE as error:
        raise InputUnfit(Code.READER_REPORT_UNFIT, f"{path.name} cannot be read: {error}") from error


def _read(dataset: Dataset, study_uids: frozenset[str], time_point: TimePoint) -> ReaderReport | None:
    if not is_report(dataset) or text(dataset, "StudyInstanceUID") not in study_uids:
        return None
    about = About(time_point, study_uids, _evidence(dataset))
    values: list[Reported] = []
    unfit: list[str] = []
    for content in content_items(dataset):
        try:
            said = said_by(content, about)
            if said is not None:
                values.append(_reported(dataset, said, content.context))
        except InputUnfit as refused:
            unfit.append(refused.reason)
    if not values and not unfit:
        return None
    name = f"report {_title(dataset)} of {_day(_made(dataset))}"
    return ReaderReport(name, _when(dataset), _standing(dataset), tuple(values), tuple(dict.fromkeys(unfit)))


def _reported(dataset: Dataset, said: Said, context: Context) -> Reported:
    """Raises InputUnfit where no person stands behind the item."""
    readers = context.persons if context.observed else _authors(dataset)
    if not readers and not _verifiers(dataset):
        who = "a device alone observed it" if context.observed else "it names no person who observed it"
        raise InputUnfit(Code.READER_REPORT_UNFIT, f"{who}, so that it is no reader's")
    variable = ClinicalVariable(
        variable=said.variable,
        origin=f"{_origin(dataset, readers)}; {said.how}",
        millimetres=said.millimetres,
        category=said.category,
        source_sop_uid=text(dataset, "SOPInstanceUID"),
    )
    return Reported(said, variable)


def _origin(dataset: Dataset, readers: tuple[str, ...]) -> str:
    who = " and ".join(reader or NOBODY for reader in readers) or "a device"
    parts = [f"{who} in {_title(dataset)} of {_day(_made(dataset))}"]
    if _verifiers(dataset):
        parts.append(f"verified by {' and '.join(name or NOBODY for name in _verifiers(dataset))}")
    if _is_partial(dataset):
        parts.append("a partial report")
    if _is_preliminary(dataset):
        parts.append("a preliminary report")
    return ", ".join(parts)


def _authors(dataset: Dataset) -> tuple[str, ...]:
    """The persons of the Author Observer Sequence, PS3.3 C.17.2."""
    authors = value(dataset, "AuthorObserverSequence") or ()
    return tuple(text(one, "PersonName") for one in authors if text(one, "ObserverType").upper() == "PSN")


def _verifiers(dataset: Dataset) -> tuple[str, ...]:
    """The persons who verified the report, PS3.3 C.17.2; none where it is not verified."""
    if text(dataset, "VerificationFlag").upper() != "VERIFIED":
        return ()
    return tuple(text(one, "VerifyingObserverName") for one in value(dataset, "VerifyingObserverSequence") or ())


def _standing(dataset: Dataset) -> int:
    if _is_partial(dataset) or _is_preliminary(dataset):
        return 0
    return 2 if _verifiers(dataset) else 1


def _is_partial(dataset: Dataset) -> bool:
    return text(dataset, "CompletionFlag").upper() == "PARTIAL"


def _is_preliminary(dataset: Dataset) -> bool:
    return text(dataset, "PreliminaryFlag").upper() == "PRELIMINARY"


def _title(dataset: Dataset) -> str:
    return repr(text(dataset, "SeriesDescription") or coded(dataset, "ConceptNameCodeSequence").meaning or "SR")


def _made(dataset: Dataset) -> str:
    for day, clock in (("ContentDate", "ContentTime"), ("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime")):
        if text(dataset, day):
            return _sortable(text(dataset, day) + text(dataset, clock))
    return ""


def _when(dataset: Dataset) -> str:
    verified = item(dataset, "VerifyingObserverSequence") if _verifiers(dataset) else None
    return max(_made(dataset), _sortable(text(verified, "VerificationDateTime")) if verified is not None else "")


def _sortable(stamp: str) -> str:
    """The digits of a date and time to the second; a time zone and fractions are left out (PS3.5 6.2, DT)."""
    digits = re.sub(r"\D", "", re.split(r"[+-]\d{4}$", stamp.strip())[0])
    return digits[:14].ljust(14, "0") if digits else ""


def _day(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}" if stamp else "an unknown day"


def _evidence(dataset: Dataset) -> dict[str, str]:
    """Study Instance UID by SOP Instance UID, of all that the report refers to (PS3.3 C.17.2)."""
    study_of: dict[str, str] = {}
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in value(dataset, keyword) or ():
            for series in value(study, "ReferencedSeriesSequence") or ():
                for instance in value(series, "ReferencedSOPSequence") or ():
                    study_of[text(instance, "ReferencedSOPInstanceUID")] = text(study, "StudyInstanceUID")
    return study_of
