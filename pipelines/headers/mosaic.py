"""Mosaics: one image that holds the slices of a volume as tiles, to where each tile lies in the patient.

Siemens (Image Type MOSAIC): the slices in reading order on a square of tiles, their number in (0019,100A). Image
Position (Patient) is that of a plane as large as the whole mosaic around the centre of the first slice, not of a
tile; the direction from slice to slice is SliceNormalVector of the CSA header (0029,1010), their distance Spacing
Between Slices. UIH (Image Type VFRAME): the slices' number in (0065,1050), one item each in the sequence (0065,1051)
with its own Image Position (Patient). Checked against dcm2niix on public scans of both vendors.

What a tile's place cannot be told of is refused: a guessed slice order would mirror the patient.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.values import convert_SQ

from pipelines.contract import Code, InputUnfit
from pipelines.headers.attributes import MALFORMED, number, numbers, private, words

TYPES = {"MOSAIC", "VFRAME"}
PARALLEL = 1e-3  # of 1 - cosine: between the stated slice normal and that of the plane
CSA_NAME, CSA_TAG, CSA_ITEM = 64, 84, 16  # bytes: name; name with VM, VR, type, item count and mark; item header
CSA_MOST = 1000  # tags or items; a real header has about a hundred
INSTEAD = "have the scanner or the PACS send the slices one by one (classic or Enhanced MR)"


@dataclass(frozen=True)
class Mosaic:
    """``across`` tiles of ``shape`` (rows, columns) to a row of tiles; ``positions``: LPS mm of each one's first pixel.

    Tiles count in reading order; those behind the last position are empty.
    """

    shape: tuple[int, int]
    across: int
    positions: tuple[tuple[float, ...], ...]

    def split(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """The image (rows, columns) as its slices (tiles, rows, columns).

        Raises InputUnfit (MOSAIC_UNFIT) where a tile behind the last slice is not empty: then the number of slices,
        and with it the size of a tile, is wrong.
        """
        rows, columns = self.shape
        grid = pixels.reshape(pixels.shape[0] // rows, rows, self.across, columns)
        tiles: NDArray[np.generic] = grid.swapaxes(1, 2).reshape(-1, rows, columns)
        used = len(self.positions)
        if tiles[used:].any():
            raise _unfit(f"it is said to hold {used} slices, and more than {used} of its tiles hold something")
        return tiles[:used]


def is_mosaic(dataset: Dataset) -> bool:
    """Whether the image says of itself that it is one: Image Type MOSAIC or VFRAME, without functional groups."""
    return bool(TYPES & set(words(dataset, "ImageType"))) and "PerFrameFunctionalGroupsSequence" not in dataset


def mosaic(dataset: Dataset) -> Mosaic:
    """Where the tiles of a mosaic lie, from its header alone. Raises InputUnfit: MOSAIC_UNFIT."""
    return _uih(dataset) if "VFRAME" in words(dataset, "ImageType") else _siemens(dataset)


def _siemens(dataset: Dataset) -> Mosaic:
    csa = csa_header(private(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10, "SIEMENS"))
    stated = _integer(private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A, "SIEMENS"))
    count = stated or _integer(_first(csa, "NumberOfImagesInMosaic"))
    if not count:
        raise _unfit("the number of its slices, (0019,100A) or the CSA header, is missing")
    across = math.isqrt(count - 1) + 1
    shape = _tile(dataset, across, across)
    position, orientation = numbers(dataset, "ImagePositionPatient", 3), numbers(dataset, "ImageOrientationPatient", 6)
    spacing = numbers(dataset, "PixelSpacing", 2)
    if position is None or orientation is None or spacing is None:
        raise _unfit("its image position, orientation or pixel spacing is missing")
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    normal = _normal(csa, np.cross(row, column))
    step = number(dataset, "SpacingBetweenSlices")
    if step is None or step <= 0:
        raise _unfit("the distance of its slices, Spacing Between Slices, is missing")
    whole = int(number(dataset, "Rows") or 0), int(number(dataset, "Columns") or 0)
    first = (
        np.array(position)
        + row * spacing[1] * (whole[1] - shape[1]) / 2
        + column * spacing[0] * (whole[0] - shape[0]) / 2
    )
    places = first + np.arange(count)[:, None] * step * normal
    return Mosaic(shape, across, tuple(tuple(float(part) for part in place) for place in places))


def _normal(csa: dict[str, tuple[str, ...]], plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The plane's normal, on the side to which the slices follow each other."""
    try:
        stated = np.array([float(part) for part in csa.get("SliceNormalVector", ())])
    except ValueError:
        stated = np.empty(0)
    if stated.shape != (3,) or not np.isfinite(stated).all():
        raise _unfit("the direction from slice to slice, SliceNormalVector of the CSA header, is missing")
    cosine = float(stated @ plane) / max(float(np.linalg.norm(stated)), 1e-9)
    if abs(abs(cosine) - 1) > PARALLEL:
        raise _unfit("the direction from slice to slice in its CSA header is not across its plane")
    return np.asarray(plane * np.sign(cosine) / np.linalg.norm(plane))


