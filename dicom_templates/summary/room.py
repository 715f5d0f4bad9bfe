"""How much a page says where its column has little room: rather less of a thing than two things over each other."""

from __future__ import annotations

from dataclasses import dataclass

FULL, SCANT, NONE = 5, 1, 0
"""Lines of why a number is not reliable: as a rule, where there is little room, and where it is said above."""


@dataclass(frozen=True)
class Room:
    """``notes``: lines of why a number is not reliable. ``heads``: whether numbers that contradict each other have
    answers of their own below the disagreement."""

    notes: int = FULL
    heads: bool = True


ROOMY = Room()
LEVELS = (ROOMY, Room(SCANT), Room(NONE, heads=False))
TOLD_ABOVE = (Room(NONE), Room(NONE, heads=False))
