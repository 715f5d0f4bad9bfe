"""From studies to exams (time points) and episodes, by their dates. Pure, and independent of the order of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from node.records import StudyFacts
from node.words import read_words
from pipelines.contract import Role, TimePoint


@dataclass(frozen=True)
class DatedExam:
    """One time point: studies of one patient that are close in time, the most complete one first."""

    studies: tuple[StudyFacts, ...]

    @property
    def uids(self) -> tuple[str, ...]:
        return tuple(study.study_uid for study in self.studies)

    @property
    def date(self) -> date:
        """The StudyDate of the study that leads."""
        return dated(self.studies[0])

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset().union(*(study.roles for study in self.studies)) - {Role.OTHER}

    @property
    def is_usable(self) -> bool:
        """Whether anything can be measured: the tumour is outlined on the axial T2, so no system does without."""
        return Role.T2_AXIAL in self.roles

    @property
    def said(self) -> dict[TimePoint, str]:
        """The time points that the words of its studies name, with those words."""
        hints = [read_words(study.words) for study in self.studies]
        return {hint.time_point: hint.said for hint in hints if hint.time_point is not None}

    def led_by(self, study_uid: str, without: frozenset[str]) -> DatedExam:
        """The same time point with one study leading, and without some others."""
        leading = [study for study in self.studies if study.study_uid == study_uid]
        rest = [study for study in self.studies if study.study_uid not in without | {study_uid}]
        return DatedExam((*leading, *rest))


def dated(study: StudyFacts) -> date:
    """The StudyDate of a study that is known to have one."""
    if study.study_date is None:
        raise ValueError(f"study {study.study_uid} has no StudyDate")
    return study.study_date


def has_a_role(study: StudyFacts) -> bool:
    return bool(study.roles - {Role.OTHER})


def group_into_exams(
    studies: Iterable[StudyFacts], within_days: int, kept_apart: Callable[[str, str], bool]
) -> tuple[DatedExam, ...]:
    """The time points of one person, in order of date.

    A study belongs to a time point when it is at most ``within_days`` after its first study (never chained on, or a
    row of weekly exams would be one), unless ``kept_apart`` says that it and a study there are two exams.
    """
    groups: list[list[StudyFacts]] = []
    for study in sorted(studies, key=lambda study: (dated(study), study.study_uid)):
        group = groups[-1] if groups else []
        near = bool(group) and dated(study) - dated(group[0]) <= timedelta(days=within_days)
        if near and not any(kept_apart(study.study_uid, other.study_uid) for other in group):
            group.append(study)
        else:
            groups.append([study])
    return tuple(DatedExam(tuple(sorted(group, key=_completeness))) for group in groups)


def split_into_episodes(exams: Sequence[DatedExam], gap_days: int) -> tuple[tuple[DatedExam, ...], ...]:
    """Exams in order of date, cut wherever more than ``gap_days`` lie between two neighbours."""
    episodes: list[list[DatedExam]] = []
    for exam in exams:
        if episodes and exam.date - episodes[-1][-1].date <= timedelta(days=gap_days):
            episodes[-1].append(exam)
        else:
            episodes.append([exam])
    return tuple(tuple(episode) for episode in episodes)


def _completeness(study: StudyFacts) -> tuple[bool, int, int, int, str]:
    """Sort key, the most complete first: an axial T2, then more roles, then more slices, then the later repeat."""
    roles = study.roles - {Role.OTHER}
    return (Role.T2_AXIAL not in roles, -len(roles), -study.slices, -dated(study).toordinal(), study.study_uid)
