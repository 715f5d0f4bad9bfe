"""How the ADC is spread inside the outlines, before and after: a mean alone hides a tumour that is half scar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicom_templates import palette, wording
from dicom_templates.boxes import Box
from dicom_templates.figures import changes, find, plain, rounded
from dicom_templates.key_slice import ADC_TOP, placed
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from dicom_templates.summary.blocks import Block
from pipelines.contract import Exam, Findings, Quantity, TimePoint

_HEAD, _AXIS = 44.0, 58.0
_LEAST, _WISH = 190.0, 300.0
_BINS = 25
_FEWEST = 30  # voxels, for a spread to mean something


@dataclass(frozen=True)
class _Spread:
    """Shares of the outline's voxels per bin of ADC, and the reported mean in 10⁻⁶ mm²/s."""

    time_point: TimePoint
    shares: NDArray[np.float64]
    mean: float


def adc_block(page: Page, findings: Findings) -> Block | None:
    """The spreads on one axis; None where there is none, or where the two exams' ADCs must not be compared."""
    if any(change.quantity is Quantity.ADC_MEAN and change.value is None for change in changes(findings)):
        return None
    spreads = [spread for exam in findings.case.exams if (spread := _spread(exam, findings)) is not None]
    if not spreads:
        return None
    return Block(_LEAST, _WISH, lambda box: _draw(page, box, spreads), optional=True)


def _spread(exam: Exam, findings: Findings) -> _Spread | None:
    mean = find(findings, Quantity.ADC_MEAN, exam.files.time_point)
    if mean is None or exam.mask is None or exam.adc is None:
        return None
    values = _values(exam)
    if len(values) < _FEWEST:
        return None
    counts, _ = np.histogram(np.clip(values, 0, ADC_TOP), bins=_BINS, range=(0, ADC_TOP))
    return _Spread(exam.files.time_point, counts / len(values), rounded(mean))


def _values(exam: Exam) -> NDArray[np.float64]:
    """The valid ADC, 10⁻³ mm²/s, that each voxel of the mask lies in: as the mean is measured."""
    assert exam.mask is not None and exam.adc is not None
    voxels = np.argwhere(exam.mask.array)
    to_adc = np.linalg.inv(placed(exam, exam.adc.volume).affine) @ exam.t2.affine
    places = np.floor(voxels @ to_adc[:3, :3].T + to_adc[:3, 3] + 0.5).astype(np.intp)
    inside = ((places >= 0) & (places < exam.adc.volume.array.shape)).all(axis=1)
    where = tuple(places[inside].T)
    return np.asarray(exam.adc.volume.array[where][exam.adc.valid[where]], dtype=np.float64)


def _draw(page: Page, box: Box, spreads: list[_Spread]) -> None:
    page.text(box.x, box.y, "ADC inside the outline", palette.HEADING)
    plot = Box(box.x + 8, box.y + _HEAD, box.width - 16, box.height - _HEAD - _AXIS)
    top = max(float(spread.shares.max()) for spread in spreads)
    for spread in spreads:
        _draw_spread(page, plot, spread, top)
    page.line(((plot.x, plot.bottom), (plot.right, plot.bottom)), Ink.SOFT, 2)
    for value in np.arange(0.0, ADC_TOP + 0.01, 0.5):
        x = plot.x + plot.width * value / ADC_TOP
        page.line(((x, plot.bottom), (x, plot.bottom + 6)), Ink.SOFT, 2)
        page.text(min(x, box.right - 24), plot.bottom + 5, f"{1000 * value:.0f}", palette.TICK, "center")
    _legend(page, Box(box.x, plot.bottom + 29, box.width, 26), spreads)


def _draw_spread(page: Page, plot: Box, spread: _Spread, top: float) -> None:
    """The outline of a histogram, dashed after therapy, and a mark at the mean."""
    paint = palette.TIME_POINTS[spread.time_point]
    after = spread.time_point is TimePoint.RESTAGING
    xs = plot.x + plot.width * np.arange(_BINS + 1) / _BINS
    ys = plot.bottom - plot.height * spread.shares / top
    points = [(xs[0], plot.bottom)]
    for left, right, y in zip(xs, xs[1:], ys, strict=False):
        points += [(left, y), (right, y)]
    page.line([*points, (xs[-1], plot.bottom)], paint, 3.5, dashed=after)
    x = plot.x + plot.width * min(spread.mean / 1000.0, ADC_TOP) / ADC_TOP
    page.polygon([(x - 9, plot.bottom + 1), (x + 9, plot.bottom + 1), (x, plot.bottom - 15)], paint)


def _legend(page: Page, box: Box, spreads: list[_Spread]) -> None:
    page.text(box.right, box.y, "×10⁻⁶ mm²/s", palette.TICK, "right")
    x = box.x
    for spread in spreads:
        after = spread.time_point is TimePoint.RESTAGING
        paint = palette.TIME_POINTS[spread.time_point]
        page.line(((x, box.y + 12), (x + 40, box.y + 12)), paint, 3.5, dashed=after)
        words = f"{wording.TIME_POINT_WORDS[spread.time_point]}, mean {plain(spread.mean)}"
        x = page.text(x + 48, box.y, words, palette.TICK) + 26
