"""Refusals and warnings in words, and what was used: below the numbers, or in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dicom_templates import palette, wording
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import Ink, Style
from dicom_templates.sources import used_roles
from dicom_templates.summary.answer import NONE, Answer, draw_answer
from dicom_templates.summary.blocks import Block
from pipelines.contract import Findings, Score, Statement

_PAD = 18.0
_HEAD = 40.0
_MOST_LINES = 5
_MOST_REFUSED = 3
_REASON = palette.BODY.sized(25)


@dataclass(frozen=True)
class _Said:
    """A statement in lines of the column's width."""

    lines: tuple[str, ...]
    ink: Ink
    style: Style
    cut: bool

    @property
    def height(self) -> float:
        return len(self.lines) * self.style.line + 9


def none_block(page: Page, width: float, findings: Findings) -> Block:
    """In the place of the numbers: that there is none, and every reason in a size to be read."""
    reasons = len(findings.refusals)
    below = {0: "No system was asked for one.", 1: "The reason is below."}.get(reasons, f"{reasons} reasons are below.")
    head = Answer(NONE, "PREDICTIONS", ("No prediction",), below)
    said = [_said(page, wording.REFUSED, Ink.ROSE, one, width, _REASON) for one in findings.refusals]
    height = 2 * _PAD + head.height + (24 + sum(one.height for one in said) if said else 0)
    least = min(height, 2 * _PAD + head.height + 24 + sum(one.height for one in said[:3]))

    def draw(box: Box) -> None:
        page.panel(box, edge=Ink.ROSE, width=4)
        inside = box.inset(_PAD)
        draw_answer(page, inside, head)
        stretch = max(0.0, box.height - height) / max(1, len(said))
        _draw_said(page, inside.below(inside.y + head.height + 24), said, stretch)

    return Block(least, height + 26 * len(said), draw, urgent=True)


def statement_block(page: Page, width: float, findings: Findings, told: frozenset[Statement]) -> Block | None:
    """Refusals, where there are scores as well, then warnings that are not ``told`` elsewhere; None without any."""
    refused = findings.refusals if findings.scores else ()
    noted = [one for one in findings.warnings if one not in told]
    said = [_said(page, wording.REFUSED, Ink.ROSE, one, width, palette.NOTE) for one in refused]
    said += [_said(page, wording.WARNING, Ink.AMBER, one, width, palette.NOTE) for one in noted]
    if not said:
        return None
    wish = _HEAD + sum(one.height for one in said)

    def draw(box: Box) -> None:
        page.text(box.x, box.y, "Refused or to be noted" if refused else "To be noted", palette.HEADING)
        _draw_said(page, box.below(box.y + _HEAD), said, 0)

    first = max(1, min(_MOST_REFUSED, len(refused)))  # a refusal stands in the place of a number
    more = palette.NOTE.line if len(said) > first else 0
    enough = min(wish, _HEAD + sum(one.height for one in said[:first]) + more)
    return Block(min(wish, _HEAD + palette.NOTE.line), wish, draw, enough, urgent=True)


def inputs_block(page: Page, width: float, scores: Sequence[Score]) -> Block | None:
    """What the final stage of a lone system saw, in columns; None for several systems, which the report has, and where
    the panel says what moved the number."""
    if len(scores) != 1 or not scores[0].inputs or scores[0].contributions:
        return None
    rows = -(-len(scores[0].inputs) // 3)
    height = _HEAD + rows * palette.NOTE.line

    def draw(box: Box) -> None:
        page.text(box.x, box.y, "What the model's final stage saw", palette.HEADING)
        columns = box.below(box.y + _HEAD).columns(3, 30)
        for number, (name, value) in enumerate(scores[0].inputs):
            column = columns[number // rows]
            y = column.y + number % rows * palette.NOTE.line
            words = f"{value:.3g}".replace("-", "−")
            x = column.right - page.measure(words, palette.NOTE)
            page.text(x, y, words, palette.NOTE.with_ink(Ink.TEXT))
            page.fitted(column.x, y, name, palette.NOTE, x - column.x - 8)

    return Block(height, height, draw, optional=True)


def clinical_block(page: Page, scores: Sequence[Score]) -> Block | None:
    """What models were told of the patient beside the images, each value once; None where none was told anything."""
    values = tuple(dict.fromkeys(value for score in scores for value in score.clinical))
    if not values:
        return None
    height = _HEAD + len(values) * palette.NOTE.line

    def draw(box: Box) -> None:
        page.text(box.x, box.y, "Clinical values used", palette.HEADING)
        for number, value in enumerate(values):
            y = box.y + _HEAD + number * palette.NOTE.line
            page.fitted(box.x, y, value[0].upper() + value[1:], palette.NOTE, box.width)

    return Block(height, height, draw, optional=True, firm=True)


def series_block(page: Page, findings: Findings) -> Block | None:
    """Which series were used for what."""
    rows = [
        (exam.files.time_point, wording.ROLE_WORDS[role], exam.files.chosen[role].role.description)
        for exam in findings.case.exams
        for role in used_roles(exam)
    ]
    if not rows:
        return None
    height = _HEAD + len(rows) * palette.NOTE.line

    def draw(box: Box) -> None:
        page.text(box.x, box.y, "Series used", palette.HEADING)
        for number, (time_point, role, description) in enumerate(rows):
            y = box.y + _HEAD + number * palette.NOTE.line
            page.rectangle(Box(box.x, y + 5, 6, palette.NOTE.line - 7), palette.TIME_POINTS[time_point])
            words = f"{wording.TIME_POINT_WORDS[time_point]} {role}: {description}"
            page.fitted(box.x + 18, y, words, palette.NOTE, box.width - 18)

    return Block(height, height, draw, optional=True)


def _said(page: Page, kind: str, ink: Ink, one: Statement, width: float, style: Style) -> _Said:
    lines = page.lines(f"{kind}: {one.subject}: {wording.sentence(one.reason)}", style, width - 2 * _PAD - 20)
    return _Said(tuple(lines[:_MOST_LINES]), ink, style, len(lines) > _MOST_LINES)


def _draw_said(page: Page, box: Box, said: Sequence[_Said], gap: float) -> None:
    """As many statements as fit, then how many more there are."""
    y = box.y
    for number, one in enumerate(said):
        last = number == len(said) - 1
        if y + one.height + (0 if last else one.style.line) > box.bottom + 4:
            room = max(0, int((box.bottom + 4 - y - 9) / one.style.line) - 1)
            one = replace(one, lines=one.lines[:room], cut=True)
            y = _draw_lines(page, box.below(y), one) if one.lines else y
            left = len(said) - number - bool(one.lines)
            if left:
                page.text(box.x + 20, y, f"… and {left} more in the Structured Report", one.style)
            return
        y = _draw_lines(page, box.below(y), one) + gap


def _draw_lines(page: Page, box: Box, one: _Said) -> float:
    page.rectangle(Box(box.x, box.y + 4, 6, one.height - 11), one.ink)
    for index, line in enumerate(one.lines):
        more = one.cut and index == len(one.lines) - 1
        y = box.y + index * one.style.line
        page.fitted(box.x + 20, y, f"{line} …" if more else line, one.style, box.width - 20)
    return box.y + one.height
