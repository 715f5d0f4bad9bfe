"""A probability between its limits on an axis from 0 to 100 %."""

from __future__ import annotations

from typing import Literal

from dicom_templates import codes, palette, wording
from dicom_templates.boxes import Box
from dicom_templates.identity import PHANTOM
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.summary.room import FULL, NONE, SCANT
from pipelines.contract import Score

BAR = 22.0
SMALLEST = 15.0  # a model's name may get this small before it is cut
_UNRELIABLE = "OUTSIDE the training envelope: not reliable"
_FLAG = palette.CHIP.sized(15.5)


def draw_bar(page: Page, box: Box, score: Score) -> None:
    """The interval as a band and the probability as a mark; a risk's band is hatched, a response's is not."""
    reliable = score.envelope.inside
    page.rectangle(box, Ink.RULE)
    left, right = (box.x + box.width * value for value in (score.lower, score.upper))
    hatch = "" if codes.outcome(score.outcome).favourable else "////"
    page.rectangle(Box(left, box.y, right - left, box.height), Ink.BAND if reliable else Ink.DIM, hatch, Ink.PANEL)
    for value in (0.25, 0.5, 0.75):
        x = box.x + box.width * value
        page.line(((x, box.y - 4), (x, box.bottom + 4)), Ink.DIM, 1.2)
    mark = box.x + box.width * score.probability
    page.rectangle(Box(mark - 6, box.y - 7, 12, box.height + 14), Ink.PANEL)
    page.rectangle(Box(mark - 3.5, box.y - 7, 7, box.height + 14), Ink.TEXT)


def draw_ticks(page: Page, box: Box, values: tuple[int, ...] = (0, 25, 50, 75, 100)) -> None:
    """The axis below a bar."""
    for value in values:
        x = box.x + box.width * value / 100
        words = f"{value} %" if value in (0, 100) else str(value)
        page.text(x, box.y, words, palette.TICK, {0: "left", 100: "right"}.get(value, "center"))  # type: ignore[arg-type]


def draw_phantom_flag(page: Page, at: tuple[float, float], align: Literal["left", "right"] = "left") -> float:
    """The flag of a phantom-trained model; the x where it ends."""
    width = page.measure(PHANTOM, _FLAG) + 16
    flag = Box(at[0] - (width if align == "right" else 0.0), at[1], width, 24)
    page.rounded(flag, Ink.ROSE)
    page.centred(flag, PHANTOM, _FLAG)
    return flag.right


def model_words(score: Score) -> str:
    """Which model."""
    return f"{score.model.name} {score.model.version}"


def used_words(score: Score) -> str:
    """Which exams it used, and that the case looks like its cohort; where it does not, the amber box says so."""
    inside = " · inside training envelope" if score.envelope.inside else ""
    return f"{wording.exams_used(score)}{inside}"


def outside_lines(page: Page, score: Score, width: float, most: int = FULL) -> tuple[str, ...]:
    """Why the number is not reliable, in lines for :func:`draw_outside`; none where it is.

    In a single line there is no room for the reason: it says so much, and the report the rest.
    """
    if score.envelope.inside or most == NONE:
        return ()
    if most == SCANT:
        return (_UNRELIABLE,)
    return tuple(page.clipped(wording.envelope_sentence(score), palette.CHIP, width - 20, most))


def outside_height(lines: tuple[str, ...]) -> float:
    return len(lines) * palette.CHIP.line + 16 if lines else 0.0


def draw_outside(page: Page, box: Box, lines: tuple[str, ...]) -> None:
    """An amber box with the reasons, from the top of ``box``."""
    if not lines:
        return
    page.rectangle(box.top(outside_height(lines) - 8), Ink.AMBER)
    for number, line in enumerate(lines):
        style = page.largest(line, palette.CHIP, box.width - 20, SMALLEST)
        page.fitted(box.x + 10, box.y + 2 + number * palette.CHIP.line, line, style, box.width - 20)
