"""Objects made from lossily compressed images say so, whatever their own pixels are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Item, Kind
from dicom_templates.results import build_results
from pipelines.contract import Case, Exam, Findings, TimePoint

ITEMS = frozenset({Item.SEG, Item.SUMMARY, Item.CONTOURS})


def lossy(ds: Dataset, index: int) -> None:
    ds.LossyImageCompression = "01"
    ds.LossyImageCompressionRatio, ds.LossyImageCompressionMethod = "8.5", "ISO_10918_1"


@pytest.fixture
def with_lossy_restaging(make_findings: Callable[..., Findings], make_exam: Callable[..., Exam]) -> Findings:
    findings = make_findings()
    restaging = make_exam(TimePoint.RESTAGING, 9.0, edit=lossy)
    return replace(findings, case=Case(findings.case.baseline, restaging))


def test_what_comes_from_lossy_images_is_lossy_with_ratio_and_method(
    with_lossy_restaging: Findings, identity: ResultIdentity
) -> None:
    for result in build_results(with_lossy_restaging, identity, ITEMS):
        of_baseline = result.kind in (Kind.SEG_BASELINE, Kind.CONTOURS_BASELINE)
        assert result.dataset.LossyImageCompression == ("00" if of_baseline else "01"), result.kind
        if not of_baseline:
            assert result.dataset.LossyImageCompressionRatio == 8.5
            assert result.dataset.LossyImageCompressionMethod == "ISO_10918_1"


def test_what_comes_from_lossless_images_is_lossless(
    make_findings: Callable[..., Findings], identity: ResultIdentity
) -> None:
    for result in build_results(make_findings(), identity, ITEMS):
        assert result.dataset.LossyImageCompression == "00"
