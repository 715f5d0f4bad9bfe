from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_templates.identity import ResultIdentity
from pipelines.contract import Contribution, Findings
from tests.dicom_templates.made_report import built, codes_in, groups, items, name, numbers, texts, tracked

MakeFindings = Callable[..., Findings]
METASTASIS = "dlrs_nomogram_preoperative: distant metastasis within 36 months of surgery"


@pytest.fixture(scope="module")
def four(make_findings: MakeFindings, identity: ResultIdentity) -> Dataset:
    return built(make_findings("four systems"), identity)


def test_a_prediction_gives_probability_and_limits_as_siblings_in_percent(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    (group,) = groups(built(make_findings(), identity), "1501")
    assert numbers(group) == {
        "Probability of good response": (73.0, "%"),
        "Lower limit of predicted probability": (61.0, "%"),
        "Upper limit of predicted probability": (83.0, "%"),
    }
    values = codes_in(group).values()
    assert "High likelihood of good response" in values
    assert "PHANTOM-TRAINED, says nothing about patients" in values
    said = texts(group)
    for word in ("5f2c" * 16, "90ab" * 16, "phantom cohort of 120", "signature_svm_t2_dwi 1.0", "73 % (61–83 %)"):
        assert word in said


def test_each_system_has_a_prediction_of_its_own(four: Dataset) -> None:
    predicted = [group for group in groups(four, "1501") if codes_in(group).get("Finding") == "Predicted outcome"]
    assert [next(iter(numbers(group))) for group in predicted] == [
        "Probability of good response",
        "Probability of complete response",
        "Probability of distant metastasis within 36 months",
        "Probability of recurrence or death within 36 months",
    ]
    assert [codes_in(group)["Likelihood category"] for group in predicted] == [
        "High likelihood of good response",
        "Moderate likelihood of complete response",
        "Moderate risk of distant metastasis",
        "Uncertain risk of recurrence or death",
    ]
    uids = {str(item.UID) for group in predicted for item in group.ContentSequence if item.ValueType == "UIDREF"}
    assert len(uids) == 4


def test_what_remains_possible_is_coded_with_its_coverage_and_said_in_words(four: Dataset) -> None:
    predicted = [group for group in groups(four, "1501") if codes_in(group).get("Finding") == "Predicted outcome"]
    assert [codes_in(group)["Outcomes that remain possible"] for group in predicted] == [
        "At stated confidence: good response",
        "REFER: complete response neither expected nor excluded",
        "REFER: distant metastasis neither expected nor excluded",
        "REFER: recurrence or death neither expected nor excluded",
    ]
    coverages = [numbers(group)["Coverage of the outcomes that remain possible"] for group in predicted]
    assert coverages == [(90.0, "%")] * 4
    sentences = [group.ContentSequence[0].TextValue for group in predicted]
    meant = (
        "90 % confidence: in patients like the training cohort's, what comes true is wrongly ruled out in at most 10 %."
    )
    for sentence, words in zip(
        sentences,
        (
            "At 90 % confidence: good response.",
            "At 90 % confidence both complete response and residual tumour remain possible: refer to a reader.",
            "At 90 % confidence both distant metastasis and freedom from it by 36 months remain possible: refer to a",
            "Nothing is ruled out, the case is unlike the training cohort: refer to a reader.",
        ),
        strict=True,
    ):
        assert words in sentence and meant in sentence


def test_a_model_without_limits_states_no_confidence(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    (group,) = groups(built(make_findings(), identity), "1501")
    assert "Outcomes that remain possible" not in codes_in(group)
    assert "confidence" not in texts(group)


def test_a_risk_without_its_name_is_a_risk_of_something(four: Dataset) -> None:
    """In a viewer that prints values without names, "High risk" alone would not say of what."""
    for item in items(four):
        if item.ValueType == "CODE" and item.ConceptCodeSequence[0].CodingSchemeDesignator == "99RESTAGE":
            meaning = item.ConceptCodeSequence[0].CodeMeaning
            assert "risk of" in meaning or "likelihood of" in meaning or "isk" not in meaning


def test_the_exams_a_model_saw_are_named(four: Dataset) -> None:
    for identifier, exams in (
        ("signature_svm_t2_dwi: good response (TRG 0–1)", "Baseline and restaging exams."),
        (METASTASIS, "Baseline exam."),
    ):
        (group,) = tracked(four, identifier)
        used = [item.TextValue for item in group.ContentSequence if name(item) == "Exams used"]
        assert used == [exams]
        assert f"from the {exams[0].lower()}{exams[1:]}" in group.ContentSequence[0].TextValue


def test_a_nomogram_and_what_a_network_looked_at_are_in_words(four: Dataset) -> None:
    points = "Nomogram: DL-prob 0.83: 41.5 points; cT T3: 12 points; CEA > 5 µg/L: 17 points; total 70.5 points."
    (metastasis,) = tracked(four, METASTASIS)
    assert points in metastasis.ContentSequence[0].TextValue
    assert points in [item.TextValue for item in metastasis.ContentSequence if name(item) == "Nomogram points"]
    share = (
        "Grad-CAM on the restaging DWI, of what raises its network's estimate: 64 % of its sum lies inside the tumour "
        "outline. The map is coarse: it shows no border of a tumour, and no finding outside of one."
    )
    (response,) = tracked(four, "signature_svm_t2_dwi: good response (TRG 0–1)")
    assert share in response.ContentSequence[0].TextValue
    assert share in [item.TextValue for item in response.ContentSequence if name(item) == "Where the network looked"]


def test_a_curve_is_read_at_the_horizons_it_covers_in_a_group_of_its_own(four: Dataset) -> None:
    (curve,) = tracked(four, f"{METASTASIS}: event-free share")
    assert codes_in(curve)["Finding"] == "Predicted share free of distant metastasis"
    written = numbers(curve)
    assert [key for key in written if key.startswith("Event")] == [
        f"Event-free share at {months} months" for months in (12, 24, 36)
    ]
    assert written["Event-free share at 36 months"] == (79.0, "%")
    assert written["Lower limit of event-free share at 36 months"] == (67.0, "%")
    assert written["Upper limit of event-free share at 36 months"] == (88.0, "%")
    assert curve.ContentSequence[0].TextValue.startswith(
        "Predicted share free of distant metastasis: at 12 months 94 % (90–97 %); at 24 months 87 % (79–92 %); at 36 "
        "months 79 % (67–88 %). Month 0: the day of surgery. dlrs_nomogram_preoperative 1.0."
    )


def test_a_curve_outside_the_envelope_says_so_itself(four: Dataset) -> None:
    (curve,) = tracked(four, "multi_rec_net_t2_adc: recurrence or death within 36 months of surgery: event-free share")
    assert codes_in(curve)["Training envelope check"] == "OUTSIDE training envelope"
    assert "OUTSIDE the model's training envelope" in curve.ContentSequence[0].TextValue


def test_two_models_of_one_system_do_not_share_an_identity(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings("four systems")
    before = findings.scores[0]
    after = replace(before, model=replace(before.model, name="dlrs_nomogram_postoperative"), probability=0.31)
    report = built(replace(findings, scores=(before, after)), identity)
    uids = [
        str(item.UID)
        for group in groups(report, "1501")
        for item in group.ContentSequence
        if name(item) == "Tracking Unique Identifier" and "as reported" not in texts(group)
    ]
    assert len(uids) == len(set(uids)) == 4  # two predictions, two curves


def test_what_moved_a_prediction_is_in_words_and_all_of_it_in_one_item(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings()
    moved = (
        Contribution("tumour volume at restaging", "5.8 cm³", 0.612),
        Contribution("network: DWI at restaging", "27 %", -0.2049),
        Contribution("mean ADC at restaging (b ≤ 1000)", "1081 ×10⁻⁶ mm²/s", 0.1),
        Contribution("sex", "male", -0.001),
    )
    score = replace(findings.scores[0], contributions=moved, contribution_unit="log odds")
    (group,) = groups(built(replace(findings, scores=(score,)), identity), "1501")
    (item,) = [item for item in group.ContentSequence if name(item) == "What moved the prediction"]
    assert item.TextValue == (
        "What moves the number, in log odds against the mean of the training patients (above 0 raises the probability "
        "of good response, below 0 lowers it): tumour volume at restaging, 5.8 cm³: +0.61; network: DWI at restaging, "
        "27 %: −0.20; mean ADC at restaging (b ≤ 1000), 1081 ×10⁻⁶ mm²/s: +0.10; sex, male: 0. Together +0.51."
    )
    most = (
        "Moved most: raised by tumour volume at restaging and mean ADC at restaging (b ≤ 1000); lowered by "
        "network: DWI at restaging."
    )
    assert most in group.ContentSequence[0].TextValue


def test_a_prediction_that_does_not_say_what_moved_it_has_no_such_item(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    (group,) = groups(built(make_findings(), identity), "1501")
    assert "What moved the prediction" not in {name(item) for item in group.ContentSequence}
    assert "Moved most" not in group.ContentSequence[0].TextValue
