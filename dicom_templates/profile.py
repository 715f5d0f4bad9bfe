"""What a destination wants: which objects, and how they are written. Set per [[peer]] in config.toml."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from dicom_templates.kinds import Item

FIRST_SERIES_NUMBER: Final = 9001
DEFAULT_PREFIX: Final = "AI"


class ReportTitle(StrEnum):
    """TID 1500 row 1 (CID 7021): what the report calls itself."""

    IMAGING = "126000"
    ONCOLOGY = "126001"


class ReportClass(StrEnum):
    """The SOP class of the report. Nothing in it has 3D coordinates, so both hold the same tree."""

    COMPREHENSIVE_3D = "comprehensive_3d"
    COMPREHENSIVE = "comprehensive"


@dataclass(frozen=True)
class Rendering:
    """How the objects of a result are written. Destinations with equal renderings share the same objects.

    ``in_baseline_study``: the SEG of the baseline exam is filed in the baseline study; otherwise every object is
    filed in the restaging study. ``with_segmentations``: the report cites SEG objects, because they are sent too.
    ``first_series_number``: of a block, see :data:`dicom_templates.kinds.SERIES_PLACES`.
    ``prefix`` begins every series description.
    """

    title: ReportTitle = ReportTitle.ONCOLOGY
    report_class: ReportClass = ReportClass.COMPREHENSIVE_3D
    in_baseline_study: bool = True
    with_segmentations: bool = True
    first_series_number: int = FIRST_SERIES_NUMBER
    prefix: str = DEFAULT_PREFIX

    @property
    def text(self) -> str:
        """This rendering as the ledger keeps it: what departs from the default, as JSON; empty for the default."""
        departures = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        return json.dumps(departures, sort_keys=True) if departures else ""

    @property
    def key(self) -> str:
        """Part of every UID, so that no UID ever has two contents; empty for the default rendering."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12] if self.text else ""

    @classmethod
    def read(cls, text: str) -> Rendering:
        """The rendering that the ledger keeps as ``text``."""
        departures = json.loads(text) if text else {}
        if "title" in departures:
            departures["title"] = ReportTitle(departures["title"])
        if "report_class" in departures:
            departures["report_class"] = ReportClass(departures["report_class"])
        return cls(**departures)


DEFAULT_RENDERING: Final = Rendering()


DEFAULT_ITEMS: Final = frozenset({Item.SEG, Item.REPORT, Item.SUMMARY})
