"""Which inputs moved a result: mean |SHAP| as bars, and each patient's values as a beeswarm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.random import default_rng

from pipelines.evaluation.prediction import Numbers
from pipelines.evaluation.statistics.explain import Shapley
from pipelines.explain.words import words_of
from pipelines.phantom.report.style import GOOD, INK, NEUTRAL, PALE, POOR, figure, quiet, save

MOST = 15
LOW_TO_HIGH = LinearSegmentedColormap.from_list("low to high", [GOOD, "#C9CED4", POOR])


def draw_importance(found: Shapley, model: str, path: Path) -> None:
    """Mean |SHAP| of the most important inputs."""
    names, values = found.names[:MOST], found.importance[:MOST]
    made = figure(5, 1.0 + 0.29 * len(names))
    axes = made.subplots()
    axes.barh(range(len(names)), values, color=GOOD, height=0.66)
    axes.set(yticks=range(len(names)), ylim=(len(names) - 0.4, -0.6))
    axes.set_yticklabels([words_of(name).name for name in names])
    quiet(axes, label=f"mean |SHAP|, in {found.unit}")
    _title(made, f"What {model} listens to")
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0, labelsize=8, labelcolor=INK)
    save(made, path)


def draw_beeswarm(found: Shapley, model: str, path: Path) -> None:
    """One dot per patient and input: what the input added, coloured by the input's rank."""
    names = found.names[:MOST]
    made = figure(5, 1.0 + 0.29 * len(names))
    axes = made.subplots()
    axes.axvline(0, color=NEUTRAL, linewidth=0.8)
    for row in range(len(names)):
        values, inputs = found.values[:, row], found.inputs[:, row]
        ranks = inputs.argsort().argsort() / max(inputs.size - 1, 1)
        axes.scatter(values, row + _spread(values, row), s=5, c=ranks, cmap=LOW_TO_HIGH, linewidths=0, rasterized=True)
    axes.set(yticks=range(len(names)), ylim=(len(names) - 0.4, -0.6))
    axes.set_yticklabels([words_of(name).name for name in names])
    quiet(axes, label=f"SHAP, in {found.unit}")
    _title(made, f"{model}: blue low, orange high values")
    axes.tick_params(axis="y", length=0, labelsize=8, labelcolor=INK)
    save(made, path)


def _title(made: Figure, words: str) -> None:
    """Over the names as well, which leave little room over the axis."""
    made.suptitle(words, x=0.02, ha="left", fontsize=9.5, color=INK, fontweight="bold")


def _spread(values: Numbers, seed: int) -> Numbers:
    """Vertical places: dots scatter as widely as there are others beside them."""
    edges = np.linspace(values.min(), values.max() + 1e-12, 41)
    counts = np.histogram(values, edges)[0]
    crowd = counts[np.clip(np.digitize(values, edges) - 1, 0, 39)] / max(int(counts.max()), 1)
    return np.asarray(default_rng(seed).uniform(-0.36, 0.36, values.size) * crowd)
