"""A page in pixels, in painter's order: text, boxes, lines and pictures at places from its upper left corner.

The same page becomes pixels (Agg) or vectors with text that can be selected (PDF). It keeps a record of every text
and panel that it draws, so that a test can say that nothing runs over anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from dicom_templates.boxes import Box
from dicom_templates.fonts import drawable, em_width
from dicom_templates.palette import DPI, SCREEN, Ink, Style, Theme

Align = Literal["left", "center", "right"]
Point = tuple[float, float]
#: A role, which the theme gives its colour, or a fixed colour for what lies on a picture.
Paint = Ink | str

_BASELINE, _ASCENT, _DESCENT = 1.0, 0.76, 0.24  # in font sizes, from the top of a line
_CAPITALS = 0.73


@dataclass(frozen=True)
class Drawn:
    """A line of text as it stands on the page."""

    words: str
    box: Box
    style: Style


class Page:
    """A figure of its own, without pyplot's global state. ``margin``: blank paper around it, pixels across and down."""

    def __init__(self, width: int, height: int, theme: Theme = SCREEN, margin: Point = (0.0, 0.0)) -> None:
        self.width, self.height = width, height
        self.texts: list[Drawn] = []
        self.panels: list[Box] = []
        self.pictures: list[Box] = []
        self._theme = theme
        full = (width + 2 * margin[0], height + 2 * margin[1])
        self.figure = Figure(figsize=(full[0] / DPI, full[1] / DPI), dpi=DPI, facecolor=theme[Ink.BACKGROUND])
        self._canvas = FigureCanvasAgg(self.figure)
        self._axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self._axes.set_xlim(-margin[0], width + margin[0])
        self._axes.set_ylim(height + margin[1], -margin[1])
        self._axes.axis("off")
        self._order = 0
        self._widths: dict[tuple[str, bool], float] = {}

    # --- text ----------------------------------------------------------------------------------------------------

    def text(self, x: float, y: float, words: str, style: Style, align: Align = "left") -> float:
        """One line whose top is at ``y``; the x where it ends."""
        width = self.measure(words, style)
        left = {"left": x, "center": x - width / 2, "right": x - width}[align]
        top = y + (_BASELINE - _ASCENT) * style.size
        self.texts.append(Drawn(words, Box(left, top, width, (_ASCENT + _DESCENT) * style.size), style))
        self._order += 1
        self._axes.text(
            left,
            y + _BASELINE * style.size,
            drawable(words),
            fontproperties=style.font,
            color="white" if style.halo else self._colour(style.ink),
            va="baseline",
            parse_math=False,
            zorder=self._order,
            path_effects=[withStroke(linewidth=_points(4), foreground="black")] if style.halo else [],
        )
        return left + width

    def fitted(self, x: float, y: float, words: str, style: Style, width: float, align: Align = "left") -> float:
        """One line of at most ``width``: cut with '…' where it is longer; the x where it ends."""
        shown = words if self.measure(words, style) <= width else self._ellipsis(words, style, width)
        return self.text(x, y, shown, style, align)

    def centred(self, box: Box, words: str, style: Style) -> None:
        """One line in the middle of a box, by the height of its capitals."""
        x, y = box.middle
        self.text(x, y - (_BASELINE - _CAPITALS / 2) * style.size, words, style, "center")

    def paragraph(self, box: Box, words: str, style: Style) -> float:
        """Wrapped text from the top of ``box``; what does not fit its height is cut with '…'. The y below the text."""
        wrapped = self.clipped(words, style, box.width, max(1, int((box.height + 0.3 * style.size) // style.line)))
        for index, line in enumerate(wrapped):
            self.text(box.x, box.y + index * style.line, line, style)
        return box.y + len(wrapped) * style.line

    def measure(self, words: str, style: Style) -> float:
        """Width of a line, pixels."""
        key = (words, style.bold)
        if key not in self._widths:
            self._widths[key] = em_width(drawable(words), style.bold)
        return style.size * self._widths[key]

    def largest(self, words: str, style: Style, width: float, smallest: float) -> Style:
        """The style at the largest size, down to ``smallest``, in which the words are at most ``width`` wide."""
        fitting = np.floor(2 * style.size * width / max(self.measure(words, style), 1.0)) / 2
        return style.sized(float(max(smallest, min(style.size, fitting))))

    def lines(self, words: str, style: Style, width: float) -> list[str]:
        """The words broken into lines of at most ``width``; a longer word is broken."""
        broken: list[str] = []
        current, length, space = "", 0.0, self.measure("a a", style) - 2 * self.measure("a", style)
        for word in words.split():
            own = self.measure(word, style)
            if current and length + space + own <= width:
                current, length = f"{current} {word}", length + space + own
                continue
            if current:
                broken.append(current)
            while own > width and len(word) > 1:
                kept = self._fitting(word, style, width)
                broken.append(word[:kept])
                word = word[kept:]
                own = self.measure(word, style)
            current, length = word, own
        return [*broken, current] if current else broken

    def clipped(self, words: str, style: Style, width: float, most: int) -> list[str]:
        """At most ``most`` lines; the last one ends with '…' where there is more."""
        wrapped = self.lines(words, style, width)
        return (
            wrapped if len(wrapped) <= most else [*wrapped[: most - 1], self._ellipsis(wrapped[most - 1], style, width)]
        )

    # --- shapes --------------------------------------------------------------------------------------------------

    def rectangle(self, box: Box, paint: Paint, hatch: str = "", hatch_paint: Paint = Ink.BACKGROUND) -> None:
        """A filled box, with a hatch over it."""
        edge = self._colour(hatch_paint) if hatch else "none"
        shape = Rectangle((box.x, box.y), box.width, box.height, facecolor=self._colour(paint), edgecolor=edge, lw=0)
        if hatch:
            shape.set_hatch(hatch)
        self._add(shape)

    def panel(self, box: Box, paint: Paint = Ink.PANEL, edge: Paint = Ink.RULE, width: float = 2.0) -> None:
        """A filled box with round corners that keeps the texts in it together."""
        self.panels.append(box)
        self.rounded(box, paint, edge, width)

    def rounded(self, box: Box, paint: Paint, edge: Paint | None = None, width: float = 2.0) -> None:
        """A filled box with round corners."""
        shape = f"round,pad=0,rounding_size={min(10.0, box.height / 4)}"
        line = "none" if edge is None else self._colour(edge)
        self._add(
            FancyBboxPatch(
                (box.x, box.y),
                box.width,
                box.height,
                boxstyle=shape,
                facecolor=self._colour(paint),
                edgecolor=line,
                lw=_points(width),
            )
        )

    def line(self, points: Sequence[Point], paint: Paint, width: float = 1.5, dashed: bool = False) -> None:
        """A line through the points; its width in pixels."""
        style = (0, (4, 3)) if dashed else "solid"
        xs, ys = [point[0] for point in points], [point[1] for point in points]
        colour = self._colour(paint)
        self._add(Line2D(xs, ys, color=colour, lw=_points(width), ls=style, solid_capstyle="butt"))

    def polygon(self, points: Sequence[Point], paint: Paint, edge: Paint | None = None) -> None:
        """A filled polygon."""
        line = "none" if edge is None else self._colour(edge)
        self._add(Polygon(points, closed=True, facecolor=self._colour(paint), edgecolor=line, lw=_points(2)))

    def picture(self, box: Box, picture: NDArray[np.float32], *, record: bool = True) -> None:
        """A picture, (rows, columns) grey or (rows, columns, 3) coloured, values 0 to 1."""
        if record:
            self.pictures.append(box)
        image = AxesImage(
            self._axes,
            cmap="gray",
            interpolation="bicubic",
            origin="upper",
            extent=(box.x, box.right, box.bottom, box.y),
        )
        image.set_data(picture)
        image.set_clim(0, 1)
        self._add(image)

    def outline(self, box: Box, level_set: NDArray[np.float32], colour: str, width: float = 3.0) -> None:
        """The 0.5 contour of a (rows, columns) field that fills ``box``, with a dark rim."""
        if not level_set.max() > 0.5 > level_set.min():
            return
        rows, columns = level_set.shape
        xs = box.x + (np.arange(columns) + 0.5) * box.width / columns
        ys = box.y + (np.arange(rows) + 0.5) * box.height / rows
        for paint, breadth, alpha in (("black", width + 3, 0.65), (colour, width, 1.0)):
            self._order += 1
            self._axes.contour(
                xs, ys, level_set, [0.5], colors=paint, linewidths=_points(breadth), alpha=alpha, zorder=self._order
            )

    # --- results -------------------------------------------------------------------------------------------------

    def pixels(self) -> NDArray[np.uint8]:
        """The drawn page, uint8 (rows, columns, RGB)."""
        with rc_context({"text.hinting": "no_hinting"}):  # as texts were measured
            self._canvas.draw()
        return np.array(self._canvas.buffer_rgba(), dtype=np.uint8)[:, :, :3].copy()

    def _add(self, artist: Artist) -> None:
        self._order += 1
        artist.set_zorder(self._order)
        self._axes.add_artist(artist)

    def _colour(self, paint: Paint) -> str:
        return self._theme[paint] if isinstance(paint, Ink) else paint

    def _fitting(self, word: str, style: Style, width: float) -> int:
        kept = len(word)
        while kept > 1 and self.measure(word[:kept], style) > width:
            kept -= 1
        return kept

    def _ellipsis(self, words: str, style: Style, width: float) -> str:
        while words and self.measure(f"{words}…", style) > width:
            words = words[:-1]
        return f"{words.rstrip()}…"


def _points(pixels: float) -> float:
    return pixels * 72.0 / DPI
