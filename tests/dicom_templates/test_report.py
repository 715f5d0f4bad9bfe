from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage

from dicom_templates import codes
from dicom_templates.encode import encode, reread
from dicom_templates.errors import TemplateError
from dicom_templates.identity import Predecessor, ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.report import build_report
from dicom_templates.segmentation import build_segmentation
from pipelines.contract import Case, Code, Findings, TimePoint

MakeFindings = Callable[..., Findings]
STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam")


def built(findings: Findings, identity: ResultIdentity) -> Dataset:
    segmentations = {
        exam.files.time_point: build_segmentation(exam, identity, exam.files.time_point)
        for exam in findings.case.exams
        if exam.mask is not None
    }
    return reread(build_report(findings, segmentations, identity))


def items(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from items(child)


def numbers(group: Dataset) -> dict[str, tuple[float, str]]:
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: (
            float(item.MeasuredValueSequence[0].NumericValue),
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    }


def groups(report: Dataset, template: str) -> list[Dataset]:
    return [
        item
        for item in items(report)
        if item.get("ContentTemplateSequence", [{}])[0].get("TemplateIdentifier") == template
    ]


def texts(report: Dataset) -> str:
    return "\n".join(str(item.TextValue) for item in items(report) if item.ValueType == "TEXT")


def evidence_studies(report: Dataset, keyword: str) -> set[str]:
    return {str(item.StudyInstanceUID) for item in report.get(keyword, [])}


def test_each_exam_has_a_group_with_its_numbers(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    restaging, baseline = groups(built(make_findings(), identity), "1411")
    assert numbers(baseline) == {
        "Volume": (11.457, "cm3"),
        "Maximum 3D Diameter of a Mesh": (41.2, "mm"),
        "Apparent Diffusion Coefficient": (1010.4, "10-6.mm2/s"),
    }
    written = numbers(restaging)
    assert written["Volume"] == (3.051, "cm3")
    assert written["Change of volume from baseline"] == (-73.4, "%")
    assert written["Change of mean ADC from baseline"] == (37.6, "%")


def test_a_prediction_gives_probability_and_limits_as_siblings_in_percent(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    (group,) = groups(built(make_findings(), identity), "1501")
    assert numbers(group) == {
        "Probability of good response": (73.4, "%"),
        "Lower limit of predicted probability": (61.2, "%"),
        "Upper limit of predicted probability": (82.9, "%"),
    }
    assert not any("ContentSequence" in item for item in group.ContentSequence if item.ValueType == "NUM")
    values = [item.ConceptCodeSequence[0].CodeMeaning for item in group.ContentSequence if item.ValueType == "CODE"]
    assert "High likelihood of good response" in values
    assert "PHANTOM-TRAINED, says nothing about patients" in values
    said = texts(group)
    for word in ("5f2c" * 16, "90ab" * 16, "phantom cohort of 120", "signature_svm_t2_dwi 1.0", "73 % (61–83"):
        assert word in said


def test_values_alone_cannot_be_misread(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    """A viewer that prints values without names must still say what each number is."""
    for group in (*groups(built(make_findings(), identity), "1411"), *groups(built(make_findings(), identity), "1501")):
        comments = [i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeMeaning == "Comment"]
        assert len(comments) == 1
        assert "Probability of good response" in comments[0].TextValue or "volume: " in comments[0].TextValue


def test_the_tumour_has_one_tracking_uid_in_report_and_seg(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings()
    expected = identity.tracking_uid(findings.case.exams[0].files.patient)
    for group in groups(built(findings, identity), "1411"):
        uids = [item.UID for item in group.ContentSequence if item.ValueType == "UIDREF"]
        assert expected in uids
    for exam in findings.case.exams:
        seg = build_segmentation(exam, identity, exam.files.time_point)
        assert seg.SegmentSequence[0].TrackingUID == expected


def test_it_is_filed_in_the_restaging_study_and_cites_both(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    report = built(make_findings(), identity)
    assert report.StudyInstanceUID == "1.2.826.0.1.999.2" and report.SeriesNumber == 9002
    assert evidence_studies(report, "CurrentRequestedProcedureEvidenceSequence") == {"1.2.826.0.1.999.2"}
    assert evidence_studies(report, "PertinentOtherEvidenceSequence") == {"1.2.826.0.1.999.1"}
    library = [item for item in items(report) if item.ValueType == "IMAGE"]
    assert len(library) == 9 + 9 + 2  # the images of both exams, and both segments
    assert library[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID.startswith("1.2.826.0.1.999.2.4")


def test_nobody_has_verified_it(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    report = built(make_findings(), identity)
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    assert report.ConceptNameCodeSequence[0].CodeValue == "126001"
    assert report.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99RESTAGE"


def test_the_title_can_be_chosen(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    report = build_report(make_findings("refused"), {}, identity, title=codes.TITLE_IMAGING)
    assert report.ConceptNameCodeSequence[0].CodeValue == "126000"


@pytest.mark.parametrize("story", STORIES)
def test_limits_refusals_and_warnings_are_said_in_words(
    make_findings: MakeFindings, identity: ResultIdentity, story: str
) -> None:
    findings = make_findings(story)
    said = texts(built(findings, identity))
    assert "RESEARCH USE ONLY" in said
    for statement in (*findings.refusals, *findings.warnings):
        assert statement.reason.rstrip(".") in said and f"[{statement.code}]" in said
    assert "the finest of two" in said  # why the series was chosen


@pytest.mark.parametrize("story", ["refused", "withheld", "single exam"])
def test_without_a_score_there_is_no_prediction(
    make_findings: MakeFindings, identity: ResultIdentity, story: str
) -> None:
    report = built(make_findings(story), identity)
    assert groups(report, "1501") == []
    assert "PHANTOM" not in report.SeriesDescription
    assert "robability of good" not in texts(report)


def test_refusals_carry_their_published_code(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    report = built(make_findings("refused"), identity)
    names = {item.ConceptNameCodeSequence[0].CodeValue for item in items(report) if item.ValueType == "TEXT"}
    assert {codes.STATEMENTS[Code.NO_DIFFUSION].value, codes.STATEMENTS[Code.NO_MASK].value} <= names


def test_out_of_envelope_is_a_code_and_a_sentence(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    report = built(make_findings("out of envelope"), identity)
    values = {item.ConceptCodeSequence[0].CodeValue for item in items(report) if item.ValueType == "CODE"}
    assert {"ENV_OUTSIDE", "GR_UNCERTAIN"} <= values
    assert "not reliable: the baseline volume of 62 cm³" in texts(report)


def test_a_new_version_names_the_report_it_replaces(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    old = Predecessor("1.2.826.0.1.999.2", "2.25.5", Comprehensive3DSRStorage, "2.25.6")
    page = Predecessor("1.2.826.0.1.999.2", "2.25.7", SecondaryCaptureImageStorage, "2.25.8")
    second = replace(identity, version=2, predecessors=(page, old))
    report = built(make_findings(), second)
    assert report.SOPInstanceUID == second.sop_uid(Kind.REPORT) != identity.sop_uid(Kind.REPORT)
    (study,) = report.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (old.study_uid, old.series_uid)
    assert instance.ReferencedSOPInstanceUID == old.sop_uid
    assert "Version 2; replaces version 1" in texts(report)
    assert "PredecessorDocumentsSequence" not in built(make_findings(), identity)


def test_different_b_values_give_a_sentence_and_no_number(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings()
    baseline = findings.case.baseline
    assert baseline is not None and baseline.adc is not None
    other = replace(baseline, adc=replace(baseline.adc, b_values=(0.0, 1000.0)))
    report = built(replace(findings, case=Case(other, findings.case.restaging)), identity)
    (restaging, _) = groups(report, "1411")
    assert "Change of mean ADC from baseline" not in numbers(restaging)
    assert "Change of mean ADC not given: b-values differ: b 0, 1000 at baseline" in texts(report)


def test_the_same_work_gives_the_same_bytes(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings("refused")
    assert encode(build_report(findings, {}, identity)) == encode(build_report(findings, {}, identity))


def test_findings_without_an_exam_are_refused(identity: ResultIdentity) -> None:
    with pytest.raises(TemplateError, match="without an exam"):
        build_report(Findings(Case(None, None)), {}, identity)


def test_time_points_carry_protocol_identifiers(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    report = built(make_findings(), identity)
    for group, expected in zip(groups(report, "1411"), ("POST-NAT", "PRE-NAT"), strict=True):
        assert expected in texts(group)
    assert set(TimePoint) == {TimePoint.BASELINE, TimePoint.RESTAGING}
