"""The pages as objects of their own, checked and read by programs that are not ours."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_templates.document import build_document, render_document
from dicom_templates.encode import write_part10
from dicom_templates.fonts import missing_scripts
from dicom_templates.summary import build_summary
from dicom_templates.withdrawn import build_withdrawn_page
from pipelines.contract import Case, Findings
from tests.conftest import missing
from tests.peers.validators import validate
from tests.pictures import phantom_exams, withdrawal
from tests.programs import program
from tests.summary_stories import identity, stories

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Findings]:
    return stories(*phantom_exams(tmp_path_factory.mktemp("phantom")))


@pytest.fixture(scope="module")
def pdf(told: Mapping[str, Findings], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pdf") / "disagreement.pdf"
    path.write_bytes(render_document(told["disagreement"], identity()))
    return path


def said_by(name: str, *arguments: str | Path) -> str:
    """Standard output of a poppler program, which must find nothing wrong."""
    command = [str(program(name, "poppler-utils")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    return done.stdout


def written(dataset: Dataset, folder: Path) -> list[Path]:
    write_part10(dataset, folder / "object.dcm")
    return [folder / "object.dcm"]


@pytest.mark.parametrize("story", ["agreement", "disagreement", "refusal", "rescore"])
def test_validators_accept_page_and_pdf_of_every_story(
    told: Mapping[str, Findings], tmp_path: Path, story: str
) -> None:
    for dataset in (build_document(told[story], identity()), build_summary(told[story], identity())):
        assert validate(written(dataset, tmp_path)) == []


def test_validators_accept_the_withdrawn_page(told: Mapping[str, Findings], tmp_path: Path) -> None:
    page = build_withdrawn_page(withdrawal(told["agreement"], identity()))
    assert validate(written(page, tmp_path)) == []


def test_the_text_of_the_pdf_can_be_searched(pdf: Path) -> None:
    text = said_by("pdftotext", "-layout", pdf, "-")
    for words in ("Phantom, Patient 0002", "SYSTEMS DISAGREE", "19 %", "restage-rp-net 0.2.0", "RESEARCH USE ONLY"):
        assert words in text
    assert "Page 2 of " in text and "Predictions" in text


def test_the_fonts_of_the_pdf_are_in_it(pdf: Path) -> None:
    fonts = said_by("pdffonts", pdf).splitlines()[2:]
    assert fonts and all(re.search(r"\byes\s+yes\s+yes\b", line) for line in fonts)  # embedded, a subset, Unicode


def test_the_pdf_is_a4_landscape(pdf: Path) -> None:
    assert "(A4)" in said_by("pdfinfo", pdf) and "841.89 x 595.276" in said_by("pdfinfo", pdf)


def test_the_pages_can_be_drawn(pdf: Path, tmp_path: Path) -> None:
    said_by("pdftoppm", "-r", "30", "-png", pdf, tmp_path / "page")
    pages = re.search(r"Pages:\s+(\d+)", said_by("pdfinfo", pdf))
    assert pages is not None and len(list(tmp_path.glob("page*.png"))) == int(pages[1]) >= 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Yamada^Tarou=山田^太郎", "Yamada, Tarou (山田 太郎)"),
        ("王^小明", "王 小明"),
        ("김^영희", "김 영희"),
        ("Иванова^Мария", "Иванова, Мария"),
    ],
)
def test_names_of_other_scripts_can_be_searched_in_it(
    told: Mapping[str, Findings], tmp_path: Path, name: str, shown: str
) -> None:
    if missing_scripts():
        missing("no font with East Asian letters (Debian package fonts-noto-cjk)")
    path = tmp_path / "name.pdf"
    path.write_bytes(render_document(renamed(told["refusal"], name), identity()))
    assert shown in " ".join(said_by("pdftotext", path, "-").split())


def renamed(findings: Findings, name: str) -> Findings:
    """The findings of a patient of another name."""
    exams = []
    for exam in (findings.case.baseline, findings.case.restaging):
        assert exam is not None
        exams.append(replace(exam, files=replace(exam.files, patient=replace(exam.files.patient, name=name))))
    return replace(findings, case=Case(*exams))
