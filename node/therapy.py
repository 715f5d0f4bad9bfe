"""When a patient's therapy began and ended: an exam in between, or on the wrong side of it, is not what it seems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.clinical.course import is_near


@dataclass(frozen=True)
class Therapy:
    """One course of neoadjuvant therapy; what is not known is None. The days of start and end are on both sides."""

    start: date | None = None
    end: date | None = None

    def among(self, exams: Sequence[date], within_days: int) -> Therapy:
        """What of this therapy belongs to these exams (in order of date); start and end may be of courses years apart.

        A day belongs to them where it lies at most ``within_days`` before the first or after the last of them. An end
        before the start is of an earlier course.
        """
        start, end = (self._near(day, exams, timedelta(days=within_days)) for day in (self.start, self.end))
        return Therapy(start, None if start is not None and end is not None and end < start else end)

    @staticmethod
    def _near(day: date | None, exams: Sequence[date], within: timedelta) -> date | None:
        return day if day is not None and exams and is_near(day, exams, within) else None

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
