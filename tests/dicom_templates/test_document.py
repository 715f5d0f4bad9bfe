from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_templates import wording
from dicom_templates.check.document import check_document
from dicom_templates.conclusion import conclusion
from dicom_templates.document import build_document, render_document
from dicom_templates.document_text import draw_text_pages, sections
from dicom_templates.encode import encode, reread
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.page import Page
from dicom_templates.palette import PAPER
from dicom_templates.summary import draw_summary
from dicom_templates.summary.frame import HEIGHT, WIDTH
from pipelines.contract import Exam, Findings, Statement, TimePoint
from tests.dicom_templates.page_layout import faults, text_of
from tests.summary_stories import identity as story_identity
from tests.summary_stories import stories

SEVERAL = ("agreement", "disagreement", "refer", "refusal", "rescore")


def paper() -> Page:
    return Page(WIDTH, HEIGHT, PAPER)


@pytest.fixture(scope="session")
def told(make_exam: Callable[..., Exam]) -> Mapping[str, Findings]:
    return stories(make_exam(TimePoint.BASELINE, 14.0), make_exam(TimePoint.RESTAGING, 9.0))


@pytest.fixture(scope="session")
def document(told: Mapping[str, Findings]) -> Dataset:
    return reread(build_document(told["disagreement"], story_identity()))


def pdf_of(document: Dataset) -> bytes:
    return bytes(document.EncapsulatedDocument)[: document.EncapsulatedDocumentLength]


def test_the_object_is_an_encapsulated_pdf_of_the_restaging_study(document: Dataset) -> None:
    assert document.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert (document.Modality, document.MIMETypeOfEncapsulatedDocument) == ("DOC", "application/pdf")
    assert document.SOPInstanceUID == story_identity().sop_uid(Kind.PDF)
    assert (document.SeriesNumber, document.SeriesInstanceUID) == (9005, story_identity().series_uid(Kind.PDF))
    assert document.SeriesDescription == "AI rectal MR summary and report PHANTOM-TRAINED RESEARCH ONLY"
    assert (document.StudyInstanceUID, document.StudyDescription) == ("1.2.826.0.1.999.2", "MR Becken")
    assert (document.PatientID, document.IssuerOfPatientID) == ("RM-0042", "HOSPITAL-A")
    assert (document.BurnedInAnnotation, document.VerificationFlag) == ("YES", "UNVERIFIED")
    assert document.ConceptNameCodeSequence[0].CodeMeaning == "Summary"
    assert len(document.EncapsulatedDocument) % 2 == 0


def test_the_pdf_is_whole_and_small(document: Dataset) -> None:
    pdf = pdf_of(document)
    assert pdf.startswith(b"%PDF-1.4") and pdf.rstrip().endswith(b"%%EOF")
    assert len(pdf) < 2_000_000


def test_it_names_the_images_that_were_used(document: Dataset, told: Mapping[str, Findings]) -> None:
    cited = [str(item.ReferencedSOPInstanceUID) for item in document.SourceInstanceSequence]
    assert len(cited) == len(set(cited)) == 18
    check_document(document, told["disagreement"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda ds: setattr(ds, "EncapsulatedDocument", ds.EncapsulatedDocument[:-400]), "no whole PDF"),
        (lambda ds: setattr(ds, "EncapsulatedDocument", b"GIF89a" + ds.EncapsulatedDocument[6:]), "no whole PDF"),
        (lambda ds: setattr(ds, "MIMETypeOfEncapsulatedDocument", "text/xml"), "MIME type"),
        (lambda ds: setattr(ds, "BurnedInAnnotation", "NO"), "Burned In Annotation"),
        (lambda ds: ds.SourceInstanceSequence.pop(), "source instances"),
    ],
)
def test_the_check_sees_a_spoilt_document(
    told: Mapping[str, Findings], spoil: Callable[[Dataset], None], message: str
) -> None:
    document = build_document(told["refusal"], story_identity())
    spoil(document)
    with pytest.raises(ResultUnfit, match=message):
        check_document(reread(document), told["refusal"])


def test_a_repeat_gives_the_same_bytes(told: Mapping[str, Findings]) -> None:
    first, again = (encode(build_document(told["refusal"], story_identity())) for _ in range(2))
    assert first == again


