from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from dicom_templates import palette
from dicom_templates.boxes import Box
from dicom_templates.page import Page
from dicom_templates.palette import PAPER, Ink, Style
from tests.dicom_templates.page_layout import faults, says

STYLE = Style(18)


@pytest.fixture
def page() -> Page:
    return Page(400, 300)


def test_wrapped_text_keeps_every_word_and_the_width(page: Page) -> None:
    words = "probability " * 20 + "incomprehensibilities" * 4
    lines = page.lines(words, STYLE, 200)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert all(page.measure(line, STYLE) <= 201 for line in lines)
    assert page.paragraph(Box(0, 0, 200, 50), words, STYLE) <= 50


def test_what_does_not_fit_ends_with_an_ellipsis(page: Page) -> None:
    page.fitted(10, 10, "a line that is far too long for this", STYLE, 120)
    page.paragraph(Box(10, 60, 120, 2 * STYLE.line), "many words " * 20, STYLE)
    page.fitted(10, 200, "short", STYLE, 120)
    first, *wrapped, last = [text.words for text in page.texts]
    assert first.endswith("…") and wrapped[-1].endswith("…") and len(wrapped) == 2
    assert last == "short"
    assert all(text.box.right <= 131 for text in page.texts)


def test_the_drawn_text_is_as_wide_as_measured() -> None:
    page = Page(900, 100)
    page.text(20, 20, "Prediction 山田 ЖЩ 0.81", Style(40, bold=True))
    dark = page.pixels().astype(int).sum(axis=2)
    columns = np.flatnonzero((dark > dark.min() + 150).any(axis=0))
    assert columns[0] == pytest.approx(page.texts[0].box.x, abs=6)
    assert columns[-1] == pytest.approx(page.texts[0].box.right, abs=4)


def test_a_pdf_has_the_same_widths_as_the_pixels(page: Page) -> None:
    page.text(380, 20, "right-aligned", STYLE, "right")
    buffer = BytesIO()
    page.figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    assert buffer.getvalue().startswith(b"%PDF")
    assert page.texts[0].box.right == pytest.approx(380)


def test_the_largest_style_fits_and_is_not_larger_than_asked(page: Page) -> None:
    assert page.largest("ok", Style(50), 300, 10).size == 50
    smaller = page.largest("a rather long line", Style(50), 200, 10)
    assert page.measure("a rather long line", smaller) <= 200
    assert page.largest("w" * 200, Style(50), 100, 14).size == 14


def test_later_shapes_lie_on_earlier_ones(page: Page) -> None:
    page.rectangle(Box(10, 10, 50, 50), "#ff0000")
    page.picture(Box(20, 20, 20, 20), np.ones((4, 4), dtype=np.float32))
    page.rectangle(Box(25, 25, 5, 5), "#0000ff")
    pixels = page.pixels()
    assert tuple(pixels[15, 15]) == (255, 0, 0)
    assert tuple(pixels[35, 35]) == (255, 255, 255)
    assert tuple(pixels[27, 27]) == (0, 0, 255)


def test_an_outline_runs_where_the_field_is_one_half(page: Page) -> None:
    field = np.zeros((40, 40), dtype=np.float32)
    field[10:30, 10:30] = 1.0
    page.outline(Box(100, 100, 160, 160), field, "#ffff00")
    yellow = (page.pixels() == np.array([255, 255, 0])).all(axis=2)
    rows, columns = np.nonzero(yellow)
    assert (rows.min(), rows.max()) == pytest.approx((140, 220), abs=5)
    assert (columns.min(), columns.max()) == pytest.approx((140, 220), abs=5)


def test_paper_is_light_and_the_screen_dark() -> None:
    assert Page(40, 40).pixels().mean() < 40
    assert Page(40, 40, PAPER).pixels().mean() == 255
    assert Page(40, 40, PAPER, margin=(10, 5)).pixels().shape == (50, 60, 3)


def test_the_layout_check_sees_faults(page: Page) -> None:
    page.panel(Box(100, 100, 200, 60))
    page.text(110, 110, "inside", STYLE)
    assert faults(page) == []
    page.text(112, 116, "over it", STYLE)
    page.text(250, 130, "out of the panel", STYLE)
    page.text(350, 10, "out of the page", STYLE)
    page.panel(Box(100, 150, 50, 50))
    assert [fault.split(":")[0].split(" ")[0] for fault in faults(page)] == [
        "outside",
        "'inside'",
        "'out",
        "two",
    ]


def test_the_words_check_sees_what_is_missing(page: Page) -> None:
    page.paragraph(Box(10, 10, 150, 3 * STYLE.line), "the reason is that a slice is missing in the middle", STYLE)
    assert says(page, "a slice is missing") and not says(page, "a slice is doubled")


def test_every_text_style_can_be_read_on_what_it_stands_on() -> None:
    for theme in (palette.SCREEN, palette.PAPER):
        for style in palette.STYLES:
            grounds = _grounds(style)
            assert min(contrast(theme[style.ink], theme[ground]) for ground in grounds) >= 4.5, style
        for ink in palette.TIME_POINTS.values():
            assert min(contrast(theme[ink], theme[ground]) for ground in (Ink.BACKGROUND, Ink.PANEL)) >= 4.5
        assert contrast(theme[Ink.ON_BAD], theme[Ink.BAD]) >= 7


def test_good_middle_and_bad_differ_in_grey() -> None:
    for theme in (palette.SCREEN, palette.PAPER):
        assert contrast(theme[Ink.GOOD], theme[Ink.MIDDLE]) >= 1.6
        assert contrast(theme[Ink.MIDDLE], theme[Ink.BAD]) >= 3
        assert contrast(theme[Ink.BAND], theme[Ink.RULE]) >= 1.15
        assert contrast(theme[Ink.TEXT], theme[Ink.BAND]) >= 3


def _grounds(style: Style) -> tuple[Ink, ...]:
    if style.ink is Ink.ON_BRIGHT:
        return Ink.AMBER, Ink.ROSE, Ink.GOOD, Ink.MIDDLE
    return Ink.BACKGROUND, Ink.PANEL


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, relative luminance): 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
