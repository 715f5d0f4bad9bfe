"""The numbers behind report and pictures as CSV, unrounded, and one row per patient."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluation.compared import RiskGroups
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.response_figures import ResponseFigures
from pipelines.evaluation.results import Results
from pipelines.evaluation.statistics.stated import Estimate
from pipelines.phantom.probabilities import RESPONSES

Row = Mapping[str, Any]


def write_tables(results: Results, metrics: Mapping[str, Any], folder: Path) -> None:
    """All tables of a scoring system into ``folder``, which exists. ``metrics``: as ``metrics.json`` holds them."""
    for name in ("models", "sites", "strata"):
        kind = name.removesuffix("s") if name != "strata" else "group"
        write(folder / f"{name}.csv", [{kind: key, **_flattened(entry)} for key, entry in metrics[name].items()])
    write(folder / "comparisons.csv", _pairs(results))
    groups = [
        {"model": name, **group.as_json()}
        for name, found in results.models.items()
        for group in found.calibration.groups
    ]
    write(folder / "calibration.csv", groups)
    write(folder / "decision_curve.csv", _decision(results))
    write(folder / "shap.csv", _explained(results))
    write(folder / "impact.csv", _impact(results))
    write(folder / "categories.csv", _categories(results))
    if results.survived is not None:
        write(folder / "reclassification.csv", _added(results))
        write(folder / "kaplan_meier.csv", _curves((*results.survived.groups, *results.survived.strata)))


def write(path: Path, rows: Sequence[Row]) -> None:
    """Nothing where there is no row. Empty cells: not known."""
    if not rows:
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def _flattened(entry: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested figures as ``calibration.slope``, limits as ``auc_low`` and ``auc_high``."""
    flat: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping):
            flat |= _flattened(value, f"{prefix}{name}.")
        elif name.endswith("_ci") or name == "ci":
            low, high = value or (None, None)
            flat |= {f"{prefix}{name[:-2]}low": low, f"{prefix}{name[:-2]}high": high}
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _limits(figure: Estimate) -> dict[str, Any]:
    return {"difference": figure.value, "low": figure.lower, "high": figure.upper, "p": figure.p_value}


def _pairs(results: Results) -> list[Row]:
    """``holm``: only of AUCs; the p-values of C-indices are not corrected."""
    rows: list[Row] = []
    for pair in results.comparisons:
        row = {"first": pair.first, "second": pair.second, **_limits(pair.difference)}
        rows.append(row if results.judged.survival else row | {"holm": pair.holm})
    return rows


def _categories(results: Results) -> list[Row]:
    """What the node calls the patients of a response's models, and what became of them."""
    return [
        {"model": name, "category": category.name, **_flattened(category.as_json())}
        for name, found in results.models.items()
        if isinstance(found, ResponseFigures)
        for category in found.categories
    ]


def _decision(results: Results) -> list[Row]:
    curve = results.decision.curve
    if curve.not_estimable:
        return []
    named = dict(curve.models) | {"everybody": curve.treat_all}
    named |= {f"{name}, standardised": values for name, values in curve.standardised.items()}
    return [
        {"threshold": float(at), **{name: float(values[place]) for name, values in named.items()}}
        for place, at in enumerate(curve.thresholds)
    ]


def _explained(results: Results) -> list[Row]:
    return [
        {"model": model, "input": name, "unit": found.unit, "mean_absolute_shap": float(value)}
        for model, found in results.explained.shapley.items()
        for name, value in zip(found.names, found.importance, strict=True)
    ]


def _added(results: Results) -> list[Row]:
    rows: list[Row] = []
    for pair in results.survived.added if results.survived else ():
        for figure, net in (
            ("NRI", pair.found.categorical),
            ("continuous NRI", pair.found.continuous),
            ("IDI", pair.found.idi),
        ):
            for part, estimate in (("total", net.total), ("events", net.events), ("others", net.others)):
                named = {"new": pair.new, "old": pair.old, "figure": figure, "part": part, "patients": pair.patients}
                rows.append(named | _limits(estimate))
    return rows


def _curves(groups: Iterable[RiskGroups]) -> list[Row]:
    return [
        {"model": group.model, "among": group.among, "group": curve.group, "months": float(month)}
        | {"event_free": float(share), "low": float(low), "high": float(high), "log_rank_p": group.tested.p_value}
        for group in groups
        for curve in group.curves
        for month, share, low, high in zip(curve.months, curve.event_free, curve.lower, curve.upper, strict=True)
    ]


def _impact(results: Results) -> list[Row]:
    found = results.impact
    if found.not_estimable:
        return []
    bands = ("high_risk", "with_event", "true_positive", "false_positive")
    rows: list[Row] = []
    for place, threshold in enumerate(found.thresholds):
        row: dict[str, Any] = {"threshold": float(threshold)}
        for name in bands:
            band = getattr(found, name)
            row |= {name: float(band.values[place])}
            row |= {f"{name}_low": float(band.lower[place]), f"{name}_high": float(band.upper[place])}
        rows.append(row)
    return rows


def write_predictions(judged: Judged, path: Path) -> None:
    """One row per patient who was not excluded: outcome, every model's probability, why not, outside the envelope.

    For simulated patients the true probability that the default model is measured by stands beside them.
    """
    default, predicted = judged.default, judged.predicted
    true = judged.true(default)
    months, event = judged.followed(default.outcome)
    response = judged.responded(default.outcome)
    rows: list[Row] = []
    for at, patient in enumerate(judged.patients):
        row: dict[str, Any] = {"patient_id": patient.patient_id, "site": patient.site}
        if default.outcome in RESPONSES:
            row[str(default.outcome)] = response[at]
        else:
            row |= {"months": months[at], "event": int(event[at])}
        row |= {prediction.model: float(prediction.probability[at]) for prediction in predicted.predictions}
        if true is not None:
            row[f"true_{default.outcome}_{default.shown}"] = float(true[at])
        row |= {"refused": predicted.refused[at], "outside_envelope": int(predicted.outside[at])}
        rows.append(row)
    write(path, rows)
