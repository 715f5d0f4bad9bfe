"""Series that hold one b-value each, put together to the diffusion acquisition that they come from.

Some scanners and archives write every b-value as a series of its own. They belong together where they were acquired
alike: same study, frame of reference, matrix, slices, TE, TR, sequence, filters and scale, one soon after the other
(:mod:`pipelines.roles.runs`). What does not fit stays out, and why is said; where two fit equally, none is taken.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydicom import Dataset

from pipelines.contract import Code, InputUnfit, Role, SeriesRole
from pipelines.headers.attributes import item, number, private, text
from pipelines.headers.files import SeriesHeaders
from pipelines.headers.frames import Frame, frames
from pipelines.roles.contrast_rules import TRACE
from pipelines.roles.evidence import Evidence, acquired, evidence
from pipelines.roles.runs import Moment, runs
from pipelines.roles.series import b_stacks
from pipelines.volumes.stack import Stack

Classified = tuple[SeriesHeaders, SeriesRole]
SAME_TIME = 0.01  # of an echo or repetition time
SAME_SCALE = 1e-3
FILTERS = frozenset({"ND", "DIS2D", "DIS3D", "NORM", "FIL", "FILTERED", "MOCO"})  # of one acquisition, stored twice
TRACE_NAMED = re.compile(r"trace|\biso|\bgeom")
CLOCK = re.compile(r"(\d{12}(?:\d\d)?)(\.\d+)?")
APART = "not put together with"


@dataclass(frozen=True)
class _Part:
    """A series of one b-value; ``geometry`` is None where its slices are no stack, ``scale`` where it is not told."""

    series: SeriesHeaders
    role: SeriesRole
    seen: Evidence
    found: tuple[Frame, ...]
    geometry: Stack | None
    scale: float | None

    @property
    def b(self) -> float:
        return self.role.b_values[0]

    @property
    def uid(self) -> str:
        return self.series.series_uid

    @property
    def moment(self) -> Moment:
        clock = CLOCK.match(min(acquired(header) for header in self.series.headers))
        if clock is None:
            return Moment(None, self.b)
        whole, fraction = clock.groups()
        try:
            began = datetime.strptime(whole.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return Moment(None, self.b)
        return Moment(began.timestamp() + float(fraction or 0), self.b)

    @property
    def name(self) -> str:
        return f"series {text(self.series.headers[0], 'SeriesNumber') or '?'} (b {self.b:g})"


@dataclass(frozen=True)
class _Family:
    """Parts acquired alike: ``sets`` of them by b-value, and why the others stay out, by series UID."""

    parts: tuple[_Part, ...]
    sets: tuple[tuple[_Part, ...], ...]
    why: dict[str, str]


def joined(members: Sequence[Classified]) -> tuple[Classified, ...]:
    """The members with each such set in place of its series; its role names them all, its paths are those of all.

    A series of b 0 that finds no partner stays what it was: refused.
    """
    families = _families(members)
    sets = [(parts, family) for family in families for parts in family.sets]
    taken = {part.uid for parts, _ in sets for part in parts}
    apart = {uid: words for family in families if not family.sets for uid, words in _apart(family).items()}
    kept = tuple(
        (series, replace(role, reason=f"{role.reason}{apart.get(series.series_uid, '')}"))
        for series, role in members
        if series.series_uid not in taken
    )
    return (*kept, *(_whole(parts, family) for parts, family in sets))


def with_partners(members: Sequence[Classified]) -> dict[str, SeriesRole]:
    """The roles, by series UID, of the series of b 0 that belong to such a set: alone they have none."""
    return {
        part.uid: replace(
            part.role,
            role=Role.DWI,
            code=None,
            reason=f"the unweighted images of one acquisition, with {', '.join(one.name for one in parts if one.b)}",
        )
        for family in _families(members)
        for parts in family.sets
        for part in parts
        if part.role.role is Role.OTHER
    }


def _families(members: Sequence[Classified]) -> list[_Family]:
    parts = sorted((_part(*member) for member in members if _is_part(member[1])), key=lambda part: (part.b, part.uid))
    return [_family(alike) for alike in _grouped(parts) if len(alike) > 1]


def _grouped(parts: Sequence[_Part]) -> list[list[_Part]]:
    groups: list[list[_Part]] = []
    for part in parts:
        fitting = next((one for one in groups if all(_alike(part, other) for other in one)), None)
        if fitting is None:
            groups.append([part])
        else:
            fitting.append(part)
    return groups


def _family(parts: Sequence[_Part]) -> _Family:
    """Which of the parts make sets: first by what cannot be put together, then by time."""
    why = {part.uid: words for part in parts if (words := _unjoinable(part))}
    layouts: list[list[_Part]] = []
    for part in (one for one in parts if one.uid not in why):
        fitting = next((one for one in layouts if not _misfit(part, one[0])), None)
        if fitting is None:
            layouts.append([part])
        else:
            fitting.append(part)
    sets: list[tuple[_Part, ...]] = []
    for layout in layouts:
        others = [other for other in layouts if other is not layout]
        if len(layout) == 1:
            why[layout[0].uid] = _misfit(layout[0], max(others, key=len)[0]) if others else "no other series fits"
            continue
        found = runs([part.moment for part in layout])
        sets += [tuple(sorted((layout[i] for i in run), key=lambda part: part.b)) for run in found.certain]
        why.update({layout[i].uid: words for i, words in found.why.items()})
    return _Family(tuple(parts), tuple(sets), why)


def _is_part(role: SeriesRole) -> bool:
    unweighted = role.code is Code.B_VALUES_UNFIT and role.b_values == (0.0,)
    return len(role.b_values) == 1 and (role.role is Role.DWI or unweighted)


def _part(series: SeriesHeaders, role: SeriesRole) -> _Part:
    found = frames(series.headers)
    try:
        geometry = next(iter(b_stacks(found).values()))
    except InputUnfit:
        geometry = None
    return _Part(series, role, evidence(series.headers, found), found, geometry, _scale(series.headers))


def _alike(one: _Part, other: _Part) -> bool:
    ours, theirs = one.seen, other.seen
    times = ((ours.echo_time, theirs.echo_time), (ours.repetition_time, theirs.repetition_time))
    return (
        one.series.study_uid == other.series.study_uid
        and all(a is not None and b is not None and abs(a - b) <= SAME_TIME * a for a, b in times)
        and ours.scanning == theirs.scanning
        and ours.image_type & FILTERS == theirs.image_type & FILTERS
        and one.found[0].shape == other.found[0].shape
        and one.found[0].frame_of_reference_uid == other.found[0].frame_of_reference_uid
        and (_is_trace(one) == _is_trace(other) or 0.0 in {one.b, other.b})
    )


def _is_trace(part: _Part) -> bool:
    return bool(part.seen.image_type & TRACE) or part.seen.isotropic


def _unjoinable(part: _Part) -> str:
    """Why a part can be put together with none (empty: it can)."""
    trace = part.seen.image_type & TRACE or TRACE_NAMED.search(part.seen.words)
    if part.b and not part.seen.original and not trace:
        return "derived, and nothing calls it a trace image: its b-value may be calculated"
    if part.geometry is None:
        return "its slices are no regular stack"
    return "" if part.scale is not None else "the scale of its signal (Philips' Scale Slope) is not stated"


def _misfit(one: _Part, other: _Part) -> str:
    """Why two parts cannot be put together (empty: they can)."""
    if one.geometry is None or other.geometry is None or not one.geometry.same_positions(other.geometry):
        return "other slices"
    same = (
        one.scale is not None and other.scale is not None and math.isclose(one.scale, other.scale, rel_tol=SAME_SCALE)
    )
    return "" if same else "another scale of the signal"


def _scale(headers: Sequence[Dataset]) -> float | None:
    """What the values shown stand for, per unit of signal; 1 but for Philips, None where it is not told.

    Philips scales each series for itself: the signal is the stored value over Scale Slope (2005,100E), so that a value
    shown, stored × Rescale Slope, is the signal times the product of both (Chenevert et al., Transl Oncol 2014;7:65).
    """
    found = [_philips_scale(header) for header in headers]
    known = [scale for scale in found if scale is not None and scale > 0 and math.isfinite(scale)]
    if len(known) < len(found) or not known or max(known) > (1 + SAME_SCALE) * min(known):
        return None
    return known[0]


def _philips_scale(header: Dataset) -> float | None:
    stored = private(header, 0x2005, "Philips MR Imaging DD 001", 0x0E, "PHILIPS")
    if stored is None and "PHILIPS" not in text(header, "Manufacturer").upper():
        return 1.0
    if isinstance(stored, bytes):
        stored = struct.unpack("<f", stored)[0] if len(stored) == struct.calcsize("<f") else None
    mapping = item(header, "RealWorldValueMappingSequence")
    shown = number(header, "RescaleSlope") or 1.0
    if mapping is not None:
        shown = number(mapping, "RealWorldValueSlope") or 0.0
    try:
        return None if stored is None else float(stored) * shown
    except (TypeError, ValueError):
        return None


def _apart(family: _Family) -> dict[str, str]:
    """What is to be added to the reason of each part of a family that makes no set."""
    return {
        part.uid: f"; {APART} {', '.join(other.name for other in family.parts if other is not part)}: "
        f"{family.why[part.uid]}"
        for part in family.parts
    }


def _whole(parts: Sequence[_Part], family: _Family) -> Classified:
    """The parts as one series, under the UID of that with the highest b-value."""
    leading = parts[-1]
    shown = "/".join(f"{part.b:g}" for part in parts)
    named = ", ".join(part.name for part in parts)
    out = "".join(f"; {one.name} stays out: {family.why[one.uid]}" for one in family.parts if one.uid in family.why)
    role = replace(
        leading.role,
        description=" + ".join(dict.fromkeys(part.role.description for part in parts)),
        b_values=tuple(part.b for part in parts),
        confidence=min(part.role.confidence for part in parts),
        reason=f"diffusion-weighted: one b-value per series, {named} taken together as one acquisition, b {shown}{out}",
    )
    headers = tuple(header for part in parts for header in part.series.headers)
    paths = tuple(path for part in parts for path in part.series.paths)
    return SeriesHeaders(leading.uid, leading.series.study_uid, headers, paths), role
