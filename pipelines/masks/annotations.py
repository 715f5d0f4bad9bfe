"""What a SEG or RTSTRUCT offers as a reader's mask: which segment or ROI, by whom, when; or why nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.sr.coding import Code as CodedConcept

from pipelines.contract import Code, InputUnfit
from pipelines.exam import is_annotation, is_own
from pipelines.headers.attributes import item, number, text
from pipelines.headers.files import UNREADABLE

DEFAULT_ROI_PATTERN = r"gtv|tumou?r|rectal ?ca"
# Nodes drawn beside the tumour often share its prefix (GTVn); they are never the primary tumour.
NODES = re.compile(r"node|nodal|lymph|gtv[ _-]?n(?![a-z])|(?<![a-z])ln(?![a-z])", re.IGNORECASE)
DRAWN_BY_A_PERSON = {"MANUAL", "SEMIAUTOMATIC"}
NAMED = 4  # segments or ROIs whose reasons are given in full; a radiotherapy plan has dozens
DEFERRED = 4096  # bytes: longer values, such as frames, are read from the file when they are asked for

ADENOCARCINOMA_OF_RECTUM = CodedConcept("254582000", "SCT", "Adenocarcinoma of rectum")
NEOPLASM_PRIMARY = CodedConcept("372087000", "SCT", "Neoplasm, Primary")
# As older tools still write it: PS3.16 CID 7159 before 2019, and its first translation to SNOMED CT.
NEOPLASM_PRIMARY_RT = CodedConcept("M-80003", "SRT", "Neoplasm, Primary")
NEOPLASM_PRIMARY_OLD = CodedConcept("86049000", "SCT", "Neoplasm, Primary")
NEOPLASM = CodedConcept("108369006", "SCT", "Neoplasm")
RECTUM = CodedConcept("34402009", "SCT", "Rectum")
# The more specific type wins where one object holds several.
TUMOUR_TYPES = (
    (ADENOCARCINOMA_OF_RECTUM,),
    (NEOPLASM_PRIMARY, NEOPLASM_PRIMARY_RT, NEOPLASM_PRIMARY_OLD),
    (NEOPLASM,),
)
# Regions that the rectum is a part of: there the name decides.
WIDER_REGION = re.compile(r"rect|pelvi|large (intestine|bowel)|lower gastrointestinal", re.IGNORECASE)


class NoTumour(InputUnfit):
    """Nothing in the object is meant as a reader's tumour: other organs, nodes, another program's work."""


@dataclass(frozen=True)
class Annotation:
    """One segment or ROI that a person drew as the rectal tumour. ``number``: Segment or ROI Number."""

    path: Path
    dataset: Dataset
    modality: str
    number: int
    label: str
    reader: str
    drawn: str

    @property
    def name(self) -> str:
        day = self.drawn
        when = f" of {day[:4]}-{day[4:6]}-{day[6:8]}" if day else ""
        return f"{self.modality} {self.label!r}{when}" + (f" by {self.reader}" if self.reader else "")


def read_annotation(path: Path, study_uids: Iterable[str], roi_pattern: str) -> Annotation | None:
    """The tumour that the object holds; None where it is no annotation of these studies, or our own result.

    Reads headers; frames stay in the file until they are placed. Raises InputUnfit (READER_MASK_UNFIT) naming why
    nothing in it can be a reader's mask of the tumour: NoTumour where nothing was meant as one.
    """
    try:
        dataset = pydicom.dcmread(path, defer_size=DEFERRED)
        if not is_annotation(dataset) or is_own(dataset) or text(dataset, "StudyInstanceUID") not in set(study_uids):
            return None
        pattern = re.compile(roi_pattern, re.IGNORECASE)
        if text(dataset, "Modality") == "RTSTRUCT" or "ROIContourSequence" in dataset:
            return _from_rtstruct(path, dataset, pattern)
        return _from_segmentation(path, dataset, pattern)
    except UNREADABLE as error:
        raise InputUnfit(Code.READER_MASK_UNFIT, f"{path.name} cannot be read: {error}") from error


def is_meant(path: Path, study_uids: Iterable[str], roi_pattern: str) -> bool:
    """Whether a reader meant something in the object as the tumour, usable or not: what then is said of it is news."""
    try:
        return read_annotation(path, study_uids, roi_pattern) is not None
    except NoTumour:
        return False
    except InputUnfit:
        return True


def _from_segmentation(path: Path, dataset: Dataset, pattern: re.Pattern[str]) -> Annotation:
    """Segment Sequence, PS3.3 C.8.20.4."""
    reasons: list[str] = []
    ranked: list[tuple[int, Dataset]] = []
    for segment in dataset.get("SegmentSequence") or ():
        rank = _tumour_rank(segment)
        algorithm = text(segment, "SegmentAlgorithmType").upper()
        label = text(segment, "SegmentLabel")
        if rank is None:
            reasons.append(f"{label!r} is not coded as a neoplasm")
        elif not _is_rectal(segment, rank, pattern):
            reasons.append(f"{label!r} {_elsewhere(segment)}")
        elif NODES.search(label):
            reasons.append(f"{label!r} is a lymph node")
        elif algorithm not in DRAWN_BY_A_PERSON:
            reasons.append(f"{label!r} was not drawn by a person (algorithm type {algorithm or 'absent'})")
        else:
            ranked.append((rank, segment))
    best = [segment for rank, segment in ranked if rank == min(rank for rank, _ in ranked)]
    segment = _only(best, [text(segment, "SegmentLabel") for segment in best], reasons, "segment")
    return Annotation(
        path=path,
        dataset=dataset,
        modality="SEG",
        number=int(number(segment, "SegmentNumber") or 0),
        label=text(segment, "SegmentLabel"),
        reader=text(dataset, "ContentCreatorName"),
        drawn=_when(dataset, ("ContentDate", "ContentTime")),
    )


def _from_rtstruct(path: Path, dataset: Dataset, pattern: re.Pattern[str]) -> Annotation:
    """Structure Set ROI Sequence, PS3.3 C.8.8.5."""
    reasons: list[str] = []
    fitting: list[Dataset] = []
    for roi in dataset.get("StructureSetROISequence") or ():
        label, algorithm = text(roi, "ROIName"), text(roi, "ROIGenerationAlgorithm").upper()
        if not pattern.search(label) or NODES.search(label):
            reasons.append(f"ROI {label!r} is not named as the tumour")
        elif algorithm == "AUTOMATIC":
            reasons.append(f"ROI {label!r} was made automatically, not drawn by a person")
        else:
            fitting.append(roi)
    roi = _only(fitting, [text(roi, "ROIName") for roi in fitting], reasons, "ROI")
    roi_number = int(number(roi, "ROINumber") or 0)
    return Annotation(
        path=path,
        dataset=dataset,
        modality="RTSTRUCT",
        number=roi_number,
        label=text(roi, "ROIName"),
        reader=_interpreter(dataset, roi_number) or text(dataset, "OperatorsName"),
        drawn=_when(dataset, ("StructureSetDate", "StructureSetTime")),
    )


def _only(fitting: list[Dataset], labels: list[str], reasons: list[str], what: str) -> Dataset:
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        more = [f"and {len(reasons) - NAMED} more"] if len(reasons) > NAMED else []
        raise NoTumour(Code.READER_MASK_UNFIT, "; ".join([*reasons[:NAMED], *more]) or f"it has no {what}")
    listed = ", ".join(repr(label) for label in labels)
    raise InputUnfit(
        Code.READER_MASK_UNFIT,
        f"several {what}s could be the tumour ({listed}): leave one, or name the others otherwise",
    )


def _tumour_rank(segment: Dataset) -> int | None:
    coded = item(segment, "SegmentedPropertyTypeCodeSequence")
    if coded is None:
        return None
    return next((rank for rank, kinds in enumerate(TUMOUR_TYPES) if any(_is(coded, kind) for kind in kinds)), None)


def _is_rectal(segment: Dataset, rank: int, pattern: re.Pattern[str]) -> bool:
    """By its region; where that is wider than the rectum, or absent, by its type or its name."""
    region = item(segment, "AnatomicRegionSequence")
    if region is not None and _is(region, RECTUM):
        return True
    if region is not None and not WIDER_REGION.search(text(region, "CodeMeaning")):
        return False
    named = " ".join(text(segment, keyword) for keyword in ("SegmentLabel", "SegmentDescription", "TrackingID"))
    return rank == 0 or bool(pattern.search(named))


def _elsewhere(segment: Dataset) -> str:
    region = item(segment, "AnatomicRegionSequence")
    if region is not None and not WIDER_REGION.search(text(region, "CodeMeaning")):
        return f"is in another region ({text(region, 'CodeMeaning')})"
    return "names neither the rectum nor a configured tumour name"


def _is(coded: Dataset, concept: CodedConcept) -> bool:
    """pydicom's comparison also knows the SNOMED RT codes of older objects."""
    stated = CodedConcept(text(coded, "CodeValue"), text(coded, "CodingSchemeDesignator"), "")
    return bool(concept == stated)


def _interpreter(dataset: Dataset, roi_number: int) -> str:
    for observation in dataset.get("RTROIObservationsSequence") or ():
        if number(observation, "ReferencedROINumber") == roi_number:
            return text(observation, "ROIInterpreter")
    return ""


def _when(dataset: Dataset, keywords: tuple[str, str]) -> str:
    """Date and time as sortable text; the instance's creation where the content's own date is absent."""
    for day, clock in (keywords, ("SeriesDate", "SeriesTime"), ("InstanceCreationDate", "InstanceCreationTime")):
        if text(dataset, day):
            return text(dataset, day) + text(dataset, clock)
    return ""
