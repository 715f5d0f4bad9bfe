"""What remains possible, in one line: whole in every width that the page has for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicom_templates import codes
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.summary.possible import REFER, draw_possible, made_words
from pipelines.contract import Envelope, Likelihood, PredictionSet, Score
from tests.summary_stories import score

SETS = tuple(PredictionSet(0.9, event=event, no_event=no) for event, no in ((True, False), (False, True), (True, True)))
NARROW, BESIDE, WIDE = 416.0, 400.0, 726.0  # a panel of two, the numbers beside a plot, a row of responses


def lines(one: Score, width: float) -> list[str]:
    page = Page(800, 100)
    draw_possible(page, Box(20, 20, width, 60), one)
    assert all(text.box.right <= 20 + width + 0.5 for text in page.texts)
    return [text.words for text in page.texts]


@pytest.mark.parametrize("width", [NARROW, BESIDE, WIDE])
@pytest.mark.parametrize("outcome", list(codes.OUTCOMES))
def test_the_line_is_never_cut(outcome: str, width: float) -> None:
    for possible in SETS:
        said = lines(replace(score(outcome, (20, 30, 40), Likelihood.MODERATE), possible=possible), width)
        assert (REFER in said) is possible.refer
        assert said[-1].startswith("At 90 % confidence") and "…" not in said[-1]


def test_where_there_is_room_both_outcomes_are_named() -> None:
    (outcome, *_) = codes.OUTCOMES
    referred = replace(score(outcome, (20, 30, 40), Likelihood.MODERATE), possible=SETS[2])
    assert lines(referred, WIDE)[-1] == "At 90 % confidence both good and poor response remain possible"
    assert lines(referred, NARROW)[-1] == "At 90 % confidence both are possible"
    outside = replace(referred, envelope=Envelope(False, ("another scanner",)))
    assert lines(outside, WIDE) == [REFER, "Nothing is ruled out, the case is unlike the training cohort"]


def test_a_model_without_limits_says_what_it_used_and_another_behind_its_name() -> None:
    (outcome, *_) = codes.OUTCOMES
    page, stated = Page(800, 100), score(outcome, (20, 30, 40), Likelihood.MODERATE)
    assert lines(replace(stated, possible=None), WIDE) == ["baseline and restaging exams · inside training envelope"]
    assert made_words(page, replace(stated, possible=None), WIDE) == "restage-signature-svm 0.2.0"
    assert made_words(page, stated, 900.0).endswith("baseline and restaging exams · inside training envelope")
    assert made_words(page, stated, 300.0) == "restage-signature-svm 0.2.0"
