"""Building a report from findings, and reading it item by item without our own code."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_templates.encode import reread
from dicom_templates.identity import ResultIdentity
from dicom_templates.report import build_report
from dicom_templates.segmentation import build_segmentation
from pipelines.contract import Findings, TimePoint


def segmentations_of(findings: Findings, identity: ResultIdentity) -> dict[TimePoint, Dataset]:
    return {
        exam.files.time_point: reread(build_segmentation(exam, identity, exam.files.time_point))
        for exam in findings.case.exams
        if exam.mask is not None
    }


def built(findings: Findings, identity: ResultIdentity) -> Dataset:
    """The report as a receiver sees it."""
    return reread(build_report(findings, segmentations_of(findings, identity), identity))


def items(item: Dataset) -> Iterator[Dataset]:
    """Every item below this one."""
    for child in item.get("ContentSequence", []):
        yield child
        yield from items(child)


def name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def texts(item: Dataset) -> str:
    """Every TEXT below this item, a line each."""
    return "\n".join(str(child.TextValue) for child in items(item) if child.ValueType == "TEXT")


def codes_in(item: Dataset) -> dict[str, str]:
    """Name and value of every CODE directly below this item."""
    return {
        name(child): str(child.ConceptCodeSequence[0].CodeMeaning)
        for child in item.ContentSequence
        if child.ValueType == "CODE"
    }


def numbers(group: Dataset) -> dict[str, tuple[float, str]]:
    """Name to (value, unit) of every NUM of a group."""
    return {
        name(item): (
            float(item.MeasuredValueSequence[0].NumericValue),
            str(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue),
        )
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    }


def groups(report: Dataset, template: str) -> list[Dataset]:
    """The measurement groups of one template, in order."""
    return [
        item
        for item in items(report)
        if item.get("ContentTemplateSequence", [{}])[0].get("TemplateIdentifier") == template
    ]


def tracked(report: Dataset, identifier: str) -> list[Dataset]:
    """The groups whose Tracking Identifier is this one."""
    return [
        group
        for group in (*groups(report, "1411"), *groups(report, "1501"))
        if any(name(item) == "Tracking Identifier" and item.TextValue == identifier for item in group.ContentSequence)
    ]


def evidence_studies(report: Dataset, keyword: str) -> set[str]:
    return {str(item.StudyInstanceUID) for item in report.get(keyword, [])}
