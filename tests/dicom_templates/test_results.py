"""Built, checked, and read by programs of others: dicom3tools' dciodvfy finds no error, DCMTK's dsrdump reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_templates.encode import encode, write_part10
from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import CONTOURS_KINDS, ITEMS, PRESENTATION_KINDS, SEG_KINDS, Item, Kind, Result
from dicom_templates.profile import Rendering
from dicom_templates.results import build_results, build_withdrawal
from dicom_templates.withdrawal import Withdrawal
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


EVERYTHING = frozenset(Item) - {Item.MAPS}  # maps have their own exams, with the series that they are made of


def test_a_destination_can_have_everything(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    kinds = {result.kind for result in build_results(make_findings("four systems"), identity, EVERYTHING)}
    both = {*SEG_KINDS.values(), *CONTOURS_KINDS.values(), *PRESENTATION_KINDS.values()}
    assert kinds == {*both, Kind.REPORT, Kind.SUMMARY, Kind.PDF}


@pytest.mark.parametrize("item", sorted(EVERYTHING))
def test_a_destination_can_have_one_kind_of_object_alone(
    make_findings: MakeFindings, identity: ResultIdentity, item: Item
) -> None:
    alone = replace(identity, rendering=Rendering(with_segmentations=item is Item.SEG))
    results = build_results(make_findings(), alone, {item})
    assert results and {ITEMS[result.kind] for result in results} == {item}


def test_a_destination_can_have_everything_in_the_restaging_study(
    make_findings: MakeFindings, identity: ResultIdentity
) -> None:
    findings = make_findings()
    one_study = replace(identity, rendering=Rendering(in_baseline_study=False, prefix="KI", first_series_number=10))
    results = build_results(findings, one_study, EVERYTHING)
    (restaging,) = findings.case.restaging.files.study_uids
    assert {str(result.dataset.StudyInstanceUID) for result in results} == {restaging}
    assert Kind.SEG_BASELINE in {result.kind for result in results}
    # A presentation state belongs in the study of its images.
    assert Kind.PRESENTATION_BASELINE not in {result.kind for result in results}
    assert all(result.dataset.SeriesDescription.startswith("KI ") for result in results)


def test_every_object_says_whose_the_private_codes_are(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    for result in build_results(make_findings(), identity, EVERYTHING - {Item.CONTOURS}):
        (scheme,) = result.dataset.CodingSchemeIdentificationSequence
        assert scheme.CodingSchemeDesignator == "99RESTAGE"


def test_the_same_work_done_again_gives_the_same_bytes(make_findings: MakeFindings, identity: ResultIdentity) -> None:
    first, again = (build_results(make_findings(), identity, EVERYTHING - {Item.CONTOURS}) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert encode(one.dataset) == encode(other.dataset), one.kind


def withdrawal_of(results: Sequence[Result], identity: ResultIdentity) -> Withdrawal:
    return Withdrawal(tuple(result.dataset for result in results), "taken apart by a person", identity)


@pytest.mark.parametrize("in_baseline_study", [True, False])
def test_a_withdrawal_rejects_every_object_in_its_study_and_says_so_on_a_page(
    make_findings: MakeFindings, identity: ResultIdentity, in_baseline_study: bool
) -> None:
    rendered = replace(identity, rendering=Rendering(in_baseline_study=in_baseline_study))
    sent = build_results(make_findings(), rendered)
    withdrawn = build_withdrawal(withdrawal_of(sent, rendered))
    notes = [Kind.REJECTION_BASELINE, Kind.REJECTION_RESTAGING] if in_baseline_study else [Kind.REJECTION_RESTAGING]
    assert sorted(result.kind for result in withdrawn) == [*notes, Kind.WITHDRAWN]
    summary = next(result.dataset for result in sent if result.kind is Kind.SUMMARY)
    page = next(result.dataset for result in withdrawn if result.kind is Kind.WITHDRAWN)
    assert page.SeriesInstanceUID == summary.SeriesInstanceUID != page.SOPInstanceUID


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
