"""Rejection notes: what takes a result back in archives that know Imaging Object Change Management (IHE RAD IOCM).

One Key Object Selection document (PS3.3 A.35.4, TID 2010) per study that objects of the result were stored in,
titled "Rejected for Patient Safety Reasons" (CID 7031), with every one of them as a reference and the reason in words.
Archives without IOCM keep it as a document of the study; the WITHDRAWN page is for their readers.
"""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
from pydicom.dataset import Dataset

from dicom_templates.codes.images import REJECTED
from dicom_templates.errors import TemplateError
from dicom_templates.filing import file_in, stamp
from dicom_templates.identity import MANUFACTURER, ResultIdentity
from dicom_templates.kinds import Kind, Result
from dicom_templates.observer import device_observer
from dicom_templates.sources import for_highdicom
from dicom_templates.withdrawal import Withdrawal
from pipelines.contract import TimePoint


def build_rejections(withdrawal: Withdrawal) -> tuple[Result, ...]:
    """A rejection note for each study of the withdrawn objects. TemplateError where objects lack what names them."""
    kinds = note_kinds(withdrawal)
    return tuple(
        Result(kinds[study], _note(objects, kinds[study], withdrawal))
        for study, objects in by_study(withdrawal).items()
    )


def by_study(withdrawal: Withdrawal) -> dict[str, tuple[Dataset, ...]]:
    """The withdrawn objects by Study Instance UID, each once, in their order."""
    studies: dict[str, dict[str, Dataset]] = {}
    for one in withdrawal.objects:
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
            if not one.get(keyword):
                raise TemplateError(f"a withdrawn object has no {keyword}, so that nothing can refer to it")
        studies.setdefault(str(one.StudyInstanceUID), {})[str(one.SOPInstanceUID)] = one
    return {study: tuple(objects.values()) for study, objects in studies.items()}


def note_kinds(withdrawal: Withdrawal) -> dict[str, Kind]:
    """The kind of each study's note. Where two studies come out alike, the earlier one is the baseline's.

    Raises TemplateError where a result has objects in more than two studies.
    """
    studies = by_study(withdrawal)
    kinds = {study: _note_kind(objects, withdrawal.identity) for study, objects in studies.items()}
    if len(set(kinds.values())) == len(kinds):
        return kinds
    if len(kinds) > 2:
        raise TemplateError(f"a result has objects in two studies at most, not {len(kinds)}")
    dates = {study: (str(objects[0].get("StudyDate") or ""), study) for study, objects in studies.items()}
    earlier, later = sorted(studies, key=lambda study: dates[study])
    return {earlier: Kind.REJECTION_BASELINE, later: Kind.REJECTION_RESTAGING}


def _note_kind(objects: Sequence[Dataset], identity: ResultIdentity) -> Kind:
    """The note of the study that these objects are in: the baseline's where they are about the baseline exam alone."""
    if not identity.rendering.in_baseline_study:
        return Kind.REJECTION_RESTAGING
    series = {str(identity.series_uid(kind)): kind for kind in Kind}
    kinds = {series.get(str(one.SeriesInstanceUID)) for one in objects}
    endings = {kind.rsplit("_", 1)[-1] for kind in kinds if kind is not None}
    alone = str(TimePoint.BASELINE) in endings and str(TimePoint.RESTAGING) not in endings
    return Kind.REJECTION_BASELINE if alone else Kind.REJECTION_RESTAGING


def _note(objects: Sequence[Dataset], kind: Kind, withdrawal: Withdrawal) -> Dataset:
    identity = withdrawal.identity
    created = identity.local_time
    evidence = [for_highdicom(one, 1.0) for one in objects]
    content = hd.ko.KeyObjectSelection(
        document_title=REJECTED,
        referenced_objects=evidence,
        observer_device_context=device_observer(identity),
        description=withdrawal.reason.strip(),
    )
    note: Dataset = hd.ko.KeyObjectSelectionDocument(
        evidence=evidence,
        content=content,
        series_instance_uid=identity.series_uid(kind),
        series_number=identity.series_number(kind),
        sop_instance_uid=identity.sop_uid(kind),
        instance_number=identity.version,
        manufacturer=MANUFACTURER,
        series_description=identity.description("result WITHDRAWN, rejection note", phantom=False),
    )
    note.ContentDate, note.ContentTime = created.strftime("%Y%m%d"), created.strftime("%H%M%S")
    _drop_purposes(note)
    stamp(note, kind, identity)
    del note.BodyPartExamined
    file_in(note, objects[0])
    return note


def _drop_purposes(note: Dataset) -> None:
    """References have no concept name in TID 2010; highdicom gives them one."""
    for item in note.ContentSequence:
        if item.ValueType in ("IMAGE", "COMPOSITE"):
            del item.ConceptNameCodeSequence
