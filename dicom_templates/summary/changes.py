"""The measurements before and after with their changes, and what a reader reported, below the pictures."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_templates import palette, wording
from dicom_templates.boxes import Box
from dicom_templates.figures import NAMES, ORDER, UNIT_WORDS, UNITS, changes, find, plain, signed, written
from dicom_templates.page import Page
from dicom_templates.palette import Ink, Style
from dicom_templates.reported import Reported, reported_of
from dicom_templates.summary.blocks import Block
from pipelines.contract import Exam, Findings, Quantity, TimePoint, Variable

_TILE = 96.0
_PAD, _BETWEEN, _ARROW = 14.0, 14.0, 40.0
_NONE = 56.0
_MOST = 3  # reports
_STAGES = (Variable.T_STAGE, Variable.N_STAGE)
_SHORT = {
    Variable.TUMOUR_LENGTH: "length",
    Variable.ANAL_VERGE_DISTANCE: "from anal verge",
    Variable.WALL_THICKNESS: "wall",
    Variable.CRM_DISTANCE: "distance to MRF",
    Variable.MRF_INVOLVEMENT: "MRF",
    Variable.EMVI: "EMVI",
}


@dataclass(frozen=True)
class _Tile:
    """A quantity with its values as written, by time point, and its change in percent."""

    quantity: Quantity
    values: tuple[tuple[TimePoint, str], ...]
    change: float | None

    @property
    def unit(self) -> str:
        return UNIT_WORDS[UNITS[self.quantity]]


def changes_block(page: Page, width: float, findings: Findings) -> Block:
    """A tile for each quantity, and why a change is not given."""
    if not findings.measurements:
        return Block(_NONE, _NONE, lambda box: _draw_none(page, box))
    notes = page.lines(_notes(findings), palette.NOTE, width)[:3]
    height = _TILE + (8 + len(notes) * palette.NOTE.line if notes else 0)
    tiles = _tiles(findings)
    style, needed = _fitting(page, tiles, width - 2 * _BETWEEN)

    def draw(box: Box) -> None:
        x, spare = box.x, (box.width - sum(needed) - 2 * _BETWEEN) / len(tiles)
        for tile, own in zip(tiles, needed, strict=True):
            part = Box(x, box.y, own + spare, _TILE)
            _draw_tile(page, part, tile, style)
            x = part.right + _BETWEEN
        for number, line in enumerate(notes):
            page.text(box.x, box.y + _TILE + 8 + number * palette.NOTE.line, line, palette.NOTE)

    return Block(height, height, draw)


def reported_block(page: Page, width: float, findings: Findings) -> Block | None:
    """What readers reported of each exam, in the short words of a radiologist; None where nothing was reported."""
    said = [(exam, one) for exam in findings.case.exams for one in reported_of(exam)]
    if not said:
        return None
    shown = [(exam, one.by, page.clipped(_values(exam, one), palette.NOTE, width, 3)) for exam, one in said[:_MOST]]
    more = f"… and {len(said) - _MOST} more reports in the Structured Report" if len(said) > _MOST else ""
    height = sum(palette.STRONG.line + len(lines) * palette.NOTE.line + 6 for _, _, lines in shown)
    height += palette.NOTE.line if more else 0.0

    def draw(box: Box) -> None:
        y = box.y
        for exam, by, lines in shown:
            y = _draw_reported(page, box.below(y), exam, by, lines) + 6
        page.text(box.x, y, more, palette.NOTE)

    return Block(height, height, draw)


def _draw_reported(page: Page, box: Box, exam: Exam, by: str, lines: list[str]) -> float:
    when = exam.files.time_point
    style = palette.STRONG.with_ink(palette.TIME_POINTS[when])
    x = page.text(box.x, box.y, f"{wording.TIME_POINT_WORDS[when]}, as reported", style) + 12
    page.fitted(x, box.y + 2, f"by {by}", palette.NOTE, box.right - x)
    y = box.y + palette.STRONG.line
    for number, line in enumerate(lines):
        page.text(box.x, y + number * palette.NOTE.line, line, palette.NOTE.with_ink(Ink.TEXT))
    return y + len(lines) * palette.NOTE.line


def _values(exam: Exam, said: Reported) -> str:
    """ "mrT3b · mrN1 · MRF negative · 3.5 mm to MRF", with y for an exam after therapy, as TNM has it."""
    prefix = "ymr" if exam.files.time_point is TimePoint.RESTAGING else "mr"
    words = []
    for one in said.variables:
        if one.millimetres is not None:
            words.append(f"{_SHORT[one.variable]} {plain(one.millimetres)} mm")
        else:
            words.append(
                f"{prefix}{one.category}" if one.variable in _STAGES else f"{_SHORT[one.variable]} {one.category}"
            )
    return " · ".join(words)


def _tiles(findings: Findings) -> tuple[_Tile, ...]:
    differences = {change.quantity: change.value for change in changes(findings)}
    return tuple(_Tile(quantity, _written(findings, quantity), differences.get(quantity)) for quantity in ORDER)


def _written(findings: Findings, quantity: Quantity) -> tuple[tuple[TimePoint, str], ...]:
    found = ((time_point, find(findings, quantity, time_point)) for time_point in TimePoint)
    return tuple((time_point, written(one)) for time_point, one in found if one is not None)


def _fitting(page: Page, tiles: tuple[_Tile, ...], width: float) -> tuple[Style, list[float]]:
    """The largest style of figures in which all tiles fit the width, and the width of each tile."""
    for size in (palette.FIGURE.size, 28.0, 25.0, 22.0):
        style = palette.FIGURE.sized(size)
        needed = [_needed(page, tile, style) + 2 * _PAD for tile in tiles]
        if sum(needed) <= width:
            break
    return style, needed


def _needed(page: Page, tile: _Tile, style: Style) -> float:
    """Width of what stands in a tile, pixels."""
    name = page.measure(NAMES[tile.quantity], palette.STRONG) + page.measure(tile.unit, palette.SMALL) + 8
    numbers = sum(page.measure(words, style) for _, words in tile.values) + _ARROW * (len(tile.values) - 1)
    change = 0.0 if tile.change is None else 18 + page.measure(signed(tile.change), style)
    return max(name, numbers + change)


def _draw_tile(page: Page, box: Box, tile: _Tile, style: Style) -> None:
    """Name and unit, below them from what to what, and at the right the change."""
    page.panel(box)
    x = page.text(box.x + _PAD, box.y + 8, NAMES[tile.quantity], palette.STRONG) + 8
    page.text(x, box.y + 12, tile.unit, palette.SMALL)
    x = box.x + _PAD
    for number, (time_point, words) in enumerate(tile.values):
        if number:
            page.text(x + _ARROW / 2, box.y + 50, "→", palette.BODY.with_ink(Ink.SOFT), "center")
            x += _ARROW
        x = page.text(x, box.y + 47, words, style.with_ink(palette.TIME_POINTS[time_point]))
    if not tile.values:
        page.text(x, box.y + 47, "not measured", palette.NOTE)
    if tile.change is not None:
        page.text(box.right - _PAD, box.y + 47, signed(tile.change), style, "right")


def _notes(findings: Findings) -> str:
    notes = [wording.change_sentence(change) for change in changes(findings) if change.value is None]
    if len({one.origin for one in findings.measurements}) > 1:
        notes.append("One outline is a reader's, the other a model's: compare with care.")
    return " ".join(notes)


def _draw_none(page: Page, box: Box) -> None:
    page.panel(box.top(_NONE))
    page.text(box.x + 18, box.y + 11, "No measurement: there is no tumour outline.", palette.BODY)
