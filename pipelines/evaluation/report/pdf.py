"""The report as a PDF for printing and filing: the same blocks as the page, on A4."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import matplotlib
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    Flowable,
    HRFlowable,
    Image,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Table as Grid

from pipelines.evaluation.report.content import Block, Figures, Picture, Report, Table, Warned
from pipelines.evaluation.report.page import grouped

# matplotlib brings a font that has every sign we print (₀ ⁻³ ≥ –); the standard PDF fonts have Latin-1 alone.
FONT, BOLD = "DejaVu", "DejaVu-Bold"
MARGIN: Final = 17 * mm
WIDTH: Final = A4[0] - 2 * MARGIN
TALLEST: Final = 0.78 * (A4[1] - 2 * MARGIN)
INK, SOFT, LINE, PALE = HexColor("#1F2933"), HexColor("#52606D"), HexColor("#D3D9DF"), HexColor("#F5F7F9")
WARN, WARN_PALE = HexColor("#B2182B"), HexColor("#FDF3F2")
Together = list[Flowable]
"""What no page break parts, unless it is longer than a page."""


def _style(name: str, size: float, lead: float, colour: Color = INK, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(name, **({"fontName": FONT, "fontSize": size, "leading": lead, "textColor": colour} | more))


BODY = _style("body", 9, 13, spaceAfter=5)
TITLE = _style("title", 16, 20, fontName=BOLD, spaceAfter=6)
HEAD = _style("head", 11.5, 15, fontName=BOLD, spaceBefore=4, spaceAfter=5)
ORIGIN = _style("origin", 8.5, 12, WARN, fontName=BOLD, spaceAfter=3)
WARNED = _style("warned", 9, 13, backColor=WARN_PALE, borderPadding=(5, 6, 5, 8), spaceBefore=8, spaceAfter=12)
NOTE = _style("note", 7.6, 10.5, SOFT, spaceAfter=7)
LABEL, VALUE = _style("label", 7.4, 9.5, SOFT), _style("value", 15, 19, fontName=BOLD)
CELL, FIGURE = _style("cell", 7.6, 10), _style("figure", 7.6, 10, alignment=TA_RIGHT)
STRONG_CELL, STRONG_FIGURE = (
    _style("strong", 7.6, 10, fontName=BOLD),
    _style("strong figure", 7.6, 10, fontName=BOLD, alignment=TA_RIGHT),
)
COLUMN, COLUMN_FIGURE = (
    _style("column", 7.4, 9.5, SOFT, fontName=BOLD),
    _style("column figure", 7.4, 9.5, SOFT, fontName=BOLD, alignment=TA_RIGHT),
)


def write_pdf(report: Report, figures: Path, path: Path) -> None:
    """Sets the report and writes it to ``path``; ``figures``: the folder that the pictures are read from."""
    _register_fonts()
    kept = [[_said(report.origin, ORIGIN)], [_said(report.title, TITLE)], *_set(report.lead, figures)]
    for section in report.sections:
        first, *others = _set(section.blocks, figures)
        if others and all(isinstance(one, Paragraph) for one in first):  # words lead to what they are about
            first, *others = [*first, *others[0]], *others[1:]
        rule = HRFlowable(width="100%", thickness=1.2, color=INK, spaceBefore=12, spaceAfter=6)
        kept += [[rule, _said(section.title, HEAD), *first], *others]
    story = [KeepTogether(together) for together in kept]

    def footer(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont(FONT, 6.5)
        canvas.setFillColor(SOFT)
        canvas.drawString(MARGIN, 9 * mm, report.made)
        canvas.drawRightString(A4[0] - MARGIN, 9 * mm, str(document.page))
        canvas.restoreState()

    margins = {"leftMargin": MARGIN, "rightMargin": MARGIN, "topMargin": MARGIN, "bottomMargin": MARGIN}
    # Invariant: the same report gives the same bytes, without a time stamp.
    document = SimpleDocTemplate(str(path), pagesize=A4, title=report.title, author="Restage", invariant=1, **margins)
    document.build(story, onFirstPage=footer, onLaterPages=footer)


def _register_fonts() -> None:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name, file in ((FONT, "DejaVuSans.ttf"), (BOLD, "DejaVuSans-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))


def _said(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text), style)


def _set(blocks: Sequence[Block], figures: Path) -> list[Together]:
    placed: list[Together] = []
    for kind, group in grouped(blocks):
        if kind == "Picture":
            placed += _pictures([block for block in group if isinstance(block, Picture)], figures)
        else:
            placed += [_one(block) for block in group]
    return placed


def _one(block: Block) -> Together:
    if isinstance(block, Table):
        note = [_said(block.note, NOTE)] if block.note else []
        return [Spacer(1, 3), _grid(block), Spacer(1, 4), *note]
    if isinstance(block, Figures):
        return [Spacer(1, 4), _numbers(block), Spacer(1, 8)]
    if isinstance(block, Picture):
        raise TypeError("pictures are set in groups")
    return [_said(block.text, WARNED if isinstance(block, Warned) else BODY)]


def _grid(table: Table) -> Grid:
    """The first column is text and takes what the others leave; a table of two columns is text throughout."""
    text = len(table.columns) == 2
    rows: list[list[Paragraph]] = []
    for at, cells in enumerate((table.columns, *table.rows)):
        first, other = (COLUMN, COLUMN_FIGURE) if at == 0 else (CELL, FIGURE)
        if at > 0 and table.strong == at - 1:
            first, other = STRONG_CELL, STRONG_FIGURE
        styles = [first, *[first if text else other] * (len(cells) - 1)]
        rows.append([_said(cell, style) for cell, style in zip(cells, styles, strict=True)])
    look: list[tuple[Any, ...]] = [
        ("LINEBELOW", (0, 0), (-1, 0), 0.9, INK),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, LINE),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("VALIGN", (0, 1), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if table.strong is not None:
        look.append(("BACKGROUND", (0, table.strong + 1), (-1, table.strong + 1), PALE))
    return Grid(rows, colWidths=_widths(table), style=TableStyle(look), repeatRows=1, hAlign="LEFT")


def _widths(table: Table) -> list[float]:
    """Columns in the measure of their longest cell; together at most the page's width."""
    columns = list(zip(table.columns, *table.rows, strict=True))
    heads = [max(len(word) for word in column[0].split() or [""]) for column in columns]
    wanted = [max(head, *(len(cell) for cell in column[1:]), 3) for head, column in zip(heads, columns, strict=True)]
    if len(wanted) == 2:
        wanted = [min(wanted[0], 60), min(wanted[1], 70)]
    points = [(4.9 if place else 5.6) * characters + 8 for place, characters in enumerate(wanted)]
    scale = min(1.0, WIDTH / sum(points))
    return [width * scale for width in points]


