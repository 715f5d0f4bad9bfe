from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_templates.errors import TemplateError
from dicom_templates.identity import Kind, ResultIdentity
from dicom_templates.results import build_results, write_part10
from pipelines.contract import Findings

MakeFindings = Callable[..., Findings]
ObjectsOf = Callable[[str], dict[Kind, Dataset]]


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
def test_each_story_gives_its_objects(objects_of: ObjectsOf, story: str, kinds: list[str]) -> None:
    assert list(objects_of(story)) == kinds


def test_a_file_reads_back_as_what_was_built(objects_of: ObjectsOf, identity: ResultIdentity, tmp_path: Path) -> None:
    for kind, dataset in objects_of("good response").items():
        path = tmp_path / f"{kind}.dcm"
        write_part10(dataset, path)
        read = dcmread(path)
        assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert read.SOPInstanceUID == identity.sop_uid(kind) == read.file_meta.MediaStorageSOPInstanceUID


def test_a_second_version_is_checked_like_the_first(
    objects_of: ObjectsOf, make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    first, second = objects_of("refused"), build_results(make_findings("refused"), replace(identity, version=2))
    for one in second:
        assert one.dataset.SeriesInstanceUID == first[one.kind].SeriesInstanceUID
        assert one.dataset.SOPInstanceUID != first[one.kind].SOPInstanceUID


def test_an_outcome_nobody_defined_stops_the_result(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    findings = make_findings()
    odd = replace(findings, scores=(replace(findings.scores[0], outcome="eternal life"),))
    with pytest.raises(TemplateError, match="no published definition"):
        build_results(odd, identity)


def test_the_real_pair_gives_four_checked_objects(real_findings: Findings, identity: ResultIdentity) -> None:
    assert len(build_results(real_findings, identity)) == 4
