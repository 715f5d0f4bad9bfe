"""Fonts of the drawn pages, and what to draw where no font has a character."""

from __future__ import annotations

from functools import cache
from unicodedata import east_asian_width

from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.ft2font import LoadFlags
from pydicom.valuerep import PersonName

_FIRST = "DejaVu Sans"  # comes with matplotlib: always there, with Latin, Greek and Cyrillic letters
#: With Chinese, Japanese and Korean glyphs, the best ones first. Debian has the first in fonts-noto-cjk.
_FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Source Han Sans", "Droid Sans Fallback"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAGothic", "NanumGothic", "Unifont"),
    *("Arial Unicode MS", "Malgun Gothic", "MS Gothic"),
)
#: Letters of common names in each script; a script is there where all of them can be drawn.
SCRIPTS = {
    "Latin": "ÄÅÉØßçñœčłőșž",
    "Cyrillic": "ЖЩЪЫЭЮЯѓіїљ",
    "Greek": "ΔΘΞΨω",
    "Chinese": "王张刘陳黃龍",
    "Japanese": "山田﨑さツヴー",
    "Korean": "김이박최정욱",
}
_PLACEHOLDER = "?"
_EM = 200.0  # size at which widths are taken


@cache
def families() -> tuple[str, ...]:
    """The font families to try in turn for each character: each one adds a script to those before it."""
    installed = {font.name for font in fontManager.ttflist}
    chosen, left = [_FIRST], set(SCRIPTS) - _covered(_FIRST, set(SCRIPTS))
    for name in _FALLBACKS:
        if left and name in installed and (adds := _covered(name, left)):
            chosen.append(name)
            left -= adds
    return tuple(chosen)


def missing_scripts() -> tuple[str, ...]:
    """The scripts of :data:`SCRIPTS` in which this machine cannot draw a name; the package fonts-noto-cjk has them."""
    return tuple(script for script, letters in SCRIPTS.items() if not all(map(_has_glyph, letters)))


def font(size_px: float, dpi: float, bold: bool = False) -> FontProperties:
    """The page's font at a size in pixels."""
    return FontProperties(family=list(families()), weight="bold" if bold else "normal", size=size_px * 72.0 / dpi)


def em_width(text: str, bold: bool) -> float:
    """Width of a line of :func:`drawable` text in font sizes, without hinting: the same on a screen and in a PDF."""
    face = get_font([fontManager.findfont(_properties(name, bold)) for name in families()])
    face.set_size(_EM, 72.0)
    face.set_text(text, flags=LoadFlags.NO_HINTING)
    return float(face.get_width_height()[0]) / 64.0 / _EM


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
    # Chinese, Japanese and Korean names are read family name first and take no comma.
    return (" " if _east_asian(family) else ", ").join(part for part in (family, rest) if part)


def _east_asian(text: str) -> bool:
    return any(east_asian_width(character) in "WF" for character in text)


def _lost(text: str) -> bool:
    """Whether a name part has a character that cannot be drawn: a half-drawn name could be another person's."""
    return any(not character.isspace() and not _has_glyph(character) for character in text)


@cache
def _properties(family: str, bold: bool) -> FontProperties:
    return FontProperties(family=[family], weight="bold" if bold else "normal")


def _covered(family: str, scripts: set[str]) -> set[str]:
    face = get_font(fontManager.findfont(FontProperties(family=[family])))
    return {script for script in scripts if all(face.get_char_index(ord(letter)) for letter in SCRIPTS[script])}


@cache
def _has_glyph(character: str) -> bool:
    if not character.isprintable():
        return False
    paths = (fontManager.findfont(FontProperties(family=[name])) for name in families())
    return any(get_font(path).get_char_index(ord(character)) for path in paths)
