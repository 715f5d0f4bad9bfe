"""A page in pixels: text, boxes and pictures at places given from its upper left corner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from dicom_templates.fonts import drawable, font

DPI = 100.0
LEADING = 1.36  # line height, in font sizes


@dataclass(frozen=True)
class Style:
    """How a text looks: size in pixels, colour, weight; ``halo``: a dark rim, for text over a picture."""

    size: float
    colour: str
    bold: bool = False
    halo: bool = False

    @property
    def font(self) -> FontProperties:
        return font(self.size, DPI, self.bold)

    @property
    def line(self) -> float:
        """Height of a line, pixels."""
        return self.size * LEADING


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: ``x``, ``y`` its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def inset(self, margin: float) -> Box:
        return Box(self.x + margin, self.y + margin, self.width - 2 * margin, self.height - 2 * margin)

    def below(self, y: float) -> Box:
        """The part of this box from ``y`` downwards."""
        return Box(self.x, y, self.width, max(0.0, self.bottom - y))


class Page:
    """A figure of its own, without pyplot's global state, drawn by Agg."""

    def __init__(self, width: int, height: int, background: str) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=background)
        self._canvas = FigureCanvasAgg(self._figure)
        self._axes = self._figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)
        self._axes.axis("off")

    def text(self, x: float, y: float, words: str, style: Style, align: str = "left") -> None:
        """One line whose top is at ``y``."""
        self._axes.text(
            x,
            y + style.size * 1.02,
            drawable(words),
            fontproperties=style.font,
            color=style.colour,
            ha=align,
            va="baseline",
            parse_math=False,
            path_effects=[withStroke(linewidth=3, foreground="black")] if style.halo else [],
        )

    def measure(self, words: str, style: Style) -> float:
        """Width of a line, pixels."""
        return float(self._canvas.get_renderer().get_text_width_height_descent(drawable(words), style.font, False)[0])

    def lines(self, words: str, style: Style, width: float) -> list[str]:
        """The words broken into lines of at most ``width``; a longer word is cut."""
        broken: list[str] = []
        current = ""
        for word in words.split():
            candidate = f"{current} {word}" if current else word
            if self.measure(candidate, style) <= width:
                current = candidate
                continue
            if current:
                broken.append(current)
            current = word
            while self.measure(current, style) > width and len(current) > 1:
                kept = self._fitting(current, style, width)
                broken.append(current[:kept])
                current = current[kept:]
        return [*broken, current] if current else broken

    def paragraph(self, box: Box, words: str, style: Style) -> float:
        """Wrapped text from the top of ``box``; what does not fit its height is cut with '…'. The y below the text."""
        wrapped = self.lines(words, style, box.width)
        room = max(1, int(box.height // style.line))
        if len(wrapped) > room:
            wrapped = [*wrapped[: room - 1], self._ellipsis(wrapped[room - 1], style, box.width)]
        for index, line in enumerate(wrapped):
            self.text(box.x, box.y + index * style.line, line, style)
        return box.y + len(wrapped) * style.line

    def one_line(self, words: str, style: Style, width: float) -> str:
        """The words, cut with '…' where they are wider than ``width``."""
        return words if self.measure(words, style) <= width else self._ellipsis(words, style, width)

    def rectangle(self, box: Box, colour: str, edge: str = "none", hatch: str = "") -> None:
        """A filled box."""
        self._axes.add_patch(
            Rectangle(
                (box.x, box.y), box.width, box.height, facecolor=colour, edgecolor=edge, hatch=hatch or None, lw=1.5
            )
        )

    def rounded(self, box: Box, colour: str, edge: str = "none", radius: float = 10.0) -> None:
        """A filled box with round corners."""
        shape = f"round,pad=0,rounding_size={radius}"
        self._axes.add_patch(
            FancyBboxPatch(
                (box.x, box.y), box.width, box.height, boxstyle=shape, facecolor=colour, edgecolor=edge, lw=2
            )
        )

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1.0) -> None:
        """A straight line; its width in pixels."""
        self._axes.plot(
            [start[0], end[0]], [start[1], end[1]], color=colour, lw=width * 72.0 / DPI, solid_capstyle="butt"
        )

    def picture(self, box: Box, grey: NDArray[np.float32], outline: NDArray[np.float32] | None, colour: str) -> None:
        """A grey picture (rows, columns), values 0 to 1, with the 0.5 contour of ``outline`` over it."""
        rows, columns = grey.shape
        axes = self._figure.add_axes(
            (box.x / self.width, 1 - box.bottom / self.height, box.width / self.width, box.height / self.height)
        )
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="bicubic", aspect="auto")
        if outline is not None and outline.max() > 0.5 > outline.min():
            axes.contour(outline, levels=[0.5], colors="black", linewidths=4.2, alpha=0.65)
            axes.contour(outline, levels=[0.5], colors=colour, linewidths=2.2)
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.axis("off")

    def over(self) -> None:
        """Draw what follows above the pictures."""
        self._axes = self._figure.add_axes((0.0, 0.0, 1.0, 1.0), facecolor="none")
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(self.height, 0)
        self._axes.axis("off")

    def pixels(self) -> NDArray[np.uint8]:
        """The drawn page, uint8 (rows, columns, RGB)."""
        self._canvas.draw()
        return np.array(self._canvas.buffer_rgba(), dtype=np.uint8)[:, :, :3].copy()

    def _fitting(self, word: str, style: Style, width: float) -> int:
        kept = len(word)
        while kept > 1 and self.measure(word[:kept], style) > width:
            kept -= 1
        return kept

    def _ellipsis(self, words: str, style: Style, width: float) -> str:
        while words and self.measure(f"{words}…", style) > width:
            words = words[:-1]
        return f"{words.rstrip()}…"
