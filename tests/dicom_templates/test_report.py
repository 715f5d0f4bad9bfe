from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_templates import codes
from dicom_templates.encode import encode, reread
from dicom_templates.errors import TemplateError
from dicom_templates.identity import Predecessor, ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.profile import Rendering, ReportClass, ReportTitle
from dicom_templates.report import build_report
from dicom_templates.segmentation import build_segmentation
from pipelines.contract import Case, Code, Findings, Statement, TimePoint
from tests.dicom_templates.conftest import STORIES
from tests.dicom_templates.made_report import (
    built,
    evidence_studies,
    groups,
    items,
    name,
    numbers,
    segmentations_of,
    texts,
    tracked,
)

MakeFindings = Callable[..., Findings]


@pytest.fixture(scope="module")
def four(make_findings: MakeFindings, identity: ResultIdentity) -> Dataset:
    """The report on a pair with readers' reports and all four systems. Read only."""
    return built(make_findings("four systems"), identity)


def test_it_opens_with_the_result_in_words_and_what_it_must_not_be_used_for(four: Dataset) -> None:
    contained = [item for item in four.ContentSequence if item.RelationshipType == "CONTAINS"]
    assert name(contained[0]) == "Summary"
    assert contained[0].TextValue.startswith("RESEARCH USE ONLY, PHANTOM-TRAINED. Restaging MR of 2024-06-10 compared")


def test_the_tumour_comes_first_then_what_readers_reported_then_response_then_prognosis(four: Dataset) -> None:
    (measurements,) = (item for item in four.ContentSequence if name(item) == "Imaging Measurements")
    openings = [group.ContentSequence[0].TextValue for group in measurements.ContentSequence]
    expected = (
        *("Restaging MR of 2024-06-10. Longest", "Baseline MR of 2024-03-04. Longest"),
        *("Restaging MR of 2024-06-10, as reported", "Baseline MR of 2024-03-04, as reported"),
        *("Probability of good response", "Probability of complete response"),
        *("Probability of distant metastasis", "Predicted share free of distant metastasis"),
        *("Probability of recurrence or death", "Predicted share alive without recurrence"),
    )
    assert len(openings) == len(expected)
    assert all(said.startswith(words) for said, words in zip(openings, expected, strict=True)), openings


def test_disagreement_comes_before_refusals_and_the_limits_of_use_come_last(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings("disagreement")
    refusal = Statement(Code.NO_DIFFUSION, "rp_net", "the baseline has no DWI")
    warning = Statement(Code.MASK_RESAMPLED, "restaging", "drawn on the DWI")
    report = built(replace(findings, refusals=(refusal,), warnings=(warning, *findings.warnings)), identity)
    evaluations = next(item for item in report.ContentSequence if name(item) == "Qualitative Evaluations")
    order = list(dict.fromkeys(name(item) for item in evaluations.ContentSequence))
    assert order[:3] == ["Systems disagree", "No diffusion", "Mask resampled"]
    assert order[-1] == "Limits of use"
    assert "THE SYSTEMS DISAGREE about complete response" in texts(report)


def test_no_viewer_that_leaves_out_names_runs_numbers_together(four: Dataset) -> None:
    """In a container of running text some programs print the values alone; only image references stand in such."""
    for item in (four, *items(four)):
        if item.ValueType == "CONTAINER" and item.ContinuityOfContent == "CONTINUOUS":
            assert {child.ValueType for child in item.ContentSequence} <= {"TEXT", "CODE", "DATE", "UIDREF", "IMAGE"}
            assert name(item) == "Image Library Group"


def test_every_number_is_written_as_the_sentence_has_it(four: Dataset) -> None:
    for group in (*groups(four, "1411"), *groups(four, "1501")):
        sentence = group.ContentSequence[0].TextValue
        for item in group.ContentSequence:
            if item.ValueType == "NUM":
                assert str(item.MeasuredValueSequence[0].NumericValue).lstrip("-") in sentence
                assert "ContentSequence" not in item  # some viewers drop a number that has children


def test_no_group_has_two_numbers_of_one_name(four: Dataset) -> None:
    for group in (*groups(four, "1411"), *groups(four, "1501")):
        names = [name(item) for item in group.ContentSequence if item.ValueType == "NUM"]
        assert len(names) == len(set(names))


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


def evidence_uids(report: Dataset) -> set[str]:
    """Every object in evidence."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in report.get(keyword, [])
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


def test_it_is_filed_in_the_restaging_study_and_cites_both(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    report = built(make_findings(), identity)
    assert report.StudyInstanceUID == "1.2.826.0.1.999.2" and report.SeriesNumber == 9002
    assert evidence_studies(report, "CurrentRequestedProcedureEvidenceSequence") == {"1.2.826.0.1.999.2"}
    assert evidence_studies(report, "PertinentOtherEvidenceSequence") == {"1.2.826.0.1.999.1"}
    library = [item for item in items(report) if item.ValueType == "IMAGE"]
    assert len(library) == 1 + 1 + 2  # an image for each series, and both segments
    assert len(evidence_uids(report)) == 9 + 9 + 2, "every image that was used, and both segmentations"
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


@pytest.mark.parametrize("title", ReportTitle)
@pytest.mark.parametrize(
    ("report_class", "sop_class"),
    [
        (ReportClass.COMPREHENSIVE_3D, Comprehensive3DSRStorage),
        (ReportClass.COMPREHENSIVE, ComprehensiveSRStorage),
    ],
)
def test_a_destination_chooses_class_and_title_of_the_same_tree(
    four: Dataset,
    make_findings: MakeFindings,
    identity: ResultIdentity,
    title: ReportTitle,
    report_class: ReportClass,
    sop_class: str,
) -> None:
    rendering = Rendering(title=title, report_class=report_class)
    report = built(make_findings("four systems"), replace(identity, rendering=rendering))
    assert report.SOPClassUID == sop_class
    assert report.ConceptNameCodeSequence[0].CodeValue == title
    assert [name(item) for item in items(report)] == [name(item) for item in items(four)]
    assert [numbers(group) for group in groups(report, "1501")] == [numbers(group) for group in groups(four, "1501")]


def test_without_segmentations_nothing_dangles(
    four: Dataset, make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    rendering = Rendering(with_segmentations=False)
    report = built(make_findings("four systems"), replace(identity, rendering=rendering))
    assert groups(report, "1411") == []
    with_segment, without = (tracked(one, "Rectal tumour 1") for one in (four, report))
    assert [numbers(group) for group in without] == [numbers(group) for group in with_segment]
    cited = {item.ReferencedSOPSequence[0].ReferencedSOPClassUID for item in items(report) if item.ValueType == "IMAGE"}
    assert cited == {MRImageStorage}
    assert "Referenced Segment" not in [name(item) for item in items(report)]


def test_a_time_point_without_a_segmentation_has_its_numbers_all_the_same(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings()
    segmentations = segmentations_of(findings, identity)
    report = reread(build_report(findings, {TimePoint.RESTAGING: segmentations[TimePoint.RESTAGING]}, identity))
    (restaging,) = groups(report, "1411")
    baseline = next(group for group in groups(report, "1501") if "PRE-NAT" in texts(group))
    assert "POST-NAT" in texts(restaging)
    assert numbers(baseline)["Volume"] == (11.5, "cm3")


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
