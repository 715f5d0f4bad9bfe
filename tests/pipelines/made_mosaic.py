"""Mosaics made for a test, as Siemens and UIH scanners write them."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.pipelines.made_series import DWI, Grid, Maker


def csa(values: Mapping[str, Sequence[str]]) -> bytes:
    """A CSA header of format SV10: names with their text values; empty items as scanners leave them."""
    parts = [b"SV10\x04\x03\x02\x01", struct.pack("<II", len(values), 77)]
    for name, texts in values.items():
        items = [text.encode() + b"\0" for text in texts] + [b""] * 3
        parts.append(struct.pack("<64si4siii", name.encode(), len(texts), b"FD", 4, len(items), 77))
        for text in items:
            parts.append(struct.pack("<4i", len(text), len(text), 77, len(text)) + text + b"\0" * (-len(text) % 4))
    return b"".join(parts)


def tiled(array: np.ndarray, across: int, down: int) -> np.ndarray:
    """The slices in reading order on one image, tile by tile."""
    _, rows, columns = array.shape
    image = np.zeros((down * rows, across * columns), dtype=array.dtype)
    for index, plane in enumerate(array):
        top, left = index // across * rows, index % across * columns
        image[top : top + rows, left : left + columns] = plane
    return image


def siemens_mosaic(maker: Maker, array: np.ndarray, grid: Grid, *, backwards: bool = False, **more: Any) -> Dataset:
    """The slices of ``array`` on one image; ``backwards``: the last slice is the first tile."""
    across = math.ceil(math.sqrt(len(array)))
    image = tiled(array[::-1] if backwards else array, across, across)
    dataset = _whole(maker, image, grid, "MOSAIC", more)
    _, rows, columns = array.shape
    origin = np.array(grid.origin) + grid.normal * grid.spacing[0] * (len(array) - 1 if backwards else 0)
    origin = origin - grid.affine[:3, 1] * (across - 1) * rows / 2 - grid.affine[:3, 2] * (across - 1) * columns / 2
    dataset.ImagePositionPatient = [float(f"{value:.9g}") for value in origin]
    dataset.SpacingBetweenSlices = float(f"{grid.spacing[0]:.9g}")
    dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", len(array))
    normal = -grid.normal if backwards else grid.normal
    header = {"EchoLinePosition": ["3"], "SliceNormalVector": [f"{value:.8f}" for value in normal]}
    dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", csa(header))
    return dataset


def uih_mosaic(maker: Maker, array: np.ndarray, grid: Grid, **more: Any) -> Dataset:
    across = math.ceil(math.sqrt(len(array)))
    image = tiled(array, across, math.ceil(len(array) / across))
    dataset = _whole(maker, image, grid, "VFRAME", {"Manufacturer": "UIH", **more})
    items = []
    for index in range(len(array)):
        position = np.array(grid.origin) + grid.normal * grid.spacing[0] * index
        items.append(Dataset())
        items[-1].ImagePositionPatient = [float(f"{value:.9g}") for value in position]
    block = dataset.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x50, "DS", str(len(array)))
    block.add_new(0x51, "SQ", items)
    return dataset


def _whole(maker: Maker, image: np.ndarray, grid: Grid, kind: str, more: dict[str, Any]) -> Dataset:
    (dataset,) = maker.slices(image[None], grid, DWI, ImageType=["ORIGINAL", "PRIMARY", "M", kind], **more)
    del dataset.ImagePositionPatient
    dataset.SeriesInstanceUID = more.get("SeriesInstanceUID", generate_uid())
    return dataset
