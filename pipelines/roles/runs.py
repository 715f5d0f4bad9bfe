"""Series of one b-value each to runs: those that follow each other in time closely enough to be one acquisition.

A run holds each b-value once and nothing between its series; the same b-value again begins another. Of all ways to cut
a sequence into runs those with the fewest runs, and then the shortest pauses inside them, are the best; a run is
certain where every one of the best has it. Without times only a sequence with every b-value once is one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

from pipelines.headers.b_values import nominal

LONGEST_PAUSE_S = 15 * 60.0
AS_SOON_S = 30.0
AT_ONCE_S = 1.0
MOST = 12  # series in a sequence: more are no diffusion acquisition cut up, and too many ways to cut

Run = tuple[int, ...]


@dataclass(frozen=True)
class Moment:
    """When a series began, s (None: not stated), and its b-value."""

    began: float | None
    b: float


@dataclass(frozen=True)
class Runs:
    """Indices of the moments in each run of two or more, and why each of the others is in none."""

    certain: tuple[Run, ...] = ()
    why: dict[int, str] = field(default_factory=dict)


def runs(moments: Sequence[Moment]) -> Runs:
    """The runs that are certain, each in order of time."""
    named = nominal(moment.b for moment in moments)
    b = [named[moment.b] for moment in moments]
    timed = [moment.began for moment in moments if moment.began is not None]
    if len(timed) < len(moments):
        return _untimed(b)
    order = sorted(range(len(moments)), key=lambda index: (timed[index], b[index]))
    certain: list[Run] = []
    why: dict[int, str] = {}
    for sequence in _sequences(order, timed):
        found = _cut(sequence, timed, b)
        certain += found.certain
        why.update(found.why)
    return Runs(tuple(certain), why)


def _untimed(b: Sequence[float]) -> Runs:
    if len(set(b)) == len(b) > 1:
        return Runs((tuple(range(len(b))),))
    words = "several of one b-value, and their headers do not say when each was acquired"
    return Runs(why=dict.fromkeys(range(len(b)), words))


def _sequences(order: Sequence[int], began: Sequence[float]) -> list[list[int]]:
    found = [[order[0]]]
    for before, after in pairwise(order):
        if began[after] - began[before] > LONGEST_PAUSE_S:
            found.append([])
        found[-1].append(after)
    return found


def _cut(sequence: Sequence[int], began: Sequence[float], b: Sequence[float]) -> Runs:
    if len(sequence) == 1:
        return Runs(why={sequence[0]: f"acquired more than {LONGEST_PAUSE_S / 60:g} min from the others"})
    if len(sequence) > MOST:
        return Runs(why=dict.fromkeys(sequence, f"{len(sequence)} series of one b-value each, more than can be told"))
    twins = any(b[i] == b[j] and abs(began[i] - began[j]) <= AT_ONCE_S for i in sequence for j in sequence if i < j)
    if twins:
        return Runs(why=dict.fromkeys(sequence, "several of one b-value were acquired at the same time"))
    cuts = [_pieces(sequence, where) for where in product((False, True), repeat=len(sequence) - 1)]
    sound = [pieces for pieces in cuts if all(len({b[i] for i in piece}) == len(piece) for piece in pieces)]
    fewest = min(len(pieces) for pieces in sound)
    pauses = {pieces: _spans(pieces, began) for pieces in sound if len(pieces) == fewest}
    best = [set(pieces) for pieces, pause in pauses.items() if pause <= min(pauses.values()) + AS_SOON_S]
    certain = tuple(piece for piece in best[0] if len(piece) > 1 and all(piece in other for other in best))
    single = {piece[0] for piece in set.intersection(*best) if len(piece) == 1}
    inside = {index for piece in certain for index in piece}
    words = "the others are nearer in time to each other", "two series fit equally well in time"
    return Runs(certain, {i: words[0] if i in single else words[1] for i in sequence if i not in inside})


def _pieces(sequence: Sequence[int], cut: Sequence[bool]) -> tuple[Run, ...]:
    """The sequence cut before each element but the first for which ``cut`` says so."""
    places = [0, *(place for place, here in enumerate(cut, 1) if here), len(sequence)]
    return tuple(tuple(sequence[start:end]) for start, end in pairwise(places))


def _spans(pieces: Sequence[Run], began: Sequence[float]) -> float:
    return sum(began[piece[-1]] - began[piece[0]] for piece in pieces)
