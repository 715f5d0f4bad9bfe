"""The head of a Part 10 file, which a C-STORE does not carry: preamble, prefix and File Meta Information (PS3.10 7.1).

Byte for byte what pynetdicom writes, without building a data set for it: a content is known by the digest of its file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_PREAMBLE = bytes(128) + b"DICM"
_VERSION = struct.pack("<HH2sHI2s", 0x0002, 0x0001, b"OB", 0, 2, b"\x00\x01")
_LENGTH_ELEMENT = struct.Struct("<HH2sHI")
_SHORT_ELEMENT = struct.Struct("<HH2sH")  # explicit VR little endian, of a VR with 16 bits of length (PS3.5 7.1.2)


@dataclass(frozen=True)
class Writer:
    """Who writes a file: Implementation Class UID and Implementation Version Name."""

    class_uid: str
    version_name: str


def file_head(sop_class_uid: str, sop_uid: str, transfer_syntax_uid: str, writer: Writer) -> bytes:
    """What stands before the data set in its file."""
    meta = b"".join(
        (
            _VERSION,
            _uid(0x0002, sop_class_uid),
            _uid(0x0003, sop_uid),
            _uid(0x0010, transfer_syntax_uid),
            _uid(0x0012, writer.class_uid),
            _element(0x0013, b"SH", writer.version_name.encode("ascii"), b" "),
        )
    )
    return _PREAMBLE + _LENGTH_ELEMENT.pack(0x0002, 0x0000, b"UL", 4, len(meta)) + meta


def _uid(element: int, value: str) -> bytes:
    return _element(element, b"UI", value.encode("ascii"), b"\0")


def _element(element: int, vr: bytes, value: bytes, padding: bytes) -> bytes:
    even = value + padding * (len(value) % 2)
    return _SHORT_ELEMENT.pack(0x0002, element, vr, len(even)) + even