def test_another_process_gives_the_same_bytes_too(told: Mapping[str, Findings], tmp_path: Path) -> None:
    """Names of font subsets and the order of sets must not depend on a process's hash seed."""
    code = (
        "import sys; from io import BytesIO; from matplotlib.backends.backend_pdf import PdfPages\n"
        "from dicom_templates.page import Page; from dicom_templates.palette import Style\n"
        "page = Page(300, 100); page.text(10, 10, 'Ärzte 0.81 Иванова', Style(20)); buffer = BytesIO()\n"
        "with PdfPages(buffer, metadata={'CreationDate': None}) as pdf: pdf.savefig(page.figure)\n"
        "sys.stdout.buffer.write(buffer.getvalue())"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "MPLCONFIGDIR": str(tmp_path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1] and made[0].startswith(b"%PDF")


def test_the_time_in_the_pdf_is_the_result_s(told: Mapping[str, Findings]) -> None:
    later = replace(story_identity(), created=story_identity().created + timedelta(days=3))
    pdfs = [render_document(told["refusal"], identity) for identity in (story_identity(), later)]
    assert [re.search(rb"CreationDate \(D:(\d{8})", pdf)[1] for pdf in pdfs] == [b"20240612", b"20240615"]  # type: ignore[index]


@pytest.mark.parametrize("story", SEVERAL)
def test_the_pages_of_text_say_everything_uncut(told: Mapping[str, Findings], story: str) -> None:
    findings = told[story]
    pages = draw_text_pages(paper, findings, story_identity())
    assert [fault for page in pages for fault in faults(page)] == []
    whole = " ".join(text_of(page) for page in pages)
    assert "…" not in whole
    for section in sections(findings):
        assert section.title in whole
        for paragraph in section.paragraphs:
            start = " ".join(paragraph.split())[:60]
            assert start in whole
    assert conclusion(findings) in whole
    assert all(sentence[:60] in whole for sentence in wording.limits_of_use(findings))


def test_many_sentences_make_more_pages(told: Mapping[str, Findings]) -> None:
    findings = told["refusal"]
    long = replace(findings.refusals[0], reason="a slice is missing " * 60)
    many = replace(findings, refusals=tuple(replace(long, subject=f"series {n}") for n in range(20)))
    pages = draw_text_pages(paper, many, story_identity())
    assert len(pages) >= 3 and [fault for page in pages for fault in faults(page)] == []
    assert f"Page {len(pages) + 1} of {len(pages) + 1}" in text_of(pages[-1])
    assert all("Muster, Erika" in text_of(page) and "RESEARCH USE ONLY" in text_of(page) for page in pages)


def test_a_heading_never_stands_alone_at_the_foot_of_a_column(told: Mapping[str, Findings]) -> None:
    findings = told["refusal"]
    for extra in range(12):
        words = tuple(Statement(findings.refusals[0].code, "s", "x " * 40) for _ in range(extra))
        for page in draw_text_pages(paper, replace(findings, refusals=words), story_identity()):
            body = [text for text in page.texts if text.box.y > 240 and text.box.y < HEIGHT - 60]
            for text, below in pairwise(body):
                if text.style.bold:
                    assert below.box.x == pytest.approx(text.box.x) and below.box.y > text.box.y


@pytest.mark.parametrize("story", SEVERAL)
def test_the_first_page_is_the_summary_on_paper(told: Mapping[str, Findings], story: str) -> None:
    page = paper()
    draw_summary(page, told[story], story_identity())
    assert faults(page) == []
    assert page.pixels()[:, 5].mean() > 230


def test_streams_are_compressed(document: Dataset) -> None:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf_of(document), re.DOTALL)
    assert any(b"BT" in _inflated(stream) for stream in streams)


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_an_identity_with_another_rendering_makes_another_object(told: Mapping[str, Findings]) -> None:
    other = replace(story_identity(), rendering=replace(story_identity().rendering, first_series_number=701))
    document = build_document(told["refusal"], other)
    assert document.SeriesNumber == 705
    assert document.SOPInstanceUID != ResultIdentity.sop_uid(story_identity(), Kind.PDF)
