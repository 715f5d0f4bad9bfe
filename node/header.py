"""The header of an object: from element to element, keeping what is wanted, and decoding what is asked for.

pydicom makes an object of every element, which takes longer than all else that is done with an image that arrives. What
is not plain explicit VR little endian from begin to end, each length inside its object, is left to it: it decides what
can be read, and ``walked`` must never take what it would not. Sources: PS3.5 7.1.2 (data elements), 7.5 (sequences),
PS3.10 7.1 (File Meta Information).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, empty_value_for_VR
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

from node.errors import ObjectError

TRUNCATED = 0xC002  # "Error: Cannot understand", PS3.4 Table B.2-1

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_ASKED = (
    "SpecificCharacterSet",
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyDescription",
    "Modality",
    "Manufacturer",
    "NumberOfFrames",
    "SamplesPerPixel",
    "Rows",
    "Columns",
    "BitsAllocated",
    "PhotometricInterpretation",
    "ContentSequence",
    *PIXELS,
)
TAGS: Mapping[str, int] = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in _ASKED}
_WANTED = frozenset(TAGS.values())
_PIXEL_VRS = ("OB", "OW")  # whose length alone is asked for
_PIXELS = frozenset(TAGS[keyword] for keyword in PIXELS)
_PLAIN = re.compile(rb"[0-9A-Za-z .,;:^()/+_*#&%<>!?@'\"-]*")
"""No delimiter, escape or control character, and none that some character set has another sign for."""

_META_BEGIN = 132  # after preamble and prefix
_META_LENGTH, _TRANSFER_SYNTAX = 0x00020000, 0x00020010
_META, _FIRST_GROUP, _DELIMITERS = 0x0002, 0x0008, 0xFFFE
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_SHORT_BYTES = 2
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
    """``raw``: wanted elements by their tags, as they are encoded; that of pixel data is a view of what was read."""

    raw: Mapping[int, RawDataElement] = field(default_factory=dict)
    transfer_syntax_uid: str = ""
    whole: Dataset | None = None
    """What pydicom read, where it had to."""

    @cached_property
    def dataset(self) -> Dataset:
        """All, or all that was wanted, for pydicom to decode."""
        elements: dict[BaseTag, DataElement | RawDataElement] = {one.tag: one for one in self.raw.values()}
        return Dataset(elements) if self.whole is None else self.whole

    def has(self, keyword: str) -> bool:
        return keyword in self.whole if self.whole is not None else TAGS[keyword] in self.raw

    def text(self, keyword: str) -> str:
        """A value without padding; '' where there is none."""
        if not self.has(keyword):
            return ""
        element = self.raw.get(TAGS[keyword])
        if element is not None and isinstance(element.value, bytes):
            plain = element.value.rstrip(b" \0")
            if _PLAIN.fullmatch(plain):
                return plain.decode("ascii").strip()
        value = self.dataset.get(keyword)
        return "" if value is None else str(value).strip()

    def number(self, keyword: str) -> int | None:
        """A whole number; None where there is none. Raises what pydicom raises, ValueError and TypeError."""
        if not self.has(keyword):
            return None
        element = self.raw.get(TAGS[keyword])
        if element is not None and element.VR == "US" and element.length == _SHORT_BYTES:
            return int.from_bytes(element.value or b"", "little")
        value = self.dataset.get(keyword)
        return None if value in (None, "") else int(value)

    def extent(self, keyword: str) -> tuple[int, bool]:
        """Bytes of a value, and whether its length is undefined."""
        raw = self.raw.get(TAGS[keyword])
        if raw is not None and raw.VR in _PIXEL_VRS:
            return raw.length, False
        element = self.dataset[keyword]
        return len(element.value or b""), element.is_undefined_length


def read_header(encoded: bytes) -> Header:
    """The header of a Part 10 object. Raises ObjectError, and what pydicom raises."""
    return walked(encoded) or _read(encoded)


def walked(encoded: bytes, size: int | None = None) -> Header | None:
    """The header of a regular object; None where pydicom has to read it.

    ``encoded``: all of it, or the begin of its ``size`` bytes, which has to hold all that is wanted but pixel data.
    """
    if encoded[128:_META_BEGIN] != b"DICM":
        return None
    try:
        syntax, begin = _meta(encoded)
        return Header(_elements(encoded, begin, len(encoded) if size is None else size), syntax)
    except (_Irregular, struct.error, UnicodeDecodeError):
        return None


def _read(encoded: bytes) -> Header:
    dataset = dcmread(BytesIO(encoded))
    _refuse_short_values(dataset)
    return Header(transfer_syntax_uid=str(dataset.file_meta.get("TransferSyntaxUID") or ""), whole=dataset)


def _refuse_short_values(dataset: Dataset) -> None:
    """A value shorter than its own length field: the bytes end before the object does."""
    for element in dataset.values():
        if not isinstance(element, RawDataElement) or element.length == _UNDEFINED or element.value is None:
            continue
        if len(element.value) < element.length:
            raise ObjectError(TRUNCATED, f"{element.tag} holds {len(element.value)} of {element.length} bytes")


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


def _elements(encoded: bytes, at: int, end: int) -> dict[int, RawDataElement]:
    content, here = memoryview(encoded), len(encoded)
    found: dict[int, RawDataElement] = {}
    while at + 8 <= end:
        group, element, code, length = _element_head(encoded, at)
        tag = group << 16 | element
        if code in _SHORT:  # nearly every element, so without a call
            start = at + 8
        else:
            tag, _, start, length = _head(encoded, at)
        at = start + length
        if length == _UNDEFINED and code == b"SQ" and tag not in _WANTED:
            at = _after_sequence(encoded, start, 1)
        if at > end or not _FIRST_GROUP <= group < _DELIMITERS:
            raise _Irregular
        if tag in _WANTED:
            vr = code.decode("ascii")
            if at > here and not (tag in _PIXELS and vr in _PIXEL_VRS):
                raise _Irregular
            value = content[start:at] if vr in _PIXEL_VRS else encoded[start:at]
            held = value if length else empty_value_for_VR(vr, raw=True)
            found[tag] = RawDataElement(BaseTag(tag), vr, length, held, start, False, True)  # type: ignore[arg-type]  # a view is read as bytes are
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
