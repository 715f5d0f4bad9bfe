"""The pictures of each exam at one scale: T2 with the outline, diffusion, and where a network looked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dicom_templates import palette, saliency, wording
from dicom_templates.boxes import Box
from dicom_templates.key_slice import ADC_TOP, KeySlice, field_of_view, further_slices, key_slice
from dicom_templates.page import Page
from dicom_templates.palette import Ink
from pipelines.contract import Exam, Explanation, Findings, FloatArray, MaskOrigin, Score, TimePoint

GAP = 18.0
_SMALL_GAP = 14.0
_CAPTION = 68.0
_SMALL_CAPTION = 54.0
_LEAST = 120.0  # height of a small picture, pixels
_MOST_SMALL = 4
_RAMP = 52.0
_SMALLEST_WORDS = 15.5
_SMALLEST_TITLE = 11.0
_NOTE_SCALE = 104.0  # width of the maps' scale before the note on them


@dataclass(frozen=True)
class _Shown:
    """An exam with its key slice and the maps to show of it."""

    exam: Exam
    key: KeySlice
    looked: tuple[tuple[Score, Explanation], ...]

    @property
    def outline_colour(self) -> str:
        return palette.OUTLINES[self.exam.files.time_point]


def draw_pictures(page: Page, box: Box, findings: Findings) -> float:
    """All pictures in a box; the y below them.

    Of a pair: a column for each time point, T2 above, diffusion and a map below. Of one exam: T2 and diffusion side by
    side, the maps below.
    """
    field = field_of_view(findings.case.exams)
    shown = [
        _Shown(exam, key_slice(exam, field), saliency.by_time_point(findings.scores, exam.files.time_point))
        for exam in findings.case.exams
    ]
    note = len(page.lines(wording.GRAD_CAM_NOTE, palette.TICK, box.width - _NOTE_SCALE)) * palette.TICK.line + 10
    room = box.top(box.height - note) if any(one.looked for one in shown) else box
    columns = room.columns(2, GAP)
    if len(shown) == 1:
        y = _draw_one(page, columns, shown[0], further_slices(shown[0].exam, field, _MOST_SMALL))
    else:
        y = max(_draw_column(page, column, one) for column, one in zip(columns, shown, strict=True))
    return y if room is box else _draw_note(page, Box(box.x, y, box.width, note))


def _draw_column(page: Page, box: Box, shown: _Shown) -> float:
    upper = box.top(min(box.width, box.height - _CAPTION - _LEAST - _SMALL_CAPTION))
    _draw_t2(page, upper, shown)
    y = upper.bottom + _CAPTION
    room = max(_LEAST, box.bottom - y - _SMALL_CAPTION)
    if not shown.looked:
        lower = Box(box.x, y, box.width, min(box.width, room + palette.TICK.line))
        if shown.key.diffusion is None:
            _draw_others(page, lower, shown)
        else:
            _draw_diffusion(page, lower, shown)
        return lower.bottom + _SMALL_CAPTION - palette.TICK.line
    lower = Box(box.x, y, box.width, min((box.width - _SMALL_GAP) / 2, room))
    left, right = lower.columns(2, _SMALL_GAP)
    _draw_diffusion(page, left, shown)
    _draw_looked(page, right, shown, 0)
    return lower.bottom + _SMALL_CAPTION


def _draw_one(page: Page, columns: tuple[Box, ...], shown: _Shown, others: tuple[KeySlice, ...]) -> float:
    left, right = (column.top(column.width) for column in columns)
    _draw_t2(page, left, shown)
    _draw_diffusion(page, right, shown)
    y = left.bottom + _CAPTION
    whole = Box(left.x, y, right.right - left.x, (right.width - _SMALL_GAP) / 2)
    looked = len(shown.looked[:_MOST_SMALL])
    parts = whole.columns(_MOST_SMALL, _SMALL_GAP)
    for number, part in enumerate(parts[:looked]):
        _draw_looked(page, part, shown, number)
    for key, part in zip(others, parts[looked:], strict=False):
        _draw_other(page, part, _Shown(shown.exam, key, ()))
    return whole.bottom + (_SMALL_CAPTION if looked else 10)


def _draw_t2(page: Page, box: Box, shown: _Shown) -> None:
    when = shown.exam.files.time_point
    _draw_framed(page, box, shown.key.t2, shown)
    _title(page, box, f"{wording.TIME_POINT_WORDS[when]} T2")
    _letters_and_scale(page, box, shown.key)
    if shown.exam.mask is not None and shown.exam.mask.origin is MaskOrigin.READER:
        _reader_label(page, box)
    for row, words in enumerate(_slice_words(shown.exam, shown.key)):
        page.fitted(box.x, box.bottom + 3 + row * palette.NOTE.line, words, palette.NOTE, box.width)


def _draw_others(page: Page, box: Box, shown: _Shown) -> None:
    """Further slices, two or four, in place of a diffusion picture."""
    side = (box.width - _SMALL_GAP) / 2
    rows = 2 if box.height >= 2 * side else 1
    height = min(side, (box.height - _SMALL_GAP * (rows - 1)) / rows)
    parts = [
        part
        for row in range(rows)
        for part in Box(box.x, box.y + row * (height + _SMALL_GAP), box.width, height).columns(2, _SMALL_GAP)
    ]
    others = further_slices(shown.exam, shown.key.field_mm, len(parts))
    for key, part in zip(others, parts, strict=False):
        _draw_other(page, part, _Shown(shown.exam, key, ()))
    page.fitted(box.x, parts[-1].bottom + 5, "No usable DWI or ADC: further T2 slices", palette.TICK, box.width)


def _draw_other(page: Page, box: Box, shown: _Shown) -> None:
    """A further slice, for the extent of the outline."""
    _draw_framed(page, box, shown.key.t2, shown)
    _title(page, box, f"T2 slice {shown.key.index + 1}")


def _draw_diffusion(page: Page, box: Box, shown: _Shown) -> None:
    key = shown.key
    if key.diffusion is None:
        page.pictures.append(box)
        page.rectangle(box, Ink.PANEL)
        page.paragraph(box.inset(24), "No usable DWI or ADC in this exam.", palette.NOTE)
        return
    _draw_framed(page, box, key.diffusion, shown)
    _title(page, box, "ADC" if key.is_adc else "DWI")
    words = _b_words(shown.exam) if key.is_adc else key.diffusion_words
    y = box.bottom + 5
    wide = box.width > 300
    top = f"{ADC_TOP:g} ×10⁻³ mm²/s"
    scale = _scale_width(page, top) if key.is_adc else 0.0
    page.fitted(box.x, y, words, palette.TICK, box.width - scale - 10 if wide else box.width)
    if key.is_adc:
        at = Box(box.right - scale, y, scale, 20) if wide else Box(box.x, y + palette.TICK.line, box.width, 20)
        _scale(page, at, np.linspace(0, 1, 64, dtype=np.float32)[None], top)


def _draw_looked(page: Page, box: Box, shown: _Shown, number: int) -> None:
    score, one = shown.looked[number]
    key = saliency.seen_slice(shown.key, shown.exam, one)
    _draw_framed(page, box, saliency.overlay(key, one), _Shown(shown.exam, key, ()))
    _title(page, box, f"Grad-CAM {one.sequence}{'' if key is shown.key else f', slice {key.index + 1}'}")
    for row, words in enumerate(wording.looked_words(score, one)):
        style = page.largest(words, palette.TICK, box.width, _SMALLEST_WORDS)
        page.fitted(box.x, box.bottom + 5 + row * palette.TICK.line, words, style, box.width)


def _draw_note(page: Page, box: Box) -> float:
    """The scale of the maps, and how to read them; the y below."""
    _scale(page, box, saliency.ramp(), "1")
    words = Box(box.x + _NOTE_SCALE, box.y, box.width - _NOTE_SCALE, box.height)
    page.paragraph(words, wording.GRAD_CAM_NOTE, palette.TICK)
    return box.bottom


def _draw_framed(page: Page, box: Box, picture: FloatArray, shown: _Shown) -> None:
    """A square picture cut to the shape of the box, with the outline, under a line in the time point's colour."""
    rows, columns = picture.shape[:2]
    kept = min(rows, round(columns * box.height / box.width))
    start = (rows - kept) // 2
    page.picture(box, picture[start : start + kept])
    if shown.key.outline is not None:
        width = 3.2 if box.width > 300 else 2.4
        colour = palette.OUTLINES[TimePoint.BASELINE] if shown.key.of_bed else shown.outline_colour
        page.outline(box, shown.key.outline[start : start + kept], colour, width)
    page.rectangle(Box(box.x, box.y - 6, box.width, 6), shown.outline_colour)


