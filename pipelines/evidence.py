"""What the headers of one MR series say about its contrast, gathered once for the rules in :mod:`pipelines.series`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from pydicom import Dataset

from pipelines.attributes import item, number, text, words
from pipelines.frames import Frame, functional_groups, group_item

OBLIQUE_LIMIT = math.cos(math.radians(45)) - 1e-6

LOCALIZER = re.compile(r"\bloc\b|locali[sz]er|scout|\bsurvey\b|\b3 ?plane\b|\btri ?plan|\bplan ?scan\b")
REFERENCE = re.compile(
    r"\bcal(ibration)?\b|\basset\b.*\bcal|\b(coil|sense|ref) ?(survey|scan|ref)\b|\bshim\b|\bb0 ?map\b"
)
CALCULATED = re.compile(
    r"calc ?_? ?b ?val|\bcalc(ulated)?\b|\bsynth|\bsynb\b|\bcomputed\b|\bcdwi\b|\bcb ?\d{3,4}\b|extrapolated"
)
ADC = re.compile(r"(?<![a-z])d?adc(?![a-z])|apparent diffusion coeff")
NOT_ADC = re.compile(r"(?<![a-z])eadc(?![a-z])|exponential adc|\bexp adc\b")
DIFFUSION = re.compile(r"dwi|diff|\bdti\b|\bep ?b\d|\bresolve\b|\bzoomit\b")
T2 = re.compile(r"\bt2")
T1 = re.compile(r"\be?t1|\bvibe\b|\blava\b|\bthrive\b|\bmprage\b|\bmp rage\b|\bbravo\b")
PROTON_DENSITY = re.compile(r"\bpd\b|\bpdw\b|proton ?dens")
SINGLE_SHOT = re.compile(r"haste|ssfse|\bssh\b|single ?shot|\bsshtse\b")
HYDROGRAPHY = re.compile(r"mrcp|urogra|hydrogra|myelo")
INVERSION = re.compile(r"\bstir\b|\btirm\b|\bflair\b|\bdarkfluid\b")
FAT_SUPPRESSED = re.compile(r"\bfs\b|\bfat ?sat|\bspair\b|\bspir\b|\bdixon\b|fatsat")
UNENHANCED = re.compile(
    r"\bpre\b|\bpre ?(contrast|gd|gad|km|ce)\b|\bnativ\w*|\bnon ?contrast|\bno contrast|\bwithout\b|\bw ?o\b"
    r"|unenhanced|\bohne\b|\bplain\b"
)
ENHANCED = re.compile(
    r"\+ ?c\b|\bc\+|contrast|\bpost ?(gd|gad|km|ce|inj|iv)|\+ ?(gd|gad|km)\b|\bgd\b|\bgad\w*"
    r"|\bce\b|\bkm\b|\bcemr|\bt1ce"
)
NO_AGENT = {"", "NO", "NONE", "N", "0", "OFF", "KEIN", "NEIN", "NO CONTRAST", "N/A", "NA", "NULL"}


class Plane(StrEnum):
    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"


@dataclass(frozen=True)
class Evidence:
    """``words``: description and protocol name, lower case, only letters, digits and +. Times in ms."""

    description: str
    words: str
    image_type: frozenset[str]
    original: bool
    scanning: frozenset[str]
    sequence_name: str
    echo_time: float | None
    repetition_time: float | None
    fat_suppressed: bool
    agent: str
    b_values: frozenset[float | None]
    plane: Plane | None

    @property
    def weighted_b(self) -> tuple[float, ...]:
        return tuple(sorted(b for b in self.b_values if b))

    @property
    def spin_echo(self) -> bool:
        return "SE" in self.scanning and not self.scanning & {"EP", "GR", "IR"}


def evidence(headers: Sequence[Dataset], frames: Sequence[Frame]) -> Evidence:
    """Gather the evidence; contrast attributes come from the first file (a series has one protocol)."""
    first = headers[0]
    description = text(first, "SeriesDescription") or text(first, "ProtocolName")
    named = f"{text(first, 'SeriesDescription')} {text(first, 'ProtocolName')}"
    types = [frame.image_type for frame in frames]
    scanning, echo_time, repetition_time = _enhanced_timing(first) or _classic_timing(first)
    normalised = re.sub(r"[^a-z0-9+]+", " ", named.lower())
    options = set(words(first, "ScanOptions")) | set(words(first, "SpectrallySelectedSuppression"))
    return Evidence(
        description=description,
        words=normalised,
        image_type=frozenset(word for kind in types for word in kind) | frozenset(words(first, "ImageType")),
        original=all(kind[:1] == ("ORIGINAL",) for kind in types),
        scanning=scanning,
        sequence_name=(text(first, "SequenceName") or text(first, "PulseSequenceName")).lower(),
        echo_time=echo_time,
        repetition_time=repetition_time,
        fat_suppressed=bool(options & {"FS", "FAT", "FAT_AND_WATER"}) or bool(FAT_SUPPRESSED.search(normalised)),
        agent=_agent(first),
        b_values=frozenset(frame.b_value for frame in frames),
        plane=plane(frames[0].orientation) if frames else None,
    )


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


def _agent(first: Dataset) -> str:
    """The contrast agent's name; empty where none was given."""
    stated = text(first, "ContrastBolusAgent")
    if stated.upper() in NO_AGENT:
        stated = ""
    coded = item(first, "ContrastBolusAgentSequence")
    return stated or ("" if coded is None else text(coded, "CodeMeaning"))
