from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from dicom_templates.errors import TemplateError
from dicom_templates.identity import Kind, ResultIdentity
from dicom_templates.results import build_results, write_part10
from pipelines.contract import Findings

MakeFindings = Callable[..., Findings]


@pytest.mark.parametrize(
    ("story", "kinds"),
    [
        ("good response", ["seg_baseline", "seg_restaging", "report", "summary"]),
        ("refused", ["report", "summary"]),
        ("withheld", ["seg_baseline", "seg_restaging", "report", "summary"]),
        ("out of envelope", ["seg_baseline", "seg_restaging", "report", "summary"]),
        ("single exam", ["seg_restaging", "report", "summary"]),
    ],
)
def test_each_story_gives_its_objects(
    make_findings: MakeFindings, identity: ResultIdentity, story: str, kinds: list[str]
) -> None:
    assert [result.kind for result in build_results(make_findings(story), identity)] == kinds


def test_a_file_reads_back_as_what_was_built(
    make_findings: MakeFindings, identity: ResultIdentity, tmp_path: Path
) -> None:
    for result in build_results(make_findings(), identity):
        path = tmp_path / f"{result.kind}.dcm"
        write_part10(result.dataset, path)
        read = dcmread(path)
        assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert read.SOPInstanceUID == identity.sop_uid(Kind(result.kind)) == read.file_meta.MediaStorageSOPInstanceUID


def test_a_second_version_is_checked_like_the_first(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings()
    first, second = build_results(findings, identity), build_results(findings, replace(identity, version=2))
    for one, other in zip(first, second, strict=True):
        assert one.dataset.SeriesInstanceUID == other.dataset.SeriesInstanceUID
        assert one.dataset.SOPInstanceUID != other.dataset.SOPInstanceUID


def test_an_outcome_nobody_defined_stops_the_result(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings()
    odd = replace(findings, scores=(replace(findings.scores[0], outcome="eternal life"),))
    with pytest.raises(TemplateError, match="no published definition"):
        build_results(odd, identity)


def test_the_real_pair_gives_four_checked_objects(real_findings: Findings, identity: ResultIdentity) -> None:
    assert len(build_results(real_findings, identity)) == 4
