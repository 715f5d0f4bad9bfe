"""Pictures of every system: models beside oracle and published figure, and the default model by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.evaluation.groups import GroupFigures
from pipelines.evaluation.model_figures import ModelFigures
from pipelines.evaluation.references import published
from pipelines.evaluation.report.charts import Row, colour_of, dots
from pipelines.evaluation.report.wording import interval
from pipelines.phantom.report.style import GOOD, NEUTRAL, figure, save


def draw_models(system: str, figures: Sequence[ModelFigures], label: str, path: Path) -> None:
    """One line per model: figure with interval, the oracle's, and the authors' own in grey."""
    rows = []
    for place, found in enumerate(figures):
        model = found.prediction.model
        reference = published(system, model)
        marks = (reference.value, reference.limits) if reference else None
        oracle = found.oracle.oracle_expected if found.oracle else None
        note = interval(found.primary)
        rows.append(Row(model, found.primary, colour_of(model, place), oracle, marks, note))
    made = figure(9, 0.75 + 0.5 * len(rows))
    dots(made.subplots(), rows, label)
    save(made, path)


def draw_groups(groups: Mapping[str, GroupFigures], label: str, path: Path) -> None:
    """One line per group of patients: the default model's figure with interval, and the oracle's among them."""
    rows = []
    for name, group in groups.items():
        found = group.figures
        oracle = found.oracle.oracle_expected if found.oracle else None
        text = f"{name}  (n = {found.patients}, {found.events} events)"
        rows.append(
            Row(text, found.primary, NEUTRAL if group.outside_training else GOOD, oracle, None, interval(found.primary))
        )
    made = figure(9, 0.75 + 0.42 * len(rows))
    dots(made.subplots(), rows, label)
    save(made, path)