def _numbers(block: Figures) -> Grid:
    """Four opening numbers to a line."""
    boxes = [[_said(x.label, LABEL), _said(x.value, VALUE), _said(x.beside, LABEL)] for x in block.shown]
    per_line = min(4, len(boxes))
    boxes += [[] for _ in range(-len(boxes) % per_line)]
    lines = [boxes[at : at + per_line] for at in range(0, len(boxes), per_line)]
    look = [
        ("BOX", (0, 0), (-1, -1), 0.5, LINE),
        ("INNERGRID", (0, 0), (-1, -1), 0.5, LINE),
        ("BACKGROUND", (0, 0), (-1, -1), white),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    return Grid(lines, colWidths=[WIDTH / per_line] * per_line, style=TableStyle(look))


def _pictures(pictures: Sequence[Picture], figures: Path) -> list[Together]:
    """Narrow ones two by two, each with its caption."""
    placed: list[Together] = []
    row: list[Together] = []
    for picture in pictures:
        width = (WIDTH - 6 * mm) / 2 if picture.narrow else WIDTH
        box: Together = [_image(figures / picture.file, width), _said(picture.caption, NOTE)]
        if not picture.narrow:
            placed += [*_side_by_side(row), box]
            row = []
            continue
        row.append(box)
        if len(row) == 2:
            placed += _side_by_side(row)
            row = []
    return placed + _side_by_side(row)


def _side_by_side(boxes: list[Together]) -> list[Together]:
    if not boxes:
        return []
    cells: list[Any] = [*boxes, *[""] * (2 - len(boxes))]
    look = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6 * mm),
    ]
    return [[Grid([cells], colWidths=[(WIDTH + 6 * mm) / 2] * 2, style=TableStyle(look), hAlign="LEFT")]]


def _image(path: Path, width: float) -> Image:
    pixels, rows = ImageReader(str(path)).getSize()
    height = width * rows / pixels
    if height > TALLEST:
        width, height = width * TALLEST / height, TALLEST
    image = Image(str(path), width=width, height=height)
    image.hAlign = "LEFT"
    return image
