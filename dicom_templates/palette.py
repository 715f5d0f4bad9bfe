"""Colours and text styles of the page. Dark, for a reading room; every pair differs in lightness, so grey works too."""

from __future__ import annotations

from dicom_templates.page import Style
from pipelines.contract import TimePoint

BACKGROUND = "#0e1318"
PANEL = "#18202a"
RULE = "#364351"
WHITE = "#f4f7f9"
SOFT = "#b9c4cf"
DIM = "#8795a3"
AMBER = "#ffc23d"
ROSE = "#ff9db0"
INK = "#10151b"
TIME_POINTS = {TimePoint.BASELINE: "#ffe14d", TimePoint.RESTAGING: "#ffab66"}

TITLE = Style(30, WHITE, bold=True)
NAME = Style(30, WHITE, bold=True)
HEADING = Style(21, WHITE, bold=True)
BODY = Style(18, WHITE)
STRONG = Style(18, WHITE, bold=True)
NOTE = Style(16.5, SOFT)
SMALL = Style(15, DIM)
FIGURE = Style(25, WHITE, bold=True)
PROBABILITY = Style(54, WHITE, bold=True)
TAG = Style(25, INK, bold=True)
LETTER = Style(17, WHITE, bold=True, halo=True)