def _title(page: Page, box: Box, words: str) -> None:
    style = page.largest(words, palette.STRONG if box.width > 300 else palette.CHIP, box.width - 18, _SMALLEST_TITLE)
    width = page.measure(words, style) + 18
    label = Box(box.x, box.y, width, style.line + 5)
    page.rectangle(label, palette.SCREEN[Ink.BACKGROUND])
    # Labels lie on the dark picture in both themes.
    page.text(label.x + 9, label.y + 1, words, style.with_ink(Ink.ON_BAD))


def _reader_label(page: Page, box: Box) -> None:
    words = "READER'S OUTLINE"
    width = page.measure(words, palette.CHIP) + 20
    label = Box(box.x + 8, box.y + 46, width, 32)
    page.rounded(label, Ink.GOOD)
    page.centred(label, words, palette.CHIP)


def _letters_and_scale(page: Page, box: Box, key: KeySlice) -> None:
    """Anatomical letters, and a 2 cm bar."""
    left, right, up, down = key.edges
    middle_x, middle_y = box.middle
    page.text(box.x + 18, middle_y - 12, left, palette.LETTER, "center")
    page.text(box.right - 18, middle_y - 12, right, palette.LETTER, "center")
    page.text(middle_x, box.y + 8, up, palette.LETTER, "center")
    page.text(middle_x, box.bottom - 34, down, palette.LETTER, "center")
    bar, y = 20.0 / key.field_mm * box.width, box.bottom - 16
    page.line(((box.x + 16, y), (box.x + 20 + bar, y)), "black", 8)
    page.line(((box.x + 18, y), (box.x + 18 + bar, y)), "white", 4)
    page.text(box.x + 18, y - 33, "2 cm", palette.LETTER)


