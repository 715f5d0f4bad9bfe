"""The panels of risk, one for each feared outcome: the probability, and the curve or nomogram behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dicom_templates import codes, palette, wording
from dicom_templates.boxes import Box
from dicom_templates.figures import shown_limits, shown_percent
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.summary.answer import MIDDLE, SHORT, Answer, answer, draw_answer
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
from dicom_templates.summary.contributions import ENOUGH, MOST, draw_moved, moved_height, rows_in
from dicom_templates.summary.curve import draw_curve
from dicom_templates.summary.nomogram import draw_nomogram
from dicom_templates.summary.possible import draw_possible, made_words
from dicom_templates.summary.room import ROOMY, Room
from pipelines.contract import Findings, Score

ABOVE = "RISK: a high probability is bad"
_PAD = 16.0
_GAP = 14.0
_NUMBERS = 160.0
_NUMBER_ROW = 96.0
_TITLE = 24.0
_MADE = 2 * 26.0
_NO_PLOT, _LEAST_PLOT, _ENOUGH_PLOT, _MOST_PLOT = 30.0, 122.0, 156.0, 400.0
_SIDE = 430.0  # width of the numbers beside a plot
_LEAST_BELOW, _MOST_BELOW, _MOST_BESIDE = 160.0, 310.0, 190.0  # heights where one plot is below and one beside them
_MOST = 2
_MOST_NARROW = 3  # lines of why a number is not reliable, where two panels stand side by side
_APART = 16.0
_NOTE = 27.0
_LEFT_OUT = "More of it is in the Structured Report."

Plot = Callable[[Page, Box], None]


@dataclass(frozen=True)
class _Panel:
    """One score's panel: its head (a title alone, where there is none), why it is not reliable, and what is drawn
    beside and below its numbers."""

    score: Score
    head: Answer | None
    outside: tuple[str, ...]
    beside: Plot | None
    below: tuple[Plot, ...]

    @property
    def top(self) -> float:
        """Height of the head or the title."""
        return _TITLE if self.head is None else self.head.height

    @property
    def texts(self) -> float:
        """Height of head, numbers and model."""
        return self.top + _GAP + _NUMBER_ROW + _MADE + outside_height(self.outside)


def risks(findings: Findings) -> tuple[Score, ...]:
    """The scores of feared outcomes."""
    ordered = wording.in_reading_order(findings.scores)
    return tuple(score for score in ordered if not codes.outcome(score.outcome).favourable)


def risk_block(page: Page, width: float, findings: Findings, room: Room = ROOMY) -> Block | None:
    """Panels side by side, a lone one with its plots beside the numbers; None where no risk was predicted."""
    shown = risks(findings)[:_MOST]
    if not shown:
        return None
    alone = len(shown) == 1
    each = (width - _APART * (len(shown) - 1)) / len(shown)
    given = room if alone else replace(room, notes=min(room.notes, _MOST_NARROW))
    panels = [_panel(page, score, each, given, alone) for score in shown]
    least, enough, wish = (
        max(_height(panel, plot) for panel in panels) for plot in (_NO_PLOT, _ENOUGH_PLOT, _MOST_PLOT)
    )

    def draw(box: Box) -> None:
        for panel, part in zip(panels, box.columns(len(panels), _APART), strict=True):
            _draw_panel(page, part, panel)

    return Block(least, wish, draw, enough)


def _panel(page: Page, score: Score, width: float, room: Room, alone: bool = False) -> _Panel:
    said = answer((score,), ABOVE)
    # With its horizon: a risk without one says nothing.
    what = codes.outcome(score.outcome).words
    head = Answer(said.tone, said.above, said.large, f"of {what}", SHORT if alone else MIDDLE) if room.heads else None
    plots = _plots(score)
    # A nomogram is read along its axes: of two plots it gets the panel's width.
    beside = plots.pop() if alone and plots else None
    outside = outside_lines(page, score, width - 2 * _PAD if beside is None else _SIDE, room.notes)
    return _Panel(score, head, outside, beside, tuple(plots))


def _plots(score: Score) -> list[Plot]:
    plots: list[Plot] = []
    if (nomogram := score.nomogram) is not None:
        plots.append(lambda page, box: draw_nomogram(page, box, nomogram))
    if (curve := score.curve) is not None:
        plots.append(lambda page, box: draw_curve(page, box, score, curve))
    return plots


def _height(panel: _Panel, plot: float) -> float:
    rows = {_NO_PLOT: 0, _ENOUGH_PLOT: ENOUGH, _MOST_PLOT: MOST}[plot]
    texts = panel.texts + _with_gap(moved_height((panel.score,), rows))
    if panel.beside is None:
        # What moved the number comes before a plot: the report has that as well.
        drawn = panel.below and (plot == _MOST_PLOT or not panel.score.contributions)
        return 2 * _PAD + texts + (_with_gap(plot) if drawn else 0.0)
    # Where room is short the statements need it more: a nomogram is in the report as well.
    below = 0.0 if not panel.below else _GAP + (_MOST_BELOW if plot == _MOST_PLOT else _NOTE)
    beside = min(plot, _MOST_BESIDE) if panel.below else plot
    return 2 * _PAD + max(texts, panel.top + _GAP + beside) + below


def _with_gap(height: float) -> float:
    return height + _GAP if height else 0.0


def _draw_panel(page: Page, box: Box, panel: _Panel) -> None:
    page.panel(box)
    inside = box.inset(_PAD)
    if panel.head is not None:
        draw_answer(page, inside, panel.head)
    else:
        words = codes.outcome(panel.score.outcome).words
        style = page.largest(words, palette.BODY, inside.width, SMALLEST)
        page.fitted(inside.x, inside.y - 4, words[0].upper() + words[1:], style, inside.width)
    body = inside.below(inside.y + panel.top + _GAP)
    left = body if panel.beside is None else Box(body.x, body.y, _SIDE, body.height)
    least = _LEAST_PLOT if panel.beside is None else _LEAST_BELOW
    bottom = _draw_texts(page, left, panel)
    moved = _moved(panel, body.bottom - bottom - _GAP, least)
    draw_moved(page, left.below(bottom + _GAP), panel.score, "moved most by", rows_in(moved))
    bottom += _with_gap(moved)
    if panel.beside is not None:
        if panel.below:
            bottom = max(bottom, body.y + _LEAST_PLOT, body.bottom - _MOST_BELOW - _GAP)
            if body.bottom - bottom - _GAP < _LEAST_BELOW:
                bottom = body.bottom - _NOTE - _GAP
        upper = body.top(bottom - body.y) if panel.below else body
        panel.beside(page, upper.after(upper.x + _SIDE + 34))
    _draw_plots(page, body.below(bottom + _GAP), panel.below, least)


def _moved(panel: _Panel, room: float, least: float) -> float:
    """Height of what moved the number: all its rows where every plot has enough room as well, some where one plot has
    the least, and as many as there is room for where none has."""
    plots = len(panel.below)
    all_well = rows_in(room - plots * _with_gap(max(_ENOUGH_PLOT, least)))
    one_plot = min(ENOUGH, rows_in(room - _with_gap(least))) if plots else 0
    no_plot = rows_in(room - (_with_gap(_NOTE) if plots else 0.0))
    return moved_height((panel.score,), next((rows for rows in (all_well, one_plot) if rows >= ENOUGH), no_plot))


def _draw_plots(page: Page, room: Box, plots: tuple[Plot, ...], least: float) -> None:
    """As many as there is room for, and where there are more."""
    parts = _stacked(room, len(plots), least)
    if len(parts) < len(plots) and room.height >= _NOTE:
        parts = _stacked(room.top(room.height - _NOTE), len(parts), least)
        page.fitted(room.x, room.bottom - _NOTE, _LEFT_OUT, palette.SMALL, room.width)
    for plot, part in zip(plots, parts, strict=False):
        plot(page, part)


def _draw_texts(page: Page, box: Box, panel: _Panel) -> float:
    """The number and its limits at the left, the bar at the right, the model below; the y below all."""
    score = panel.score
    ink = Ink.TEXT if score.envelope.inside else Ink.DIM
    said = shown_percent(score.probability)
    style = page.largest(said, palette.NUMBER.with_ink(ink), _NUMBERS - _APART, SMALLEST)
    page.text(box.x, box.y - 10, said, style)
    page.text(box.x + 2, box.y + 56, shown_limits(score.lower, score.upper), palette.STRONG.with_ink(ink))
    bar = Box(box.x + _NUMBERS, box.y + 28, box.width - _NUMBERS, BAR)
    if score.model.phantom_trained:
        draw_phantom_flag(page, (bar.right, box.y - 9), "right")
    draw_bar(page, bar, score)
    draw_ticks(page, Box(bar.x, bar.bottom + 8, bar.width, 0), (0, 50, 100))
    y = box.y + _NUMBER_ROW
    made = made_words(page, score, box.width)
    page.fitted(box.x, y, made, page.largest(made, palette.SMALL, box.width, SMALLEST), box.width)
    draw_possible(page, box.below(y + 26), score)
    draw_outside(page, box.below(y + _MADE + 6), panel.outside)
    return y + _MADE + outside_height(panel.outside)


def _stacked(box: Box, number: int, least: float) -> tuple[Box, ...]:
    """As many of the plots as there is room for, one above the other."""
    number = min(number, int((box.height + _GAP) // (least + _GAP)))
    height = (box.height - _GAP * max(0, number - 1)) / max(1, number)
    return tuple(Box(box.x, box.y + index * (height + _GAP), box.width, height) for index in range(number))
