"""Whether a model says too much or too little on the whole: predicted over observed, in figures and in words."""

from __future__ import annotations

from pipelines.evaluation.judged import Judged
from pipelines.evaluation.model_figures import ModelFigures
from pipelines.evaluation.report.content import Figure
from pipelines.evaluation.report.wording import BRIEFLY, interval, limits, number, percent
from pipelines.evaluation.statistics.stated import Estimate

MEANS = " Predicted, true: mean predicted and mean true probability of the same patients."
OVER = "1 is right, above 1 means overestimated"


def what(judged: Judged) -> str:
    """What the default model's probability is of, as a sentence begins with it."""
    return "Risk" if judged.survival else f"The chance of {BRIEFLY[judged.default.outcome]}"


def level_figure(found: ModelFigures) -> Figure:
    """The opening number; of simulated patients with the mean predicted and the mean true probability."""
    ratio = found.calibration.expected_observed
    ends = f"95 % CI {limits(ratio)}; {OVER}" if limits(ratio) else ratio.not_estimable
    true = means(found)
    return Figure("Predicted / observed", number(ratio.value), f"{ends}; {true}" if true else ends)


def means(found: ModelFigures) -> str:
    """Mean predicted and mean true probability; '' of real patients, whose truth nobody knows."""
    if found.mean_true is None:
        return ""
    return f"mean predicted {percent(found.mean_predicted)}, mean true {percent(found.mean_true)}"


def mean_cell(found: ModelFigures) -> str:
    """Both means in one cell of a table."""
    return f"{number(found.mean_predicted)}, {number(found.mean_true)}"


def misjudged(judged: Judged, found: ModelFigures) -> str:
    """A sentence that warns; '' where the 95 % interval of predicted over observed holds 1, or there is none."""
    ratio = found.calibration.expected_observed
    if ratio.value is None or not _excludes_one(ratio):
        return ""
    side = "over" if ratio.value > 1.0 else "under"
    by = f"about {percent(abs(ratio.value - 1.0))}"
    said = f"{what(judged)} is {side}estimated by {by} on these patients: predicted / observed {interval(ratio)}"
    true = means(found)
    return f"{said}; {true}." if true else f"{said}."


def _excludes_one(ratio: Estimate) -> bool:
    return ratio.lower is not None and ratio.upper is not None and not ratio.lower <= 1.0 <= ratio.upper
