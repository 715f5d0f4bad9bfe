"""The panels of the page: pictures of each exam, the table of numbers, the predictions, refusals and warnings."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_templates import codes, palette, wording
from dicom_templates.figures import NAMES, UNIT_WORDS, UNITS, changes, find, percent, shown
from dicom_templates.identity import PHANTOM
from dicom_templates.key_slice import ADC_TOP, KeySlice, field_of_view, key_slice
from dicom_templates.page import Box, Page, Style
from dicom_templates.sources import used_roles
from pipelines.contract import Code, Exam, Findings, MaskOrigin, Quantity, Score, TimePoint

_PICTURE = 440.0
_LOWER = 318.0
_BANNER = Style(17, palette.INK, bold=True)


def draw_exams(page: Page, box: Box, findings: Findings) -> None:
    """A column for each time point: T2 with the outline above, diffusion below, at one scale."""
    exams = findings.case.exams
    field = field_of_view(exams)
    present = {exam.files.time_point: exam for exam in exams}
    width = (box.width - 20) / 2
    for column, time_point in enumerate((TimePoint.BASELINE, TimePoint.RESTAGING)):
        part = Box(box.x + column * (width + 20), box.y, width, box.height)
        exam = present.get(time_point)
        if exam is None:
            _no_exam(page, part, time_point)
        else:
            _draw_exam(page, part, exam, key_slice(exam, field))


def draw_table(page: Page, box: Box, findings: Findings) -> float:
    """Volume, diameter, ADC at both times, and the change; returns the y below."""
    page.text(box.x, box.y, "Tumour measurements", palette.HEADING)
    y = box.y + 38
    columns = {TimePoint.BASELINE: box.x + 318, TimePoint.RESTAGING: box.x + 438}
    for time_point, x in columns.items():
        style = Style(17, palette.TIME_POINTS[time_point], bold=True)
        page.text(x, y, wording.TIME_POINT_WORDS[time_point], style, align="right")
    page.text(box.right, y, "Change", Style(17, palette.WHITE, bold=True), align="right")
    differences = {change.quantity: change.value for change in changes(findings)}
    for quantity in Quantity:
        y += 42
        page.line((box.x, y - 9), (box.right, y - 9), palette.RULE)
        page.text(box.x, y + 4, NAMES[quantity], palette.BODY)
        unit_x = box.x + page.measure(NAMES[quantity], palette.BODY) + 8
        page.text(unit_x, y + 7, UNIT_WORDS[UNITS[quantity]], palette.SMALL)
        for time_point, x in columns.items():
            found = find(findings, quantity, time_point)
            page.text(x, y, shown(found).split(" ")[0] if found else "–", palette.FIGURE, align="right")
        change = differences.get(quantity)
        words = "–" if change is None else "0 %" if abs(change) < 0.5 else f"{change:+.0f} %".replace("-", "−")
        page.text(box.right, y, words, palette.FIGURE, align="right")
    return _table_notes(page, box.below(y + 38), findings)


def draw_predictions(page: Page, box: Box, findings: Findings) -> float:
    """A card for each prediction, or a line that says why there is none; returns the y below."""
    page.text(box.x, box.y, "Prediction", palette.HEADING)
    y = box.y + 34
    if not findings.scores:
        words = "No predicted number in this result" + ("; reasons below." if findings.refusals else ".")
        return page.paragraph(box.below(y), words, palette.BODY) + 10
    for number, score in enumerate(findings.scores):
        card = _card(page, score, box.width - 36)
        if y + card.height > box.bottom:
            left = len(findings.scores) - number
            return page.paragraph(box.below(y), f"… and {left} more in the Structured Report.", palette.BODY) + 10
        _draw_card(page, box.below(y), score, card)
        y += card.height + 12
    return y


def draw_statements(page: Page, box: Box, findings: Findings) -> float:
    """Refusals, then warnings, in words; returns the y below."""
    statements = [(wording.REFUSED, palette.ROSE, one) for one in findings.refusals]
    told = any(not score.envelope.inside for score in findings.scores)  # on the score's own card
    statements += [
        (wording.WARNING, palette.AMBER, one)
        for one in findings.warnings
        if not (told and one.code is Code.OUT_OF_ENVELOPE)
    ]
    if not statements or box.height < 40:
        return box.y
    page.text(box.x, box.y, "Refused or to be noted", palette.HEADING)
    y = box.y + 34
    for number, (kind, colour, one) in enumerate(statements):
        if box.bottom - y < 2.5 * palette.NOTE.line:  # one for the statement, one for what is left out
            left = len(statements) - number
            page.text(box.x, y, f"… and {left} more in the Structured Report", palette.NOTE)
            return box.bottom
        page.rectangle(Box(box.x, y + 3, 5, palette.NOTE.line - 4), colour)
        words = f"{kind}: {one.subject}: {wording.sentence(one.reason)}"
        room = min(box.bottom - y - 1.3 * palette.NOTE.line, 4.1 * palette.NOTE.line)
        y = page.paragraph(Box(box.x + 16, y, box.width - 16, room), words, palette.NOTE) + 6
    return y


def draw_series(page: Page, box: Box, findings: Findings) -> None:
    """Which series were used for what, where there is room; the report always says it."""
    rows = [
        (
            when := exam.files.time_point,
            f"{wording.TIME_POINT_WORDS[when]} {wording.ROLE_WORDS[role]}: {exam.files.chosen[role].role.description}",
        )
        for exam in findings.case.exams
        for role in used_roles(exam)
    ]
    if not rows or box.height < 34 + len(rows) * palette.SMALL.line:
        return
    page.text(box.x, box.y, "Series used", palette.HEADING)
    for number, (time_point, words) in enumerate(rows):
        y = box.y + 34 + number * palette.SMALL.line
        page.rectangle(Box(box.x, y + 3, 5, palette.SMALL.line - 4), palette.TIME_POINTS[time_point])
        page.text(box.x + 16, y, page.one_line(words, palette.SMALL, box.width - 16), palette.SMALL)


def _draw_exam(page: Page, box: Box, exam: Exam, key: KeySlice) -> None:
    """T2, a caption, and the diffusion picture below at the same scale, its upper and lower margin cut off."""
    colour = palette.TIME_POINTS[exam.files.time_point]
    upper = Box(box.x, box.y, _PICTURE, _PICTURE)
    lower = Box(box.x, upper.bottom + 54, _PICTURE, _LOWER)
    page.rectangle(Box(box.x, box.y - 6, _PICTURE, 6), colour)
    page.picture(upper, key.t2, key.outline, colour)
    page.paragraph(Box(box.x, upper.bottom + 5, _PICTURE, 2 * palette.NOTE.line), _slice_words(exam, key), palette.NOTE)
    if key.diffusion is None:
        page.rectangle(lower, palette.PANEL)
        page.paragraph(lower.inset(24), "No diffusion picture: the exam has no usable DWI or ADC.", palette.NOTE)
    else:
        cut = round(key.t2.shape[0] * (1 - _LOWER / _PICTURE) / 2)
        outline = None if key.outline is None else key.outline[cut:-cut]
        page.picture(lower, key.diffusion[cut:-cut], outline, colour)
        free = _grey_scale(page, lower) if key.is_adc else lower.width
        page.text(lower.x, lower.bottom + 5, page.one_line(key.diffusion_words, palette.NOTE, free), palette.NOTE)
    page.over()
    _annotate(page, upper, key, f"{wording.TIME_POINT_WORDS[exam.files.time_point]} T2", colour)


def _annotate(page: Page, box: Box, key: KeySlice, title: str, colour: str) -> None:
    """Title, anatomical letters and a 2 cm bar on the T2 picture."""
    width = page.measure(title, palette.STRONG) + 20
    page.rectangle(Box(box.x, box.y, width, 31), palette.INK)
    page.text(box.x + 10, box.y + 5, title, Style(palette.STRONG.size, colour, bold=True))
    left, right, up, down = key.edges
    middle_x, middle_y = box.x + box.width / 2, box.y + box.height / 2 - 9
    page.text(box.x + 14, middle_y, left, palette.LETTER, align="center")
    page.text(box.right - 14, middle_y, right, palette.LETTER, align="center")
    page.text(middle_x, box.y + 6, up, palette.LETTER, align="center")
    page.text(middle_x, box.bottom - 28, down, palette.LETTER, align="center")
    bar = 20.0 / key.field_mm * box.width
    page.line((box.x + 14, box.bottom - 15), (box.x + 18 + bar, box.bottom - 15), palette.INK, 7)
    page.line((box.x + 16, box.bottom - 15), (box.x + 16 + bar, box.bottom - 15), palette.WHITE, 3)
    page.text(box.x + 16, box.bottom - 41, "2 cm", palette.LETTER)


def _slice_words(exam: Exam, key: KeySlice) -> str:
    """Which slice, and whose outline."""
    where = f"Slice {key.index + 1} of {key.slices}"
    if exam.mask is None or key.outline is None:
        return f"{where}, the middle one. No tumour outline."
    whose = "a reader" if exam.mask.origin is MaskOrigin.READER else "a model, not checked by a reader"
    return f"{where}, the largest tumour area: {key.area_cm2:.1f} cm². Outline by {whose}."


def _grey_scale(page: Page, picture: Box) -> float:
    """What black and white mean in the ADC picture, below its right half; returns the width left of it."""
    y, top = picture.bottom + 5, f"{ADC_TOP:g} ×10⁻³ mm²/s"
    right = picture.right - page.measure(top, palette.SMALL) - 6
    page.text(picture.right, y + 1, top, palette.SMALL, align="right")
    steps, width = 32, 64.0
    for step in range(steps):
        x = right - width + step * width / steps
        page.rectangle(Box(x, y + 3, width / steps + 0.6, 14), f"{step / (steps - 1):.3f}")
    page.text(right - width - 6, y + 1, "0", palette.SMALL, align="right")
    return right - width - 26 - picture.x


def _no_exam(page: Page, box: Box, time_point: TimePoint) -> None:
    page.rectangle(Box(box.x, box.y - 6, _PICTURE, 6), palette.RULE)
    page.rectangle(Box(box.x, box.y, _PICTURE, _PICTURE), palette.PANEL)
    words = f"No {time_point} exam in this result."
    page.paragraph(Box(box.x + 30, box.y + _PICTURE / 2 - 20, _PICTURE - 60, 80), words, palette.HEADING)


def _table_notes(page: Page, box: Box, findings: Findings) -> float:
    """Why a change is missing, and what makes the columns hard to compare; returns the y below."""
    notes = [wording.change_sentence(change) for change in changes(findings) if change.value is None]
    origins = {one.origin for one in findings.measurements}
    if len(origins) > 1:
        notes.append("One outline is a reader's, the other a model's: compare with care.")
    if not notes:
        return box.y + 8
    return page.paragraph(Box(box.x, box.y, box.width, 3.5 * palette.SMALL.line), " ".join(notes), palette.SMALL) + 14


@dataclass(frozen=True)
class _Card:
    """What stands on a prediction's card, broken into lines."""

    banners: tuple[tuple[tuple[str, ...], str], ...]
    model: tuple[str, ...]

    @property
    def height(self) -> float:
        return (
            170 + len(self.model) * palette.SMALL.line + sum(len(rows) * _BANNER.line + 14 for rows, _ in self.banners)
        )


