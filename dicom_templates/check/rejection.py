"""Rejection notes against the withdrawal they were made from, without the library that wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from dicom_templates.codes.images import KEY_OBJECT_DESCRIPTION, REJECTED
from dicom_templates.errors import ResultUnfit
from dicom_templates.kinds import Result
from dicom_templates.rejection import by_study, note_kinds
from dicom_templates.sources import PATIENT, STUDY
from dicom_templates.withdrawal import Withdrawal


def check_rejections(notes: Sequence[Result], withdrawal: Withdrawal) -> None:
    """Raises ResultUnfit unless each study has its note, which rejects every object sent there, and nothing else."""
    studies = by_study(withdrawal)
    written = {str(note.dataset.StudyInstanceUID): note for note in notes}
    if len(written) != len(notes) or set(written) != set(studies):
        raise ResultUnfit(f"KO: {len(notes)} notes for {len(studies)} studies, or of other ones")
    kinds = note_kinds(withdrawal)
    for study, objects in studies.items():
        note = written[study]
        if note.kind is not kinds[study]:
            raise ResultUnfit(f"KO: the note of study {study} is filed as {note.kind}")
        _check_note(note, objects, withdrawal)


def _check_note(result: Result, objects: Sequence[Dataset], withdrawal: Withdrawal) -> None:
    note = result.dataset
    title = note.ConceptNameCodeSequence[0]
    if (title.CodeValue, title.CodingSchemeDesignator) != (REJECTED.value, REJECTED.scheme_designator):
        raise ResultUnfit(f"KO: the title is {title.CodeMeaning!r}, not {REJECTED.meaning!r}")
    expected = {str(one.SOPInstanceUID): str(one.SOPClassUID) for one in objects}
    if dict(_cited(note)) != expected:
        raise ResultUnfit("KO: the objects it rejects are not those that were sent")
    if dict(_evidence(note)) != {uid: str(one.SeriesInstanceUID) for uid, one in zip(expected, objects, strict=True)}:
        raise ResultUnfit("KO: the objects in evidence are not those that were sent")
    if withdrawal.reason.strip() not in _descriptions(note):
        raise ResultUnfit("KO: it does not give the reason")
    if str(note.SeriesInstanceUID) != withdrawal.identity.series_uid(result.kind):
        raise ResultUnfit(f"KO: it is in another series than the {result.kind} of this pair")
    for keyword in (*PATIENT, *STUDY):
        if keyword in objects[0] and str(note.get(keyword) or "") != str(objects[0].get(keyword) or ""):
            raise ResultUnfit(f"KO: {keyword} is {note.get(keyword)!r}, the objects have {objects[0].get(keyword)!r}")


def _cited(note: Dataset) -> Iterator[tuple[str, str]]:
    for item in note.ContentSequence:
        if item.ValueType in ("IMAGE", "COMPOSITE"):
            reference = item.ReferencedSOPSequence[0]
            yield str(reference.ReferencedSOPInstanceUID), str(reference.ReferencedSOPClassUID)


def _evidence(note: Dataset) -> Iterator[tuple[str, str]]:
    """(SOP Instance UID, Series Instance UID) of what is in evidence, which is of the note's own study alone."""
    for study in note.CurrentRequestedProcedureEvidenceSequence:
        if study.StudyInstanceUID != note.StudyInstanceUID:
            raise ResultUnfit("KO: evidence of another study")
        for series in study.ReferencedSeriesSequence:
            for instance in series.ReferencedSOPSequence:
                yield str(instance.ReferencedSOPInstanceUID), str(series.SeriesInstanceUID)


def _descriptions(note: Dataset) -> list[str]:
    return [
        str(item.TextValue)
        for item in note.ContentSequence
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeValue == KEY_OBJECT_DESCRIPTION.value
    ]
