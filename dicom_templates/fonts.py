"""Fonts of the summary page, and what to draw where no font has a character."""

from __future__ import annotations

from functools import cache

from matplotlib.font_manager import FontProperties, fontManager, get_font
from pydicom.valuerep import PersonName

_FIRST = "DejaVu Sans"  # comes with matplotlib: always there
#: With Chinese, Japanese and Korean glyphs; the first one that this machine has is used.
_FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Source Han Sans", "Droid Sans Fallback"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAGothic", "Unifont", "Arial Unicode MS", "MS Gothic"),
)
_PLACEHOLDER = "?"


@cache
def families() -> tuple[str, ...]:
    """The font families to try in turn for each character."""
    installed = {font.name for font in fontManager.ttflist}
    return (_FIRST, *[name for name in _FALLBACKS if name in installed][:1])


def font(size_px: float, dpi: float, bold: bool = False) -> FontProperties:
    """The page's font at a size in pixels."""
    return FontProperties(family=list(families()), weight="bold" if bold else "normal", size=size_px * 72.0 / dpi)


def drawable(text: str) -> str:
    """The text with every character that no font has replaced by a question mark, on one line."""
    return "".join(
        " " if character.isspace() else character if _has_glyph(character) else _PLACEHOLDER for character in text
    )


def display_name(name: str) -> str:
    """A DICOM person name as one reads it: family name, given names, and the ideographic form where it can be drawn.

    ``name`` is a PN value (PS3.5 6.2.1). A name of which no letter can be drawn gives a placeholder, never an error:
    the patient ID beside it identifies.
    """
    person = PersonName(name)
    latin = _group(str(person.family_name), str(person.given_name), str(person.middle_name))
    ideographic = " ".join(str(person.ideographic).replace("^", " ").split())
    shown = [part for part in (latin, ideographic) if part and not _lost(part)]
    if not shown:
        return "(name cannot be drawn here)" if name.strip("^= ") else "(no name)"
    return drawable(shown[0] if len(shown) == 1 else f"{shown[0]} ({shown[1]})")


def _group(family: str, given: str, middle: str) -> str:
    rest = " ".join(part for part in (given, middle) if part)
    return ", ".join(part for part in (family, rest) if part)


def _lost(text: str) -> bool:
    """Whether a name part has a character that cannot be drawn: a half-drawn name could be another person's."""
    return any(not character.isspace() and not _has_glyph(character) for character in text)


@cache
def _has_glyph(character: str) -> bool:
    if not character.isprintable():
        return False
    paths = (fontManager.findfont(FontProperties(family=[name])) for name in families())
    return any(get_font(path).get_char_index(ord(character)) for path in paths)
