"""Diffusion b-values, s/mm², from standard and private attributes.

Standard: Diffusion b-value (0018,9087), PS3.3 C.8.13.5.9. Private ones as the vendors' conformance statements give
them; a private attribute is read only under its vendor's private creator, or, where the creator was lost, in a file of
that manufacturer.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.multival import MultiValue

from pipelines.headers.attributes import item, number, numbers, private, text
from pipelines.headers.mosaic import csa_header

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


@dataclass(frozen=True)
class PrivateGradient:
    """Where one vendor keeps the gradient's direction: one element of three numbers, or three of one."""

    manufacturer: str
    creator: str
    group: int
    offsets: tuple[int, ...]
    packed: str


PRIVATE_GRADIENTS = (
    PrivateGradient("SIEMENS", "SIEMENS MR HEADER", 0x0019, (0x0E,), "<d"),
    PrivateGradient("GE MEDICAL", "GEMS_ACQU_01", 0x0019, (0xBB, 0xBC, 0xBD), "<d"),
    PrivateGradient("PHILIPS", "Philips MR Imaging DD 001", 0x2005, (0xB0, 0xB1, 0xB2), "<f"),
    PrivateGradient("UIH", "Image Private Header", 0x0065, (0x37,), "<d"),
)
SIEMENS_SEQUENCE = re.compile(r"^\*?[a-z0-9]+_b(\d+)(?:t|#\d+)?$", re.IGNORECASE)
CANON = ("CANON", "TOSHIBA")
CANON_COMMENT = re.compile(r"\bb\s*=\s*(\d+(?:\.\d+)?)", re.IGNORECASE)


def b_value(dataset: Dataset, diffusion: Dataset | None = None) -> float | None:
    """The b-value of one frame, s/mm²; None where nothing states it.

    ``diffusion`` is the frame's MR Diffusion Sequence item (Enhanced MR). A frame whose directionality is NONE and
    that states no b-value is unweighted (PS3.3 table C.8-87: the b-value is required otherwise).
    """
    for source in (diffusion, dataset):
        if source is not None and (stated := number(source, "DiffusionBValue")) is not None:
            return _plausible(stated)
    for vendor in PRIVATE:
        if (stated := _stated(dataset, vendor)) is not None:
            return _plausible(stated)
    if (stated := _siemens_header(dataset)) is not None:
        return _plausible(stated)
    if (stated := _canon_comment(dataset)) is not None:
        return _plausible(stated)
    source = diffusion if diffusion is not None else dataset
    return 0.0 if text(source, "DiffusionDirectionality").upper() == "NONE" else None


def directionality(dataset: Dataset, diffusion: Dataset | None = None) -> str:
    """NONE, DIRECTIONAL, BMATRIX, ISOTROPIC, or empty where it is not stated (PS3.3 C.8.13.5.9)."""
    stated = text(dataset if diffusion is None else diffusion, "DiffusionDirectionality").upper()
    philips = private(dataset, 0x2001, "Philips Imaging DD 001", 0x04, "PHILIPS")  # I: the isotropic (trace) image
    if isinstance(philips, bytes):
        philips = philips.decode("ascii", errors="replace")
    return stated or ("ISOTROPIC" if str(philips or "").strip("\0 ").upper() == "I" else "")


def gradient(dataset: Dataset, diffusion: Dataset | None = None) -> tuple[float, ...] | None:
    """Unit vector of the diffusion gradient, rounded to 1e-3, or None for trace and unweighted images.

    In the coordinates of whoever states it (patient, or image for GE): it only tells directions of one series apart.
    """
    nested = item(diffusion, "DiffusionGradientDirectionSequence")
    for source, tag in ((nested, "DiffusionGradientOrientation"), (dataset, "DiffusionGradientOrientation")):
        stated = None if source is None else numbers(source, tag, 3)
        if stated is not None:
            return _rounded(stated)
    for vendor in PRIVATE_GRADIENTS:
        found = tuple(part for offset in vendor.offsets for part in _parts(dataset, vendor, offset))
        if len(found) == 3:
            return _rounded(found)
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


def _stated(dataset: Dataset, vendor: PrivateB) -> float | None:
    """The number in a private element: a number, text, or the bytes of one whose VR was lost."""
    stated = private(dataset, vendor.group, vendor.creator, vendor.offset, vendor.manufacturer)
    if isinstance(stated, MultiValue | list | tuple):
        stated = stated[0] if len(stated) else None
    if isinstance(stated, bytes):
        return _from_bytes(stated, vendor.packed)
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


def _siemens_header(dataset: Dataset) -> float | None:
    """B_value of the CSA header, else the number in a sequence name such as *ep_b800t or ep_b1000#3."""
    csa = csa_header(private(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10, "SIEMENS"))
    stated = next(iter(csa.get("B_value", ())), "")
    named = SIEMENS_SEQUENCE.match(text(dataset, "SequenceName")) if "SIEMENS" in _manufacturer(dataset) else None
    try:
        return float(stated or (named.group(1) if named else ""))
    except ValueError:
        return None


def _canon_comment(dataset: Dataset) -> float | None:
    """The number in a comment such as b=1500(0.0,0.0,1.0): what others write there is no measurement."""
    if not _manufacturer(dataset).startswith(CANON):
        return None
    commented = CANON_COMMENT.search(text(dataset, "ImageComments"))
    return float(commented.group(1)) if commented else None


def _parts(dataset: Dataset, vendor: PrivateGradient, offset: int) -> tuple[float, ...]:
    stated = private(dataset, vendor.group, vendor.creator, offset, vendor.manufacturer)
    if isinstance(stated, bytes):
        count = len(stated) // struct.calcsize(vendor.packed)
        whole = count and len(stated) == count * struct.calcsize(vendor.packed)
        return struct.unpack(f"<{count}{vendor.packed[-1]}", stated) if whole else ()
    try:
        several = isinstance(stated, MultiValue | list | tuple)
        return tuple(float(part) for part in stated) if several else () if stated is None else (float(stated),)
    except (ValueError, TypeError):
        return ()


def _rounded(vector: tuple[float, ...]) -> tuple[float, ...] | None:
    rounded = tuple(round(part, 3) + 0.0 for part in vector)
    return rounded if any(rounded) and all(math.isfinite(part) for part in rounded) else None


def _manufacturer(dataset: Dataset) -> str:
    return text(dataset, "Manufacturer").upper()


def _plausible(stated: float) -> float | None:
    b = stated % GE_OFFSET if stated >= GE_OFFSET else stated
    return round(b) + 0.0 if 0 <= b <= HIGHEST_PLAUSIBLE else None
