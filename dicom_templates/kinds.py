"""The objects of a result, by kind, and what a destination can ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydicom.dataset import Dataset

from pipelines.contract import TimePoint


class Kind(StrEnum):
    """The objects of one result. One series per kind, its UID stable over versions."""

    SEG_BASELINE = "seg_baseline"
    SEG_RESTAGING = "seg_restaging"
    REPORT = "report"
    MAPS_BASELINE = "maps_baseline"
    MAPS_RESTAGING = "maps_restaging"
    SUMMARY = "summary"
    PDF = "pdf"
    CONTOURS_BASELINE = "contours_baseline"
    CONTOURS_RESTAGING = "contours_restaging"
    PRESENTATION_BASELINE = "presentation_baseline"
    PRESENTATION_RESTAGING = "presentation_restaging"
    REJECTION_BASELINE = "rejection_baseline"
    REJECTION_RESTAGING = "rejection_restaging"
    WITHDRAWN = "withdrawn"


class Item(StrEnum):
    """What a destination can ask for (``objects`` of its profile)."""

    SEG = "seg"
    REPORT = "report"
    SUMMARY = "summary"
    PDF = "pdf"
    MAPS = "maps"
    CONTOURS = "contours"
    PRESENTATION = "presentation"


#: Withdrawals go wherever something was sent, whatever is asked for.
ITEMS = {
    Kind.SEG_BASELINE: Item.SEG,
    Kind.SEG_RESTAGING: Item.SEG,
    Kind.REPORT: Item.REPORT,
    Kind.MAPS_BASELINE: Item.MAPS,
    Kind.MAPS_RESTAGING: Item.MAPS,
    Kind.SUMMARY: Item.SUMMARY,
    Kind.PDF: Item.PDF,
    Kind.CONTOURS_BASELINE: Item.CONTOURS,
    Kind.CONTOURS_RESTAGING: Item.CONTOURS,
    Kind.PRESENTATION_BASELINE: Item.PRESENTATION,
    Kind.PRESENTATION_RESTAGING: Item.PRESENTATION,
}

#: Place of a kind's series in the block of series numbers.
SERIES_PLACES = {
    Kind.SEG_BASELINE: 0,
    Kind.SEG_RESTAGING: 0,
    Kind.REPORT: 1,
    Kind.MAPS_BASELINE: 2,
    Kind.MAPS_RESTAGING: 2,
    Kind.SUMMARY: 3,
    Kind.WITHDRAWN: 3,
    Kind.PDF: 4,
    Kind.CONTOURS_BASELINE: 5,
    Kind.CONTOURS_RESTAGING: 5,
    Kind.PRESENTATION_BASELINE: 6,
    Kind.PRESENTATION_RESTAGING: 6,
    Kind.REJECTION_BASELINE: 7,
    Kind.REJECTION_RESTAGING: 7,
}

SEG_KINDS = {TimePoint.BASELINE: Kind.SEG_BASELINE, TimePoint.RESTAGING: Kind.SEG_RESTAGING}
MAPS_KINDS = {TimePoint.BASELINE: Kind.MAPS_BASELINE, TimePoint.RESTAGING: Kind.MAPS_RESTAGING}
CONTOURS_KINDS = {TimePoint.BASELINE: Kind.CONTOURS_BASELINE, TimePoint.RESTAGING: Kind.CONTOURS_RESTAGING}
PRESENTATION_KINDS = {TimePoint.BASELINE: Kind.PRESENTATION_BASELINE, TimePoint.RESTAGING: Kind.PRESENTATION_RESTAGING}


#: The exam that an object belongs to; the others are about the whole case.
TIME_POINTS = {
    kind: time_point
    for kinds in (SEG_KINDS, MAPS_KINDS, CONTOURS_KINDS, PRESENTATION_KINDS)
    for time_point, kind in kinds.items()
}


@dataclass(frozen=True)
class Result:
    """One object of a result. ``kind`` is its name in files and in the ledger; some kinds have several objects."""

    kind: Kind
    dataset: Dataset


def named(results: Sequence[Result]) -> Iterator[tuple[str, Result]]:
    """Each object with a file name of its own: its kind, numbered from the second object of a kind on."""
    seen: Counter[Kind] = Counter()
    for result in results:
        seen[result.kind] += 1
        number = seen[result.kind]
        yield str(result.kind) if number == 1 else f"{result.kind}-{number:03d}", result
