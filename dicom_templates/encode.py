"""A dataset into Part 10 bytes, with a character set that holds all of its text."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import PersonName

UTF_8 = "ISO_IR 192"
_TEXT = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")  # PS3.5 6.1.2.2: VRs that the character set affects
_IMPLEMENTATION = UID("2.25.226131640427139437211541302184337213121")


def settle_character_set(dataset: Dataset, source: Dataset) -> None:
    """Keep the source's character set where it can write every text of ``dataset``, else UTF-8 (ISO_IR 192).

    Code extensions (several values) also become UTF-8: every reader that knows them knows it (PS3.3 C.12.1.1.2).
    """
    wanted = source.get("SpecificCharacterSet")
    single = wanted if isinstance(wanted, str) else ""
    texts = list(_texts(dataset))
    several = bool(wanted) and not single
    keeps = not several and _writes(python_encoding.get(single, "ascii") if single else "ascii", texts)
    chosen = single if keeps else UTF_8
    if chosen:
        dataset.SpecificCharacterSet = chosen
    elif "SpecificCharacterSet" in dataset:
        del dataset.SpecificCharacterSet


def encode(dataset: Dataset) -> bytes:
    """The dataset as a DICOM file, Explicit VR Little Endian (PS3.10 section 7)."""
    dataset.file_meta = _file_meta(dataset)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def reread(dataset: Dataset) -> Dataset:
    """What a receiver sees: the dataset decoded again from its encoded bytes."""
    return dcmread(BytesIO(encode(dataset)))


def write_part10(dataset: Dataset, path: Path) -> None:
    """Write the dataset as a DICOM file, Explicit VR Little Endian."""
    path.write_bytes(encode(dataset))


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "RESTAGE"
    return meta


def _texts(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        if element.VR not in _TEXT or not element.value:
            continue
        values = [element.value] if isinstance(element.value, (str, PersonName)) else list(element.value)
        yield from (str(value) for value in values)


def _writes(encoding: str, texts: list[str]) -> bool:
    try:
        for text in texts:
            text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
