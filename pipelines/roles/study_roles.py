"""What the series of one study say of each other: whether a T1 was acquired after contrast agent had been given.

Its header alone often does not tell: the agent is left blank, or carried over into every series from the first. What
tells is the order of the acquisitions, and where that leaves two readings there is no role. And b 0 alone is diffusion
only beside the series with the other b-values (:mod:`pipelines.roles.diffusion_sets`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.contract import Code, Role, SeriesRole
from pipelines.headers.files import SeriesHeaders
from pipelines.headers.frames import Frame, frames
from pipelines.roles import series_words as terms
from pipelines.roles.contrast_rules import looks_like_t1
from pipelines.roles.diffusion_sets import with_partners
from pipelines.roles.evidence import Evidence, acquired, evidence
from pipelines.roles.series import classify, mr_images
from pipelines.roles.site_rules import SiteRule, site_rule

Classified = tuple[SeriesHeaders, SeriesRole]
SAME_TIME = 0.01  # of an echo or repetition time
CLOCKED = len("YYYYMMDDHHMM")
_NOT_TIMED = {Code.NOT_AN_IMAGE, Code.NOT_MR, Code.COLOUR_MAP}


@dataclass(frozen=True)
class _Member:
    """A series of a study, with what the order of the acquisitions rests on."""

    series: SeriesHeaders
    role: SeriesRole
    ruled: bool
    seen: Evidence
    first: Frame
    began: str

    @property
    def name(self) -> str:
        return repr(self.role.description)

    @property
    def decided(self) -> bool:
        """Whether its own header says enough: a site's rule, a name, or the time of the injection."""
        return self.ruled or bool(self.seen.enhancement) or self.seen.injected is not None

    def same_protocol(self, other: _Member) -> bool:
        ours, theirs = self.seen, other.seen
        times = ((ours.echo_time, theirs.echo_time), (ours.repetition_time, theirs.repetition_time))
        return (
            all(one is not None and two is not None and abs(one - two) <= SAME_TIME * one for one, two in times)
            and (ours.scanning, ours.fat_suppressed, ours.plane)
            == (theirs.scanning, theirs.fat_suppressed, theirs.plane)
            and self.first.shape == other.first.shape
            and _close(self.first.spacing, other.first.spacing)
            and _close(self.first.orientation, other.first.orientation)
        )


def classified(series: Iterable[SeriesHeaders], rules: Sequence[SiteRule] = ()) -> tuple[Classified, ...]:
    """Every series with its role, in the order given: by its own headers, then by those of its study.

    What an MR series holds beside its images is left out of it (:func:`pipelines.roles.series.mr_images`).
    """
    found = [(mr_images(one), classify(one, rules)) for one in series]
    studies: dict[str, list[Classified]] = defaultdict(list)
    for one, role in found:
        studies[one.study_uid].append((one, role))
    roles = {
        uid: role
        for study in studies.values()
        for uid, role in {**_reconsidered(study, rules), **with_partners(study)}.items()
    }
    return tuple((one, roles.get(one.series_uid, role)) for one, role in found)


def _reconsidered(study: Sequence[Classified], rules: Sequence[SiteRule]) -> dict[str, SeriesRole]:
    """The roles of the study's T1 series that the other series change, by series UID."""
    if not any(role.role in {Role.T1, Role.CE_T1} for _, role in study):
        return {}
    members = sorted(
        filter(None, (_member(one, role, rules) for one, role in study if role.code not in _NOT_TIMED)),
        key=lambda member: (member.began, member.series.series_uid),
    )
    open_t1 = [one for one in members if one.role.role in {Role.T1, Role.CE_T1} and one.began and not one.decided]
    carried = _agent_carried_over(members)
    return {
        one.series.series_uid: changed
        for one in open_t1
        if (changed := _by_agent(one, open_t1) if one.seen.agent and carried else _by_order(one, members, carried))
    }


def _member(series: SeriesHeaders, role: SeriesRole, rules: Sequence[SiteRule]) -> _Member | None:
    """None for what holds no image frame at all."""
    found = frames(series.headers)
    if not found:
        return None
    return _Member(
        series=series,
        role=role,
        ruled=site_rule(rules, series.headers[0]) is not None,
        seen=evidence(series.headers, found),
        first=found[0],
        began=min(_clocked(acquired(header)) for header in series.headers),
    )


def _clocked(when: str) -> str:
    """A date and time, or nothing: a date alone would come before every time of its day."""
    return when if len(when) >= CLOCKED else ""


def _agent_carried_over(members: Sequence[_Member]) -> bool:
    """Whether the first thing acquired already names the agent: then its being named says nothing of any series."""
    timed = [one for one in members if one.began]
    return len(timed) > 1 and bool(timed[0].seen.agent) and not looks_like_t1(timed[0].seen)


def _by_agent(one: _Member, open_t1: Sequence[_Member]) -> SeriesRole | None:
    """A T1 whose agent stands in every series: of several in one plane only the last one is surely enhanced."""
    later = [other for other in open_t1 if other.began > one.began and other.seen.plane is one.seen.plane]
    carried = f"agent {one.seen.agent!r} stands in the header of every series from the first on"
    if later:
        return _refused(one, f"{carried}, and {later[0].name} follows: before or after the injection cannot be told")
    return replace(
        one.role, role=Role.CE_T1, confidence=0.6, reason=f"{one.role.reason}; {carried}, this T1 is the last"
    )


def _by_order(one: _Member, members: Sequence[_Member], carried: bool) -> SeriesRole | None:
    """A T1 that names no agent, after series that do, or after another T1 of the same protocol."""
    if one.role.role is not Role.T1:
        return None
    for other in members:
        if not other.began or other.began >= one.began:
            continue
        given = other.seen.agent and not carried and other.seen.injected is not False
        if given or (looks_like_t1(other.seen) and other.seen.enhancement == "enhanced"):
            return _enhanced(one, f"acquired after {other.name}, which had contrast agent")
        if _may_be_enhanced_dynamic(other):
            if not (looks_like_t1(other.seen) or terms.ENHANCED_DYNAMIC.search(other.seen.words)):
                return _refused(one, f"acquired after {other.name}, of which nothing says whether agent was given")
            return _enhanced(one, f"acquired after the dynamic series {other.name}")
    alike = [other for other in members if other.began < one.began and other.same_protocol(one) and other.began]
    if any(other.role.role is Role.T1 and other.seen.enhancement == "unenhanced" for other in alike):
        return _enhanced(one, f"acquired after {alike[0].name}, the same protocol named unenhanced")
    if alike:
        reason = f"same protocol as {alike[0].name} before it: a repeat, or enhanced; its header names no agent"
        return _refused(one, reason)
    return None


def _may_be_enhanced_dynamic(other: _Member) -> bool:
    """Gradient echoes again and again follow an agent, or the bowel: a cine says nothing of an agent."""
    seen = other.seen
    gradient = "GR" in seen.scanning and "EP" not in seen.scanning
    silent = seen.enhancement == "unenhanced" or seen.injected is False or terms.CINE.search(seen.words)
    return other.role.code is Code.DYNAMIC_SERIES and gradient and not silent


def _enhanced(one: _Member, reason: str) -> SeriesRole:
    return replace(one.role, role=Role.CE_T1, confidence=0.7, reason=f"contrast-enhanced T1: {reason}")


def _refused(one: _Member, reason: str) -> SeriesRole:
    return replace(one.role, role=Role.OTHER, confidence=0.5, code=Code.NOT_RECOGNISED, reason=f"T1, but {reason}")


def _close(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    return one is not None and other is not None and bool(np.allclose(one, other, atol=1e-3))
