"""The two times at which a rectal tumour is looked at."""

from __future__ import annotations

from enum import StrEnum


class TimePoint(StrEnum):
    BASELINE = "baseline"
    RESTAGING = "restaging"
