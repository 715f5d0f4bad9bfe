"""Learning curves: as a picture beside the bundle, one small panel per network, and as numbers in its manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from pipelines.phantom.report.style import GOOD, INK, NEUTRAL, POOR, figure, quiet, save
from pipelines.training.fit import History

TRAIN, VALIDATION = GOOD, POOR
COLUMNS = 5
PANEL_INCHES = (2.5, 1.9)
SIGNIFICANT = 4


class Learnt(Protocol):
    """What :func:`pipelines.training.fit.fit` returns, as far as it is needed here."""

    @property
    def history(self) -> History: ...

    @property
    def best_epoch(self) -> int: ...


def curves_file(out: Path) -> Path:
    """Where the picture of the bundle at ``out`` lies: ``OUT.curves.png``. A bundle lists all its files."""
    return out.with_name(f"{out.name}.curves.png")


def compact(networks: Mapping[str, Learnt]) -> dict[str, Any]:
    """For ``training["curves"]`` of the manifest: per network its losses per epoch, to four significant digits.

    ``best_epoch`` is the one whose weights were kept, counted from 1. ``train`` and ``validation`` are lists;
    the latter is None where no rows were set apart.
    """
    return {name: _compact(network) for name, network in networks.items()}


def _compact(network: Learnt) -> dict[str, Any]:
    train, validation = zip(*network.history, strict=True)
    measured = None if math.isnan(validation[0]) else [_rounded(loss) for loss in validation]
    return {"best_epoch": network.best_epoch + 1, "train": [_rounded(loss) for loss in train], "validation": measured}


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT}g}")


def draw_curves(curves: Mapping[str, Any], file: Path) -> None:
    """Write the picture (PNG) of what :func:`compact` gave: losses over the epochs, the epoch that was kept marked.

    Panels share no axis: networks have different losses and stop at different epochs.
    """
    columns = min(COLUMNS, max(2, len(curves)))
    rows = math.ceil(len(curves) / columns)
    picture = figure(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + 0.6)
    panels = picture.subplots(rows, columns, squeeze=False)
    for panel in panels.flat[len(curves) :]:
        panel.set_axis_off()
    for panel, (name, curve) in zip(panels.flat, curves.items(), strict=False):
        _draw(panel, name, curve)
    for panel in panels[:, 0]:
        panel.set_ylabel("loss", fontsize=8.5, color=NEUTRAL)
    picture.legend(handles=_legend(curves), loc="outside upper center", ncols=3, frameon=False, fontsize=8.5)
    file.parent.mkdir(parents=True, exist_ok=True)
    save(picture, file)


def _draw(panel: Axes, name: str, curve: Mapping[str, Any]) -> None:
    train, validation, best = curve["train"], curve["validation"], curve["best_epoch"]
    epochs = range(1, len(train) + 1)
    panel.plot(epochs, train, color=TRAIN, linewidth=1.2)
    if validation is not None:
        panel.plot(epochs, validation, color=VALIDATION, linewidth=1.2)
    kept = (train if validation is None else validation)[best - 1]
    panel.plot([best], [kept], "o", color=INK, markersize=4)
    panel.annotate(f"{kept:.3g}", (best, kept), (0, 5), textcoords="offset points", ha="center", fontsize=7.5)
    quiet(panel, name, "epoch")
    panel.margins(y=0.2)
    panel.locator_params(axis="x", integer=True, nbins=5)
    panel.locator_params(axis="y", nbins=4)


def _legend(curves: Mapping[str, Mapping[str, Any]]) -> list[Line2D]:
    stopped = any(curve["validation"] is not None for curve in curves.values())
    return [
        Line2D([], [], color=TRAIN, label="training"),
        *([Line2D([], [], color=VALIDATION, label="inner validation")] if stopped else []),
        Line2D([], [], color=INK, marker="o", linestyle="", markersize=4, label="epoch that was kept"),
    ]
