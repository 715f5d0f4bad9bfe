"""How the report's pictures look: one palette that colour-blind readers can tell apart, no frames, quiet axes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

GOOD: Final = "#0072B2"
POOR: Final = "#D55E00"
NEUTRAL: Final = "#5B6770"
PALE: Final = "#E9EDF0"
INK: Final = "#1F2933"
RISKS: Final = ("#0072B2", "#E69F00", "#B2182B")  # low, middle, high
DPI: Final = 130


def figure(width: float, height: float) -> Figure:
    """A blank figure in inches that draws without a display."""
    made = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=ConstrainedLayoutEngine(wspace=0.05))
    FigureCanvasAgg(made)
    return made


def quiet(axes: Axes, title: str = "", label: str = "") -> None:
    """No frame but the axis that is read."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(NEUTRAL)
    axes.tick_params(colors=NEUTRAL, labelsize=8)
    axes.set_title(title, loc="left", fontsize=9.5, color=INK, fontweight="bold")
    axes.set_xlabel(label, fontsize=8.5, color=NEUTRAL)


def save(made: Figure, path: Path) -> None:
    made.savefig(path, metadata={"Software": ""})
