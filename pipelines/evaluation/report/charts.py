"""What the report's pictures share: the colour of each model, a diagonal, a legend, and dots with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from matplotlib.axes import Axes

from pipelines.evaluation.statistics.stated import Estimate
from pipelines.phantom.report.style import GOOD, INK, NEUTRAL, PALE, POOR, quiet

# Headline models keep their colour in every picture; the others share what is left.
COLOURS: Final[Mapping[str, str]] = {
    "CR": NEUTRAL,
    "clinical": NEUTRAL,
    "FDL": GOOD,
    "FDL_measured": "#56B4E9",
    "CRD_published": "#E69F00",
    "DLRS": GOOD,
    "CRD": POOR,
    "node": "#8D5A97",
    "nomogram": POOR,
    "T2W": "#009E73",
    "ADC": "#8D5A97",
    "T2": "#009E73",
    "DWI": "#8D5A97",
    "CE-T1": "#E69F00",
    "fused": GOOD,
    "fused_measured": "#56B4E9",
    "fused_markers": "#CC79A7",
    "fused_markers_measured": POOR,
    "Clinical": NEUTRAL,
    "Preclinical": "#9AA5B1",
    "T2+DKI": GOOD,
    "T2+DKI_measured": "#56B4E9",
    "T2+DKI+Preclinical": "#8D5A97",
    "T2+DKI+Preclinical_measured": "#CC79A7",
    "All": "#E69F00",
    "All_measured": POOR,
}
OTHERS: Final = ("#0072B2", "#D55E00", "#5B6770", "#009E73", "#8D5A97", "#E69F00", "#56B4E9")


def colour_of(model: str, place: int = 0) -> str:
    """The colour of a model; ``place``: its place among those shown, for models without a colour of their own."""
    return COLOURS.get(model, OTHERS[place % len(OTHERS)])


def shares(axes: Axes, title: str, label: str, side: str) -> None:
    """Both axes run from 0 to 1, with a quiet grid."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xticks=[0, 0.25, 0.5, 0.75, 1], yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_aspect("equal")
    framed(axes, title, label, side)


def framed(axes: Axes, title: str, label: str, side: str) -> None:
    """Quiet axes with both scales read."""
    quiet(axes, title, label)
    axes.set_ylabel(side, fontsize=8.5, color=NEUTRAL)
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)


def dashed(axes: Axes, cuts: Sequence[float]) -> None:
    """The thresholds that a model has."""
    for cut in cuts:
        axes.axvline(cut, color=INK, linewidth=1, linestyle=(0, (3, 3)))


Corner = Literal["lower left", "lower right", "upper right"]


def legend(axes: Axes, where: Corner) -> None:
    axes.legend(loc=where, frameon=False, fontsize=8, labelcolor=INK, handlelength=1.6)


@dataclass(frozen=True)
class Row:
    """One line of a dot chart. ``oracle`` and ``reference`` (a figure, with limits where it has any): marks beside the
    dot; ``note``: at its right end."""

    label: str
    figure: Estimate
    colour: str
    oracle: float | None = None
    reference: tuple[float, tuple[float, float] | None] | None = None
    note: str = ""


def dots(axes: Axes, rows: Sequence[Row], label: str, low: float = 0.4) -> None:
    """Dots with 95 % intervals, one line each, from the first at the top; the dashed line is chance."""
    axes.axvline(0.5, color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0)
    for place, row in enumerate(rows):
        if row.reference is not None:
            value, limits = row.reference
            if limits is not None:
                axes.plot(limits, [place + 0.26] * 2, color="#9AA5B1", linewidth=1.2, zorder=1)
            axes.scatter(value, place + 0.26, s=26, facecolor="white", edgecolor="#9AA5B1", linewidth=1.2, zorder=2)
        if row.oracle is not None:
            axes.plot([row.oracle] * 2, [place - 0.3, place + 0.12], color=INK, linewidth=2.2, zorder=3)
        if row.figure.value is not None:
            if row.figure.lower is not None and row.figure.upper is not None:
                ends = [row.figure.lower, row.figure.upper]
                axes.plot(ends, [place - 0.09] * 2, color=row.colour, linewidth=2.4, solid_capstyle="round", zorder=4)
            axes.scatter(row.figure.value, place - 0.09, s=52, color=row.colour, edgecolor="white", zorder=5)
        text = row.note or row.figure.not_estimable
        axes.text(1.012, place - 0.09, text, fontsize=8, color=INK, va="center", clip_on=False)
    axes.set(yticks=range(len(rows)), ylim=(len(rows) - 0.4, -0.6), xlim=(low, 1.0))
    axes.set_yticklabels([row.label for row in rows])
    quiet(axes, "", label)
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
