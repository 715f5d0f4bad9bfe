"""The reader in the loop: what a person draws or reports of a scored exam replaces, re-scores, and is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from pipelines.contract import Variable
from tests.pipelines.made_annotations import segmentation, structure_set
from tests.pipelines.made_reports import (
    CRM_DISTANCE,
    CT_CATEGORY,
    EMVI,
    PRESENT,
    answer,
    group,
    number,
    ours,
    report,
    saved,
)
from tests.pipelines.made_series import Maker
from tests.story.conftest import Story, all_sent, files

pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

LUMEN = Code("91747007", "SCT", "Lumen of blood vessel")


@dataclass(frozen=True)
class Desk:
    """A reader's workstation, with the axial T2 of the restaging exam on it, from foot to head."""

    maker: Maker
    t2: list[Dataset]

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.t2), self.t2[0].Rows, self.t2[0].Columns

    def drawn(self) -> np.ndarray:
        """A tumour as a reader might draw one, beside the middle of the image."""
        mask = np.zeros(self.shape, dtype=bool)
        slices, rows, columns = (size // 2 for size in self.shape)
        mask[slices - 2 : slices + 2, rows - 6 : rows + 5, columns - 4 : columns + 8] = True
        mask[slices - 2, rows - 6] = False
        return mask

    def outline(self, index: int, rows: tuple[float, float], columns: tuple[float, float]) -> np.ndarray:
        """A rectangle on one slice, its corners between pixels, (4, 3) LPS mm."""
        image = self.t2[index]
        along, down = (np.array(image.ImageOrientationPatient[start : start + 3], float) for start in (0, 3))
        spacing = [float(value) for value in image.PixelSpacing]
        corners = [(rows[0], columns[0]), (rows[0], columns[1]), (rows[1], columns[1]), (rows[1], columns[0])]
        origin = np.array(image.ImagePositionPatient, float)
        return np.array([origin + down * spacing[0] * r + along * spacing[1] * c for r, c in corners])

    @property
    def identity(self) -> dict[str, Any]:
        keywords = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")
        return {keyword: self.t2[0][keyword].value for keyword in keywords} | {
            "FrameOfReferenceUID": self.t2[0].FrameOfReferenceUID
        }


@pytest.fixture
def desk(story: Story, tmp_path: Path) -> Desk:
    images = [dcmread(path) for path in files(story.patient(20) / "restaging")]
    t2 = [image for image in images if "t2_tse_tra" in image.SeriesDescription]
    maker = Maker(tmp_path)
    maker.study_uid, maker.frame_of_reference_uid = t2[0].StudyInstanceUID, t2[0].FrameOfReferenceUID
    return Desk(maker, sorted(t2, key=lambda image: float(image.ImagePositionPatient[2])))


def test_what_a_reader_draws_and_reports_replaces_re_scores_and_is_said(story: Story, desk: Desk) -> None:
    patient = story.patient(20)
    for exam in ("baseline", "restaging"):
        story.send(files(patient / exam))
    first = story.when(patient.name, all_sent(1))
    assert findings(story, first, 1)["exams"][1]["mask"]["origin"] == "model"

    # Another program's tumour, a person's other organ, and our own results: stored or known, and nothing follows.
    mask = desk.drawn()
    automatic = segmentation(desk.maker, desk.t2, mask, {"algorithm": "AUTOMATIC"})
    organ = segmentation(desk.maker, desk.t2, mask, {"kind": LUMEN, "label": "Vessel"})
    own = [story.archive.folder / f"{result.SOPInstanceUID}.dcm" for result in story.results_of(patient.name)]
    story.send([automatic, organ, *own])
    unmoved = story.when(patient.name, replanned(2))
    assert [job["version"] for job in unmoved["pairs"][0]["jobs"]] == [1]

    seg = segmentation(desk.maker, desk.t2, mask)
    sent = seg.read_bytes()
    story.send([seg])
    second = story.when(patient.name, all_sent(2))
    assert_replaced(story, desk, second, mask)
    assert_kept_as_it_was(story, seg, sent)

    # Contours newer than the segmentation, and a report: both at once are one new version.
    rows, columns = desk.shape[1] // 2, desk.shape[2] // 2
    middle = desk.shape[0] // 2
    contours = [desk.outline(i, (rows - 5.5, rows + 4.5), (columns - 3.5, columns + 7.5)) for i in (middle - 1, middle)]
    rtstruct = structure_set(desk.maker, {"GTV": contours}, StructureSetDate="20991231", **desk.identity)
    story.send([rtstruct, saved(a_report(desk), desk.maker.folder)])
    third = story.when(patient.name, all_sent(3))
    found = findings(story, third, 3)["exams"][1]
    assert found["mask"]["reader"] == "Reader^Bob"
    assert found["mask"]["voxels"] == 2 * 10 * 11
    assert {one["variable"]: one["millimetres"] or one["category"] for one in found["clinical"]} == {
        "wall_thickness": 9.0,
        "crm_distance": 2.5,
        "emvi": "positive",
        "t_stage": "T3b",
    }
    assert all(one["origin"].startswith("Reader^Anna in 'Rectal MRI'") for one in found["clinical"])
    assert [job["version"] for job in third["pairs"][0]["jobs"]] == [1, 2, 3]


def assert_replaced(story: Story, desk: Desk, patient: dict[str, Any], mask: np.ndarray) -> None:
    """Version 2: the reader's mask voxel for voxel, named as such, in a report that replaces the first."""
    result = sent_object(story, patient, 2, "seg_restaging")
    frames = frames_by_source(result)
    drawn = np.stack([frames.get(image.SOPInstanceUID, np.zeros(desk.shape[1:], bool)) for image in desk.t2])
    np.testing.assert_array_equal(drawn, mask)
    assert result.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"

    first, second = (sent_object(story, patient, version, "report") for version in (1, 2))
    named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert first.SOPInstanceUID in [item.ReferencedSOPInstanceUID for item in named]
    (used,) = [one for one in findings(story, patient, 2)["warnings"] if one["code"] == "READER_MASK_USED"]
    assert used["subject"] == "restaging tumour mask"
    assert "Reader^Anna" in used["reason"]
    assert any(used["reason"] in text for text in texts(second))


def assert_kept_as_it_was(story: Story, seg: Path, sent: bytes) -> None:
    """The reader's object: the same content in the store, and never sent anywhere under its UID."""
    uid = dcmread(seg).SOPInstanceUID
    assert uid not in {received.SOPInstanceUID for received in story.archive.received}
    name = hashlib.sha256(uid.encode()).hexdigest()[:32]
    (stored,) = (story.node.folder / "data" / "objects").glob(f"*/{name}-*.dcm")
    kept, original = dcmread(stored), dcmread(seg)
    assert kept == original
    assert seg.read_bytes() == sent


def a_report(desk: Desk) -> Dataset:
    wall = ours(Variable.WALL_THICKNESS)
    said = group(number(wall, 9), number(CRM_DISTANCE, 2.5), answer(EMVI, PRESENT), answer(CT_CATEGORY, "mrT3b"))
    return report(desk.t2, said)


def replanned(generation: int) -> Callable[[dict[str, Any]], bool]:
    """Whether an exam was planned again after something had arrived late in it."""
    return lambda patient: any(
        exam["generation"] == generation and exam["state"] == "PLANNED" for exam in patient["exams"]
    )


def findings(story: Story, patient: dict[str, Any], version: int) -> dict[str, Any]:
    pair = patient["pairs"][0]["id"]
    (path,) = (story.node.folder / "data" / "results").glob(f"pair{pair:06d}-v{version:03d}-*/findings.json")
    return dict(json.loads(path.read_text()))


def sent_object(story: Story, patient: dict[str, Any], version: int, kind: str) -> Dataset:
    deliveries = patient["pairs"][0]["deliveries"]
    uid = next(one["sop_uid"] for one in deliveries if one["version"] == version and one["kind"] == kind)
    return next(result for result in story.archive.received if result.SOPInstanceUID == uid)


def frames_by_source(seg: Dataset) -> dict[str, np.ndarray]:
    """The frames of the first segment by the image that each was drawn on."""
    assert seg.SOPClassUID == SegmentationStorage
    found = {}
    (shared,) = seg.SharedFunctionalGroupsSequence
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        (segment,) = groups.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        if segment.ReferencedSegmentNumber == 1:
            source = groups.DerivationImageSequence[0].SourceImageSequence[0]
            found[source.ReferencedSOPInstanceUID] = frame.astype(bool)
    return found


def texts(parent: Dataset) -> list[str]:
    found = []
    for item in parent.get("ContentSequence") or ():
        found += [str(item.get("TextValue", "")), *texts(item)]
    return found
