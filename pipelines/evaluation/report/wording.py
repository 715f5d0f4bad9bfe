"""How numbers are written, in tables, captions and marks alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.statistics.stated import Estimate
from pipelines.evaluation.survival_figures import ROC_MONTHS
from pipelines.phantom.probabilities import InformationSet, Outcome

NONE = "–"
OUTCOMES = {
    Outcome.GOOD_RESPONSE: "good response (AJCC TRG 0–1)",
    Outcome.COMPLETE_RESPONSE: "complete response (ypT0 ypN0)",
    Outcome.METASTASIS: "distant metastasis",
    Outcome.RECURRENCE: "recurrence or death",
}
BRIEFLY = {
    Outcome.GOOD_RESPONSE: "good response",
    Outcome.COMPLETE_RESPONSE: "complete response",
    Outcome.METASTASIS: "metastasis",
    Outcome.RECURRENCE: "recurrence or death",
}
DEATH = {
    Outcome.METASTASIS: "death without the event is a competing risk and ends the follow-up",
    Outcome.RECURRENCE: "death of any cause counts as the event",
}
"""What becomes of patients who die, of outcomes in time."""
SHOWN = {
    InformationSet.BASELINE: "the baseline exam",
    InformationSet.BASELINE_CLINICAL: "the baseline exam and clinical variables",
    InformationSet.PAIR: "both exams",
    InformationSet.PAIR_CLINICAL: "both exams and clinical variables",
    InformationSet.BASELINE_PATHOLOGY: "the baseline exam, clinical variables and ypN",
    InformationSet.PATHOLOGY: "both exams, clinical variables and pathology",
}


RECORD = {
    InformationSet.BASELINE_CLINICAL: "clinical variables alone",
    InformationSet.PAIR_CLINICAL: "clinical variables alone",
    InformationSet.BASELINE_PATHOLOGY: "clinical variables and ypN alone",
    InformationSet.PATHOLOGY: "clinical variables and pathology alone",
}
"""Of models that see no image; their oracle is shown the exams none the less."""


def sees(predictions: Sequence[Prediction]) -> str:
    """ "CR sees clinical variables alone; …", or what a model is that has no one information."""
    return "; ".join(told(one) for one in predictions)


def told(one: Prediction) -> str:
    """What a model sees, and what else there is to say of it."""
    if one.about.startswith(f"{one.model}:"):
        return one.about
    said = f"{one.model} sees {information(one)}"
    return f"{said} ({one.about})" if one.about else said


def information(one: Prediction) -> str:
    """The information that a model reads."""
    return SHOWN[one.shown] if one.images else RECORD.get(one.shown, SHOWN[one.shown])


def number(value: float | None, digits: int = 2) -> str:
    """A figure, with a true minus sign; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.{digits}f}".replace("-", "−")


def percent(share: float | None, digits: int = 0) -> str:
    return NONE if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f} %"


def limits(estimate: Estimate, digits: int = 2) -> str:
    """The 95 % limits: "0.77–0.85"; with a word between where one is negative."""
    if estimate.lower is None or estimate.upper is None:
        return ""
    between = " to " if estimate.lower < 0 else "–"
    return f"{number(estimate.lower, digits)}{between}{number(estimate.upper, digits)}"


def interval(estimate: Estimate, digits: int = 2) -> str:
    """ "0.81 (0.77–0.85)"; a dash where there is no figure."""
    shown, ends = number(estimate.value, digits), limits(estimate, digits)
    return f"{shown} ({ends})" if ends and shown != NONE else shown


def written(figure: Mapping[str, Any] | None) -> str:
    """A figure of a segmenter's ``metrics.json``, as ``interval`` writes an estimate."""
    if not figure or figure["value"] is None:
        return NONE
    low, high = figure["ci"]
    return f"{number(figure['value'])} ({number(low)}–{number(high)})".replace("–−", " to −")


def turned(difference: Estimate) -> Estimate:
    """b − a of a − b."""
    value, lower, upper = (None if v is None else -v for v in (difference.value, difference.upper, difference.lower))
    return replace(difference, value=value, lower=lower, upper=upper)


def p_value(value: float | None) -> str:
    """Three digits, as the papers write them."""
    if value is None or not math.isfinite(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def listed(words: list[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def years(outcome: Outcome) -> list[str]:
    """The horizons of an outcome's ROC curves: "1 year", "3 years", …"""
    return [counted(round(month / 12.0), "year") for month in ROC_MONTHS[outcome]]


def begun(words: str) -> str:
    """With a capital, as a sentence begins."""
    return words[:1].upper() + words[1:]


def counted(count: int, word: str) -> str:
    """ "1 patient", "2 patients"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
