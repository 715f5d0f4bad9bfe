"""Colours by role, for the screen and for paper, and the text styles.

The screen's page is dark, for a reading room; the PDF's is light, because it may be printed. Whatever colour tells
apart differs in lightness too, and is said in words or by shape as well: every page works in grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from matplotlib.font_manager import FontProperties

from dicom_templates.fonts import font
from pipelines.contract import TimePoint

DPI: Final = 200.0  # pixels of a page per inch of paper: 2000 × 1500 is 254 × 190 mm, which fits A4 and Letter
LEADING: Final = 1.34  # line height, in font sizes


class Ink(StrEnum):
    """What a colour is for."""

    BACKGROUND = "background"
    PANEL = "panel"
    RULE = "rule"
    TEXT = "text"
    SOFT = "soft"
    DIM = "dim"
    ON_BRIGHT = "on_bright"  # text on the four fills that follow
    AMBER = "amber"  # to be noted
    ROSE = "rose"  # not to be used
    GOOD = "good"
    MIDDLE = "middle"
    BAD = "bad"  # text on it is ON_BAD
    ON_BAD = "on_bad"
    BASELINE = "baseline"
    RESTAGING = "restaging"
    BAND = "band"


Theme = Mapping[Ink, str]

SCREEN: Final[Theme] = {
    Ink.BACKGROUND: "#0e1318",
    Ink.PANEL: "#18202a",
    Ink.RULE: "#3a4857",
    Ink.TEXT: "#f4f7f9",
    Ink.SOFT: "#c3cdd7",
    Ink.DIM: "#93a1af",
    Ink.ON_BRIGHT: "#10151b",
    Ink.AMBER: "#ffc23d",
    Ink.ROSE: "#ff9db0",
    Ink.GOOD: "#e6f4ff",
    Ink.MIDDLE: "#9db4c8",
    Ink.BAD: "#2b3440",
    Ink.ON_BAD: "#ffffff",
    Ink.BASELINE: "#ffe14d",
    Ink.RESTAGING: "#6fd3ff",
    Ink.BAND: "#5d7f9c",
}
PAPER: Final[Theme] = {
    Ink.BACKGROUND: "#ffffff",
    Ink.PANEL: "#f1f4f7",
    Ink.RULE: "#b4bfca",
    Ink.TEXT: "#0d1217",
    Ink.SOFT: "#333d47",
    Ink.DIM: "#51606e",
    Ink.ON_BRIGHT: "#10151b",
    Ink.AMBER: "#ffc23d",
    Ink.ROSE: "#ff9db0",
    Ink.GOOD: "#d3eaff",
    Ink.MIDDLE: "#9db4c8",
    Ink.BAD: "#1d2630",
    Ink.ON_BAD: "#ffffff",
    Ink.BASELINE: "#7a5b00",
    Ink.RESTAGING: "#005f8f",
    Ink.BAND: "#8fb0cb",
}
TIME_POINTS: Final = {TimePoint.BASELINE: Ink.BASELINE, TimePoint.RESTAGING: Ink.RESTAGING}
#: Outlines lie on dark pictures in both themes.
OUTLINES: Final = {time_point: SCREEN[ink] for time_point, ink in TIME_POINTS.items()}


@dataclass(frozen=True)
class Style:
    """How a text looks: size in pixels, colour, weight; ``halo``: white with a dark rim, for text over a picture."""

    size: float
    ink: Ink = Ink.TEXT
    bold: bool = False
    halo: bool = False

    @property
    def font(self) -> FontProperties:
        return font(self.size, DPI, self.bold)

    @property
    def line(self) -> float:
        """Height of a line, pixels."""
        return self.size * LEADING

    def with_ink(self, ink: Ink) -> Style:
        return replace(self, ink=ink)

    def sized(self, size: float) -> Style:
        return replace(self, size=size)


TITLE = Style(60, bold=True)
TAG = Style(50, Ink.ON_BRIGHT, bold=True)
NAME = Style(42, bold=True)
ANSWER = Style(56, bold=True)
NUMBER = Style(52, bold=True)
FIGURE = Style(31, bold=True)
HEADING = Style(27, bold=True)
STRONG = Style(23, bold=True)
BODY = Style(23)
NOTE = Style(20.5, Ink.SOFT)
SMALL = Style(18.5, Ink.DIM)
TICK = Style(17.5, Ink.SOFT)
CHIP = Style(18.5, Ink.ON_BRIGHT, bold=True)
LETTER = Style(21, bold=True, halo=True)
STYLES = (TITLE, TAG, NAME, ANSWER, NUMBER, FIGURE, HEADING, STRONG, BODY, NOTE, SMALL, TICK, CHIP, LETTER)