def _uih(dataset: Dataset) -> Mosaic:
    items = list(_items(private(dataset, 0x0065, "Image Private Header", 0x51, "UIH")))
    count = _integer(private(dataset, 0x0065, "Image Private Header", 0x50, "UIH"))
    if not items or count != len(items):
        raise _unfit(f"(0065,1050) states {count or 'no'} slices, (0065,1051) lists {len(items)}")
    positions = [numbers(one, "ImagePositionPatient", 3) for one in items]
    found = tuple(position for position in positions if position is not None)
    if len(found) < count:
        raise _unfit("a slice's own position is missing in (0065,1051)")
    across = math.isqrt(count - 1) + 1
    return Mosaic(_tile(dataset, -(-count // across), across), across, found)


def _items(sequence: Any) -> Sequence[Dataset]:
    """Items of a private sequence; in implicit VR pydicom leaves one of stated length as bytes."""
    if isinstance(sequence, bytes):
        try:
            return convert_SQ(sequence, is_implicit_VR=True, is_little_endian=True)
        except MALFORMED:
            return ()
    return sequence if isinstance(sequence, Sequence) and not isinstance(sequence, str) else ()


def _tile(dataset: Dataset, down: int, across: int) -> tuple[int, int]:
    rows, columns = int(number(dataset, "Rows") or 0), int(number(dataset, "Columns") or 0)
    if rows < down or columns < across or rows % down or columns % across:
        raise _unfit(f"{rows} × {columns} pixels cannot be divided into {down} × {across} tiles")
    return rows // down, columns // across


def csa_header(raw: Any) -> dict[str, tuple[str, ...]]:
    """The values of a Siemens CSA header (format SV10) by name; empty where it is none, cut off at what is broken."""
    if not isinstance(raw, bytes) or not raw.startswith(b"SV10"):
        return {}
    try:
        return dict(_csa_tags(raw))
    except struct.error:
        return {}


def _csa_tags(raw: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    """SV10, four bytes, number of tags, a mark; a tag: name (64), VM, VR, type, number of items, a mark; an item:
    four numbers of which the second is its length, then its text, filled up to four bytes."""
    (count,) = struct.unpack_from("<I", raw, 8)
    at = 16
    for _ in range(min(count, CSA_MOST)):
        name, items = struct.unpack_from("<64s12xI", raw, at)
        at += CSA_TAG
        values = []
        for _ in range(min(items, CSA_MOST)):
            (length,) = struct.unpack_from("<4xI", raw, at)
            text = raw[at + CSA_ITEM : at + CSA_ITEM + length].partition(b"\0")[0].decode("ascii", errors="replace")
            at += CSA_ITEM + (length + 3) // 4 * 4
            values.append(text.strip())
        yield name.partition(b"\0")[0].decode("ascii", errors="replace"), tuple(one for one in values if one)


def _first(csa: dict[str, tuple[str, ...]], name: str) -> str | None:
    return next(iter(csa.get(name, ())), None)


def _integer(stated: Any) -> int | None:
    """A positive whole number from a number, text, or the two bytes of a US whose VR was lost."""
    if isinstance(stated, bytes) and len(stated) == 2 and stated[1] == 0:  # text is filled up with a space
        stated = int.from_bytes(stated, "little")
    elif isinstance(stated, bytes):
        stated = stated.decode("ascii", errors="replace").strip("\0 ")
    try:
        whole = int(stated)
    except (TypeError, ValueError, OverflowError):
        return None
    return whole if 0 < whole <= CSA_MOST else None


def _unfit(reason: str) -> InputUnfit:
    return InputUnfit(Code.MOSAIC_UNFIT, f"mosaic (several slices in one image) not to be split: {reason}; {INSTEAD}")
