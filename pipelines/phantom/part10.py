"""Datasets to Part 10 bytes, quickly: what a series shares is encoded once, not once per image.

Explicit VR Little Endian (PS3.5 A.2). An encoded dataset maps each tag to the bytes of its element; a file is the
encoded parts of series, stack and image, joined in the order of their tags.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian

Encoded = dict[int, bytes]
PIXEL_DATA = 0x7FE00010
PREAMBLE = b"\0" * 128 + b"DICM"


def encode(dataset: Dataset) -> Encoded:
    """The bytes of each element; text in UTF-8 (the dataset states ISO_IR 192)."""
    encoded = {}
    for element in dataset:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element, ["utf8"])
        encoded[int(element.tag)] = buffer.getvalue()
    return encoded


def encode_pixels(pixels: np.ndarray) -> Encoded:
    """16-bit pixels as Pixel Data, OW."""
    data = pixels.astype("<u2").tobytes()
    return {PIXEL_DATA: struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, len(data)) + data}


def file_bytes(parts: Sequence[Mapping[int, bytes]], sop_class: UID, sop_instance: UID) -> bytes:
    """A whole file of encoded parts, later ones winning."""
    merged: Encoded = {}
    for part in parts:
        merged.update(part)
    return b"".join([PREAMBLE, _meta(sop_class, sop_instance), *(merged[tag] for tag in sorted(merged))])


def _meta(sop_class: UID, sop_instance: UID) -> bytes:
    """File Meta Information, PS3.10 7.1."""
    before, after = _meta_of_class(sop_class)
    instance = sop_instance.encode() + b"\0" * (len(sop_instance) % 2)
    elements = before + struct.pack("<HH2sH", 0x0002, 0x0003, b"UI", len(instance)) + instance + after
    return struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(elements)) + elements


@cache
def _meta_of_class(sop_class: UID) -> tuple[bytes, bytes]:
    """What stands before and after the instance's UID, the same for every file of a class."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    encoded = encode(meta)
    first = [data for tag, data in encoded.items() if tag < 0x00020003]
    return b"".join(first), b"".join(list(encoded.values())[len(first) :])
