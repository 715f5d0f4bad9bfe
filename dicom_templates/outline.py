"""The outline of a mask in one slice, as closed lines between the centres of its pixels and of those around it.

Coordinates are those of graphic annotations in PIXEL units (PS3.3 C.10.5): (column, row), the upper left corner of
the upper left pixel is (0, 0), so the centre of the pixel in column c and row r is (c + 0.5, r + 0.5). The corners of
a line lie in the middle of pixel edges: a pixel is inside exactly where the mask has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dicom_templates.identity import PHANTOM
from pipelines.contract import Mask, MaskOrigin, TimePoint

Corner = tuple[int, int]  # (row, column) of a point where four pixels meet
Points = NDArray[np.float64]

# Directions (row, column) to go on in, seen from the one that one comes in: first towards the mask's own side, so
# that pixels that touch at a corner only are apart.
_TURNS = {(0, 1): (1, 0), (1, 0): (0, -1), (0, -1): (-1, 0), (-1, 0): (0, 1)}


def outlines(plane: NDArray[np.bool_]) -> tuple[Points, ...]:
    """Closed lines, float64 (points, 2) of (column, row), first point again at the end; holes have lines of their own.

    ``plane``: the mask of one slice (rows, columns).
    """
    steps = _boundary(plane)
    lines = []
    while steps:
        corners = _follow(steps)
        lines.append(_middles(corners))
    return tuple(lines)


def outlined_by(mask: Mask) -> str:
    """Who drew the outline, for a picture of it: "outlined by the model segmenter 2.1, not checked by a reader"."""
    if mask.origin is MaskOrigin.READER:
        return f"outlined by a reader{f' ({mask.reader})' if mask.reader else ''}, copied"
    flag = f" ({PHANTOM})" if mask.model is not None and mask.model.phantom_trained else ""
    return f"outlined by the model {mask.algorithm} {mask.version}{flag}, not checked by a reader"


def outline_words(mask: Mask, time_point: TimePoint) -> str:
    """What a series of outlines holds, for its description; it says whose outline it is."""
    whose = "copy of reader's outline" if mask.origin is MaskOrigin.READER else "tumour outline"
    return f"{whose} {time_point}"


def _boundary(plane: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Pixel edges between mask and outside, from corner to corner, the mask on the right hand."""
    padded = np.pad(plane, 1)
    steps: dict[Corner, list[Corner]] = {}
    inside = padded[1:-1, 1:-1]
    edges = (
        (inside & ~padded[:-2, 1:-1], (0, 0), (0, 1)),  # upper edge, to the right
        (inside & ~padded[1:-1, 2:], (0, 1), (1, 1)),  # right edge, down
        (inside & ~padded[2:, 1:-1], (1, 1), (1, 0)),  # lower edge, to the left
        (inside & ~padded[1:-1, :-2], (1, 0), (0, 0)),  # left edge, up
    )
    for where, start, end in edges:
        for row, column in np.argwhere(where).tolist():
            steps.setdefault((row + start[0], column + start[1]), []).append((row + end[0], column + end[1]))
    return steps


def _follow(steps: dict[Corner, list[Corner]]) -> list[Corner]:
    """One closed walk along the edges, which are taken out of ``steps``."""
    start = next(iter(steps))
    corners, here, direction = [start], start, (0, 0)
    while True:
        ends = steps[here]
        turn = _TURNS.get(direction, (0, 0))
        wanted = (here[0] + turn[0], here[1] + turn[1])
        end = ends.pop(ends.index(wanted) if wanted in ends else 0)
        if not ends:
            del steps[here]
        direction, here = (end[0] - here[0], end[1] - here[1]), end
        corners.append(here)
        if here == start:
            return corners


def _middles(corners: list[Corner]) -> Points:
    """The middles of the edges of a closed walk as (column, row), without those on a straight line; closed."""
    walk = np.array(corners, dtype=np.float64)[:, ::-1]
    middles = (walk[:-1] + walk[1:]) / 2.0
    before, after = middles - np.roll(middles, 1, axis=0), np.roll(middles, -1, axis=0) - middles
    bends = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 0
    kept = middles[bends]
    return np.concatenate([kept, kept[:1]])
