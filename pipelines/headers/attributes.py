"""Reading single attributes of headers from anywhere: an absent, empty or malformed value is None, never an exception.

pydicom converts values when they are first read, so a malformed one raises wherever it happens to be touched.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from pydicom import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

# What pydicom 3 raises on values that break their VR: bad numbers, odd lengths, unknown VRs, unknown encodings.
MALFORMED = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    EOFError,
    struct.error,
    BytesLengthException,
)


def value(dataset: Dataset, tag: str | int | BaseTag) -> Any:
    """The value of one element by keyword or tag; None where it is absent, empty or malformed."""
    try:
        found = dataset[tag].value
    except MALFORMED:
        return None
    if found is None or (isinstance(found, str | bytes | MultiValue | Sequence) and len(found) == 0):
        return None
    return found


def text(dataset: Dataset, tag: str | int | BaseTag) -> str:
    """The value as stripped text, several values joined with a backslash; empty where there is none."""
    found = value(dataset, tag)
    if found is None:
        return ""
    if isinstance(found, bytes):
        return found.decode("ascii", errors="replace").strip("\0 ")
    if isinstance(found, MultiValue | list | tuple):
        return "\\".join(str(part) for part in found).strip()
    return str(found).strip()


def words(dataset: Dataset, tag: str | int | BaseTag) -> tuple[str, ...]:
    """A multi-valued text attribute in upper case, for comparison with defined terms."""
    return tuple(part.strip().upper() for part in text(dataset, tag).split("\\") if part.strip())


def numbers(dataset: Dataset, tag: str | int | BaseTag, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers, else None."""
    found = value(dataset, tag)
    if found is None or isinstance(found, bytes):
        return None
    parts: Iterable[Any] = [found] if isinstance(found, str | int | float) else found
    try:
        result = tuple(float(part) for part in parts)
    except (ValueError, TypeError, OverflowError):
        return None
    return result if len(result) == count and all(math.isfinite(part) for part in result) else None


def number(dataset: Dataset, tag: str | int | BaseTag) -> float | None:
    """One finite number, else None."""
    found = numbers(dataset, tag, 1)
    return None if found is None else found[0]


def item(dataset: Dataset | None, keyword: str) -> Dataset | None:
    """The first item of a sequence, else None."""
    found = None if dataset is None else value(dataset, keyword)
    return found[0] if found is not None and len(found) and isinstance(found[0], Dataset) else None


def private(dataset: Dataset, group: int, creator: str, offset: int, manufacturer: str) -> Any:
    """The value of a private element: in its creator's block, or, where the creator was lost, where that block usually
    stands in a file of that manufacturer and no other creator has taken it; None where there is none."""
    try:
        return value(dataset, dataset.private_block(group, creator).get_tag(offset))
    except KeyError:
        taken = (group << 16) + 0x10 in dataset
        if taken or manufacturer not in text(dataset, "Manufacturer").upper():
            return None
        return value(dataset, (group << 16) + 0x1000 + offset)
