"""The header of a regular Part 10 object, without reading the rest: from element to element, keeping what is wanted.

pydicom makes an object of every element, which takes longer than all else that is done with an image that arrives. What
is not plain explicit VR little endian from begin to end, each length inside its object, is left to it: it decides what
can be read, and this must never take what it would not. Sources: PS3.5 7.1.2 (data elements), 7.5 (sequences), PS3.10
7.1 (File Meta Information).
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement, empty_value_for_VR
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

_META_BEGIN = 132  # after preamble and prefix
_META_LENGTH, _TRANSFER_SYNTAX = 0x00020000, 0x00020010
_META, _FIRST_GROUP, _DELIMITERS = 0x0002, 0x0008, 0xFFFE
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_MOST_NESTED = 50
_SHORT = {vr.encode("ascii"): str(vr) for vr in EXPLICIT_VR_LENGTH_16}
_LONG = {vr.encode("ascii"): str(vr) for vr in EXPLICIT_VR_LENGTH_32}
_OTHERWISE_ENCODED = {ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
_element_head = struct.Struct("<HH2sH").unpack_from
_long_length = struct.Struct("<I").unpack_from
_item_head = struct.Struct("<HHI").unpack_from


class _Irregular(Exception):
    """For pydicom to judge."""


@dataclass(frozen=True)
class Header:
    """``dataset``: the wanted elements as they are encoded; the value of pixel data is a view of the object."""

    dataset: Dataset
    transfer_syntax_uid: str


def walk(encoded: bytes, wanted: Collection[int]) -> Header | None:
    """The wanted elements of a Part 10 object by their tags; None where pydicom has to read it."""
    if encoded[128:_META_BEGIN] != b"DICM":
        return None
    try:
        syntax, begin = _meta(encoded)
        return Header(Dataset(_elements(encoded, begin, wanted)), syntax)
    except (_Irregular, struct.error, UnicodeDecodeError):
        return None


def _meta(encoded: bytes) -> tuple[str, int]:
    """Transfer Syntax UID, and where the data set begins."""
    at, found = _META_BEGIN, {}
    while _item_head(encoded, at)[0] == _META:
        tag, _, start, length = _head(encoded, at)
        at = start + length
        found[tag] = encoded[start:at]
    if found.get(_META_LENGTH) != struct.pack("<I", at - _META_BEGIN - 12) or _TRANSFER_SYNTAX not in found:
        raise _Irregular
    syntax = found[_TRANSFER_SYNTAX].rstrip(b"\0").decode("ascii")
    if syntax in _OTHERWISE_ENCODED or not syntax.startswith("1.2.840.10008."):
        raise _Irregular
    return syntax, at


def _elements(encoded: bytes, at: int, wanted: Collection[int]) -> dict[BaseTag, DataElement | RawDataElement]:
    content, end = memoryview(encoded), len(encoded)
    found: dict[BaseTag, DataElement | RawDataElement] = {}
    while at + 8 <= end:
        tag, vr, start, length = _head(encoded, at)
        if not _FIRST_GROUP <= tag >> 16 < _DELIMITERS:
            raise _Irregular
        if length == _UNDEFINED:
            if vr != "SQ" or tag in wanted:
                raise _Irregular
            at = _after_sequence(encoded, start, 1)
            continue
        at = start + length
        if at > end:
            raise _Irregular
        if tag in wanted:
            value = content[start:at] if vr in ("OB", "OW") else encoded[start:at]
            held = value if length else empty_value_for_VR(vr, raw=True)
            found[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, length, held, start, False, True)  # type: ignore[arg-type]  # a view is read as bytes are
    return found


def _head(encoded: bytes, at: int) -> tuple[int, str, int, int]:
    """Tag, VR, begin of the value, and its length."""
    group, element, code, length = _element_head(encoded, at)
    if vr := _SHORT.get(code):
        return group << 16 | element, vr, at + 8, length
    if vr := _LONG.get(code):
        return group << 16 | element, vr, at + 12, _long_length(encoded, at + 8)[0]
    raise _Irregular


def _after_sequence(encoded: bytes, at: int, depth: int) -> int:
    """Where a sequence of undefined length ends (PS3.5 7.5.2)."""
    if depth > _MOST_NESTED:
        raise _Irregular
    while True:
        group, element, length = _item_head(encoded, at)
        at += 8
        tag = group << 16 | element
        if tag == _SEQUENCE_END and length == 0:
            return at
        if tag != _ITEM:
            raise _Irregular
        at = _after_item(encoded, at, None if length == _UNDEFINED else at + length, depth)


def _after_item(encoded: bytes, at: int, end: int | None, depth: int) -> int:
    """Where an item ends; ``end``: where it says so itself."""
    while end is None or at < end:
        if end is None and _item_head(encoded, at) == (_DELIMITERS, _ITEM_END & 0xFFFF, 0):
            return at + 8
        _, vr, start, length = _head(encoded, at)
        if length != _UNDEFINED:
            at = start + length
        elif vr == "SQ":
            at = _after_sequence(encoded, start, depth + 1)
        else:
            raise _Irregular
    if at != end or at > len(encoded):
        raise _Irregular
    return at
