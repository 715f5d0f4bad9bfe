"""Several masks of one tumour: the one that was drawn, and others as another reader might have drawn it."""

from __future__ import annotations

from numpy.random import Generator

from pipelines.cohort.disturb import disturbed
from pipelines.contract import MaskArray


def views_of(mask: MaskArray, spacing: tuple[float, float, float], count: int, rng: Generator) -> tuple[MaskArray, ...]:
    """``count`` masks on one grid of ``spacing`` (slices, rows, columns; mm): the one drawn, then disturbed ones.

    An empty mask, as a complete responder may have, stays empty in every view.
    """
    if not mask.any():
        return (mask,) * count
    return (mask, *(disturbed(mask, spacing, rng) for _ in range(count - 1)))
