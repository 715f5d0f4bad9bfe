"""DICOM files to volumes: pixels decoded, rescaled to what they stand for, slices in order along the normal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.contract import Affine, Code, FloatArray, InputUnfit, SeriesFiles, Volume
from pipelines.headers.attributes import MALFORMED, number, text
from pipelines.headers.files import UNREADABLE
from pipelines.headers.frames import Frame, frames, functional_groups, group_item
from pipelines.headers.mosaic import is_mosaic, mosaic
from pipelines.roles.series import b_stacks
from pipelines.volumes.real_world import real_world, real_world_unit
from pipelines.volumes.stack import Stack, stack

# The decoders (pylibjpeg, pyjpegls, gdcm, pydicom's own) report broken streams with these.
UNDECODABLE = (*MALFORMED, OSError, RuntimeError, MemoryError, IndexError)
PHASE_AXES = {"COL": 1, "COLUMN": 1, "ROW": 2}


def load_volume(series: SeriesFiles) -> Volume:
    """One image per slice position, classic, mosaic or Enhanced MR, as float32: see ``real_world``.

    Raises InputUnfit: PIXELS_UNREADABLE, and the geometry codes of :func:`pipelines.volumes.stack.stack`.
    """
    datasets = _read(series.paths)
    geometry = stack(frames(datasets))
    pixels = _pixels(datasets)
    return _volume(geometry, np.stack([pixels(group[0]) for group in geometry.slices]))


def load_dwi(series: SeriesFiles) -> dict[float, Volume]:
    """One volume per nominal b-value (s/mm²), all on the same grid.

    Repeats of one gradient direction are averaged arithmetically, directions geometrically (the mean of ln S is the
    trace-weighted signal). Where the scanner stored its own trace image beside the directions, the trace is used.

    Raises InputUnfit: B_VALUE_UNKNOWN, SLICE_MISSING, PIXELS_UNREADABLE and the geometry codes.
    """
    datasets = _read(series.paths)
    stacks = b_stacks(frames(datasets))
    pixels = _pixels(datasets)
    return {
        b: _volume(geometry, np.stack([_combined(group, pixels) for group in geometry.slices]))
        for b, geometry in stacks.items()
    }


def ordered_paths(series: SeriesFiles) -> tuple[Path, ...]:
    """The file of each slice of :func:`load_volume`; an Enhanced MR series in one file gives that one file.

    Raises InputUnfit as :func:`load_volume`, without reading pixels.
    """
    geometry = stack(frames(_read(series.paths, pixels=False)))
    ordered = tuple(series.paths[group[0].file] for group in geometry.slices)
    return ordered[:1] if len(set(ordered)) == 1 else ordered


def phase_encode_axis(series: SeriesFiles) -> int | None:
    """The axis of the volume along which phase was encoded, along which EPI distorts: 1 rows, 2 columns.

    PS3.3 C.8.3.1 In-plane Phase Encoding Direction: COL (COLUMN in Enhanced MR, C.8.13.5.3) is along a column, from
    row to row. None where it is not stated, is OTHER, or differs between the images.
    Raises InputUnfit: PIXELS_UNREADABLE where a file is none.
    """
    stated = {direction for dataset in _read(series.paths, pixels=False) for direction in _phase_directions(dataset)}
    return PHASE_AXES.get(stated.pop()) if len(stated) == 1 else None


def _phase_directions(dataset: Dataset) -> set[str]:
    keyword = "InPlanePhaseEncodingDirection"
    nested = [group_item(groups, "MRFOVGeometrySequence") for groups in functional_groups(dataset)]
    return {text(source, keyword).upper() for source in nested if source is not None} or {
        text(dataset, keyword).upper()
    }


def _read(paths: Sequence[Path], *, pixels: bool = True) -> list[Dataset]:
    datasets: list[Dataset] = []
    for path in paths:
        try:
            datasets.append(pydicom.dcmread(path, stop_before_pixels=not pixels))
        except UNREADABLE as error:
            raise InputUnfit(Code.PIXELS_UNREADABLE, f"{path.name} cannot be read: {error}") from error
    return datasets


def _volume(geometry: Stack, array: FloatArray) -> Volume:
    affine: Affine = geometry.affine
    return Volume(array.astype(np.float32, copy=False), affine, geometry.frame_of_reference_uid)


def _pixels(datasets: Sequence[Dataset]) -> Callable[[Frame], FloatArray]:
    """A reader of single frames that decodes each file once, and refuses frames that are measured in several units."""
    decoded: dict[int, NDArray[np.generic]] = {}
    groups: dict[int, list[tuple[Dataset | None, Dataset]]] = {}
    units: set[str | None] = set()

    def read(frame: Frame) -> FloatArray:
        dataset = datasets[frame.file]
        if frame.file not in decoded:
            array = decode(dataset)
            decoded[frame.file] = mosaic(dataset).split(array) if is_mosaic(dataset) else array
            groups[frame.file] = list(functional_groups(dataset))
        stored = decoded[frame.file]
        plane = stored if stored.ndim == 2 else stored[frame.number]
        own = groups[frame.file][frame.number] if groups[frame.file] else None
        units.add(real_world_unit(dataset, own))
        if len(units) > 1:
            named = ", ".join(sorted("no Real World Value Mapping" if unit is None else unit or "?" for unit in units))
            reason = f"its images state values of several kinds ({named}): send each as a series of its own"
            raise InputUnfit(Code.PIXELS_UNREADABLE, reason)
        return real_world(plane, dataset, own)

    return read


def decode(dataset: Dataset) -> NDArray[np.generic]:
    """Stored pixel values, (rows, columns) or (frames, rows, columns). Raises InputUnfit (PIXELS_UNREADABLE)."""
    name = text(dataset, "SOPInstanceUID")
    if (number(dataset, "SamplesPerPixel") or 1) > 1:
        raise InputUnfit(Code.PIXELS_UNREADABLE, f"instance {name}: a colour image, which holds no measured values")
    try:
        array: NDArray[np.generic] = dataset.pixel_array
    except UNDECODABLE as error:
        why = str(error).partition("\n")[0]  # pydicom lists every plugin's answer
        raise InputUnfit(Code.PIXELS_UNREADABLE, f"instance {name}: pixels cannot be decoded ({why})") from error
    count = int(number(dataset, "NumberOfFrames") or 1)
    shape = (int(number(dataset, "Rows") or 0), int(number(dataset, "Columns") or 0))
    if array.shape not in (shape, (count, *shape)):
        raise InputUnfit(
            Code.PIXELS_UNREADABLE, f"instance {name}: pixels of shape {array.shape} where its header says {shape}"
        )
    return array


def _combined(group: Sequence[Frame], pixels: Callable[[Frame], FloatArray]) -> FloatArray:
    """One image from the frames of one b-value at one position."""
    trace = [frame for frame in group if frame.isotropic]
    if trace:
        return _mean([pixels(frame) for frame in trace])
    directions: dict[tuple[float, ...] | None, list[FloatArray]] = defaultdict(list)
    for frame in group:
        directions[frame.gradient].append(pixels(frame))
    means = [_mean(same) for same in directions.values()]
    if len(means) == 1:
        return means[0]
    with np.errstate(divide="ignore"):  # no signal along one direction: none in the geometric mean
        logs = np.log(np.maximum(np.stack(means), 0.0))
    return np.asarray(np.exp(np.mean(logs, axis=0)), dtype=np.float32)


def _mean(images: Sequence[FloatArray]) -> FloatArray:
    return np.asarray(np.mean(images, axis=0, dtype=np.float64), dtype=np.float32)
