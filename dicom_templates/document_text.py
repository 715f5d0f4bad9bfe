"""The report's sentences on paper: everything that the Structured Report says, uncut, in two columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dicom_templates import palette, wording
from dicom_templates.boxes import Box
from dicom_templates.conclusion import conclusion
from dicom_templates.identity import PHANTOM, ResultIdentity, phantom_trained
from dicom_templates.page import Page
from dicom_templates.palette import Ink, Style
from dicom_templates.report.context import parameter_sentences, series_sentences
from dicom_templates.reported import reported_of, reported_sentences
from dicom_templates.summary.frame import BAND, MARGIN, draw_made, draw_patient, draw_title
from pipelines.contract import Code, Findings, Score, Statement

_TEXT = Style(22)
_COLUMNS, _GAP = 2, 60.0
_PARAGRAPH, _SECTION = 11.0, 22.0  # space after a paragraph, and above a heading


@dataclass(frozen=True)
class Section:
    """A heading with its paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    """A line of a column, its style, and the space above it."""

    words: str
    style: Style
    above: float


def draw_text_pages(new_page: Callable[[], Page], findings: Findings, identity: ResultIdentity) -> list[Page]:
    """As many pages as the sentences need, numbered from 2: the summary is the first."""
    pages = [new_page()]
    columns = _columns(pages[0])
    lines = list(_lines(pages[0], sections(findings), columns[0].width))
    column, y = 0, columns[0].y
    for line, below in zip(lines, [*lines[1:], None], strict=True):
        needed = line.style.line
        if below is not None and line.style is palette.HEADING:  # never alone at the foot of a column
            needed += below.above + below.style.line
        if y > columns[column].y:
            y += line.above
        if y + needed > columns[column].bottom:
            column, y = column + 1, columns[0].y
            if column == _COLUMNS:
                column = 0
                pages.append(new_page())
        pages[-1].text(columns[column].x, y, line.words, line.style)
        y += line.style.line
    for number, page in enumerate(pages, start=2):
        _draw_frame(page, findings, identity, f"Page {number} of {len(pages) + 1}")
    return pages


def sections(findings: Findings) -> tuple[Section, ...]:
    """Everything that is said, in the order of the report: conclusion, tumour, predictions, what is to be noted."""
    exams = tuple(reversed(findings.case.exams))
    scores = wording.in_reading_order(findings.scores)
    said = {
        "Conclusion": (conclusion(findings),),
        "Tumour": tuple(wording.tumour_sentences(exam, findings) for exam in exams),
        "As reported by readers": tuple(reported_sentences(exam, one) for exam in exams for one in reported_of(exam)),
        "Predictions": tuple(words for score in scores for words in _prediction(score)),
        "Refused, and to be noted": tuple(_statements(findings)),
        "Series used": tuple(words for exam in exams for words in series_sentences(exam)),
        "How the images were processed": tuple(parameter_sentences(findings)),
        "Limits of use": wording.limits_of_use(findings),
    }
    return tuple(Section(title, paragraphs) for title, paragraphs in said.items() if paragraphs)


def _prediction(score: Score) -> Iterator[str]:
    yield wording.prediction_sentences(score)
    if curve := wording.curve_sentences(score):
        yield curve
    if score.inputs:
        inputs = ", ".join(f"{name} {value:.3g}" for name, value in score.inputs)
        yield f"The final stage of {score.model.name} {score.model.version} saw: {inputs}."


def _statements(findings: Findings) -> Iterator[str]:
    """Disagreements first, then refusals, then the other warnings: as in the report."""
    against = [one for one in findings.warnings if one.code is Code.SYSTEMS_DISAGREE]
    others = [one for one in findings.warnings if one.code is not Code.SYSTEMS_DISAGREE]
    kinds: tuple[tuple[str, Sequence[Statement]], ...] = (
        (wording.WARNING, against),
        (wording.REFUSED, findings.refusals),
        (wording.WARNING, others),
    )
    for kind, stated in kinds:
        yield from (wording.statement_sentence(kind, one) for one in stated)


def _columns(page: Page) -> tuple[Box, ...]:
    top = BAND.bottom + 34
    return Box(MARGIN, top, page.width - 2 * MARGIN, page.height - top - 60).columns(_COLUMNS, _GAP)


def _lines(page: Page, said: Sequence[Section], width: float) -> Iterator[_Line]:
    for section in said:
        yield _Line(section.title, palette.HEADING, _SECTION)
        for paragraph in section.paragraphs:
            for number, line in enumerate(page.lines(paragraph, _TEXT, width)):
                yield _Line(line, _TEXT, 0.0 if number else _PARAGRAPH)


def _draw_frame(page: Page, findings: Findings, identity: ResultIdentity, number: str) -> None:
    """Whose report it is and what it must not be used for, on every page: pages get apart."""
    draw_title(page, [PHANTOM] if phantom_trained(findings) else [], ("AI report in words", "AI report"))
    page.rectangle(BAND, Ink.PANEL)
    draw_patient(page, findings.case.exams[-1].files.patient, 1100)
    page.text(page.width - MARGIN, BAND.y + 10, number, palette.HEADING, "right")
    dates = " and ".join(exam.files.study_date.isoformat() for exam in findings.case.exams)
    page.text(page.width - MARGIN, BAND.y + 54, f"MR of {dates}", palette.HEADING, "right")
    draw_made(page, identity, "The same as the AI Structured Report, which has the codes and references.")
