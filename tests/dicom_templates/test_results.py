"""Built, checked, and read by programs of others: dicom3tools' dciodvfy finds no error, DCMTK's dsrdump reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.results import build_results, write_part10
from pipelines.contract import Findings
from tests.programs import output_of

MakeFindings = Callable[..., Findings]
STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam")
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


#: What dciodvfy says of right objects, and why it is wrong. Nothing else may be an error.
KNOWN_FALSE_ERRORS: tuple[tuple[str, str], ...] = ()


def written(objects: dict[Kind, Dataset], folder: Path) -> dict[Kind, Path]:
    paths = {}
    for kind, dataset in objects.items():
        paths[kind] = folder / f"{kind}.dcm"
        write_part10(dataset, paths[kind])
    return paths


def errors(path: Path) -> list[str]:
    lines = output_of("dciodvfy", "dicom3tools", path).splitlines()
    assert any(line.strip() in ("Segmentation", "Comprehensive3DSR", "SCImage") for line in lines), lines
    known = [text for text, _ in KNOWN_FALSE_ERRORS]
    return [line for line in lines if line.startswith("Error") and not any(text in line for text in known)]


@pytest.mark.peers
@pytest.mark.parametrize("story", STORIES)
def test_dciodvfy_finds_no_error(objects_of: ObjectsOf, tmp_path: Path, story: str) -> None:
    for path in written(objects_of(story), tmp_path).values():
        assert errors(path) == []


@pytest.mark.peers
def test_dciodvfy_finds_no_error_in_the_real_pair(
    real_findings: Findings, identity: ResultIdentity, tmp_path: Path
) -> None:
    objects = {result.kind: result.dataset for result in build_results(real_findings, identity)}
    for path in written(objects, tmp_path).values():
        assert errors(path) == []


@pytest.mark.peers
def test_dciodvfy_would_have_found_one(objects_of: ObjectsOf, tmp_path: Path) -> None:
    page = objects_of("refused")[Kind.SUMMARY]
    del page.ConversionType
    write_part10(page, tmp_path / "broken.dcm")
    assert errors(tmp_path / "broken.dcm")


@pytest.mark.peers
@pytest.mark.parametrize("story", STORIES)
def test_dsrdump_reads_the_report(objects_of: ObjectsOf, tmp_path: Path, story: str) -> None:
    path = written(objects_of(story), tmp_path)[Kind.REPORT]
    said = output_of("dsrdump", "dcmtk", path)
    assert "RESEARCH USE ONLY" in said
    assert not [line for line in said.splitlines() if line.startswith(("E:", "F:"))]