def _card(page: Page, score: Score, width: float) -> _Card:
    trained = wording.training_sentence(score).removeprefix(f"{PHANTOM}. ")
    model = f"{score.model.name} {score.model.version}. Limits: {score.interval}. {trained}"
    return _Card(_banners(page, score, width - 20), tuple(page.lines(model, palette.SMALL, width)[:5]))


def _draw_card(page: Page, box: Box, score: Score, card: _Card) -> None:
    """One card: what, how probable, between which limits, and by what it was made."""
    outcome = codes.outcome(score.outcome)
    inner = Box(box.x + 18, box.y + 42, box.width - 36, 96)
    page.rounded(Box(box.x, box.y, box.width, card.height), palette.PANEL, palette.RULE)
    page.text(inner.x, box.y + 12, f"Probability of {outcome.words}", palette.STRONG)
    _draw_bar(page, inner, score, outcome)
    y = box.y + 162
    for rows, colour in card.banners:
        page.rectangle(Box(inner.x, y, inner.width, len(rows) * _BANNER.line + 8), colour)
        for number, row in enumerate(rows):
            page.text(inner.x + 10, y + 3 + number * _BANNER.line, row, _BANNER)
        y += len(rows) * _BANNER.line + 14
    for number, row in enumerate(card.model):
        page.text(inner.x, y + number * palette.SMALL.line, row, palette.SMALL)


