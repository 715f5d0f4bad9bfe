"""Who makes a result, and the UIDs, numbers and descriptions of its objects.

UIDs are a function of what an object is about, so that a repeat of the same work gives the same object
(PS3.5 section 9, B.2: '2.25.' and a UUID as a decimal number). The device's own UID is part of every one of them:
two installations that see the same study never write different content under one UID.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_templates.kinds import SERIES_PLACES, Kind
from dicom_templates.profile import DEFAULT_RENDERING, Rendering
from pipelines.contract import Findings, MaskOrigin, Patient, TimePoint

MANUFACTURER = "Restage"
MODEL_NAME = "Restage node"
PHANTOM = "PHANTOM-TRAINED"
RESEARCH = "RESEARCH ONLY"

_NAMESPACE = uuid.UUID("5b6f6ea4-6d0c-5d43-9f0e-5a3d1f6c7b21")
_DESCRIPTION_LIMIT = 64  # LO, PS3.5 table 6.2-1


@dataclass(frozen=True)
class Predecessor:
    """One object of the previous version of a result."""

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_uid: str


@dataclass(frozen=True)
class ResultIdentity:
    """What tells one result from every other.

    ``pair_key``: stable text that names the patient, the baseline study and the restaging study.
    ``version``: 1 for the first result of the pair. ``created``: an aware time. ``device_uid``: of this
    installation, kept for its lifetime. ``station``: name or AE title of the node.
    ``predecessors``: the objects that this version replaces. ``rendering``: how the objects are written.
    """

    pair_key: str
    version: int
    created: datetime
    device_uid: str
    station: str
    software_version: str
    predecessors: tuple[Predecessor, ...] = ()
    rendering: Rendering = DEFAULT_RENDERING

    def __post_init__(self) -> None:
        if not self.pair_key:
            raise ValueError("a result needs a pair key")
        if self.version < 1:
            raise ValueError(f"versions count from 1, not {self.version}")
        if self.created.utcoffset() is None:
            raise ValueError("the time of creation needs a time zone")
        if not UID(self.device_uid).is_valid:
            raise ValueError(f"the device UID {self.device_uid!r} is not a UID")

    def series_uid(self, kind: Kind) -> UID:
        """Series Instance UID: the same for every version of this pair's object of this kind."""
        return self._uid("series", self.pair_key, kind, *self._rendered)

    def series_number(self, kind: Kind) -> int:
        """Series Number: the place of the kind in the rendering's block."""
        return self.rendering.first_series_number + SERIES_PLACES[kind]

    def sop_uid(self, kind: Kind) -> UID:
        """SOP Instance UID of this version's object."""
        return self._uid("instance", self.pair_key, kind, str(self.version), *self._rendered)

    def instance_uid(self, kind: Kind, number: int) -> UID:
        """SOP Instance UID of one image of a kind that has several, such as the contour series."""
        return self._uid("instance", self.pair_key, kind, str(self.version), str(number), *self._rendered)

    def tracking_uid(self, patient: Patient, tumour: int = 1) -> UID:
        """Tracking UID of a tumour: the same at every time point and in every version."""
        return self._uid("tumour", patient.issuer, patient.patient_id, str(tumour))

    def prediction_uid(self, system: str, outcome: str) -> UID:
        """Tracking UID of a prediction: the same in every version of this pair's result."""
        return self._uid("prediction", self.pair_key, system, outcome)

    def dimension_uid(self, kind: Kind) -> UID:
        """Dimension Organization UID of a multi-frame object (PS3.3 C.7.6.17)."""
        return self._uid("dimensions", self.pair_key, kind, str(self.version), *self._rendered)

    @property
    def local_time(self) -> datetime:
        """``created`` in this machine's zone, the one that a scanner's dates and times are in."""
        return self.created.astimezone()

    def description(self, what: str, phantom: bool) -> str:
        """A series description: what it is, between who made it and what it must not be used for (LO, 64)."""
        flags = [PHANTOM] if phantom else []
        text = " ".join([self.rendering.prefix, what, *flags, RESEARCH])
        if len(text) > _DESCRIPTION_LIMIT:
            raise ValueError(f"series description over {_DESCRIPTION_LIMIT} characters: {text}")
        return text

    @property
    def _rendered(self) -> tuple[str, ...]:
        # The default rendering adds nothing, so that a node whose profiles change keeps its series.
        return (self.rendering.key,) if self.rendering.key else ()

    def _uid(self, *parts: str) -> UID:
        # JSON-like quoting keeps ("a", "bc") and ("ab", "c") apart.
        name = repr((self.device_uid, *(str(part) for part in parts)))
        return UID(f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")


def mask_words(time_point: TimePoint, origin: MaskOrigin) -> str:
    """What a SEG holds, for its series description; it says whose mask it is."""
    whose = "copy of reader's tumour mask" if origin is MaskOrigin.READER else "tumour mask"
    return f"{whose} {time_point}"


def phantom_mask(findings: Findings, time_point: TimePoint) -> bool:
    """Whether a phantom-trained model drew the tumour at this time point."""
    masks = (exam.mask for exam in findings.case.exams if exam.files.time_point == time_point)
    return any(mask is not None and mask.model is not None and mask.model.phantom_trained for mask in masks)


def phantom_trained(findings: Findings) -> bool:
    """Whether a phantom-trained model made any number in these findings, directly or through its mask."""
    return any(score.model.phantom_trained for score in findings.scores) or any(
        phantom_mask(findings, time_point) for time_point in TimePoint
    )


def made_by_restage(header: Dataset) -> bool:
    """Whether a SEG, SR or page came from a Restage node, ours or another: never a reader's own work.

    A copy of a reader's mask is typed MANUAL, as the reader's is (PS3.3 C.8.20.4: user-entered), so the manufacturer
    tells them apart. The node's ledger of its own UIDs is the first answer; this is the one that needs no ledger.
    """
    return str(header.get("Manufacturer", "")).strip() == MANUFACTURER
