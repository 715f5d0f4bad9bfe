"""What moved a number most, input by input: a bar to the right raises it, a bar to the left lowers it."""

from __future__ import annotations

from collections.abc import Sequence

from dicom_templates import palette
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from pipelines.contract import Contribution, Score

ENOUGH, MOST = 3, 6  # rows below the heading; none where there is no room
_ROW = 22.0
_BARS = 98.0  # width of the bars, half of it for each direction
_BAR = 11.0
_WIDEST = 640.0  # a value far from its name is hard to find
_GAP, _BETWEEN = 10.0, 9.0  # right of the bars; between name and value
_SMALLEST = 14.5  # a name may get this small before its note in brackets is left out, and then its end
_NAME = palette.TICK.sized(16.5)
_DIRECTION = _NAME.sized(13.0)


def moved_height(scores: Sequence[Score], rows: int) -> float:
    """What so many rows and their heading need; 0 where no score says what moved it."""
    longest = max((len(score.contributions) for score in scores), default=0)
    return _ROW * (1 + min(rows, longest)) if rows and longest else 0.0


def rows_in(room: float) -> int:
    """How many rows fit below a heading in a room of this height."""
    return max(0, min(MOST, int((room + 0.5) // _ROW) - 1))


def shown(score: Score, rows: int) -> tuple[Contribution, ...]:
    """As many as there are rows, the largest first; with room for it the last row is what all others add together."""
    every = score.contributions
    if len(every) <= rows or rows <= ENOUGH:
        return every[:rows]
    rest = every[rows - 1 :]
    others = Contribution(f"{len(rest)} other inputs together", "", sum(one.amount for one in rest))
    return (*every[: rows - 1], others)


def draw_moved(page: Page, box: Box, score: Score, heading: str, rows: int) -> None:
    """A heading over the bars and names, then a row each, from the top of ``box``; nothing where nothing is known."""
    told = shown(score, rows)
    if not told:
        return
    middle = box.x + _BARS / 2
    page.text(middle - 4, box.y + 2, "lowers", _DIRECTION, "right")
    page.text(middle + 4, box.y + 2, "raises", _DIRECTION)
    names = Box(box.x, box.y, min(box.width, _WIDEST), box.height).after(box.x + _BARS + _GAP)
    page.fitted(names.x, box.y, heading, _NAME.with_ink(Ink.DIM), names.width)
    page.line(((middle, box.y + _ROW), (middle, box.y + _ROW * (1 + len(told)))), Ink.DIM, 1.5)
    most = max(1e-12, *(abs(one.amount) for one in told))
    for number, one in enumerate(told, start=1):
        y = box.y + number * _ROW
        length = _BARS / 2 * abs(one.amount) / most
        left = middle if one.amount > 0 else middle - length
        page.rectangle(Box(left, y + (_ROW - _BAR) / 2, length, _BAR), Ink.BAND if score.envelope.inside else Ink.DIM)
        _draw_words(page, names, y, one)


def _draw_words(page: Page, names: Box, y: float, one: Contribution) -> None:
    """Name at the left and value at the right, both smaller where they need it; what is left out is of the name."""
    width = names.width - (_BETWEEN if one.value else 0.0)
    name = next((name for name in _names(one) if _fits(page, f"{name}{one.value}", width)), one.name)
    style = page.largest(f"{name}{one.value}", _NAME, width, _SMALLEST)
    right = page.measure(one.value, style)
    page.text(names.right - right, y, one.value, style.with_ink(Ink.TEXT))
    page.fitted(names.x, y, name, style, width - right)


def _names(one: Contribution) -> tuple[str, str]:
    """Whole, and without a note in brackets at its end."""
    return one.name, one.name.partition(" (")[0]


def _fits(page: Page, words: str, width: float) -> bool:
    return page.measure(words, _NAME.sized(_SMALLEST)) <= width
