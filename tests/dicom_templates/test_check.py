"""The check must find what is wrong: each test breaks one thing and names what the message must say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_templates.check import check
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import SEG_KINDS, Kind, Result
from pipelines.contract import Case, Findings

MakeFindings = Callable[..., Findings]
Objects = dict[Kind, Dataset]
ObjectsOf = Callable[[str], Objects]
Refuses = Callable[..., None]


def items(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from items(child)


@pytest.fixture
def good(objects_of: ObjectsOf, make_findings: MakeFindings) -> tuple[Objects, Findings]:
    return objects_of("good response"), make_findings("good response")


@pytest.fixture
def refuses(identity: ResultIdentity) -> Callable[..., None]:
    def refuses(objects: Objects, findings: Findings, message: str, again: Result | None = None) -> None:
        results = [Result(kind, dataset) for kind, dataset in objects.items()]
        with pytest.raises(ResultUnfit, match=message):
            check([*results, *([again] if again is not None else [])], findings, identity)

    return refuses


def test_what_was_built_passes(good: tuple[Objects, Findings], identity: ResultIdentity) -> None:
    objects, findings = good
    check([Result(kind, dataset) for kind, dataset in objects.items()], findings, identity)


def test_an_empty_mask_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    seg = objects[Kind.SEG_BASELINE]
    seg.PixelData = bytes(len(seg.PixelData))
    refuses(objects, findings, "SEG: the mask is empty")


def test_one_wrong_voxel_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    seg = objects[Kind.SEG_RESTAGING]
    bits = bytearray(seg.PixelData)
    bits[0] ^= 1
    seg.PixelData = bytes(bits)
    refuses(objects, findings, "SEG: 1 voxels differ from the restaging mask")


def test_a_mask_upside_down_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    frames = list(objects[Kind.SEG_BASELINE].PerFrameFunctionalGroupsSequence)
    objects[Kind.SEG_BASELINE].PerFrameFunctionalGroupsSequence = frames[1:] + frames[:1]
    refuses(objects, findings, "voxels differ")


def test_a_frame_whose_place_and_source_disagree_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    first, second, *_ = objects[Kind.SEG_BASELINE].PerFrameFunctionalGroupsSequence
    first.PlanePositionSequence, second.PlanePositionSequence = (
        second.PlanePositionSequence,
        first.PlanePositionSequence,
    )
    refuses(objects, findings, "the frame of slice")


def test_another_mask_than_the_findings_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    exam = findings.case.restaging
    assert exam is not None and exam.mask is not None
    moved = replace(exam, mask=replace(exam.mask, array=np.roll(exam.mask.array, 1, axis=2)))
    refuses(objects, replace(findings, case=Case(findings.case.baseline, moved)), "differ from the restaging mask")


@pytest.mark.parametrize(
    ("kind", "keyword"),
    [
        *((kind, "PatientID") for kind in (*SEG_KINDS.values(), Kind.REPORT, Kind.SUMMARY)),
        *((Kind.REPORT, keyword) for keyword in ("PatientName", "StudyDate", "IssuerOfPatientID")),
    ],
)
def test_another_patient_is_found_in_every_object(
    good: tuple[Objects, Findings], kind: str, keyword: str, refuses: Refuses
) -> None:
    objects, findings = good
    setattr(objects[kind], keyword, "20200101")
    refuses(objects, findings, f"{objects[kind].Modality}: {keyword}")


def test_a_wrong_number_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    numbers = [item for item in items(objects[Kind.REPORT]) if item.ValueType == "NUM"]
    numbers[-1].MeasuredValueSequence[0].NumericValue = "28.9"
    refuses(objects, findings, r"SR: .*28\.9, the findings say 83")


def test_a_missing_or_an_extra_number_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    refuses(objects, replace(findings, measurements=findings.measurements[:-1]), "is in no finding")
    for container in items(objects[Kind.REPORT]):
        below = container.get("ContentSequence", [])
        kept = [item for item in below if item.ConceptNameCodeSequence[0].CodeValue != "L0JK"]
        if len(kept) < len(below):
            container.ContentSequence = kept
            break
    refuses(objects, findings, "is missing")


def test_a_wrong_meaning_of_a_code_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    objects[Kind.SEG_BASELINE].SegmentSequence[0].AnatomicRegionSequence[0].CodeMeaning = "Colon"
    refuses(objects, findings, "34402009, SCT, 'Colon'.*its meaning is")


def test_an_unknown_private_code_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    code = next(item for item in items(objects[Kind.REPORT]) if item.ValueType == "CODE").ConceptCodeSequence[0]
    code.CodeValue, code.CodingSchemeDesignator = "SECRET", "99RESTAGE"
    refuses(objects, findings, "nobody defines this code")


def test_a_reference_to_another_image_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    image = next(item for item in items(objects[Kind.REPORT]) if item.ValueType == "IMAGE")
    image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    refuses(objects, findings, "SR: cites 1.2.3.4")


def test_lost_baseline_evidence_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    del objects[Kind.REPORT].PertinentOtherEvidenceSequence
    refuses(objects, findings, "not in evidence")


def test_a_verified_report_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    objects[Kind.REPORT].VerificationFlag = "VERIFIED"
    refuses(objects, findings, "only a person may verify")


def test_a_swallowed_refusal_is_found(objects_of: ObjectsOf, make_findings: MakeFindings, refuses: Refuses) -> None:
    objects, findings = objects_of("refused"), make_findings("refused")
    for item in items(objects[Kind.REPORT]):
        if "no DWI" in str(item.get("TextValue", "")):
            item.TextValue = "All is well."
    refuses(objects, findings, "SR: it does not say 'Refused: signature_svm")


def test_a_missing_flag_in_the_description_is_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    objects[Kind.SUMMARY].SeriesDescription = "AI rectal MR summary page RESEARCH ONLY"
    refuses(objects, findings, "wrong about PHANTOM-TRAINED")
    objects[Kind.SUMMARY].SeriesDescription = "Rectal MR summary"
    refuses(objects, findings, "must begin with 'AI '")


def test_an_empty_page_and_a_silent_one_are_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    page = objects[Kind.SUMMARY]
    page.BurnedInAnnotation = "NO"
    refuses(objects, findings, "Burned In Annotation")
    page.BurnedInAnnotation, page.PixelData = "YES", bytes(len(page.PixelData))
    refuses(objects, findings, "the page is empty")


def test_objects_that_are_missing_or_too_many_are_found(good: tuple[Objects, Findings], refuses: Refuses) -> None:
    objects, findings = good
    for kind, message in (
        (Kind.SEG_BASELINE, "the seg_baseline is missing"),
        (Kind.REPORT, "the report is missing"),
        (Kind.SUMMARY, "the summary is missing"),
    ):
        refuses({key: value for key, value in objects.items() if key != kind}, findings, message)
    refuses(objects, findings, "used twice", again=Result(Kind.REPORT, objects[Kind.REPORT]))
