"""Which of the studies that an archive lists may hold the baseline of a waiting exam, and why not.

Matching decides afterwards, by the dates, words and identities of all that is here: the first usable exam of an
episode is the baseline. So the oldest come first, and fetching a part of them never makes a later exam the baseline.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from node.demographics import Agreement, compare
from node.listed import MR, ListedSeries, ListedStudy
from node.match import MatchingRules
from pipelines.contract import Code, Patient
from pipelines.exam import OWN_MANUFACTURER

# Images, and what readers outlined or reported in them.
_WANTED = frozenset({MR, "SEG", "RTSTRUCT", "SR"})


MOST_PARTS = 3
"""How often a study is fetched of which a part fails each time: raw data, say, which this node does not take."""


@dataclass(frozen=True)
class Held:
    """What became here of a study that an archive lists. ``code``: its verdict; None where nothing of it is here.

    ``fetched``: it came whole. ``parts``: how often a part came; None where it was never tried in vain.
    """

    code: str | None = None
    fetched: bool = False
    parts: int | None = None

    @property
    def is_enough(self) -> bool:
        """Whether fetching it would bring nothing new: an archive may have the axial T2 that routing left out."""
        if self.fetched or (self.parts or 0) >= MOST_PARTS:
            return True
        return self.code not in (None, Code.NO_T2_AXIAL) and not self.parts


@dataclass(frozen=True)
class Candidates:
    """The studies to fetch, in their order; how many are here already; and those of somebody else, in words."""

    studies: tuple[ListedStudy, ...]
    here: tuple[ListedStudy, ...]
    others: tuple[str, ...]


def window(exam: date, rules: MatchingRules) -> tuple[date, date]:
    """The first and the last day on which the baseline of a restaging exam may have been taken."""
    return exam - timedelta(days=rules.max_interval_days), exam - timedelta(days=rules.min_interval_days)


def candidates(patient: Patient, listed: Iterable[ListedStudy], held: dict[str, Held]) -> Candidates:
    """Tell apart what may be fetched for a patient. What was tried in vain comes last, so that it stops nothing."""
    studies, here, others = [], [], []
    for study in listed:
        found = compare(patient, study.patient, "here")
        if found.agreement is Agreement.MISMATCH:
            others.append(f"study of {study.date}: {' and '.join(found.differences)}")
        elif held.get(study.study_uid, Held()).is_enough:
            here.append(study)
        else:
            studies.append(study)
    studies.sort(key=lambda study: (held.get(study.study_uid, Held()).parts is not None, study.date, study.study_uid))
    return Candidates(tuple(studies), tuple(here), tuple(others))


def wanted_series(series: Sequence[ListedSeries], own: Collection[str]) -> tuple[ListedSeries, ...]:
    """What is fetched of a study, its images last; nothing where it has none. ``own``: the series of our results."""
    wanted = [one for one in series if one.modality in _WANTED and not is_own(one, own)]
    # By the archive's counts a study is not complete before its last images: what readers outlined is then here, too.
    wanted.sort(key=lambda one: one.modality == MR)
    return tuple(wanted) if any(one.modality == MR for one in wanted) else ()


def is_own(series: ListedSeries, own: Collection[str]) -> bool:
    """Whether a series holds results of this software."""
    return series.series_uid in own or series.manufacturer.upper() == OWN_MANUFACTURER
