"""Files to series: headers read without pixels, grouped by Series Instance UID; what is no DICOM is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from pipelines.headers.attributes import MALFORMED, number, text

PREAMBLE = 128
UNREADABLE = (*MALFORMED, InvalidDicomError, OSError, RecursionError)


@dataclass(frozen=True)
class SeriesHeaders:
    """The headers of one series; ``paths[i]`` is the file of ``headers[i]``."""

    series_uid: str
    study_uid: str
    headers: tuple[Dataset, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class FoundSeries:
    """What a set of files holds: series in order of study, series number and UID, and the files left out."""

    series: tuple[SeriesHeaders, ...]
    skipped: tuple[Skipped, ...]


def find_files(folder: Path) -> tuple[Path, ...]:
    """Every regular file below ``folder``, sorted; whether each is DICOM shows when it is read.

    Raises FileNotFoundError or NotADirectoryError where there is no such folder.
    """
    if not folder.exists():
        raise FileNotFoundError(f"no such folder: {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"not a folder: {folder}")
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file()))


def read_series(paths: Iterable[Path]) -> tuple[SeriesHeaders, ...]:
    """The series in Part 10 files. Use :func:`read_files` where files may be something else and must be named."""
    return read_files(paths).series


def read_files(paths: Iterable[Path]) -> FoundSeries:
    """Read headers and group them by Series Instance UID; an instance met twice counts once."""
    groups: dict[str, list[tuple[Dataset, Path]]] = {}
    instances: dict[str, Path] = {}
    skipped: list[Skipped] = []
    for path in paths:
        dataset, reason = _read(path)
        if dataset is not None and not reason:
            first = instances.setdefault(str(dataset.SOPInstanceUID), path)
            reason = "" if first == path else f"the same SOP Instance UID as {first.name}"
        if dataset is None or reason:
            skipped.append(Skipped(path, reason))
        else:
            groups.setdefault(str(dataset.SeriesInstanceUID), []).append((dataset, path))
    series = [_series(uid, members, skipped) for uid, members in groups.items()]
    return FoundSeries(tuple(sorted(series, key=series_order)), tuple(skipped))


def _read(path: Path) -> tuple[Dataset | None, str]:
    try:
        with path.open("rb") as file:
            if file.read(PREAMBLE + 4)[PREAMBLE:] != b"DICM":
                return None, "not a DICOM Part 10 file (no DICM prefix)"
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        missing = [
            keyword
            for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
            if not text(dataset, keyword)
        ]
    except UNREADABLE as error:
        return None, f"not readable as DICOM ({type(error).__name__}: {error})"
    return dataset, f"without {', '.join(missing)}" if missing else ""


def _series(uid: str, members: list[tuple[Dataset, Path]], skipped: list[Skipped]) -> SeriesHeaders:
    """One series; members that claim another study than most are left out, as one series has one study."""
    studies = [str(dataset.StudyInstanceUID) for dataset, _ in members]
    study = max(sorted(set(studies)), key=studies.count)
    kept = []
    for dataset, path in members:
        if str(dataset.StudyInstanceUID) == study:
            kept.append((dataset, path))
        else:
            skipped.append(Skipped(path, f"its series belongs to another study ({study})"))
    kept.sort(key=_instance_order)
    return SeriesHeaders(uid, study, tuple(d for d, _ in kept), tuple(p for _, p in kept))


def series_order(series: SeriesHeaders) -> tuple[str, float, str]:
    """By study, series number and UID: the same for the same objects, wherever their files lie."""
    return series.study_uid, number(series.headers[0], "SeriesNumber") or 0.0, series.series_uid


def _instance_order(member: tuple[Dataset, Path]) -> tuple[float, str]:
    return number(member[0], "InstanceNumber") or 0.0, str(member[0].SOPInstanceUID)
