"""What an archive lists: studies of a patient, series of a study with their number of instances (PS3.4 C.6.2.1).

Optional keys may be left out or ignored there: what is matched by is looked at again here, and what is not stated is
empty or None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pydicom import Dataset

from node.ask import PATIENT_KEYS, Inquiry, archived_patient, keys_of, text_of
from node.demographics import ArchivedPatient
from node.objects import UNREADABLE, parse_date

MR = "MR"
_MOST_STUDIES = 500
_MOST_SERIES = 1000
_MOST_IMAGES = 20_000
_OF_A_STUDY = ("StudyInstanceUID", "StudyDescription", *PATIENT_KEYS)
_OF_A_SERIES = ("SeriesInstanceUID", "Modality", "SeriesDescription", "Manufacturer", "NumberOfSeriesRelatedInstances")


@dataclass(frozen=True)
class ListedStudy:
    """One study of an archive. ``modalities``: Modalities in Study (0008,0061); empty where it is not stated."""

    study_uid: str
    patient: ArchivedPatient
    date: date
    description: str
    modalities: frozenset[str]


@dataclass(frozen=True)
class ListedSeries:
    """One series of an archive. ``instances``: how many it has; None where the archive does not say."""

    series_uid: str
    modality: str
    description: str
    manufacturer: str
    instances: int | None


def list_mr_studies(inquiry: Inquiry, patient_id: str, first: date, last: date) -> tuple[ListedStudy, ...]:
    """Studies under a Patient ID with a Study Date from ``first`` to ``last``, the oldest first; raises AskError.

    Those that are said to hold no MR are left out. The issuer is not matched by: archives that do not keep it would
    answer with nothing (it is compared afterwards).
    """
    keys = keys_of("STUDY", **dict.fromkeys(_OF_A_STUDY, ""))
    keys.PatientID = patient_id
    if not patient_id.isascii():
        keys.SpecificCharacterSet = "ISO_IR 192"
    keys.StudyDate = f"{first:%Y%m%d}-{last:%Y%m%d}"  # range matching, PS3.4 C.2.2.2.5
    keys.ModalitiesInStudy = MR
    found = {one.study_uid: one for answer in inquiry.find(keys, _MOST_STUDIES) for one in _study(answer)}
    wanted = (one for one in found.values() if first <= one.date <= last and MR in (one.modalities or {MR}))
    return tuple(sorted(wanted, key=lambda one: (one.date, one.study_uid)))


def list_series(inquiry: Inquiry, study_uid: str) -> tuple[ListedSeries, ...]:
    """The series of a study; raises AskError."""
    keys = keys_of("SERIES", **dict.fromkeys(_OF_A_SERIES, ""))
    keys.StudyInstanceUID = study_uid
    answers = inquiry.find(keys, _MOST_SERIES)
    found = {one.series_uid: one for one in map(_series, answers) if one.series_uid}
    return tuple(found[uid] for uid in sorted(found))


def count_images(inquiry: Inquiry, study_uid: str, series_uid: str) -> int:
    """How many instances a series has, counted one by one; raises AskError."""
    keys = keys_of("IMAGE", StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid, SOPInstanceUID="")
    return len({text_of(answer, "SOPInstanceUID") for answer in inquiry.find(keys, _MOST_IMAGES)} - {""})


def _study(answer: Dataset) -> Iterator[ListedStudy]:
    """The study of an answer; nothing where it cannot be read, or has no date by which it could be a prior."""
    uid, day = text_of(answer, "StudyInstanceUID"), parse_date(text_of(answer, "StudyDate"))
    try:
        patient = archived_patient(answer)
    except UNREADABLE:
        return
    if uid and day is not None:
        yield ListedStudy(uid, patient, day, text_of(answer, "StudyDescription"), _modalities(answer))


def _modalities(answer: Dataset) -> frozenset[str]:
    try:
        stated = answer.get("ModalitiesInStudy") or ()
    except UNREADABLE:
        return frozenset()
    return frozenset([stated] if isinstance(stated, str) else map(str, stated))


def _series(answer: Dataset) -> ListedSeries:
    stated = text_of(answer, "NumberOfSeriesRelatedInstances")
    return ListedSeries(
        series_uid=text_of(answer, "SeriesInstanceUID"),
        modality=text_of(answer, "Modality"),
        description=text_of(answer, "SeriesDescription"),
        manufacturer=text_of(answer, "Manufacturer"),
        instances=int(stated) if stated.isdecimal() else None,
    )
