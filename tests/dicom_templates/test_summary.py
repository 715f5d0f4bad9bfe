from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_templates import codes, wording
from dicom_templates.encode import encode, reread
from dicom_templates.figures import changes, plain, rounded, shown_limits, shown_percent, signed
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.page import Page
from dicom_templates.summary import build_summary, draw_summary, render_summary
from dicom_templates.summary.frame import HEIGHT, WIDTH
from dicom_templates.survival import event_free
from pipelines.agreement import disagreements
from pipelines.contract import (
    Case,
    Code,
    Envelope,
    Exam,
    Findings,
    Likelihood,
    Patient,
    PredictionSet,
    Score,
    Statement,
    TimePoint,
)
from tests.dicom_templates.page_layout import faults, says, text_of
from tests.summary_stories import identity as story_identity
from tests.summary_stories import stories

MakeFindings = Callable[..., Findings]
MakeExam = Callable[..., Exam]
PageOf = Callable[[str], np.ndarray]
STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam", "four systems", "disagreement")
SEVERAL = ("agreement", "disagreement", "refer", "refusal", "rescore")
AMBER, ROSE, YELLOW = (0xFF, 0xC2, 0x3D), (0xFF, 0x9D, 0xB0), (0xFF, 0xE1, 0x4D)
TITLE_ROW = slice(0, 100)


def drawn(findings: Findings, identity: ResultIdentity) -> Page:
    page = Page(WIDTH, HEIGHT)
    draw_summary(page, findings, identity)
    return page


