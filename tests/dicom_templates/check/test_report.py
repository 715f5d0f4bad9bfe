"""Each test breaks one thing in a good report and names what the check must say."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from dicom_templates.check.report import check_report, expected_numbers
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import ResultIdentity
from dicom_templates.profile import Rendering, ReportClass, ReportTitle
from pipelines.contract import Findings, TimePoint
from tests.dicom_templates.conftest import STORIES
from tests.dicom_templates.made_report import built, groups, items, name, segmentations_of, tracked

MakeFindings = Callable[..., Findings]
Refuses = Callable[[Dataset, str], None]
METASTASIS = "dlrs_nomogram_preoperative: distant metastasis within 36 months of surgery"


@pytest.fixture(scope="module")
def findings(make_findings: MakeFindings) -> Findings:
    return make_findings("four systems")


@pytest.fixture(scope="module")
def segmentations(findings: Findings, identity: ResultIdentity) -> dict[TimePoint, Dataset]:
    return segmentations_of(findings, identity)


@pytest.fixture(scope="module")
def good(findings: Findings, identity: ResultIdentity) -> Dataset:
    return built(findings, identity)


@pytest.fixture
def report(good: Dataset) -> Dataset:
    """A copy of the good report, to be spoilt."""
    return deepcopy(good)


@pytest.fixture
def refuses(findings: Findings, segmentations: dict[TimePoint, Dataset]) -> Refuses:
    def refuses(report: Dataset, message: str) -> None:
        with pytest.raises(ResultUnfit, match=message):
            check_report(report, findings, segmentations, Rendering())

    return refuses


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(
    "rendering",
    [
        Rendering(),
        Rendering(title=ReportTitle.IMAGING, report_class=ReportClass.COMPREHENSIVE),
        Rendering(with_segmentations=False),
    ],
    ids=["default", "comprehensive", "no segmentations"],
)
def test_what_was_built_passes_in_every_rendering(
    make_findings: MakeFindings, identity: ResultIdentity, story: str, rendering: Rendering
) -> None:
    told, rendered = make_findings(story), replace(identity, rendering=rendering)
    check_report(built(told, rendered), told, segmentations_of(told, rendered), rendering)


def test_every_number_has_its_place(findings: Findings) -> None:
    """Six of the tumour and three changes, four lengths at each time, four of each prediction, three per horizon."""
    assert len(expected_numbers(findings)) == 6 + 3 + 2 * 4 + 4 * 4 + (3 + 4) * 3


def test_a_number_in_another_group_is_found(report: Dataset, refuses: Refuses) -> None:
    first, second = groups(report, "1411")
    moved = next(item for item in first.ContentSequence if name(item) == "Volume")
    kept = next(item for item in second.ContentSequence if name(item) == "Volume")
    moved.MeasuredValueSequence, kept.MeasuredValueSequence = kept.MeasuredValueSequence, moved.MeasuredValueSequence
    refuses(report, "'POST-NAT', '118565006', 'SCT'.* = 11.5, the findings say 3.1")


def test_a_number_outside_the_groups_is_found(report: Dataset, refuses: Refuses) -> None:
    (first, _) = groups(report, "1411")
    number = next(item for item in first.ContentSequence if item.ValueType == "NUM")
    report.ContentSequence.append(deepcopy(number))
    refuses(report, "stands outside the measurement groups")


def test_a_number_of_the_curve_is_held_to_the_curve(report: Dataset, refuses: Refuses) -> None:
    (curve,) = tracked(report, f"{METASTASIS}: event-free share")
    share = next(item for item in curve.ContentSequence if name(item) == "Event-free share at 36 months")
    share.MeasuredValueSequence[0].NumericValue = "97"
    refuses(report, "EF_36.* = 97.0, the findings say 79")


def test_a_reported_length_is_held_to_what_was_reported(report: Dataset, refuses: Refuses) -> None:
    baseline = next(group for group in groups(report, "1501") if "PRE-NAT" in str(group))
    item = next(child for child in baseline.ContentSequence if name(child).startswith("Shortest distance"))
    item.MeasuredValueSequence[0].NumericValue = "8"
    refuses(report, "CRM_DISTANCE.* = 8.0, the findings say 0.8")


def test_a_sentence_that_lacks_a_number_of_its_group_is_found(report: Dataset, refuses: Refuses) -> None:
    (prediction,) = tracked(report, METASTASIS)
    comment = prediction.ContentSequence[0]
    comment.TextValue = comment.TextValue.replace("21 % (12–33 %)", "about a fifth (112–3.12 %)")
    refuses(report, "lacks its number 21")


def test_a_sentence_with_further_words_is_found(report: Dataset, refuses: Refuses) -> None:
    (prediction,) = tracked(report, METASTASIS)
    prediction.ContentSequence[0].TextValue += " Nothing to worry about."
    refuses(report, "a group does not say .Probability of distant metastasis")


def test_a_group_that_opens_with_something_else_is_found(report: Dataset, refuses: Refuses) -> None:
    (prediction,) = tracked(report, METASTASIS)
    prediction.ContentSequence = [*prediction.ContentSequence[1:], prediction.ContentSequence[0]]
    refuses(report, "does not open with a sentence")


def test_a_report_that_does_not_begin_with_its_summary_is_found(report: Dataset, refuses: Refuses) -> None:
    summary = next(item for item in report.ContentSequence if name(item) == "Summary")
    summary.TextValue = summary.TextValue.replace("RESEARCH USE ONLY", "Approved")
    refuses(report, "does not begin with .RESEARCH USE ONLY")


def test_another_class_or_title_than_was_asked_for_is_found(report: Dataset, refuses: Refuses) -> None:
    report.ConceptNameCodeSequence[0].CodeValue = "126000"
    refuses(report, "its title is")
    report.SOPClassUID = ComprehensiveSRStorage
    refuses(report, "it is a Comprehensive SR Storage, not comprehensive_3d")


def test_a_segment_that_is_not_sent_must_not_be_cited(
    good: Dataset, findings: Findings, segmentations: dict[TimePoint, Dataset]
) -> None:
    with pytest.raises(ResultUnfit, match="which is no source of these findings"):
        check_report(good, findings, segmentations, Rendering(with_segmentations=False))


def test_a_segment_that_is_not_cited_is_found(
    findings: Findings, identity: ResultIdentity, segmentations: dict[TimePoint, Dataset]
) -> None:
    without = built(findings, replace(identity, rendering=Rendering(with_segmentations=False)))
    with pytest.raises(ResultUnfit, match=r"SR: SEG .* is not cited"):
        check_report(without, findings, segmentations, Rendering())


def test_a_swallowed_disagreement_is_found(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    told = make_findings("disagreement")
    report = built(told, identity)
    for item in items(report):
        if "SYSTEMS_DISAGREE" in str(item.get("TextValue", "")):
            item.TextValue = "They agree."
    with pytest.raises(ResultUnfit, match="does not say 'Warning: complete response"):
        check_report(report, told, segmentations_of(told, identity), Rendering())
