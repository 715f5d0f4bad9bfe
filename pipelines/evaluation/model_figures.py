"""The figures of a model, whatever it predicts."""

from __future__ import annotations

from pipelines.evaluation.judged import Flags, Judged
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.response_figures import ResponseFigures, response_figures
from pipelines.evaluation.survival_figures import SurvivalFigures, survival_figures
from pipelines.phantom.probabilities import RESPONSES

ModelFigures = ResponseFigures | SurvivalFigures


def figures_of(judged: Judged, prediction: Prediction, among: Flags | None = None) -> ModelFigures:
    """The figures of one model; ``among`` (n,): these patients alone."""
    if prediction.outcome in RESPONSES:
        return response_figures(judged, prediction, among)
    return survival_figures(judged, prediction, among)
