"""The page needs no other file, and nothing in a cohort can write HTML into it."""

from __future__ import annotations

import base64
from pathlib import Path

from pipelines.evaluation.report.content import Figure, Figures, Picture, Report, Section, Table, Warned, Words
from pipelines.evaluation.report.page import grouped, render_page

PICTURE = b"\x89PNG made up"


def report(*lead: Words | Warned | Figures) -> Report:
    table = Table(("model", "AUC", "n"), (("CR", "0.70", "51"), ("CRD", "0.85", "51")), "A note.", strong=1)
    pictures = (Picture("one.png", "First.", narrow=True), Picture("two.png", "Second.", narrow=True))
    return Report("Title", "Nobody exists.", lead, (Section("Discrimination", (table, *pictures)),), "made with love")


def rendered(folder: Path, *lead: Words | Warned | Figures) -> str:
    for name in ("one.png", "two.png"):
        (folder / name).write_bytes(PICTURE)
    return render_page(report(*lead), folder)


def test_pictures_are_in_the_page(tmp_path: Path) -> None:
    page = rendered(tmp_path)
    assert page.count(base64.b64encode(PICTURE).decode()) == 2
    assert page.count('<div class="pictures">') == 1  # side by side
    assert "http" not in page


def test_words_from_a_cohort_stay_words(tmp_path: Path) -> None:
    page = rendered(tmp_path, Words("<script>alert(1)</script>"), Warned("a & b"))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert '<p class="warned">a &amp; b</p>' in page


def test_the_row_that_the_report_is_about_stands_out(tmp_path: Path) -> None:
    page = rendered(tmp_path, Figures((Figure("AUC", "0.85", "95 % CI"),)))
    assert page.count('<tr class="strong">') == 1
    assert '<tr class="strong"><td>CRD</td>' in page
    assert '<span class="value">0.85</span>' in page


def test_neighbours_of_one_kind_are_grouped() -> None:
    blocks = (Words("a"), Words("b"), Picture("p", ""), Words("c"))
    assert [(kind, len(group)) for kind, group in grouped(blocks)] == [("Words", 2), ("Picture", 1), ("Words", 1)]
