"""Stored pixel values to what they stand for: Real World Value Mapping, Modality LUT, Rescale, and pixel padding.

In this order of precedence, per frame: Real World Value Mapping (PS3.3 C.7.6.16.2.11), Modality LUT (C.11.1.1.1),
Rescale (C.11.1.1.2, C.7.6.16.2.9), stored value. Padding (C.7.5.1.1.2), and what no item of a Real World Value Mapping
maps, becomes 0, the value that means no signal in images and no value in maps, whatever the intercept: never NaN, which
filters would spread.

Philips' private Scale Slope (2005,100E) is not applied: it would bring the images of several scans to one scale of
signal, while ratios inside one scan, on which every fit here rests, are those of the rescaled values already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut

from pipelines.contract import Code, FloatArray, InputUnfit
from pipelines.headers.attributes import MALFORMED, item, number, text, value
from pipelines.headers.frames import group_item

Groups = tuple[Dataset | None, Dataset]
Stored = NDArray[np.generic]


@dataclass(frozen=True)
class RealWorldMapping:
    """One item: stored values ``first`` to ``last`` by ``table``, else by slope and intercept, to ``unit`` (UCUM)."""

    first: float
    last: float
    slope: float
    intercept: float
    table: NDArray[np.float64] | None
    unit: str


def real_world(stored: Stored, dataset: Dataset, groups: Groups | None = None) -> FloatArray:
    """The values of one frame as float32; ``groups``: its functional groups in a multi-frame object.

    Raises InputUnfit: PIXELS_UNREADABLE where a look-up table is broken or a value is not finite.
    """
    rescale = dataset
    if groups is not None:
        rescale = group_item(groups, "PixelValueTransformationSequence") or dataset
    mappings = _mappings(dataset, groups)
    if mappings:
        values = _mapped(stored, mappings, dataset)
    elif item(dataset, "ModalityLUTSequence") is not None:
        values = _looked_up(stored, dataset)
    else:
        slope, intercept = number(rescale, "RescaleSlope"), number(rescale, "RescaleIntercept")
        values = stored.astype(np.float64) * (slope or 1.0) + (intercept or 0.0)
    values[_padding(stored, dataset)] = 0.0
    if not np.isfinite(values).all():
        raise _unreadable(dataset, "values not finite")
    return values.astype(np.float32)


def real_world_unit(dataset: Dataset, groups: Groups | None = None) -> str | None:
    """The UCUM unit that a Real World Value Mapping states, empty where it names none; None without a mapping."""
    mappings = _mappings(dataset, groups)
    return mappings[0].unit if mappings else None


def _mappings(dataset: Dataset, groups: Groups | None) -> list[RealWorldMapping]:
    """The usable items of the frame's own sequence, else of the shared one, else of the object's."""
    shared, own = groups if groups is not None else (None, None)
    for source in (own, shared, dataset):
        found = [] if source is None else list(_items(source, dataset))
        if found:
            return found
    return []


def _items(source: Dataset, dataset: Dataset) -> Iterator[RealWorldMapping]:
    for one in value(source, "RealWorldValueMappingSequence") or ():
        first = _limit(one, dataset, "First", -np.inf)
        last = _limit(one, dataset, "Last", np.inf)
        slope, intercept = number(one, "RealWorldValueSlope"), number(one, "RealWorldValueIntercept")
        table = value(one, "RealWorldValueLUTData")
        unit = text(item(one, "MeasurementUnitsCodeSequence") or Dataset(), "CodeValue")
        if table is not None:
            entries = np.atleast_1d(np.asarray(table, dtype=np.float64))
            if len(entries) != last - first + 1:
                raise _unreadable(
                    dataset, f"a Real World Value LUT of {len(entries)} entries for {first:g} to {last:g}"
                )
            yield RealWorldMapping(first, last, 1.0, 0.0, entries, unit)
        elif slope is not None and intercept is not None:
            yield RealWorldMapping(first, last, slope, intercept, None, unit)


def _limit(mapping: Dataset, dataset: Dataset, which: str, otherwise: float) -> float:
    stated = number(mapping, f"RealWorldValue{which}ValueMapped")
    if stated is not None:
        return _as_stored(stated, dataset)
    double = number(mapping, f"DoubleFloatRealWorldValue{which}ValueMapped")
    return otherwise if double is None else double


def _as_stored(stated: float, dataset: Dataset) -> float:
    """A limit that was written with the wrong one of US and SS, as a stored value of this image."""
    span = 2.0 ** (number(dataset, "BitsAllocated") or 16)
    if number(dataset, "PixelRepresentation") == 1:
        return stated - span if stated >= span / 2 else stated
    return stated + span if stated < 0 else stated


def _mapped(stored: Stored, mappings: list[RealWorldMapping], dataset: Dataset) -> NDArray[np.float64]:
    """Each value by the first item whose range holds it; 0 where none does."""
    original = stored.astype(np.float64)
    values = np.zeros(original.shape)
    free = np.ones(original.shape, dtype=np.bool_)
    for mapping in mappings:
        chosen = free & (original >= mapping.first) & (original <= mapping.last)
        if mapping.table is None:
            values[chosen] = original[chosen] * mapping.slope + mapping.intercept
        else:
            values[chosen] = mapping.table[(original[chosen] - mapping.first).astype(np.intp)]
        free &= ~chosen
    if free.all():
        raise _unreadable(dataset, "no stored value lies in the range of its Real World Value Mapping")
    return values


def _looked_up(stored: Stored, dataset: Dataset) -> NDArray[np.float64]:
    try:
        return np.asarray(apply_modality_lut(stored, dataset), dtype=np.float64)
    except MALFORMED as error:
        raise _unreadable(dataset, f"a broken Modality LUT ({error})") from error


def _padding(stored: Stored, dataset: Dataset) -> NDArray[np.bool_]:
    """Which pixels were filled in where nothing was acquired."""
    padding, limit = number(dataset, "PixelPaddingValue"), number(dataset, "PixelPaddingRangeLimit")
    if padding is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    ends = sorted(_as_stored(end, dataset) for end in (padding, padding if limit is None else limit))
    values = stored.astype(np.float64)
    return np.asarray((values >= ends[0]) & (values <= ends[1]), dtype=np.bool_)


def _unreadable(dataset: Dataset, reason: str) -> InputUnfit:
    return InputUnfit(
        Code.PIXELS_UNREADABLE, f"instance {text(dataset, 'SOPInstanceUID')}: {reason}; send the series again"
    )
