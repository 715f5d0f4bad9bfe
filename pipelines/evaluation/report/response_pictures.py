"""Pictures of a predicted response: ROC, calibration, decision curves, and how the probability falls in both groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.evaluation.judged import Judged
from pipelines.evaluation.prediction import Numbers
from pipelines.evaluation.report.charts import colour_of, dashed, framed, legend, shares
from pipelines.evaluation.response_figures import ResponseFigures
from pipelines.evaluation.statistics.binary import roc
from pipelines.evaluation.statistics.decision import DecisionCurve
from pipelines.phantom.report.style import GOOD, INK, NEUTRAL, PALE, POOR, figure, quiet, save


def draw_roc(judged: Judged, models: Sequence[ResponseFigures], path: Path) -> None:
    """ROC curves; the dot is what thresholds give that were fixed on training data."""
    made = figure(5, 5)
    axes = made.subplots()
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 3)))
    for place, found in enumerate(models):
        prediction = found.prediction
        rows, colour = judged.judgeable(prediction), colour_of(prediction.model, place)
        curve = roc(prediction.probability[rows], judged.responded(prediction.outcome)[rows] == 1)
        if curve.not_estimable:
            continue
        name = f"{prediction.model}  {found.auc.value:.2f}" if found.auc.value is not None else prediction.model
        axes.plot(curve.false_positive, curve.true_positive, color=colour, linewidth=1.9, label=name)
        at = found.at_threshold
        if at.sensitivity.value is not None and at.specificity.value is not None:
            axes.scatter(
                1 - at.specificity.value, at.sensitivity.value, s=42, color=colour, edgecolor="white", zorder=5
            )
    shares(axes, "ROC", "1 − specificity", "sensitivity")
    legend(axes, "lower right")
    save(made, path)


def draw_calibration(found: ResponseFigures, probability: Numbers, path: Path) -> None:
    """Observed over predicted share, in tenths with intervals and smoothed, over the distribution of predictions."""
    made = figure(5, 5)
    axes, below = made.subplots(2, 1, height_ratios=[5, 1], sharex=True)
    colour = colour_of(found.prediction.model)
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 3)))
    for group in found.calibration.groups:
        axes.plot([group.predicted] * 2, [group.lower, group.upper], color=colour, linewidth=1.1, alpha=0.6)
        axes.scatter(group.predicted, group.observed, s=30, color=colour, edgecolor="white", zorder=4)
    if found.calibration.smooth:
        axes.plot(*np.array(found.calibration.smooth).T, color=colour, linewidth=2, alpha=0.9)
    shares(axes, f"Calibration of {found.prediction.model}", "", "observed share")
    axes.set_aspect("auto")
    below.hist(probability, bins=np.linspace(0, 1, 41), color="#CBD2D9")
    below.set(yticks=[], xlim=(-0.01, 1.01))
    quiet(below, "", "predicted probability")
    save(made, path)


def draw_decision(curve: DecisionCurve, default: str, path: Path, standardised: bool = False) -> None:
    """Net benefit over the threshold: the models, treating everybody, treating nobody."""
    made = figure(5, 5)
    axes = made.subplots()
    every = curve.standardised_all if standardised else curve.treat_all
    axes.plot(curve.thresholds, every, color=NEUTRAL, linewidth=1.2, linestyle=(0, (4, 2)), label="everybody")
    axes.axhline(0, color=INK, linewidth=1, label="nobody")
    shown = curve.standardised if standardised else curve.models
    for place, (name, values) in enumerate(shown.items()):
        width = 2.3 if name == default else 1.6
        axes.plot(curve.thresholds, values, color=colour_of(name, place), linewidth=width, label=name)
    top = max(float(np.nanmax(values)) for values in shown.values()) if shown else 1.0
    axes.set(xlim=(0, 0.8), ylim=(-0.12 * top, 1.12 * top))
    side = "standardised net benefit" if standardised else "net benefit"
    framed(axes, "Decision curve", "threshold probability", side)
    legend(axes, "upper right")
    save(made, path)


def draw_spread(
    probability: Numbers, event: np.ndarray, names: tuple[str, str], found: tuple[str, Sequence[float], Path]
) -> None:
    """The predicted probability in patients with the outcome and without. ``names``: of the two groups; ``found``: the
    model, its thresholds, and where the picture goes."""
    model, cuts, path = found
    made = figure(5, 5)
    edges = np.linspace(0, 1, 26)
    for axes, chosen, name, colour in zip(
        made.subplots(2, 1, sharex=True), (event, ~event), names, (GOOD, POOR), strict=True
    ):
        values = probability[chosen]
        axes.hist(values, bins=edges, color=colour, alpha=0.85, rwidth=0.92)
        dashed(axes, cuts)
        axes.set(xlim=(0, 1))
        quiet(axes, f"{name} (n = {values.size})", f"probability by {model}" if chosen is not event else "")
        axes.grid(axis="y", color=PALE, linewidth=0.8)
        axes.set_axisbelow(True)
    save(made, path)
