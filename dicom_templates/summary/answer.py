"""The answer in words at the head of a panel: the coded category, and by shape whether it is good news.

A response is wanted and a metastasis feared, so "high" alone says nothing. The words are those of the published
categories, the symbol and its label say favourable or unfavourable, and lightness repeats it for grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dicom_templates import codes, palette
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import Ink, Style
from pipelines.contract import Likelihood, Score

SHORT, MIDDLE, TALL = 110.0, 124.0, 150.0  # heights of a head with one, two or three lines below the large words
_BLOCK, _AFTER = 118.0, 18.0
BESIDE = _BLOCK + _AFTER
"""Of a panel's width, what the words of its head do not have."""
REASON = palette.SMALL.with_ink(Ink.TEXT)
_SYMBOL = Style(60, Ink.ON_BRIGHT, bold=True)


@dataclass(frozen=True)
class Tone:
    """How an answer looks: a symbol, a word, and the fill of its block."""

    symbol: str
    word: str
    fill: Ink
    ink: Ink = Ink.ON_BRIGHT


FAVOURABLE = Tone("✓", "favourable", Ink.GOOD)
UNFAVOURABLE = Tone("!", "unfavourable", Ink.BAD, Ink.ON_BAD)
BETWEEN = Tone("~", "in between", Ink.MIDDLE)
UNCERTAIN = Tone("?", "uncertain", Ink.MIDDLE)
REFER = Tone("?", "refer", Ink.MIDDLE)
DISAGREEMENT = Tone("≠", "disagreement", Ink.AMBER)
NONE = Tone("–", "no number", Ink.ROSE)


@dataclass(frozen=True)
class Answer:
    """What stands at the head of a panel: ``above`` small, ``large``, and ``below`` in the size of a text."""

    tone: Tone
    above: str
    large: tuple[str, ...]
    below: str = ""
    height: float = SHORT


def tone(score: Score) -> Tone:
    """Whether a category is good news, by the direction of its outcome; no news where both remain possible."""
    if score.possible is not None and score.possible.refer:
        return REFER
    favourable = codes.outcome(score.outcome).favourable
    return {
        Likelihood.HIGH: FAVOURABLE if favourable else UNFAVOURABLE,
        Likelihood.LOW: UNFAVOURABLE if favourable else FAVOURABLE,
        Likelihood.MODERATE: BETWEEN,
        Likelihood.UNCERTAIN: UNCERTAIN,
    }[score.category]


def answer(scores: Sequence[Score], above: str) -> Answer:
    """The answer of one or several systems of one direction, in the words of the published categories."""
    tones = {tone(score) for score in scores}
    # One system that refers is enough for a reader to be asked.
    common = tones.pop() if len(tones) == 1 else REFER if REFER in tones else BETWEEN
    parted = [_parts(score) for score in scores]
    if len({first for first, _ in parted}) == 1:
        return Answer(common, above, (parted[0][0],), " and ".join(dict.fromkeys(f"of {what}" for _, what in parted)))
    return Answer(common, above, tuple(dict.fromkeys(f"{first} of {what}" for first, what in parted)))


def draw_answer(page: Page, box: Box, said: Answer) -> None:
    """The head of a panel: a block with the symbol, and the words beside it."""
    block = Box(box.x, box.y, _BLOCK, said.height)
    edge = Ink.ON_BAD if said.tone is UNFAVOURABLE else None
    page.rounded(block, said.tone.fill, edge, 4)
    symbol = Box(block.x, block.y + 4, block.width, block.height - 34)
    page.centred(symbol, said.tone.symbol, _SYMBOL.with_ink(said.tone.ink))
    page.centred(Box(block.x, block.bottom - 33, block.width, 28), said.tone.word, _label(page, said.tone, block))
    x = block.right + _AFTER
    width = box.right - x
    page.fitted(x, box.y - 5, said.above, palette.SMALL.with_ink(Ink.SOFT), width)
    if len(said.large) > 1:
        step = 84 / len(said.large)
        for row, words in enumerate(said.large):
            style = page.largest(words, palette.ANSWER.sized(min(33, step - 4)), width, 20)
            page.fitted(x, box.y + 20 + row * step, words, style, width)
        return
    style = page.largest(said.large[0], palette.ANSWER.sized(52), width, 30)
    page.text(x, box.y + 14 + (52 - style.size) / 2, said.large[0], style)
    fits = page.measure(said.below, palette.BODY) <= width
    roomy = said.height == TALL or page.measure(said.below, REASON) <= width
    small = palette.BODY if fits else REASON if roomy else palette.TICK
    page.paragraph(Box(x, box.y + 75, width, said.height - 74), said.below, small)


def _parts(score: Score) -> tuple[str, str]:
    """'High likelihood' and 'good response' of a category's meaning."""
    meaning = codes.outcome(score.outcome).categories[score.category].meaning
    first, _, what = meaning.partition(" of ")
    return first, what


def _label(page: Page, shown: Tone, block: Box) -> Style:
    return page.largest(shown.word, palette.CHIP.with_ink(shown.ink), block.width - 10, 12)
