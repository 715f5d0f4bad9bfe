"""The panel of response: every system's probability on one axis, so that a disagreement is seen at once."""

from __future__ import annotations

from collections.abc import Sequence

from dicom_templates import codes, palette, wording
from dicom_templates.boxes import Box
from dicom_templates.figures import shown_limits, shown_percent
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.summary.answer import answer, draw_answer
from dicom_templates.summary.bar import (
    BAR,
    SMALLEST,
    draw_bar,
    draw_outside,
    draw_phantom_flag,
    draw_ticks,
    outside_height,
    outside_lines,
)
from dicom_templates.summary.blocks import Block
from dicom_templates.summary.conflict import conflict_answer, conflicts
from dicom_templates.summary.contributions import ENOUGH, MOST, draw_moved, moved_height, rows_in
from dicom_templates.summary.possible import draw_possible, made_words
from dicom_templates.summary.room import ROOMY, Room
from pipelines.contract import Findings, Score

_ABOVE = "RESPONSE TO THERAPY: a high probability is good"
_PAD = 16.0
_GAP = 15.0
_ROW = 102.0
_NUMBERS = 178.0  # width of the column with the numbers
_MOST_ROWS = 3
_BETWEEN = 28.0  # columns of what moved the numbers


def responses(findings: Findings) -> tuple[Score, ...]:
    """The scores of wanted outcomes."""
    ordered = wording.in_reading_order(findings.scores)
    return tuple(score for score in ordered if codes.outcome(score.outcome).favourable)


def response_block(page: Page, width: float, findings: Findings, room: Room = ROOMY) -> Block | None:
    """The panel, as high as its rows need; None where no response was predicted."""
    scores = responses(findings)
    if not scores:
        return None
    shown = scores[:_MOST_ROWS]
    stated = conflicts(findings, scores)
    head = conflict_answer(stated, _ABOVE) if stated else answer(shown, _ABOVE)
    notes = [outside_lines(page, score, width - 2 * _PAD, room.notes) for score in shown]
    more = f"{len(scores) - _MOST_ROWS} more systems are in the Structured Report." if len(scores) > _MOST_ROWS else ""
    height = 2 * _PAD + head.height + _GAP + sum(_ROW + outside_height(note) for note in notes) + palette.TICK.line
    height += palette.SMALL.line if more else 0.0

    def draw(box: Box) -> None:
        page.panel(box, edge=Ink.AMBER if stated else Ink.RULE, width=6 if stated else 2)
        inside = box.inset(_PAD)
        draw_answer(page, inside, head)
        moved = rows_in(box.height - height - _GAP)
        stretch = (box.height - height - _below(shown, moved)) / len(shown)
        y = inside.y + head.height + _GAP
        for score, note in zip(shown, notes, strict=True):
            _draw_row(page, inside.below(y + stretch / 2), score)
            draw_outside(page, inside.below(y + stretch / 2 + _ROW), note)
            y += _ROW + outside_height(note) + stretch
        draw_ticks(page, Box(inside.x + _NUMBERS, y - stretch / 2 - 4, inside.width - _NUMBERS, 0))
        page.text(inside.x, y + palette.TICK.line - 4, more, palette.SMALL)
        _draw_moved(page, inside.below(box.bottom - _PAD - _below(shown, moved) + _GAP), shown, moved)

    wish = height + max(44 * len(shown), _below(shown, MOST))
    return Block(height, wish, draw, height + _below(shown, ENOUGH))


def _below(scores: Sequence[Score], rows: int) -> float:
    """What moved each number, with the gap above it."""
    moved = moved_height(scores, rows)
    return moved + _GAP if moved else 0.0


def _draw_moved(page: Page, box: Box, scores: Sequence[Score], rows: int) -> None:
    """A column for each system."""
    for score, part in zip(scores, box.columns(len(scores), _BETWEEN), strict=True):
        draw_moved(page, part, score, f"{codes.outcome(score.outcome).short}: moved most by", rows)


def _draw_row(page: Page, box: Box, score: Score) -> None:
    """One system: the number and its limits at the left; what it is of, the bar and the model at the right."""
    ink = Ink.TEXT if score.envelope.inside else Ink.DIM
    said = shown_percent(score.probability)
    style = page.largest(said, palette.NUMBER.with_ink(ink), _NUMBERS - _PAD, SMALLEST)
    page.text(box.x, box.y - 8, said, style)
    page.text(box.x + 2, box.y + 60, shown_limits(score.lower, score.upper), palette.STRONG.with_ink(ink))
    right = box.after(box.x + _NUMBERS)
    words = codes.outcome(score.outcome).words
    end = page.text(right.x, right.y - 4, words[0].upper() + words[1:], palette.STRONG) + 16
    made = made_words(page, score, right.right - end)
    style = page.largest(made, palette.SMALL, right.right - end, SMALLEST)
    page.fitted(right.right, right.y + 1, made, style, right.right - end, "right")
    draw_bar(page, Box(right.x, right.y + 37, right.width, BAR), score)
    x, y = right.x, right.y + 68
    if score.model.phantom_trained:
        x = draw_phantom_flag(page, (x, y + 1)) + 10
    draw_possible(page, right.below(y).after(x), score)
