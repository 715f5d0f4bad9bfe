"""What is wrong with the layout of a drawn page, from its own record; and whether it says a thing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from dicom_templates.boxes import Box
from dicom_templates.page import Drawn, Page

_SHORTEST_CUT = 12  # characters that a cut text must keep to say anything


def faults(page: Page) -> list[str]:
    """Texts that leave the page, run over another text, or cross the edge of a panel or picture; boxes that overlap."""
    texts = [text for text in page.texts if text.words.strip()]
    found = [f"outside the page: {text.words!r}" for text in texts if not _paper(page).holds(text.box)]
    found += [f"{one.words!r} over {other.words!r}" for one, other in combinations(texts, 2) if _collide(one, other)]
    found += [
        f"{text.words!r} crosses the edge of a box at {box.x:.0f}, {box.y:.0f}"
        for text in texts
        for box in (*page.panels, *page.pictures)
        if text.box.overlaps(box, 1.5) and not box.holds(text.box, 1.5)
    ]
    for name, boxes in (("panels", page.panels), ("pictures", page.pictures)):
        found += [f"two {name} overlap: {one}, {other}" for one, other in combinations(boxes, 2) if one.overlaps(other)]
    return found


def says(page: Page, words: str) -> bool:
    """Whether the page says these words, or as much of them as there was room for, with an ellipsis."""
    return any(_continues(drawn, " ".join(words.split())) for drawn in _from_each(page))


def text_of(page: Page) -> str:
    return " ".join(text.words for text in page.texts)


def _paper(page: Page) -> Box:
    return Box(0, 0, page.width, page.height)


def _collide(one: Drawn, other: Drawn) -> bool:
    return one.box.overlaps(other.box, 2.0)


def _from_each(page: Page) -> Iterator[str]:
    """What is drawn from each text onwards, in the order of drawing."""
    whole = text_of(page)
    start = 0
    for text in page.texts:
        start = whole.index(text.words, start)
        yield whole[start:]


def _continues(drawn: str, words: str) -> bool:
    if words in drawn[: len(words) + 200]:
        return True
    before = drawn.partition("…")[0].rstrip()
    where = before.find(words[:_SHORTEST_CUT])
    return where >= 0 and words.startswith(before[where:]) and len(before) - where >= _SHORTEST_CUT
