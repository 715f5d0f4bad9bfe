"""A nomogram with one patient's points on it, as Liu X. et al. draw theirs (figure 3a)."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from pipelines.contract import Nomogram
from pipelines.phantom.report.style import INK, NEUTRAL, POOR, figure, save


def draw_nomogram(nomogram: Nomogram, path: Path) -> None:
    """Points on top, an axis per covariate, then total points and the probability; orange: the patient."""
    lines = len(nomogram.axes) + 3
    made = figure(9, 0.62 * lines + 0.3)
    axes = made.subplots()
    axes.set(xlim=(-34, 104), ylim=(lines - 0.3, -0.6))
    axes.set_axis_off()
    _line(axes, 0, "Points", [(f"{tick:g}", float(tick)) for tick in range(0, 101, 10)])
    for row, axis in enumerate(nomogram.axes, start=1):
        _line(axes, row, axis.name, list(axis.ticks))
        axes.plot([axis.points] * 2, [0, row], color=POOR, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
        axes.scatter(axis.points, row, s=46, color=POOR, edgecolor="white", zorder=5)
        axes.text(-34, row + 0.36, f"this patient: {axis.value}", fontsize=7.5, color=POOR, va="center")
    most = sum(max(points for _, points in axis.ticks) for axis in nomogram.axes)
    scale = 100.0 / max(most, 1e-9)
    step = max(10, 10 * round(most / 100))
    totals = [(f"{tick:g}", scale * tick) for tick in range(0, int(most) + 1, step)]
    _line(axes, lines - 2, "Total points", totals)
    risks = [(f"{100 * chance:g} %", scale * points) for chance, points in nomogram.risk]
    _line(axes, lines - 1, "Probability by 36 months", _apart(risks))
    at = scale * nomogram.total
    axes.plot([at] * 2, [lines - 2, lines - 1], color=POOR, linewidth=1.4, zorder=4)
    axes.scatter([at] * 2, [lines - 2, lines - 1], s=46, color=POOR, edgecolor="white", zorder=5)
    save(made, path)


def _line(axes: Axes, row: int, name: str, ticks: list[tuple[str, float]]) -> None:
    places = [place for _, place in ticks]
    axes.text(-34, row, name, fontsize=9, color=INK, va="center", fontweight="bold")
    if not places:
        return
    axes.plot([min(places), max(places)], [row, row], color=NEUTRAL, linewidth=1.1, zorder=2)
    for label, place in _apart(ticks):
        axes.plot([place] * 2, [row, row - 0.12], color=NEUTRAL, linewidth=1.1, zorder=2)
        axes.text(place, row - 0.24, label, fontsize=7.5, color=INK, ha="center", va="center")


def _apart(ticks: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Without labels that would be printed over the one before."""
    kept: list[tuple[str, float]] = []
    for label, place in sorted(ticks, key=lambda tick: tick[1]):
        if not kept or place - kept[-1][1] >= 0.9 * (len(label) + len(kept[-1][0])) / 2 + 0.6:
            kept.append((label, place))
    return kept
