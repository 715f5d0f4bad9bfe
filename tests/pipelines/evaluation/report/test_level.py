"""A model that says too much or too little says so in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.evaluation.judged import Judged
from pipelines.evaluation.model_figures import ModelFigures, figures_of
from pipelines.evaluation.report.level import level_figure, misjudged
from tests.pipelines.evaluation.made_predictions import judged_response, judged_survival


def scaled(judged: Judged, factor: float) -> ModelFigures:
    """The figures of the default model with its odds multiplied."""
    odds = factor * judged.default.probability / (1.0 - judged.default.probability)
    changed = replace(judged.default, probability=odds / (1.0 + odds))
    return figures_of(judged, changed, np.ones(len(judged.patients), dtype=bool))


def test_overestimated_risk_is_warned_of_with_its_interval_and_the_truth() -> None:
    judged = judged_survival(60)
    found = scaled(judged, 6.0)
    ratio = found.calibration.expected_observed.value
    assert ratio is not None and ratio > 1.5
    words = misjudged(judged, found)
    assert words.startswith(f"Risk is overestimated by about {100 * (ratio - 1):.0f} % on these patients")
    assert f"predicted / observed {ratio:.2f} (" in words
    assert "mean predicted" in words and "mean true" in words
    shown = level_figure(found)
    assert shown.label == "Predicted / observed" and "above 1 means overestimated" in shown.beside


def test_an_underestimated_response_of_real_patients_names_no_truth() -> None:
    judged = judged_response(60)
    real = replace(judged, cohort=replace(judged.cohort, truth=None))
    words = misjudged(real, scaled(real, 1 / 6))
    assert words.startswith("The chance of good response is underestimated by about")
    assert "true" not in words


def test_a_model_whose_interval_holds_1_is_not_warned_of() -> None:
    judged = judged_response(60)
    found = scaled(judged, 1.0)
    ratio = found.calibration.expected_observed
    assert ratio.lower is not None and ratio.upper is not None and ratio.lower <= 1.0 <= ratio.upper
    assert misjudged(judged, found) == ""