def _slice_words(exam: Exam, key: KeySlice) -> tuple[str, str]:
    """Which slice, and whose outline."""
    where = f"Slice {key.index + 1} of {key.slices}"
    if key.of_bed:
        return (
            f"{where}, the tumour bed",
            "Outline: the baseline's; none in this exam",
        )
    if exam.mask is None or key.outline is None:
        return f"{where}, the middle one", "No tumour outline"
    if exam.mask.origin is MaskOrigin.READER:
        whose = f"a reader's ({exam.mask.reader})" if exam.mask.reader else "a reader's"
    else:
        whose = "a model's, not checked by a reader"
    return f"{where}, largest tumour area {key.area_cm2:.1f} cm²", f"Outline: {whose}"


def _b_words(exam: Exam) -> str:
    """The b-values of the ADC map, short."""
    values = exam.adc.b_values if exam.adc is not None else ()
    if len(values) > 3:
        return f"{len(values)} b-values, {min(values):g}–{max(values):g}"
    return "b " + ", ".join(f"{value:g}" for value in values) if values else "b-values unknown"


def _scale(page: Page, box: Box, ramp: FloatArray, top: str) -> None:
    """What the darkest and the brightest level mean."""
    x = page.text(box.x, box.y, "0", palette.TICK) + 6
    page.picture(Box(x, box.y + 5, _RAMP, 15), ramp, record=False)
    x += _RAMP + 6
    page.fitted(x, box.y, top, palette.TICK, box.right - x + 1)


def _scale_width(page: Page, top: str) -> float:
    return page.measure("0", palette.TICK) + 12 + _RAMP + page.measure(top, palette.TICK)
