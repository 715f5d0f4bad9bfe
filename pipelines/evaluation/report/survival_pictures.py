"""Pictures of a predicted event in time: ROC by year, Kaplan–Meier curves with the numbers at risk, ROC components, and
what a threshold means for a thousand patients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from pipelines.evaluation.compared import HIGH, LOW, TICKS, RiskGroups
from pipelines.evaluation.report.charts import colour_of, dashed, framed, legend, shares
from pipelines.evaluation.report.wording import interval, p_value
from pipelines.evaluation.statistics.impact import Band, Impact
from pipelines.evaluation.survival_figures import SurvivalFigures
from pipelines.phantom.report.style import GOOD, INK, NEUTRAL, POOR, RISKS, figure, save

CALLED = ("called high risk", "of these with the event")
_COLOUR = {HIGH: POOR, LOW: GOOD}
_YEAR_COLOURS = RISKS


def draw_time_roc(found: SurvivalFigures, path: Path) -> None:
    """ROC curves of one model at each of the outcome's months."""
    made = figure(5, 5)
    axes = made.subplots()
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 3)))
    for at, colour in zip(found.rocs, _YEAR_COLOURS, strict=True):
        if at.auc.value is not None:
            label = f"{at.month:.0f} months  {interval(at.auc)}"
            axes.plot(at.false_positive, at.true_positive, color=colour, linewidth=1.8, label=label)
    shares(axes, f"ROC by year, {found.prediction.model}", "1 − specificity", "sensitivity")
    legend(axes, "lower right")
    save(made, path)


def draw_kaplan_meier(panels: Sequence[RiskGroups], path: Path, across: int = 2) -> None:
    """Event-free share by risk group with 95 % bands, the log-rank test, and the numbers at risk below."""
    down = -(-len(panels) // across)
    made = figure(5 * across, 4.4 * down)
    made.set_layout_engine("constrained", h_pad=0.1, hspace=0.06)
    places = np.atleast_1d(made.subplots(down, across, squeeze=False)).ravel()
    for axes, panel in zip(places, panels, strict=False):
        _kaplan_meier(axes, panel)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    save(made, path)


def _kaplan_meier(axes: Axes, panel: RiskGroups) -> None:
    axes.axvline(36, color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 3)))
    for line, curve in enumerate(panel.curves):
        colour = _COLOUR.get(curve.group, INK)
        axes.fill_between(curve.months, curve.lower, curve.upper, step="post", color=colour, alpha=0.13, linewidth=0)
        label = f"{curve.group} (n = {curve.patients}, {curve.events} events)"
        axes.step(curve.months, curve.event_free, where="post", color=colour, linewidth=1.9, label=label)
        for month, at_risk in curve.at_risk:
            axes.text(month, -0.255 - 0.07 * line, str(at_risk), color=colour, fontsize=8, ha="center", clip_on=False)
        axes.text(-4, -0.255 - 0.07 * line, curve.group, color=colour, fontsize=8, ha="right", clip_on=False)
    axes.text(-4, -0.185, "at risk", fontsize=8, color=NEUTRAL, ha="right", clip_on=False)
    axes.set(xlim=(0, 60), ylim=(0, 1.02), xticks=TICKS, yticks=[0, 0.25, 0.5, 0.75, 1])
    framed(axes, panel.among or f"By {panel.model}", "months after surgery", "free of the event")
    if panel.tested.p_value is not None:
        p = p_value(panel.tested.p_value)
        text = f"log-rank p {p}" if p.startswith("<") else f"log-rank p = {p}"
        axes.text(1.5, 0.235, text, fontsize=8, color=INK)
    legend(axes, "lower left")


def draw_survival_calibration(found: SurvivalFigures, path: Path) -> None:
    """Observed (1 − Kaplan–Meier) over predicted share by 36 months, in fifths of predicted risk."""
    made = figure(5, 5)
    axes = made.subplots()
    colour = colour_of(found.prediction.model)
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 3)))
    shown = [(group.predicted, group.observed) for group in found.calibration.groups if group.observed is not None]
    for group in found.calibration.groups:
        if group.lower is not None and group.upper is not None:
            axes.plot([group.predicted] * 2, [group.lower, group.upper], color=colour, linewidth=1.2, alpha=0.6)
    predicted, seen = np.array(shown).reshape(-1, 2).T
    axes.plot(predicted, seen, color=colour, linewidth=1.5, alpha=0.6)
    axes.scatter(predicted, seen, s=44, color=colour, edgecolor="white", zorder=4)
    shares(axes, f"Calibration of {found.prediction.model}", "predicted by 36 months", "observed (1 − Kaplan–Meier)")
    save(made, path)


def _band(axes: Axes, thresholds: np.ndarray, band: Band, colour: str, label: str) -> None:
    axes.fill_between(thresholds, band.lower, band.upper, color=colour, alpha=0.15, linewidth=0)
    axes.plot(thresholds, band.values, color=colour, linewidth=1.9, label=label)


def draw_roc_components(found: Impact, cuts: Sequence[float], path: Path) -> None:
    """True and false positive rate over the threshold, with 95 % bands."""
    made = figure(5, 5)
    axes = made.subplots()
    _band(axes, found.thresholds, found.true_positive, POOR, "true positive rate")
    _band(axes, found.thresholds, found.false_positive, GOOD, "false positive rate")
    dashed(axes, cuts)
    axes.set(xlim=(0, 0.8), ylim=(-0.01, 1.01))
    framed(axes, "ROC components", "risk threshold", "share")
    legend(axes, "upper right")
    save(made, path)


def draw_impact(found: Impact, cuts: Sequence[float], path: Path, names: tuple[str, str] = CALLED) -> None:
    """Of 1000 patients: how many a threshold calls high risk, and how many of these have the event. ``names``: of both
    curves."""
    made = figure(5, 5)
    axes = made.subplots()
    _band(axes, found.thresholds, found.high_risk, GOOD, names[0])
    _band(axes, found.thresholds, found.with_event, POOR, names[1])
    dashed(axes, cuts)
    axes.set(xlim=(0, 0.8), ylim=(-10, 1010))
    framed(axes, "Clinical impact", "risk threshold", "of 1000 patients")
    legend(axes, "upper right")
    save(made, path)
