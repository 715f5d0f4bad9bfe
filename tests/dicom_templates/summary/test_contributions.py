"""What moved a number, drawn: a row each, in order, the direction by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import Ink, Style
from dicom_templates.summary.contributions import ENOUGH, MOST, draw_moved, moved_height, rows_in, shown
from pipelines.contract import GOOD_RESPONSE, Contribution, Likelihood, Score
from tests.dicom_templates.page_layout import faults, text_of
from tests.summary_stories import score

LONG = "maximum wall thickness of the tumour at restaging as a reader reported it (mm)"


class Recording(Page):
    """A page that keeps the filled boxes."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(width, height)
        self.filled: list[Box] = []

    def rectangle(self, box: Box, paint: Ink | str, hatch: str = "", hatch_paint: Ink | str = Ink.BACKGROUND) -> None:
        self.filled.append(box)
        super().rectangle(box, paint, hatch, hatch_paint)


def moved(*amounts: float, name: str = "input") -> Score:
    told = tuple(Contribution(f"{name} {number}", f"{number} mm", amount) for number, amount in enumerate(amounts, 1))
    return replace(score(GOOD_RESPONSE, (40, 50, 60), Likelihood.MODERATE), contributions=told)


def drawn(one: Score, rows: int, width: float = 420.0) -> Recording:
    page = Recording(1000, 400)
    draw_moved(page, Box(20, 20, width, moved_height((one,), rows)), one, "moved most by", rows)
    return page


def test_bars_are_as_long_as_amounts_and_their_side_is_the_direction() -> None:
    page = drawn(moved(0.8, -0.4, 0.2), 3)
    (lowers,), (raises,) = ([text.box for text in page.texts if text.words == word] for word in ("lowers", "raises"))
    first, second, third = page.filled
    assert [second.width / first.width, third.width / first.width] == pytest.approx([0.5, 0.25])
    axis = first.x
    assert lowers.right < axis < raises.x
    assert second.right == pytest.approx(axis) and third.x == pytest.approx(axis)
    assert first.y < second.y < third.y


def test_with_room_the_last_row_is_what_all_others_add() -> None:
    one = moved(0.8, -0.4, 0.2, 0.1, -0.05, -0.04, 0.03)
    assert [part.name for part in shown(one, ENOUGH)] == ["input 1", "input 2", "input 3"]
    *first, rest = shown(one, 5)
    assert [part.amount for part in first] == [0.8, -0.4, 0.2, 0.1]
    assert rest.name == "3 other inputs together" and rest.amount == pytest.approx(-0.06)
    assert len(shown(one, 7)) == 7 and shown(one, 7)[-1].name == "input 7"


@pytest.mark.parametrize("rows", range(MOST + 1))
@pytest.mark.parametrize("width", [330.0, 420.0, 900.0])
def test_what_fits_is_drawn_in_the_height_that_was_asked_for(rows: int, width: float) -> None:
    one = moved(0.8, -0.4, 0.2, 0.1, -0.05, -0.04, 0.03, name=LONG)
    page = drawn(one, rows, width)
    assert faults(page) == []
    height = moved_height((one,), rows)
    box = Box(20, 20, width, height)
    assert all(box.holds(text.box, 1.5) for text in page.texts) and bool(page.texts) == bool(rows)
    assert rows_in(height) == rows


def test_a_name_loses_its_note_before_its_end_and_a_value_loses_nothing() -> None:
    told = Contribution("median ADC at baseline (b ≤ 1000)", "700 ×10⁻⁶ mm²/s", 1.0)
    one = replace(moved(), contributions=(told,))
    assert "median ADC at baseline (b ≤ 1000)" in text_of(drawn(one, 1, 700))
    narrow = text_of(drawn(one, 1, 420))
    assert "median ADC at baseline" in narrow and "(b" not in narrow and "700 ×10⁻⁶ mm²/s" in narrow
    narrowest = text_of(drawn(one, 1, 330))
    assert "median A" in narrowest and "…" in narrowest and "700 ×10⁻⁶ mm²/s" in narrowest


def test_what_says_nothing_of_it_takes_no_room() -> None:
    silent = replace(moved(), contributions=())
    assert moved_height((silent,), 5) == 0.0 and drawn(silent, 5).texts == []
    assert isinstance(drawn(moved(0.0), 1).texts[0].style, Style)  # nothing moves: no division by it
