"""When a patient's therapy began and ended: an exam in between, or on the wrong side of it, is not what it seems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Therapy:
    """One course of neoadjuvant therapy; what is not known is None. The days of start and end are on both sides."""

    start: date | None = None
    end: date | None = None

    def among(self, exams: Sequence[date], within_days: int) -> Therapy:
        """This therapy, where it belongs to these exams (in order of date); nothing known, where it is of other years.

        It belongs to them where it lies at most ``within_days`` before the first or after the last of them.
        """
        if not exams:
            return UNKNOWN_THERAPY
        days = [day for day in (self.start, self.end) if day is not None]
        near = any((exams[0] - day).days <= within_days and (day - exams[-1]).days <= within_days for day in days)
        return self if near else UNKNOWN_THERAPY

    def denies_baseline(self, exam: date) -> str:
        """Why an exam cannot be the baseline; '' where nothing speaks against it."""
        if self.start is not None and exam > self.start:
            return f"it was taken after therapy began on {self.start}"
        return f"it was taken after therapy ended on {self.end}" if self.end is not None and exam > self.end else ""

    def denies_restaging(self, exam: date) -> str:
        """Why an exam cannot be the restaging exam; '' where nothing speaks against it."""
        if self.end is not None and exam < self.end:
            return f"it was taken before therapy ended on {self.end}"
        return (
            f"it was taken before therapy began on {self.start}" if self.start is not None and exam < self.start else ""
        )


UNKNOWN_THERAPY = Therapy()
