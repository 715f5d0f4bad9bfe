"""The patient's predicted curve with its limits, the horizons, and the patient's place at the outcome's horizon."""

from __future__ import annotations

from collections.abc import Sequence

from dicom_templates import codes, palette
from dicom_templates.boxes import Box
from dicom_templates.figures import plain
from dicom_templates.page import Page, Point
from dicom_templates.palette import Ink
from dicom_templates.survival import event_free
from pipelines.contract import Score, SurvivalCurve

_LEFT, _BELOW = 62.0, 54.0
_LOW = 200.0  # below this height the plot matters more than the name of its curve


def draw_curve(page: Page, box: Box, score: Score, curve: SurvivalCurve) -> None:
    """Event-free share in percent over months: a step at each of the model's times, as a Breslow estimate has."""
    outcome = codes.outcome(score.outcome)
    above = 62.0 if box.height > _LOW else 36.0
    plot = Box(box.x + _LEFT, box.y + above, box.width - _LEFT - 16, box.height - above - _BELOW)
    last = curve.months[-1]
    _axes(page, plot, curve)

    def at(month: float, share: float) -> Point:
        return plot.x + plot.width * month / last, plot.bottom - plot.height * share

    upper, lower = (_steps(curve.months, shares) for shares in (curve.upper, curve.lower))
    page.polygon([at(*point) for point in (*upper, *reversed(lower))], Ink.BAND)
    page.line([at(*point) for point in _steps(curve.months, curve.event_free)], Ink.TEXT, 4)
    meaning = outcome.event_free.meaning if outcome.event_free is not None else ""
    place = next((one for one in event_free(score) if one.horizon.months == outcome.horizon), None)
    if place is None:
        page.fitted(box.x, box.y - 2, meaning, palette.STRONG, box.width)
        return
    month = place.horizon.months
    page.line((at(month, 0), at(month, 1)), Ink.TEXT, 2.5, dashed=True)
    _place(page, at(month, place.share / 100))
    words = f"{plain(place.share)} % ({plain(place.lower)}–{plain(place.upper)} %)"
    page.fitted(box.x, box.y - 2, f"At {month} months: {words}", palette.STRONG, box.width)
    if box.height > _LOW:
        page.fitted(box.x, box.y + 26, meaning, palette.NOTE, box.width)


def _axes(page: Page, plot: Box, curve: SurvivalCurve) -> None:
    """Percent up, months to the right, a tick at every horizon of the report."""
    last = curve.months[-1]
    for percent in (0, 50, 100):
        y = plot.bottom - plot.height * percent / 100
        page.line(((plot.x, y), (plot.right, y)), Ink.RULE, 1.5)
        page.text(plot.x - 8, y - 13, f"{percent}{' %' if percent == 100 else ''}", palette.TICK, "right")
    for month in (0, *(one.months for one in codes.HORIZONS if one.months <= last)):
        x = plot.x + plot.width * month / last
        page.line(((x, plot.y), (x, plot.bottom + 6)), Ink.RULE, 1.5)
        page.text(x, plot.bottom + 6, f"{month}", palette.TICK, "center")
    # What else the model says of its time, such as what it counts as censored, has its place in the report.
    page.fitted(plot.x, plot.bottom + 29, f"months from {curve.time_zero.split(';')[0]}", palette.TICK, plot.width)


def _place(page: Page, middle: Point) -> None:
    """A diamond, light with a dark rim."""
    for paint, size in ((Ink.PANEL, 15), (Ink.TEXT, 11)):
        x, y = middle
        page.polygon([(x - size, y), (x, y - size), (x + size, y), (x, y + size)], paint)


def _steps(months: Sequence[float], shares: Sequence[float]) -> list[tuple[float, float]]:
    points = [(months[0], shares[0])]
    for month, before, after in zip(months[1:], shares, shares[1:], strict=False):
        points += [(month, before), (month, after)]
    return points
