"""Findings into the objects that leave the node: built, re-read, checked."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_templates.check import check
from dicom_templates.encode import write_part10
from dicom_templates.figures import check_numbers
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import SEG_KINDS, Kind
from dicom_templates.report import build_report
from dicom_templates.segmentation import build_segmentation
from dicom_templates.summary import build_summary
from pipelines.contract import Findings

__all__ = ["Result", "build_results", "write_part10"]


@dataclass(frozen=True)
class Result:
    """One object of a result. ``kind`` is its name in files and in the ledger."""

    kind: Kind
    dataset: Dataset


def build_results(findings: Findings, identity: ResultIdentity) -> tuple[Result, ...]:
    """SEG of every exam that has a tumour mask, the report, and the page; checked against the findings.

    Raises InputUnfit where a source image cannot carry a segmentation, TemplateError where findings cannot be
    encoded, and its subclass ResultUnfit where an object does not say what the findings say: then none is sent.
    """
    check_numbers(findings)
    segmentations = {
        exam.files.time_point: build_segmentation(exam, identity, exam.files.time_point)
        for exam in findings.case.exams
        if exam.mask is not None
    }
    results = [Result(SEG_KINDS[time_point], dataset) for time_point, dataset in segmentations.items()]
    results.append(Result(Kind.REPORT, build_report(findings, segmentations, identity)))
    results.append(Result(Kind.SUMMARY, build_summary(findings, identity)))
    check([result.dataset for result in results], findings)
    return tuple(results)
