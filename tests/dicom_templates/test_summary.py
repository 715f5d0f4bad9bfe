from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_templates.encode import encode, reread
from dicom_templates.fonts import display_name, drawable
from dicom_templates.identity import ResultIdentity
from dicom_templates.key_slice import field_of_view, key_slice
from dicom_templates.kinds import Kind
from dicom_templates.page import Box, Page, Style
from dicom_templates.summary import build_summary, render_summary
from pipelines.contract import Case, Code, Exam, Findings, Patient, Statement, TimePoint

MakeFindings = Callable[..., Findings]
MakeExam = Callable[..., Exam]
PageOf = Callable[[str], np.ndarray]
STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam")
AMBER, ROSE, YELLOW = (0xFF, 0xC2, 0x3D), (0xFF, 0x9D, 0xB0), (0xFF, 0xE1, 0x4D)


def count(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((pixels == np.array(colour, dtype=np.uint8)).all(axis=2).sum())


@pytest.fixture
def page_of(objects_of: Callable[[str], dict[Kind, Dataset]]) -> Callable[[str], np.ndarray]:
    return lambda story: np.asarray(reread(objects_of(story)[Kind.SUMMARY]).pixel_array)


@pytest.mark.parametrize("story", STORIES)
def test_every_story_gives_a_full_page(page_of: PageOf, story: str) -> None:
    pixels = page_of(story)
    assert pixels.shape == (1200, 1600, 3) and pixels.dtype == np.uint8
    assert count(pixels[:80], AMBER) > 8000  # the RESEARCH USE ONLY flag
    margins = (pixels[:, :20], pixels[:, -20:])
    quiet = [len(np.unique(margin[200:1040].reshape(-1, 3), axis=0)) for margin in margins]
    assert quiet == [1, 1]  # nothing runs over the page's edge


def test_the_phantom_flag_is_there_only_where_it_belongs(page_of: PageOf) -> None:
    assert count(page_of("good response")[:80], ROSE) > 8000
    assert count(page_of("withheld")[:80], ROSE) == 0


def test_a_case_outside_the_envelope_has_a_banner(page_of: PageOf) -> None:
    inside, outside = (page_of(story) for story in ("good response", "out of envelope"))
    assert count(outside[170:1040], AMBER) > count(inside[170:1040], AMBER) + 10000


def test_no_mask_no_outline(page_of: PageOf) -> None:
    with_mask, without = (page_of(story) for story in ("withheld", "refused"))
    pictures = (slice(230, 620), slice(45, 470))
    assert count(with_mask[pictures], YELLOW) > 200
    assert count(without[pictures], YELLOW) == 0


def test_the_page_says_whose_it_is(objects_of: Callable[[str], dict[Kind, Dataset]]) -> None:
    page = reread(objects_of("good response")[Kind.SUMMARY])
    assert (page.PatientID, page.IssuerOfPatientID, str(page.PatientName)) == ("RM-0042", "HOSPITAL-A", "Muster^Erika")
    assert (page.StudyInstanceUID, page.StudyDescription) == ("1.2.826.0.1.999.2", "MR Becken")
    assert (page.BurnedInAnnotation, page.BodyPartExamined, page.ConversionType) == ("YES", "RECTUM", "WSD")
    assert page.SeriesNumber == 9004 and page.pixel_array.shape == (1200, 1600, 3)


def test_a_lone_baseline_is_filed_in_its_own_study(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings("withheld")
    lone = replace(findings, case=Case(findings.case.baseline, None), measurements=findings.measurements[:3])
    assert build_summary(lone, identity).StudyInstanceUID == "1.2.826.0.1.999.1"


def test_the_same_work_gives_the_same_bytes(
    objects_of: Callable[[str], dict[Kind, Dataset]], make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    again = build_summary(make_findings("good response"), identity)
    assert encode(again) == encode(objects_of("good response")[Kind.SUMMARY])


def test_twenty_long_refusals_and_five_scores_stay_on_the_page(
    page_of: PageOf, make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings("out of envelope")
    many = tuple(Statement(Code.SLICE_MISSING, f"series {n}", "a slice is missing " * 30) for n in range(20))
    crowded = replace(findings, refusals=many, scores=findings.scores * 5)
    pixels = render_summary(crowded, identity)
    footer = page_of("out of envelope")[1045:]
    assert np.array_equal(pixels[1045:], footer)  # the limits of use are not written over


@pytest.mark.parametrize(
    "name", ["山田^太郎", "Yamada^Tarou=山田^太郎", "김^영희", "", "^^^^", "\U0001fae8^\ue000", "$a_b$^x"]
)
def test_no_name_breaks_the_page(make_findings: MakeFindings, identity: ResultIdentity, name: str) -> None:
    findings = make_findings("single exam")
    restaging = findings.case.restaging
    assert restaging is not None
    files = replace(restaging.files, patient=Patient("RM-0042", "", name, "", ""))
    pixels = render_summary(replace(findings, case=Case(None, replace(restaging, files=files))), identity)
    assert pixels[90:120, 40:400].std() > 1


def test_names_are_written_as_one_reads_them() -> None:
    assert display_name("Muster^Erika^Anna") == "Muster, Erika Anna"
    assert display_name("") == "(no name)"
    assert display_name("\ue000\ue001^\ue002") == "(name cannot be drawn here)"
    assert drawable("a\ue000b\nc") == "a?b c"


def test_the_key_slice_has_the_largest_area_and_the_right_scale(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE, 12.0)
    assert exam.mask is not None
    key = key_slice(exam, field_of_view((exam,)))
    areas = exam.mask.array.sum(axis=(1, 2))
    assert key.index == int(areas.argmax())
    assert key.area_cm2 == pytest.approx(np.pi * 1.2**2, rel=0.05)
    assert key.outline is not None
    shown = (key.outline > 0.5).mean() * key.field_mm**2 / 100
    assert shown == pytest.approx(key.area_cm2, rel=0.03)


def test_the_edges_are_named_for_the_patient(make_exam: MakeExam) -> None:
    assert key_slice(make_exam(TimePoint.BASELINE), 90.0).edges == ("R", "L", "A", "P")


def test_the_adc_picture_shows_the_same_place(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE)
    key = key_slice(exam, field_of_view((exam,)))
    assert key.diffusion is not None and key.outline is not None and key.is_adc
    assert np.median(key.diffusion[key.outline > 0.9]) == pytest.approx(1.0 / 2.5, abs=0.01)


def test_wrapped_text_keeps_every_word_and_the_width() -> None:
    page, style = Page(400, 300, "black"), Style(18, "white")
    words = "probability " * 20 + "incomprehensibilities" * 4
    lines = page.lines(words, style, 200)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert all(page.measure(line, style) <= 200 for line in lines)
    assert page.paragraph(Box(0, 0, 200, 50), words, style) <= 50


def test_a_dwi_is_shown_where_there_is_no_adc(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE)
    key = key_slice(replace(exam, adc=None, dwi={0.0: exam.t2, 800.0: exam.t2}), 90.0)
    assert key.diffusion_words == "DWI b 800 s/mm²" and not key.is_adc
    assert key_slice(replace(exam, adc=None), 90.0).diffusion is None
