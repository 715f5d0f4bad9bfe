"""Every object of the demo and of the real runs before the validators of others, and the validators before faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, CTImageStorage, SegmentationStorage

from tests.peers import pixelmed, published_codes, validators
from tests.peers.scored import ScoredPair

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]


def test_every_object_is_of_a_class_that_somebody_else_reads(scored: ScoredPair) -> None:
    assert scored.results
    assert validators.unknown_classes(scored.results) == []


def test_dciodvfy_finds_no_fault(scored: ScoredPair) -> None:
    assert validators.dciodvfy(scored.results) == []


def test_dcentvfy_finds_them_consistent_with_their_studies(scored: ScoredPair) -> None:
    assert validators.dcentvfy(scored.results, scored.sources) == []
    assert validators.same_accession_number(scored.results, scored.sources) == []


def test_dcmtk_reads_every_object_and_shows_every_sentence_and_number_of_the_report(scored: ScoredPair) -> None:
    assert validators.readable(scored.results) == []


def test_pixelmed_finds_every_report_and_every_group_alone_valid(scored: ScoredPair) -> None:
    assert validators.reports_valid(scored.results) == []


def test_every_code_has_its_published_meaning(scored: ScoredPair) -> None:
    assert validators.codes_published(scored.results) == []


def test_the_published_table_has_the_standards_own_meanings() -> None:
    text = published_codes.PUBLISHED.read_text(encoding="utf-8")
    section = text.split("## Standard codes", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    wrong = [row for row in rows[2:] if row[2] not in published_codes.meanings().get((row[0], row[1]), ())]
    assert len(rows) > 2
    assert wrong == []


def test_a_missing_attribute_is_found(demo_results: ScoredPair, tmp_path: Path) -> None:
    def spoil(seg: Dataset) -> None:
        del seg.SegmentSequence

    path = _spoilt(demo_results, SegmentationStorage, spoil, tmp_path)
    assert any("SegmentSequence" in one for one in validators.dciodvfy([path]))


def test_a_class_that_nobody_was_named_for_is_found(demo_results: ScoredPair, tmp_path: Path) -> None:
    def spoil(seg: Dataset) -> None:
        seg.SOPClassUID = CTImageStorage

    path = _spoilt(demo_results, SegmentationStorage, spoil, tmp_path)
    assert any("CT Image Storage" in one for one in validators.validate([path]))


@pytest.mark.parametrize("keyword", ["PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber", "StudyID"])
def test_another_patient_or_study_is_found(keyword: str, demo_results: ScoredPair, tmp_path: Path) -> None:
    def spoil(seg: Dataset) -> None:
        setattr(seg, keyword, {"PatientSex": "O"}.get(keyword, "19000101"))

    path = _spoilt(demo_results, SegmentationStorage, spoil, tmp_path)
    found = validators.dcentvfy([path], demo_results.sources)
    found += validators.same_accession_number([path], demo_results.sources)
    assert any(keyword in one for one in found)


def test_a_report_that_breaks_the_rules_of_its_tree_is_not_read(demo_results: ScoredPair, tmp_path: Path) -> None:
    def spoil(report: Dataset) -> None:
        del _first(report, "NUM").MeasuredValueSequence

    path = _spoilt(demo_results, Comprehensive3DSRStorage, spoil, tmp_path)
    assert any("dsrdump" in one for one in validators.readable([path]))


def test_a_wrong_meaning_an_unknown_code_and_an_undeclared_scheme_are_found(
    demo_results: ScoredPair, tmp_path: Path
) -> None:
    def spoil(report: Dataset) -> None:
        code = _first(report, "NUM").ConceptNameCodeSequence[0]
        code.CodeMeaning = "Weight"
        _first(report, "NUM").MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue = "furlong"
        del report.CodingSchemeIdentificationSequence

    path = _spoilt(demo_results, Comprehensive3DSRStorage, spoil, tmp_path)
    found = " ".join(validators.codes_published([path]))
    assert "'Weight'" in found
    assert "furlong" in found
    assert "99RESTAGE is used and not identified" in found


def test_a_group_against_its_template_is_found_alone_and_in_the_whole(demo_results: ScoredPair, tmp_path: Path) -> None:
    """Its tracking identifier under the wrong relationship; the other groups taken out, to be quick."""

    def spoil(report: Dataset) -> None:
        container = _container(report)
        container.ContentSequence = [container.ContentSequence[0]]
        for item in container.ContentSequence[0].ContentSequence:
            if item.ConceptNameCodeSequence[0].CodeValue == "112040":
                item.RelationshipType = "CONTAINS"

    path = _spoilt(demo_results, Comprehensive3DSRStorage, spoil, tmp_path)
    found = pixelmed.complaints(path)
    assert any("group 1 alone" in one for one in found)
    assert any("group" not in one.split(":")[0] for one in found)


def test_a_group_stands_alone_in_a_document_of_its_own(demo_results: ScoredPair) -> None:
    (report,) = demo_results.of(Comprehensive3DSRStorage)
    groups = _groups(report)
    alone = [_groups(document) for document in pixelmed.groups_alone(report)]
    assert alone == [[group] for group in groups]
    scores = demo_results.findings["scores"]
    curves = sum(score["curve"] is not None for score in scores)  # in groups of their own
    assert len(groups) == len(demo_results.findings["exams"]) + len(scores) + curves


def _spoilt(pair: ScoredPair, sop_class: str, spoil: Callable[[Dataset], None], folder: Path) -> Path:
    """A copy of the pair's first object of a class, with a fault."""
    dataset = pair.of(sop_class)[0]
    spoil(dataset)
    dataset.save_as(folder / "spoilt.dcm")
    return folder / "spoilt.dcm"


def _first(item: Dataset, value_type: str) -> Dataset:
    for child in item.get("ContentSequence") or ():
        if child.ValueType == value_type:
            return child
        try:
            return _first(child, value_type)
        except LookupError:
            continue
    raise LookupError(value_type)


def _container(report: Dataset) -> Dataset:
    """Imaging Measurements, which holds the groups."""
    (container,) = (item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    return container


def _groups(report: Dataset) -> list[Dataset]:
    return list(_container(report).ContentSequence)
