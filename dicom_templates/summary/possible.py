"""What remains possible at a stated confidence, in one line below a number; where that is both, a reader is asked.

The line stands in the place of what a model used, which goes behind the model's name where there is room: a page of
four systems that disagree has none to spare.
"""

from __future__ import annotations

from dicom_templates import palette, wording
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.summary.bar import SMALLEST, model_words, used_words
from pipelines.contract import Score

REFER = "REFER"
_WORDS = palette.SMALL.with_ink(Ink.TEXT)
_LABEL = 25.0
_GAP = 10.0


def made_words(page: Page, score: Score, width: float) -> str:
    """Which model; where what remains possible is said below it, also what it used, as far as there is room."""
    if score.possible is None:
        return model_words(score)
    longer = [f"{model_words(score)} · {used}" for used in (used_words(score), wording.exams_used(score))]
    return next((words for words in longer if page.measure(words, palette.SMALL) <= width), model_words(score))


def draw_possible(page: Page, box: Box, score: Score) -> None:
    """The line, from the top of ``box``; of a model that states no confidence what it used."""
    if score.possible is None:
        page.fitted(box.x, box.y, used_words(score), palette.SMALL, box.width)
        return
    x = box.x
    if score.possible.refer:
        label = Box(x, box.y, page.measure(REFER, palette.CHIP) + 20, _LABEL)
        page.rounded(label, Ink.AMBER)
        page.centred(label, REFER, palette.CHIP)
        x = label.right + _GAP
    whole, short = wording.possible_words(score), wording.possible_words(score, short=True)
    words = whole if page.measure(whole, _WORDS) <= box.right - x else short
    page.fitted(x, box.y, words, page.largest(words, _WORDS, box.right - x, SMALLEST), box.right - x)