def count(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((pixels == np.array(colour, dtype=np.uint8)).all(axis=2).sum())


@pytest.fixture(scope="session")
def told(make_exam: MakeExam) -> Mapping[str, Findings]:
    """The stories of several systems, for the tiny exams."""
    return stories(make_exam(TimePoint.BASELINE, 14.0), make_exam(TimePoint.RESTAGING, 9.0))


@pytest.fixture
def page_of(objects_of: Callable[[str], dict[Kind, Dataset]]) -> PageOf:
    return lambda story: np.asarray(reread(objects_of(story)[Kind.SUMMARY]).pixel_array)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("story", STORIES)
def test_nothing_runs_over_anything(
    make_findings: MakeFindings, identity: ResultIdentity, story: str, version: int
) -> None:
    assert faults(drawn(make_findings(story), replace(identity, version=version))) == []


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("story", SEVERAL)
def test_several_systems_fit_as_well(told: Mapping[str, Findings], story: str, version: int) -> None:
    assert faults(drawn(told[story], story_identity(version))) == []


@pytest.mark.parametrize("kept", [(0,), (1,), (2,), (3,), (0, 1), (2, 3), (0, 2), (0, 1, 3)])
def test_any_of_the_systems_fit_alone_and_together(told: Mapping[str, Findings], kept: tuple[int, ...]) -> None:
    findings = told["disagreement"]
    scores = tuple(findings.scores[number] for number in kept)
    page = drawn(replace(findings, scores=scores, warnings=disagreements(scores)), story_identity())
    assert faults(page) == []
    for score in scores:
        assert shown_percent(score.probability) in text_of(page)


def unlike(one: Score, outside: bool) -> Score:
    """The score of a case that is unlike its model's cohort in several ways."""
    if not outside:
        return one
    reasons = (
        "baseline: noise share of the axial T2: 0.31 (training 0.02–0.11)",
        "baseline: volume 191 cm³",
        "restaging",
    )
    return replace(one, envelope=Envelope(False, reasons), category=Likelihood.UNCERTAIN)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("outside", [(0, 1, 2, 3), (0, 1, 2), (2, 3), (0, 1)])
def test_systems_outside_their_envelopes_that_contradict_each_other_twice_fit(
    told: Mapping[str, Findings], outside: tuple[int, ...], version: int
) -> None:
    findings = told["disagreement"]
    good, complete, metastasis, recurrence = (unlike(one, n in outside) for n, one in enumerate(findings.scores))
    metastasis = replace(metastasis, lower=0.5, probability=0.6, upper=0.7)
    recurrence = replace(recurrence, lower=0.1, probability=0.2, upper=0.3)
    scores = (good, complete, metastasis, recurrence)
    noted = Statement(Code.SEVERAL_CANDIDATES, "restaging series", "axial T2: the finer one of two was used")
    page = drawn(replace(findings, scores=scores, warnings=(*disagreements(scores), noted)), story_identity(version))
    assert faults(page) == []
    written = text_of(page)
    assert written.count("SYSTEMS DISAGREE") == 2
    assert "60 %" in written and "20 %" in written
    assert written.count("OUTSIDE") in (1, len(outside))


def test_systems_that_are_all_outside_say_so_once_with_every_reason(told: Mapping[str, Findings]) -> None:
    scores = tuple(unlike(one, True) for one in told["agreement"].scores)
    other = replace(scores[3], envelope=Envelope(False, ("baseline: 6.5 mm between slices",)))
    page = drawn(replace(told["agreement"], scores=(*scores[:3], other)), story_identity())
    assert faults(page) == []
    assert text_of(page).count("OUTSIDE") == 1
    assert "noise share" in text_of(page) and "6.5 mm between slices" in text_of(page)


@pytest.mark.parametrize("time_point", list(TimePoint))
def test_one_exam_alone_fits(told: Mapping[str, Findings], time_point: TimePoint) -> None:
    findings = told["agreement"]
    exam = next(exam for exam in findings.case.exams if exam.files.time_point is time_point)
    case = Case(exam, None) if time_point is TimePoint.BASELINE else Case(None, exam)
    numbers = tuple(one for one in findings.measurements if one.time_point is time_point)
    page = drawn(replace(findings, case=case, measurements=numbers, scores=findings.scores[2:]), story_identity())
    assert faults(page) == []
    assert "no restaging exam" in text_of(page) or "no baseline exam" in text_of(page)


@pytest.mark.parametrize("story", SEVERAL)
@pytest.mark.parametrize("many", [1, 3, 20])
def test_long_refusals_and_warnings_stay_in_their_place(told: Mapping[str, Findings], story: str, many: int) -> None:
    reasons = tuple(Statement(Code.SLICE_MISSING, f"series {n}", "a slice is missing " * 30) for n in range(many))
    findings = told[story]
    crowded = replace(findings, refusals=(*findings.refusals, *reasons), warnings=(*findings.warnings, *reasons))
    page = drawn(crowded, story_identity(2))
    assert faults(page) == []
    if many == 20:
        assert "more in the Structured Report" in text_of(page)
    else:
        assert says(page, f"Refused: series 0: {reasons[0].reason}") or "more in the Structured" in text_of(page)


@pytest.mark.parametrize("story", SEVERAL)
def test_every_number_of_the_findings_is_on_the_page(told: Mapping[str, Findings], story: str) -> None:
    findings = told[story]
    words = text_of(drawn(findings, story_identity()))
    expected = [plain(rounded(one)) for one in findings.measurements]
    expected += [signed(change.value) for change in changes(findings) if change.value is not None]
    for score in findings.scores:
        expected += [shown_percent(score.probability), shown_limits(score.lower, score.upper)]
        if "More of it is in the Structured Report." not in words:
            expected += [f"{plain(one.share)} % (" for one in event_free(score) if one.horizon.months == 36]
        expected += [shown_percent(one.inside_share) for one in score.explanations]
        if score.nomogram is not None and "More of it is in the Structured Report." not in words:
            expected += [plain(round(axis.points, 1)) for axis in score.nomogram.axes]
            expected += [axis.value for axis in score.nomogram.axes] + [plain(round(score.nomogram.total, 1))]
    assert [number for number in expected if number not in words] == []


@pytest.mark.parametrize("story", SEVERAL)
def test_every_model_is_named_with_version_weights_and_cohort(told: Mapping[str, Findings], story: str) -> None:
    findings = told[story]
    words = text_of(drawn(findings, story_identity()))
    for score in findings.scores:
        assert f"{score.model.name} {score.model.version}" in words
        assert score.model.weights_digest[:12] in words and score.model.cohort in words
        assert score.interval in words


@pytest.mark.parametrize("story", SEVERAL)
def test_refusals_and_limits_of_use_are_said_in_full(told: Mapping[str, Findings], story: str) -> None:
    findings = told[story]
    page = drawn(findings, story_identity())
    for refusal in findings.refusals:
        assert says(page, f"Refused: {refusal.subject}: {wording.sentence(refusal.reason)}")
    assert wording.RESEARCH_USE in text_of(page)
    for score in findings.scores:
        assert score.model.limits in text_of(page)


def test_a_category_is_given_in_its_published_words(told: Mapping[str, Findings]) -> None:
    words = text_of(drawn(told["agreement"], story_identity()))
    for score in told["agreement"].scores:
        first, _, what = codes.outcome(score.outcome).categories[score.category].meaning.partition(" of ")
        assert first in words and f"of {what}" in words


@pytest.mark.parametrize("story", SEVERAL)
def test_what_remains_possible_stands_below_each_number(told: Mapping[str, Findings], story: str) -> None:
    findings = told[story]
    page = drawn(findings, story_identity())
    words = [text.words for text in page.texts]
    referred = [score for score in findings.scores if score.possible is not None and score.possible.refer]
    assert words.count("REFER") == len(referred)
    for score in findings.scores:
        whole, short = wording.possible_words(score), wording.possible_words(score, short=True)
        assert whole in words or short in words
    if findings.scores:
        assert says(
            page, "90 % confidence: in patients like the training cohort's, what comes true is wrongly ruled out"
        )


def test_a_referral_is_no_good_news_whatever_the_number(told: Mapping[str, Findings]) -> None:
    page = drawn(told["refer"], story_identity())
    words = [text.words for text in page.texts]
    assert (words.count("refer"), words.count("favourable"), words.count("unfavourable")) == (2, 1, 0)
    assert "High risk" in words  # the recurrence: high, and nothing ruled out


def test_a_case_outside_the_envelope_is_referred_by_every_system(told: Mapping[str, Findings]) -> None:
    both = PredictionSet(0.9, event=True, no_event=True)
    outside = Envelope(False, ("the baseline volume of 62 cm³ is above the cohort's 95th percentile",))
    scores = tuple(
        replace(score, category=Likelihood.UNCERTAIN, envelope=outside, possible=both)
        for score in told["agreement"].scores
    )
    page = drawn(replace(told["agreement"], scores=scores), story_identity())
    assert faults(page) == []
    words = [text.words for text in page.texts]
    assert words.count("REFER") == 4 and words.count("Nothing is ruled out") >= 2


def test_high_is_good_for_a_response_and_bad_for_a_risk(told: Mapping[str, Findings]) -> None:
    findings = told["agreement"]
    high = tuple(replace(score, category=Likelihood.HIGH) for score in findings.scores)
    low = tuple(replace(score, category=Likelihood.LOW) for score in findings.scores)
    for scores, good, bad in ((high, 1, 2), (low, 2, 1)):  # one panel of response, two of risk
        words = [text.words for text in drawn(replace(findings, scores=scores), story_identity()).texts]
        assert (words.count("favourable"), words.count("unfavourable")) == (good, bad)
        assert words.index("RESPONSE TO THERAPY: a high probability is good") < words.index(
            "RISK: a high probability is bad"
        )


def test_systems_that_disagree_are_not_given_one_answer(told: Mapping[str, Findings]) -> None:
    page = drawn(told["disagreement"], story_identity())
    assert "SYSTEMS DISAGREE" in text_of(page)
    assert says(page, "Their categories are opposite and their intervals do not overlap")
    assert "likelihood" not in text_of(page)
    assert "SYSTEMS DISAGREE" not in text_of(drawn(told["agreement"], story_identity()))


def test_a_disagreement_about_risk_stands_above_the_risks(told: Mapping[str, Findings]) -> None:
    findings = told["agreement"]
    metastasis = replace(findings.scores[2], lower=0.6, probability=0.7, upper=0.8, category=Likelihood.HIGH)
    scores = (findings.scores[0], metastasis, findings.scores[3])
    page = drawn(replace(findings, scores=scores, warnings=disagreements(scores)), story_identity())
    words = [text.words for text in page.texts]
    assert words.index("High likelihood") < words.index("SYSTEMS DISAGREE") < words.index("High risk")
    assert faults(page) == []


def test_a_later_version_says_what_it_replaces_and_why(told: Mapping[str, Findings]) -> None:
    page = drawn(told["rescore"], story_identity(2))
    assert says(page, "VERSION 2, replaces version 1")
    assert says(page, "took the place of the model's outline")
    assert "READER'S OUTLINE" in text_of(page) and "a reader's (Dr. Leser)" in text_of(page)
    assert "replaces version" not in text_of(drawn(told["rescore"], story_identity(1)))


def test_an_exam_without_diffusion_shows_further_slices_and_says_why(told: Mapping[str, Findings]) -> None:
    page = drawn(told["refusal"], story_identity())
    assert says(page, "No usable DWI or ADC: further T2 slices")
    assert sum(text.words.startswith("T2 slice ") for text in page.texts) == 4


def test_adcs_that_must_not_be_compared_are_not_drawn_on_one_axis(told: Mapping[str, Findings]) -> None:
    findings = replace(told["rescore"], scores=told["rescore"].scores[:1])
    assert "ADC inside the outline" in text_of(drawn(findings, story_identity()))
    restaging = findings.case.restaging
    assert restaging is not None and restaging.adc is not None
    other = replace(restaging, adc=replace(restaging.adc, b_values=(0.0, 1500.0)))
    apart = drawn(replace(findings, case=Case(findings.case.baseline, other)), story_identity())
    assert "ADC inside the outline" not in text_of(apart)
    assert says(apart, "Change of mean ADC not given: b-values differ")


def test_what_a_reader_reported_is_listed_with_its_origin(told: Mapping[str, Findings]) -> None:
    page = drawn(told["agreement"], story_identity())
    assert says(page, "wall 11 mm · mrT3b · distance to MRF 3.5 mm · MRF negative · EMVI positive · mrN1")
    assert says(page, "by Dr. Leser in 'MR rectum' of 2022-07-19")


@pytest.mark.parametrize("story", STORIES)
def test_every_story_gives_a_full_page(page_of: PageOf, story: str) -> None:
    pixels = page_of(story)
    assert pixels.shape == (HEIGHT, WIDTH, 3) and pixels.dtype == np.uint8
    assert count(pixels[TITLE_ROW], AMBER) > 20000  # the RESEARCH USE ONLY flag
    margins = (pixels[:, :40], pixels[:, -40:])
    quiet = [len(np.unique(margin[270:1400].reshape(-1, 3), axis=0)) for margin in margins]
    assert quiet == [1, 1]  # nothing runs over the page's edge


def test_the_phantom_flag_is_there_only_where_it_belongs(page_of: PageOf) -> None:
    assert count(page_of("good response")[TITLE_ROW], ROSE) > 20000
    assert count(page_of("withheld")[TITLE_ROW], ROSE) == 0


def test_a_case_outside_the_envelope_has_a_banner(page_of: PageOf) -> None:
    inside, outside = (page_of(story)[210:1200] for story in ("good response", "out of envelope"))
    assert count(outside, AMBER) > count(inside, AMBER) + 20000


def test_no_mask_no_outline(page_of: PageOf) -> None:
    with_mask, without = (page_of(story) for story in ("withheld", "refused"))
    pictures = (slice(280, 680), slice(50, 500))
    assert count(with_mask[pictures], YELLOW) > 200
    assert count(without[pictures], YELLOW) == 0


def test_the_page_says_whose_it_is(objects_of: Callable[[str], dict[Kind, Dataset]]) -> None:
    page = reread(objects_of("good response")[Kind.SUMMARY])
    assert (page.PatientID, page.IssuerOfPatientID, str(page.PatientName)) == ("RM-0042", "HOSPITAL-A", "Muster^Erika")
    assert (page.StudyInstanceUID, page.StudyDescription) == ("1.2.826.0.1.999.2", "MR Becken")
    assert (page.BurnedInAnnotation, page.BodyPartExamined, page.ConversionType) == ("YES", "RECTUM", "WSD")
    assert page.SeriesNumber == 9004 and page.pixel_array.shape == (HEIGHT, WIDTH, 3)


def test_a_lone_baseline_is_filed_in_its_own_study(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings("withheld")
    lone = replace(findings, case=Case(findings.case.baseline, None), measurements=findings.measurements[:3])
    assert build_summary(lone, identity).StudyInstanceUID == "1.2.826.0.1.999.1"


def test_the_same_work_gives_the_same_bytes(told: Mapping[str, Findings]) -> None:
    first, again = (encode(build_summary(told["disagreement"], story_identity())) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("山田^太郎", "山田 太郎"),
        ("Yamada^Tarou=山田^太郎", "Yamada, Tarou (山田 太郎)"),
        ("王^小明", "王 小明"),
        ("김^영희", "김 영희"),
        ("Иванова^Мария", "Иванова, Мария"),
        ("", "(no name)"),
        ("\U0001fae8^\ue000", "(name cannot be drawn here)"),
        ("$a_b$^x", "$a_b$, x"),
    ],
)
def test_a_name_is_drawn_as_it_is_read(
    make_findings: MakeFindings, identity: ResultIdentity, name: str, shown: str
) -> None:
    page = drawn(renamed(make_findings("single exam"), name), identity)
    if not shown.isascii() and "cannot" in text_of(page):
        pytest.skip("this machine has no font for the name: install fonts-noto-cjk")
    assert shown in [text.words for text in page.texts]


def test_a_very_long_name_stops_before_the_exams(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    page = drawn(renamed(make_findings("good response"), "Maximiliane-Charlotte^" + "Wilhelmine " * 12), identity)
    assert faults(page) == []
    assert render_summary(renamed(make_findings("single exam"), "^^^^"), identity)[110:150, 50:400].std() > 1


def renamed(findings: Findings, name: str) -> Findings:
    """The findings of a patient of another name."""
    exams = [
        None if exam is None else replace(exam, files=replace(exam.files, patient=Patient("RM-0042", "", name, "", "")))
        for exam in (findings.case.baseline, findings.case.restaging)
    ]
    return replace(findings, case=Case(exams[0], exams[1]))


@pytest.mark.parametrize("story", ["agreement", "disagreement", "refer", "rescore"])
def test_what_moved_each_number_most_stands_with_its_value_in_the_same_panel(
    told: Mapping[str, Findings], story: str
) -> None:
    page = drawn(told[story], story_identity())
    for score in told[story].scores:
        for one in score.contributions[:2]:
            names = [text for text in page.texts if text.words == one.name.partition(" (")[0] or text.words == one.name]
            values = [text for text in page.texts if text.words == one.value]
            numbers = [text for text in page.texts if text.words == shown_percent(score.probability)]
            assert any(
                panel.holds(name.box) and panel.holds(value.box) and panel.holds(number.box)
                for panel in page.panels
                for name in names
                for value in values
                for number in numbers
            ), one.name


def test_names_of_columns_are_not_on_the_page_where_words_are(told: Mapping[str, Findings]) -> None:
    lone = told["rescore"]
    assert "pre_t2" not in text_of(drawn(lone, story_identity(2)))
    silent = replace(lone, scores=tuple(replace(score, contributions=()) for score in lone.scores))
    assert "pre_t2" in text_of(drawn(silent, story_identity(2)))


def test_two_refusals_stand_beside_scores_before_the_clinical_values(told: Mapping[str, Findings]) -> None:
    findings = told["agreement"]
    values = tuple(f"a value of some length that a score used, number {n}" for n in range(9))
    scores = tuple(replace(one, clinical=values) for one in findings.scores[2:])
    reason = "the patient's histology is 'mucinous adenocarcinoma', and it was made for adenocarcinoma"
    refused = tuple(Statement(Code.OUTSIDE_INTENDED_USE, name, reason) for name in ("signature_svm", "rp_net"))
    page = drawn(replace(findings, scores=scores, refusals=refused), story_identity())
    assert faults(page) == []
    assert "signature_svm" in text_of(page) and "rp_net" in text_of(page)


def test_a_probability_with_a_decimal_stays_beside_its_bar(told: Mapping[str, Findings]) -> None:
    scores = tuple(replace(one, lower=0.0004, probability=0.0012, upper=0.004) for one in told["agreement"].scores)
    page = drawn(replace(told["agreement"], scores=scores, warnings=()), story_identity())
    assert faults(page) == []
    assert text_of(page).count("0.1 %") >= 4
