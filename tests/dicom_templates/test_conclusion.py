from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dicom_templates.conclusion import conclusion
from pipelines.contract import Case, Findings, MaskOrigin, Quantity, TimePoint

MakeFindings = Callable[..., Findings]


def test_it_says_what_was_compared_how_it_changed_and_what_is_predicted(make_findings: MakeFindings) -> None:
    assert conclusion(make_findings("four systems")) == (
        "RESEARCH USE ONLY, PHANTOM-TRAINED. Restaging MR of 2024-06-10 compared with baseline MR of 2024-03-04, "
        "98 days before: longest diameter from 41 to 25 mm (−40 %), volume from 11.5 to 3.1 cm³ (−73 %), mean ADC from "
        "1010 to 1390 ×10⁻⁶ mm²/s (+38 %), in a reader's outline. Predicted: good response (TRG 0–1) 73 % (61–83 %); "
        "complete response (ypT0 ypN0) 41 % (29–56 %), REFER to a reader; distant metastasis within 36 months of "
        "surgery 21 % (12–33 %), REFER to a reader; recurrence or death within 36 months of surgery 35 % (20–49 %), "
        "OUTSIDE the training envelope, REFER to a reader. No contradiction between these predictions."
    )


def test_a_disagreement_is_in_capitals(make_findings: MakeFindings) -> None:
    said = conclusion(make_findings("disagreement"))
    assert "THE SYSTEMS DISAGREE about complete response (ypT0 ypN0) and good response" in said
    assert "No contradiction" not in said
    assert "warning below" not in said


def test_one_prediction_agrees_with_nobody(make_findings: MakeFindings) -> None:
    assert "contradiction" not in conclusion(make_findings("good response"))


def test_refusals_and_warnings_are_counted(make_findings: MakeFindings) -> None:
    assert conclusion(make_findings("refused")) == (
        "RESEARCH USE ONLY. Restaging MR of 2024-06-10 compared with baseline MR of 2024-03-04, 98 days before: no "
        "tumour outline, so nothing was measured. No predicted number. 2 refusals below."
    )
    assert conclusion(make_findings("out of envelope")).endswith(", OUTSIDE the training envelope. 1 warning below.")


def test_a_single_exam_is_not_compared(make_findings: MakeFindings) -> None:
    said = conclusion(make_findings("single exam"))
    assert "Restaging MR of 2024-06-10 alone: longest diameter 25 mm, volume 3.1 cm³, mean ADC 1390" in said
    assert "baseline" not in said


def test_one_number_of_two_exams_says_whose_it_is(make_findings: MakeFindings) -> None:
    findings = make_findings("good response")
    kept = tuple(
        one
        for one in findings.measurements
        if one.time_point is TimePoint.BASELINE or one.quantity is not Quantity.VOLUME
    )
    assert "volume 11.5 cm³ at baseline alone" in conclusion(replace(findings, measurements=kept))


def test_a_models_outline_is_named_as_unchecked(make_findings: MakeFindings) -> None:
    findings = make_findings("good response")
    before, after = findings.case.exams
    assert before.mask is not None and after.mask is not None
    model = replace(before, mask=replace(before.mask, origin=MaskOrigin.MODEL))
    one = replace(findings, case=Case(model, after))
    assert ", one outline by a reader, one by a model that no reader has checked." in conclusion(one)
    both = replace(one, case=Case(model, replace(after, mask=replace(after.mask, origin=MaskOrigin.MODEL))))
    assert ", in a model's outline that no reader has checked." in conclusion(both)
