"""Series that hold one b-value each, put together to the diffusion acquisition that they come from.

Some scanners and archives write every b-value as a series of its own. They belong together where they were acquired
alike: same study, frame of reference, matrix, slices, TE, TR, sequence and scale. Two with one b-value are repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydicom import Dataset

from pipelines.contract import Code, InputUnfit, Role, SeriesRole
from pipelines.headers.attributes import private, text
from pipelines.headers.files import SeriesHeaders
from pipelines.headers.frames import Frame, frames
from pipelines.roles.contrast_rules import TRACE
from pipelines.roles.evidence import Evidence, acquired, evidence
from pipelines.roles.series import b_stacks

Classified = tuple[SeriesHeaders, SeriesRole]
SAME_TIME = 0.01  # of an echo or repetition time


@dataclass(frozen=True)
class _Part:
    """A series of one b-value."""

    series: SeriesHeaders
    role: SeriesRole
    seen: Evidence
    found: tuple[Frame, ...]

    @property
    def b(self) -> float:
        return self.role.b_values[0]

    @property
    def order(self) -> tuple[str, float, str]:
        first = self.series.headers[0]
        return min(acquired(header) for header in self.series.headers), self.b, text(first, "SeriesInstanceUID")

    @property
    def name(self) -> str:
        return f"series {text(self.series.headers[0], 'SeriesNumber') or '?'} (b {self.b:g})"


def joined(members: Sequence[Classified]) -> tuple[Classified, ...]:
    """The members with each such set in place of its series; its role names them all, its paths are those of all.

    A series of b 0 that finds no partner stays what it was: refused.
    """
    sets = _sets(members)
    taken = {part.series.series_uid for parts in sets for part in parts}
    return (*(member for member in members if member[0].series_uid not in taken), *map(_whole, sets))


def with_partners(members: Sequence[Classified]) -> dict[str, SeriesRole]:
    """The roles, by series UID, of the series of b 0 that belong to such a set: alone they have none."""
    return {
        part.series.series_uid: replace(
            part.role,
            role=Role.DWI,
            code=None,
            reason=f"the unweighted images of one acquisition, with {', '.join(one.name for one in parts if one.b)}",
        )
        for parts in _sets(members)
        for part in parts
        if part.role.role is Role.OTHER
    }


def _sets(members: Sequence[Classified]) -> list[list[_Part]]:
    """The series of one b-value that belong together, by b-value; those without a partner are in none."""
    parts = sorted((_part(*member) for member in members if _is_part(member[1])), key=lambda part: part.order)
    sets: list[list[_Part]] = []
    for part in parts:
        fitting = next((one for one in sets if all(_together(part, other) for other in one)), None)
        if fitting is None:
            sets.append([part])
        else:
            fitting.append(part)
    return [sorted(one, key=lambda part: part.b) for one in sets if len(one) > 1 and _is_whole(one)]


def _is_part(role: SeriesRole) -> bool:
    unweighted = role.code is Code.B_VALUES_UNFIT and role.b_values == (0.0,)
    return len(role.b_values) == 1 and (role.role is Role.DWI or unweighted)


def _part(series: SeriesHeaders, role: SeriesRole) -> _Part:
    found = frames(series.headers)
    return _Part(series, role, evidence(series.headers, found), found)


def _together(one: _Part, other: _Part) -> bool:
    ours, theirs = one.seen, other.seen
    times = ((ours.echo_time, theirs.echo_time), (ours.repetition_time, theirs.repetition_time))
    return (
        one.b != other.b
        and one.series.study_uid == other.series.study_uid
        and all(a is not None and b is not None and abs(a - b) <= SAME_TIME * a for a, b in times)
        and ours.scanning == theirs.scanning
        and one.found[0].shape == other.found[0].shape
        and one.found[0].frame_of_reference_uid == other.found[0].frame_of_reference_uid
        and (_is_trace(one) == _is_trace(other) or 0.0 in {one.b, other.b})
        and _scales(one.series.headers) == _scales(other.series.headers)
    )


def _is_trace(part: _Part) -> bool:
    return bool(part.seen.image_type & TRACE) or part.seen.isotropic


def _scales(headers: Sequence[Dataset]) -> set[str]:
    """Philips scales each series for itself; its factor back to what was measured is private."""
    creator = "Philips MR Imaging DD 001"
    return {str(private(header, 0x2005, creator, 0x0E, "PHILIPS") or "") for header in headers}


def _is_whole(parts: Sequence[_Part]) -> bool:
    """Whether the parts have the same slices, and something is weighted."""
    try:
        stacks = b_stacks(frames([header for part in parts for header in part.series.headers]))
    except InputUnfit:
        return False
    return len(stacks) == len(parts) and any(part.b for part in parts)


def _whole(parts: Sequence[_Part]) -> Classified:
    """The parts as one series, under the UID of that with the highest b-value."""
    leading = parts[-1]
    shown = "/".join(f"{part.b:g}" for part in parts)
    named = ", ".join(part.name for part in parts)
    role = replace(
        leading.role,
        description=" + ".join(dict.fromkeys(part.role.description for part in parts)),
        b_values=tuple(part.b for part in parts),
        confidence=min(part.role.confidence for part in parts),
        reason=f"diffusion-weighted: one b-value per series, {named} taken together as one acquisition, b {shown}",
    )
    headers = tuple(header for part in parts for header in part.series.headers)
    paths = tuple(path for part in parts for path in part.series.paths)
    return SeriesHeaders(leading.series.series_uid, leading.series.study_uid, headers, paths), role
