from __future__ import annotations

import numpy as np
import pytest
from matplotlib.font_manager import FontProperties, fontManager, get_font

from dicom_templates.fonts import SCRIPTS, display_name, drawable, families, font, missing_scripts
from dicom_templates.page import Page
from dicom_templates.palette import Style

FROM_FONTS = {"Chinese", "Japanese", "Korean"}  # the others come with matplotlib


def needs(script: str) -> None:
    if script in missing_scripts():
        pytest.skip(f"no font with {script} letters here: install fonts-noto-cjk")


def test_only_east_asian_letters_need_a_font_of_the_machine() -> None:
    assert set(missing_scripts()) <= FROM_FONTS


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_every_letter_of_a_name_is_a_glyph_of_its_own(script: str) -> None:
    """A font draws one and the same box for all letters that it lacks."""
    needs(script)
    drawn = {letter: ink(letter) for letter in SCRIPTS[script]}
    assert all(picture.any() for picture in drawn.values())
    boxes = [ink(unknown) for unknown in ("\U0001fae8", "\ue000")]
    pictures = [picture.tobytes() for picture in (*drawn.values(), boxes[0])]
    assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_the_fonts_that_are_tried_hold_every_letter(script: str) -> None:
    needs(script)
    faces = [get_font(fontManager.findfont(FontProperties(family=[name]))) for name in families()]
    assert all(any(face.get_char_index(ord(letter)) for face in faces) for letter in SCRIPTS[script])
    assert drawable(SCRIPTS[script]) == SCRIPTS[script]


def test_no_family_is_tried_for_nothing() -> None:
    assert len(families()) == len(set(families())) <= 1 + len(FROM_FONTS)
    assert font(20, 100).get_family() == list(families())


def test_names_are_written_as_one_reads_them() -> None:
    assert display_name("Muster^Erika^Anna") == "Muster, Erika Anna"
    assert display_name("Иванова^Мария") == "Иванова, Мария"
    assert display_name("") == display_name("^^^^") == "(no name)"
    assert display_name("\ue000\ue001^\ue002") == "(name cannot be drawn here)"
    assert drawable("a\ue000b\nc") == "a?b c"


def test_east_asian_names_stand_with_their_latin_form() -> None:
    needs("Japanese")
    needs("Korean")
    assert display_name("Yamada^Tarou=山田^太郎=やまだ^たろう") == "Yamada, Tarou (山田 太郎)"
    assert display_name("김^영희") == "김 영희"


def test_a_name_that_is_half_drawable_is_not_half_drawn() -> None:
    assert display_name("Muster^Erika=\ue000^\ue001") == "Muster, Erika"
    assert display_name("Muster^E\ue000ika") == "(name cannot be drawn here)"


def ink(words: str) -> np.ndarray:
    """Where a text is drawn, in a square of its own."""
    page = Page(90, 90)
    page.text(10, 10, words, Style(48))
    return page.pixels().sum(axis=2) > 380
