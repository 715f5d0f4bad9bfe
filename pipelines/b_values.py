"""Diffusion b-values, s/mm², from standard and private attributes.

Standard: Diffusion b-value (0018,9087), PS3.3 C.8.13.5.9. Private ones as the vendors' conformance statements give
them; a private attribute is read only under its vendor's private creator, or, where the creator was lost, in a file of
that manufacturer.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.multival import MultiValue

from pipelines.attributes import item, number, numbers, text, value

# GE marks b-values of some protocols by adding multiples of 1e9.
GE_OFFSET = 1_000_000_000
HIGHEST_PLAUSIBLE = 20_000.0
CLUSTER_FRACTION = 0.025
CLUSTER_FROM = 100.0


@dataclass(frozen=True)
class PrivateB:
    """Where one vendor keeps the b-value; ``packed`` is the struct format of raw bytes (implicit VR without a VR)."""

    manufacturer: str
    creator: str
    group: int
    offset: int
    packed: str = ""


PRIVATE = (
    PrivateB("SIEMENS", "SIEMENS MR HEADER", 0x0019, 0x0C),
    PrivateB("GE MEDICAL", "GEMS_PARM_01", 0x0043, 0x39),
    PrivateB("PHILIPS", "Philips Imaging DD 001", 0x2001, 0x03, "<f"),
    PrivateB("UIH", "Image Private Header", 0x0065, 0x0A, "<d"),  # nominal
    PrivateB("UIH", "Image Private Header", 0x0065, 0x09, "<d"),  # measured
)
CANON_COMMENT = re.compile(r"\bb\s*=\s*(\d+(?:\.\d+)?)", re.IGNORECASE)


def b_value(dataset: Dataset, diffusion: Dataset | None = None) -> float | None:
    """The b-value of one frame, s/mm²; None where nothing states it.

    ``diffusion`` is the frame's MR Diffusion Sequence item (Enhanced MR). A frame whose directionality is NONE and
    that states no b-value is unweighted (PS3.3 table C.8-87: the b-value is required otherwise).
    """
    for source in (diffusion, dataset):
        if source is not None and (stated := number(source, "DiffusionBValue")) is not None:
            return _plausible(stated)
    for private in PRIVATE:
        if (stated := _private(dataset, private)) is not None:
            return _plausible(stated)
    commented = CANON_COMMENT.search(text(dataset, "ImageComments"))
    if commented:
        return _plausible(float(commented.group(1)))
    source = diffusion if diffusion is not None else dataset
    return 0.0 if text(source, "DiffusionDirectionality").upper() == "NONE" else None


def directionality(dataset: Dataset, diffusion: Dataset | None = None) -> str:
    """NONE, DIRECTIONAL, BMATRIX, ISOTROPIC, or empty where it is not stated (PS3.3 C.8.13.5.9)."""
    stated = text(dataset if diffusion is None else diffusion, "DiffusionDirectionality").upper()
    philips = text(dataset, 0x20011004).upper()  # Philips: I for the isotropic (trace) image
    return stated or ("ISOTROPIC" if philips == "I" else "")


def gradient(dataset: Dataset, diffusion: Dataset | None = None) -> tuple[float, ...] | None:
    """Unit vector of the diffusion gradient, rounded to 1e-3, or None for trace and unweighted images."""
    nested = item(diffusion, "DiffusionGradientDirectionSequence")
    for source, tag in ((nested, "DiffusionGradientOrientation"), (dataset, "DiffusionGradientOrientation")):
        stated = None if source is None else numbers(source, tag, 3)
        if stated is not None:
            vector = tuple(round(part, 3) for part in stated)
            return vector if any(vector) else None
    return None


def nominal(measured: Iterable[float]) -> dict[float, float]:
    """Each b-value mapped to the one it stands for.

    Scanners with imaging-gradient correction write 995, 1000, 1005 for one nominal value: above 100 s/mm², neighbours
    within 2.5 % are one value, the middle one.
    """
    groups: list[list[float]] = []
    for b in sorted(set(measured)):
        if groups and b >= CLUSTER_FROM and b - groups[-1][0] <= CLUSTER_FRACTION * b:
            groups[-1].append(b)
        else:
            groups.append([b])
    return {b: group[len(group) // 2] for group in groups for b in group}


def _private(dataset: Dataset, private: PrivateB) -> float | None:
    try:
        tag = dataset.private_block(private.group, private.creator).get_tag(private.offset)
    except KeyError:
        if private.manufacturer not in text(dataset, "Manufacturer").upper():
            return None
        tag = (private.group << 16) + 0x1000 + private.offset  # type: ignore[assignment]  # a tag is an int to pydicom
    stated = value(dataset, tag)
    if isinstance(stated, MultiValue | list | tuple):
        stated = stated[0]
    if isinstance(stated, bytes):
        return _from_bytes(stated, private.packed)
    try:
        return None if stated is None else float(stated)
    except (ValueError, TypeError):
        return None


def _from_bytes(raw: bytes, packed: str) -> float | None:
    if packed and len(raw) == struct.calcsize(packed):
        return float(struct.unpack(packed, raw)[0])
    try:
        return float(raw.split(b"\\")[0].strip(b"\0 "))
    except ValueError:
        return None


def _plausible(stated: float) -> float | None:
    b = stated % GE_OFFSET if stated >= GE_OFFSET else stated
    return round(b) + 0.0 if 0 <= b <= HIGHEST_PLAUSIBLE else None