def _banners(page: Page, score: Score, width: float) -> tuple[tuple[tuple[str, ...], str], ...]:
    """What disqualifies the number, in lines of the card's width, each with its colour."""
    banners = []
    if not score.envelope.inside:
        rows = page.lines(wording.envelope_sentence(score), _BANNER, width)
        banners.append((tuple(rows[:6]), palette.AMBER))
    if score.model.phantom_trained:
        banners.append(((f"{PHANTOM}: says nothing about this patient.",), palette.ROSE))
    return tuple(banners)


def _draw_bar(page: Page, box: Box, score: Score, outcome: codes.Outcome) -> None:
    """The probability as a figure and as a mark on 0 to 100 %, with the interval as a band."""
    weak = not score.envelope.inside
    words = f"{percent(score.probability):.0f} %"
    page.text(box.x, box.y, words, Style(palette.PROBABILITY.size, palette.DIM if weak else palette.WHITE, bold=True))
    x = box.x + page.measure(words, palette.PROBABILITY) + 16
    limits = f"{percent(score.lower):.0f}–{percent(score.upper):.0f} %"
    page.text(x, box.y + 5, limits, Style(palette.FIGURE.size, palette.DIM if weak else palette.WHITE, bold=True))
    category = outcome.categories[score.category].meaning
    page.text(x, box.y + 36, page.one_line(category, palette.NOTE, box.right - x), palette.NOTE)
    track = Box(box.x, box.y + 70, box.width, 14)
    page.rectangle(track, palette.RULE)
    left, right = (track.x + track.width * value for value in (score.lower, score.upper))
    page.rectangle(Box(left, track.y, right - left, track.height), palette.DIM if weak else palette.SOFT)
    mark = track.x + track.width * score.probability
    page.rectangle(Box(mark - 4, track.y - 6, 8, track.height + 12), palette.INK)
    page.rectangle(Box(mark - 2, track.y - 6, 4, track.height + 12), palette.WHITE)
    for value in (0, 25, 50, 75, 100):
        align = {0: "left", 100: "right"}.get(value, "center")
        page.text(track.x + track.width * value / 100, track.bottom + 4, str(value), palette.SMALL, align=align)
