"""What the headers of one MR series say about its contrast, gathered once for :mod:`pipelines.roles.contrast_rules`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from pydicom import Dataset

from pipelines.headers.attributes import item, number, text, words
from pipelines.headers.dimensions import TEMPORAL
from pipelines.headers.frames import Frame, functional_groups, group_item
from pipelines.roles.series_words import DIXON, DIXON_WORDS, FAT_SUPPRESSED, NO_AGENT, enhancement_named, plain

CLOCK = re.compile(r"\d{6}(\.\d*)?$")
OBLIQUE_LIMIT = math.cos(math.radians(45)) - 1e-6

NAMED_BY_EXAM = ("GE MEDICAL",)  # their Protocol Name is the exam's, not the series'
DIXON_TYPES = {
    "WATER": "water",
    "W": "water",
    "FAT": "fat",
    "F": "fat",
    "FAT_FRACTION": "fat",
    "IN_PHASE": "in-phase",
    "IP": "in-phase",
    "OUT_PHASE": "opposed-phase",
    "OPP_PHASE": "opposed-phase",
    "OPPOSED_PHASE": "opposed-phase",
    "OUT_OF_PHASE": "opposed-phase",
    "OP": "opposed-phase",
}


class Plane(StrEnum):
    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"


@dataclass(frozen=True)
class Evidence:
    """``words``: description and protocol name as :func:`pipelines.roles.series_words.plain` has them. Times in ms.

    ``types``: the frames' Image Types; ``image_type``: all words of these. ``agent``: the contrast agent's name;
    ``injected``: whether the series was acquired after the start of its injection (None where the header does not
    say). ``stated_contrast``: Acquisition Contrast of Enhanced MR, empty where it is not stated, UNKNOWN or differs
    from frame to frame. ``temporal``: how many temporal positions the frames have, and how many the header counts.
    """

    description: str
    words: str
    types: frozenset[tuple[str, ...]]
    image_type: frozenset[str]
    scanning: frozenset[str]
    stated_contrast: str
    sequence_name: str
    echo_time: float | None
    repetition_time: float | None
    echo_train: float | None
    three_dimensional: bool
    fat_suppressed: bool
    agent: str
    injected: bool | None
    b_values: frozenset[float | None]
    isotropic: bool
    temporal: tuple[int, int]
    acquisitions: int
    colour: bool
    plane: Plane | None

    @property
    def original(self) -> bool:
        return all(kind[:1] == ("ORIGINAL",) for kind in self.types)

    @property
    def weighted_b(self) -> tuple[float, ...]:
        return tuple(sorted(b for b in self.b_values if b))

    @property
    def spin_echo(self) -> bool:
        return "SE" in self.scanning and not self.scanning & {"EP", "GR", "IR"}

    @property
    def enhancement(self) -> str:
        """What the name says of contrast agent: enhanced, unenhanced, both, or nothing."""
        return enhancement_named(self.words)

    @property
    def dixon(self) -> str:
        """water, fat, in-phase or opposed-phase; ``several`` in one series, and empty where it is no Dixon."""
        stated = {DIXON_TYPES[word] for kind in self.types for word in kind[2:] if word in DIXON_TYPES}
        if not stated and DIXON.search(self.words):
            stated = {name for name, pattern in DIXON_WORDS if pattern.search(self.words)}
        return next(iter(stated)) if len(stated) == 1 else "several" if stated else ""


def evidence(headers: Sequence[Dataset], frames: Sequence[Frame]) -> Evidence:
    """Gather the evidence; contrast attributes come from the first file (a series has one protocol)."""
    first = headers[0]
    description, protocol = text(first, "SeriesDescription"), text(first, "ProtocolName")
    by_exam = description and text(first, "Manufacturer").upper().startswith(NAMED_BY_EXAM)
    named = plain(description if by_exam else f"{description} {protocol}")
    scanning, echo_time, repetition_time = _enhanced_timing(first) or _classic_timing(first)
    options = set(words(first, "ScanOptions")) | set(words(first, "SpectrallySelectedSuppression"))
    agent = _agent(first)
    types = frozenset(frame.image_type for frame in frames)
    return Evidence(
        description=description or protocol,
        words=named,
        types=types,
        image_type=frozenset(word for kind in types for word in kind) | frozenset(words(first, "ImageType")),
        scanning=scanning,
        stated_contrast=_stated_contrast(headers),
        sequence_name=(text(first, "SequenceName") or text(first, "PulseSequenceName")).lower(),
        echo_time=echo_time,
        repetition_time=repetition_time,
        echo_train=number(first, "EchoTrainLength"),
        three_dimensional=text(first, "MRAcquisitionType").upper() == "3D",
        fat_suppressed=bool(options & {"FS", "FAT", "FAT_AND_WATER"}) or bool(FAT_SUPPRESSED.search(named)),
        agent=agent,
        injected=_injected(first) if agent else None,
        b_values=frozenset(frame.b_value for frame in frames),
        isotropic=any(frame.isotropic for frame in frames),
        temporal=_temporal(first, frames),
        acquisitions=len({text(header, "AcquisitionNumber") for header in headers}),
        colour=text(first, "PhotometricInterpretation").upper() not in {"", "MONOCHROME1", "MONOCHROME2"},
        plane=plane(frames[0].orientation) if frames else None,
    )


def acquired(header: Dataset) -> str:
    """When the acquisition began, as digits that sort (YYYYMMDDHHMMSS.F); as much of it as the header has."""
    stated = text(header, "AcquisitionDateTime")
    if stated:
        return stated
    day = next((text(header, k) for k in ("AcquisitionDate", "SeriesDate", "StudyDate") if text(header, k)), "")
    clock = next((text(header, k) for k in ("AcquisitionTime", "SeriesTime", "ContentTime") if text(header, k)), "")
    return day + clock


def plane(orientation: Sequence[float] | None) -> Plane | None:
    """The nearest anatomical plane; a stack tilted by up to 45 degrees is still axial."""
    if orientation is None:
        return None
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    if normal[2] >= OBLIQUE_LIMIT:
        return Plane.AXIAL
    return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[int(np.argmax(normal))]


def _classic_timing(first: Dataset) -> tuple[frozenset[str], float | None, float | None]:
    scanning = frozenset(words(first, "ScanningSequence"))
    return scanning, number(first, "EchoTime"), number(first, "RepetitionTime")


def _enhanced_timing(first: Dataset) -> tuple[frozenset[str], float | None, float | None] | None:
    """Enhanced MR in the words of ScanningSequence (PS3.3 C.8.13.4 against C.8.3.1)."""
    groups = next(functional_groups(first), None)
    if groups is None:
        return None
    scanning = {"SPIN": {"SE"}, "GRADIENT": {"GR"}, "BOTH": {"SE", "GR"}}.get(
        text(first, "EchoPulseSequence").upper(), set()
    )
    if text(first, "EchoPlanarPulseSequence").upper() == "YES":
        scanning = scanning | {"EP"}
    empty = Dataset()
    if text(group_item(groups, "MRModifierSequence") or empty, "InversionRecovery").upper() == "YES":
        scanning = scanning | {"IR"}
    echo = group_item(groups, "MREchoSequence") or empty
    timing = group_item(groups, "MRTimingAndRelatedParametersSequence") or empty
    return frozenset(scanning), number(echo, "EffectiveEchoTime"), number(timing, "RepetitionTime")


def _stated_contrast(headers: Sequence[Dataset]) -> str:
    """Acquisition Contrast (0008,9209), PS3.3 C.8.13.3.1.1: of the frames, else of their object."""
    stated = {text(header, "AcquisitionContrast").upper() for header in headers}
    for header in headers:
        for groups in functional_groups(header):
            kind = group_item(groups, "MRImageFrameTypeSequence")
            stated.add("" if kind is None else text(kind, "AcquisitionContrast").upper())
    stated -= {"", "UNKNOWN", "MIXED"}
    return stated.pop() if len(stated) == 1 else ""


def _agent(first: Dataset) -> str:
    """The contrast agent's name; empty where none was given, or none had been given yet."""
    groups = next(functional_groups(first), None)
    used = None if groups is None else group_item(groups, "ContrastBolusUsageSequence")
    if used is not None and text(used, "ContrastBolusAgentAdministered").upper() == "NO":
        return ""
    stated = text(first, "ContrastBolusAgent")
    if stated.upper() in NO_AGENT:
        stated = ""
    coded = item(first, "ContrastBolusAgentSequence")
    return stated or ("" if coded is None else text(coded, "CodeMeaning"))


def _injected(first: Dataset) -> bool | None:
    """Whether the acquisition began after the injection did (Contrast/Bolus Start Time, PS3.3 C.7.6.4)."""
    start, began = text(first, "ContrastBolusStartTime"), text(first, "AcquisitionTime")
    usable = all(CLOCK.match(clock) and float(clock) for clock in (start, began))
    return float(began) > float(start) if usable else None


def _temporal(first: Dataset, frames: Sequence[Frame]) -> tuple[int, int]:
    found = {value for frame in frames for name, value in frame.dimensions if name == TEMPORAL}
    return len(found), int(number(first, "NumberOfTemporalPositions") or 0)
