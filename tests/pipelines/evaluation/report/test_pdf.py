"""The PDF: the same content on paper, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

from pipelines.evaluation.report.content import Figure, Figures, Picture, Report, Section, Table, Warned, Words
from pipelines.evaluation.report.pdf import WIDTH, _widths, write_pdf
from pipelines.phantom.report.style import figure, save


def report(folder: Path) -> Report:
    made = figure(2, 8)
    made.subplots().plot([0, 1])
    save(made, folder / "tall.png")
    wide = Table(("a", "b", "c"), tuple(("word " * 40, "0.5", "1") for _ in range(60)), "note", strong=0)
    blocks = (wide, Picture("tall.png", "Taller than a page allows.", narrow=True), Picture("tall.png", "Again."))
    lead = (Warned("Look <here> & there."), Words("10⁻³ mm²/s ≥ 1 µg/L – ρ"), Figures((Figure("AUC", "0.8"),) * 5))
    return Report("Title", "Nobody exists.", lead, (Section("Tables", blocks),), "made")


def test_long_tables_and_tall_pictures_fit_on_pages(tmp_path: Path) -> None:
    made = report(tmp_path)
    write_pdf(made, tmp_path, tmp_path / "one.pdf")
    write_pdf(made, tmp_path, tmp_path / "two.pdf")
    first = (tmp_path / "one.pdf").read_bytes()
    assert first == (tmp_path / "two.pdf").read_bytes()
    assert first.count(b"/Type /Page\n") + first.count(b"/Type /Page ") >= 3


def test_columns_are_never_wider_than_the_page() -> None:
    narrow, wide = Table(("a", "b"), (("x", "y"),)), Table(("a", "b", "c"), (("word " * 99, "y" * 99, "z"),))
    assert sum(_widths(narrow)) < WIDTH / 2
    assert sum(_widths(wide)) <= WIDTH + 1e-6


def test_a_section_that_opens_with_a_wide_picture_begins_where_the_last_one_ends(tmp_path: Path) -> None:
    made = figure(4, 2)
    made.subplots().plot([0, 1])
    save(made, tmp_path / "flat.png")
    sections = tuple(Section(title, (Picture("flat.png", "Flat."),)) for title in ("One", "Two"))
    write_pdf(Report("Title", "Nobody.", (), sections, "made"), tmp_path, tmp_path / "one.pdf")
    written = (tmp_path / "one.pdf").read_bytes()
    assert written.count(b"/Type /Page\n") + written.count(b"/Type /Page ") == 1
