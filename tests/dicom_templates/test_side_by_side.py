"""Systems 1 and 4 on the page and in the report: a baseline alone, a pair, and a pair read in the tumour bed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.page import Page
from dicom_templates.report import build_report
from dicom_templates.results import build_results
from dicom_templates.summary import draw_summary
from dicom_templates.summary.frame import HEIGHT, WIDTH
from dicom_templates.text import report_text
from pipelines.contract import Findings, TimePoint
from tests.dicom_templates.conftest import MakeExam
from tests.dicom_templates.page_layout import faults, says, text_of
from tests.prognosis_stories import prognosis_stories

STORIES = ("baseline", "pair", "bed")


@pytest.fixture(scope="module")
def told(make_exam: MakeExam) -> Mapping[str, Findings]:
    return prognosis_stories(make_exam(TimePoint.BASELINE, 14.0), make_exam(TimePoint.RESTAGING, 9.0))


def drawn(findings: Findings, identity: ResultIdentity) -> Page:
    page = Page(WIDTH, HEIGHT)
    draw_summary(page, findings, identity)
    return page


def written(findings: Findings, identity: ResultIdentity) -> str:
    """The report as text, on one line."""
    return " ".join(report_text(report(findings, identity)).split())


def report(findings: Findings, identity: ResultIdentity) -> Dataset:
    return build_report(findings, {}, identity)


@pytest.mark.parametrize("name", STORIES)
def test_nothing_overlaps(name: str, told: Mapping[str, Findings], identity: ResultIdentity) -> None:
    assert faults(drawn(told[name], identity)) == []


@pytest.mark.parametrize("name", STORIES)
def test_the_objects_say_what_the_findings_say(
    name: str, told: Mapping[str, Findings], identity: ResultIdentity
) -> None:
    kinds = {result.kind for result in build_results(told[name], identity)}  # it raises where one does not
    assert {Kind.REPORT, Kind.SUMMARY} <= kinds


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("name", ["baseline", "pair"])
def test_a_lone_risk_has_its_curve_and_where_there_is_room_its_whole_nomogram(
    name: str, moved: bool, told: Mapping[str, Findings], identity: ResultIdentity
) -> None:
    findings = told[name]
    if not moved:
        findings = replace(findings, scores=tuple(replace(score, contributions=()) for score in findings.scores))
    page = drawn(findings, identity)
    assert faults(page) == []
    if name == "pair" and moved:  # what moved the numbers, and the clinical values, come first
        assert says(page, "At 36 months: 82 % (69–91 %)")
        assert "Total: 80 p" not in text_of(page) and "More of it is in the Structured Report." in text_of(page)
        return
    assert says(page, "At 36 months: 82 % (69–91 %)")
    for axis in ("DL-prob: 0.62", "cT: 3", "CEA > 5 ng/mL: yes", "EMVI: yes", "Total: 80 p"):
        assert axis in text_of(page)
    words = [text.words for text in page.texts]
    assert {"0.2", "1.8", "no", "yes", "40 %"} <= set(words)  # the axes have room for their ticks


def test_a_baseline_alone_has_a_prognosis_and_says_why_there_is_no_response(
    told: Mapping[str, Findings], identity: ResultIdentity
) -> None:
    page, text = drawn(told["baseline"], identity), written(told["baseline"], identity)
    assert "of distant metastasis within 36 months of surgery" in text_of(page)
    assert "RESPONSE TO THERAPY" not in text_of(page)
    assert says(page, "restage-signature-svm 0.2.0: response needs the exam after therapy as well.")
    assert "response needs the exam after therapy as well. [NO_RESTAGING]" in text
    assert "Event-free share at 36 months 82 % limits 69 to 91 %" in text
    assert "Exams used Baseline exam." in text


def test_a_pair_has_both(told: Mapping[str, Findings], identity: ResultIdentity) -> None:
    page, text = text_of(drawn(told["pair"], identity)), written(told["pair"], identity)
    assert "High likelihood" in page and "Low risk" in page
    assert text.index("good response (TRG 0–1) (version") < text.index(
        "distant metastasis within 36 months of surgery ("
    )


@pytest.mark.parametrize("name", ["baseline", "pair"])
def test_the_clinical_values_that_a_score_used_are_named_with_their_origin(
    name: str, told: Mapping[str, Findings], identity: ResultIdentity
) -> None:
    page, text = drawn(told[name], identity), written(told[name], identity)
    assert says(page, "CEA 7.2 ng/mL, imported 2026-03-02")
    assert says(page, "Clinical T stage cT3b, reported by Dr. Leser")
    assert "CEA 7.2 ng/mL, imported 2026-03-02; EMVI at baseline positive" in text
    assert ("maximum wall thickness at restaging 9.5 mm, imported 2026-06-18" in text) == (name == "pair")
    assert says(page, "Maximum wall thickness at restaging") == (name == "pair")


def test_a_tumour_bed_is_named_and_is_no_outline(told: Mapping[str, Findings], identity: ResultIdentity) -> None:
    findings = told["bed"]
    page, text = drawn(findings, identity), written(findings, identity)
    assert says(page, "no tumour is outlined in the restaging exam: it was read in the tumour bed")
    assert "the tumour bed" in text_of(page) and "Uncertain likelihood" in text_of(page)
    assert "[TUMOUR_BED_USED]" in text and "Nothing is measured in it" in text
    assert "Uncertain likelihood of good response" in text and "OUTSIDE training envelope" in text
    masks = [one for one in build_results(findings, identity) if one.dataset.Modality == "SEG"]
    assert [one.dataset.StudyInstanceUID for one in masks] == [findings.case.exams[0].files.study_uids[0]]
