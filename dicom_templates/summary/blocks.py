"""The blocks of a column: each says what room it needs, and gets at least that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicom_templates.boxes import Box

GAP = 16.0
_LEAST_GAP = 5.0
_MOST_GAP = 22.0  # by which the gaps grow where all wishes are met


@dataclass(frozen=True)
class Block:
    """A part of a column. ``least``, ``enough`` and ``wish``: heights in pixels, ``enough`` 0 where it is the least.

    ``urgent``: gets what it wishes before the others get more than enough. ``optional``: left out where there is no
    room; a ``firm`` one stays while the others have enough, be they comfortable or not.
    """

    least: float
    wish: float
    draw: Callable[[Box], None]
    enough: float = 0.0
    urgent: bool = False
    optional: bool = False
    firm: bool = False


def least_height(blocks: Sequence[Block | None], gap: float = GAP) -> float:
    """What the blocks need that are never left out."""
    needed = [block.least for block in blocks if block is not None and not block.optional]
    return sum(needed) + gap * max(0, len(needed) - 1)


def draw_blocks(box: Box, blocks: Sequence[Block | None], gap: float = GAP) -> None:
    """The blocks from top to bottom, sharing what is left of the box beyond their least heights;
    closer to each other than ``gap`` where even these are too much.

    Optional blocks are kept, in order, while the others are comfortable; firm ones while these have enough.
    """
    kept = _fitting(box.height, [block for block in blocks if block is not None], gap)
    heights = [block.least for block in kept]
    gap = max(_LEAST_GAP, min(gap, (box.height - sum(heights)) / max(1, len(kept) - 1)))
    spare = box.height - gap * max(0, len(kept) - 1) - sum(heights)
    enough = [_enough(block) for block in kept]
    first = [block.wish if block.urgent else least for block, least in zip(kept, enough, strict=True)]
    for wanted in (enough, first, [block.wish for block in kept]):
        heights, spare = _grown(heights, wanted, spare)
    gap += min(_MOST_GAP, max(0.0, spare) / max(1, len(kept)))
    y = box.y
    for block, height in zip(kept, heights, strict=True):
        block.draw(Box(box.x, y, box.width, height))
        y += height + gap


def _grown(heights: Sequence[float], wanted: Sequence[float], spare: float) -> tuple[list[float], float]:
    """Heights nearer to what is wanted, by the same share of each wish, and what is left to share."""
    wishes = [max(0.0, want - height) for height, want in zip(heights, wanted, strict=True)]
    share = min(1.0, max(0.0, spare) / max(sum(wishes), 1e-9))
    return [height + share * wish for height, wish in zip(heights, wishes, strict=True)], spare - share * sum(wishes)


def _comfortable(block: Block) -> float:
    """Halfway from enough to the wish."""
    return (_enough(block) + block.wish) / 2


def _enough(block: Block) -> float:
    return max(block.least, block.enough)


def _fitting(height: float, blocks: Sequence[Block], gap: float) -> list[Block]:
    needed, bare = (
        sum(room(block) + gap for block in blocks if not block.optional) - gap for room in (_comfortable, _enough)
    )
    kept = []
    for block in blocks:
        if block.optional:
            if (bare if block.firm else needed) + block.least + gap > height:
                continue
            needed, bare = needed + block.least + gap, bare + block.least + gap
        kept.append(block)
    return kept
