"""A predicted survival curve, read at the horizons that are published."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from dicom_templates import codes
from dicom_templates.errors import TemplateError
from dicom_templates.figures import percent
from pipelines.contract import Score, SurvivalCurve


@dataclass(frozen=True)
class EventFree:
    """The event-free share at one horizon with its limits, percent as written."""

    horizon: codes.Horizon
    share: float
    lower: float
    upper: float


def event_free(score: Score) -> tuple[EventFree, ...]:
    """The shares at the horizons that the score's curve covers; none where it has no curve.

    A curve is a step function, constant from each of its times to the next (the estimators of Breslow and of
    Kaplan and Meier), and says nothing before its first time or after its last.
    Raises TemplateError for a curve that is none, and for one of an outcome that has no time.
    """
    curve = score.curve
    if curve is None:
        return ()
    _check(curve, score)
    return tuple(
        _at(curve, horizon) for horizon in codes.HORIZONS if curve.months[0] <= horizon.months <= curve.months[-1]
    )


def _at(curve: SurvivalCurve, horizon: codes.Horizon) -> EventFree:
    last = max(index for index, month in enumerate(curve.months) if month <= horizon.months)
    return EventFree(horizon, percent(curve.event_free[last]), percent(curve.lower[last]), percent(curve.upper[last]))


def _check(curve: SurvivalCurve, score: Score) -> None:
    name = score.model.name
    if codes.outcome(score.outcome).event_free is None:
        raise TemplateError(f"{name}: {score.outcome} is no event in time, and has no survival curve")
    columns = (curve.months, curve.event_free, curve.lower, curve.upper)
    if not curve.months or len({len(column) for column in columns}) > 1:
        raise TemplateError(f"{name}: a survival curve needs as many shares and limits as times")
    if not curve.time_zero.strip():
        raise TemplateError(f"{name}: a survival curve must say what month 0 is")
    if any(later <= earlier for earlier, later in pairwise(curve.months)):
        raise TemplateError(f"{name}: the times of a survival curve must rise")
    if any(later > earlier for earlier, later in pairwise(curve.event_free)):
        raise TemplateError(f"{name}: an event-free share rises with time")
    for share, lower, upper in zip(curve.event_free, curve.lower, curve.upper, strict=True):
        if not (0 <= lower <= upper <= 1 and 0 <= share <= 1):
            raise TemplateError(f"{name}: {share} ({lower} to {upper}) is no event-free share with limits")
