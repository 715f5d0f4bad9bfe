"""A nomogram with the patient's value on every axis, the total of the points, and the risk that it stands for."""

from __future__ import annotations

from dicom_templates import palette
from dicom_templates.boxes import Box
from dicom_templates.figures import plain, shown_percent
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from pipelines.contract import Nomogram, NomogramAxis

_NAMES, _WIDE_NAMES = 200.0, 300.0  # width of the column with names, values and points
_WIDE = 800.0  # from this width on there is room for the wider one
_LOW = 44.0  # height of a row for one line of text
_LEAST_GAP = 13.0  # between tick labels, pixels
_NAME = palette.TICK.with_ink(Ink.TEXT)
_STRONG = palette.CHIP.sized(palette.TICK.size).with_ink(Ink.TEXT)


def draw_nomogram(page: Page, box: Box, nomogram: Nomogram) -> None:
    """A row for each axis and one for the total, whose axis shows the risk."""
    rows = len(nomogram.axes) + 1
    height = box.height / rows
    names = _WIDE_NAMES if box.width > _WIDE else _NAMES
    line = Box(box.x + names, box.y, box.width - names - 26, height)
    most = max([1e-9, *(points for axis in nomogram.axes for points in (axis.points, *dict(axis.ticks).values()))])
    for number, axis in enumerate(nomogram.axes):
        _axis(page, Box(box.x, box.y + number * height, box.width, height), line, axis, most)
    _total(page, Box(box.x, box.y + (rows - 1) * height, box.width, height), line, nomogram)


def _axis(page: Page, box: Box, line: Box, axis: NomogramAxis, most: float) -> None:
    """Name, value and points at the left; the axis with its ticks and the patient's mark at the right."""
    y = box.y + box.height / 2 - 6
    _names(page, Box(box.x, y, line.x - box.x - 14, box.height), f"{axis.name}: {axis.value}", _points(axis.points))
    _ticks(page, line, y, [(label, points / most) for label, points in axis.ticks])
    _mark(page, line.x + line.width * min(max(axis.points / most, 0.0), 1.0), y)


def _total(page: Page, box: Box, line: Box, nomogram: Nomogram) -> None:
    """The total, between the lowest and the highest points that a risk is given for."""
    points = [total for _, total in nomogram.risk]
    low, high = min([0.0, nomogram.total, *points]), max([nomogram.total, *points])
    span = max(high - low, 1e-9)
    page.line(((box.x, box.y), (box.right, box.y)), Ink.RULE, 1.5)
    y = box.y + box.height / 2 - 4
    _names(
        page, Box(box.x, y, line.x - box.x - 14, box.height), f"Total: {_points(nomogram.total)}", "stand for the risk"
    )
    _ticks(page, line, y, [(shown_percent(risk), (total - low) / span) for risk, total in nomogram.risk])
    _mark(page, line.x + line.width * (nomogram.total - low) / span, y)


def _names(page: Page, box: Box, first: str, second: str) -> None:
    """Two lines around an axis at ``box.y``, or one where the rows are low."""
    if box.height < _LOW:
        words = f"{first}, {second}" if second[0].isdigit() else first
        page.fitted(box.x, box.y - 12, words.replace("points", "pts"), _NAME, box.width)
        return
    page.fitted(box.x, box.y - 20, first, _STRONG, box.width)
    page.fitted(box.x, box.y + 2, second, palette.TICK, box.width)


def _points(points: float) -> str:
    return f"{plain(round(points, 1))} points"


def _ticks(page: Page, line: Box, y: float, ticks: list[tuple[str, float]]) -> None:
    """An axis with its ticks; a label that would run into the one before it is left out, its tick is not."""
    page.line(((line.x, y), (line.right, y)), Ink.SOFT, 2.5)
    free = float("-inf")
    for label, share in sorted(ticks, key=lambda tick: tick[1]):
        x = line.x + line.width * share
        page.line(((x, y), (x, y + 7)), Ink.SOFT, 2)
        half = page.measure(label, _NAME) / 2
        middle = max(x, line.x - 8 + half)
        if middle - half >= free:
            page.text(middle, y + 4, label, _NAME, "center")
            free = middle + half + _LEAST_GAP


def _mark(page: Page, x: float, y: float) -> None:
    """The patient's place: a diamond, light with a dark rim."""
    for paint, size in ((Ink.PANEL, 13.0), (Ink.TEXT, 9.5)):
        page.polygon([(x - size, y), (x, y - size), (x + size, y), (x, y + size)], paint)
