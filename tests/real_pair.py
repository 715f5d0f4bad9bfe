"""The two real pelvic studies of the public ProstateX collection, copied as one patient's baseline and restaging.

They are prostate examinations of two people: good for testing everything but the truth of a score.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import UID

IMAGES = Path("prostatex_0000_0001/files/tests/input/dcm/ProstateX")
PATIENT_ID = "REAL-PAIR-1"
PATIENT_NAME = "Real^Pair"


@dataclass(frozen=True)
class RealExam:
    """One re-dated study on disk. ``t2``: the headers of its axial T2, sorted along the normal; ``mask`` on that grid.

    ``seg`` is the reader's SEG, outside ``folder``, so that a test may send it or not.
    """

    folder: Path
    study_uid: str
    t2: tuple[Dataset, ...]
    mask: NDArray[np.bool_]
    seg: Path


@dataclass(frozen=True)
class RealPair:
    baseline: RealExam
    restaging: RealExam

    @property
    def exams(self) -> tuple[RealExam, RealExam]:
        return self.baseline, self.restaging


def write_real_pair(shared_data: Path, out: Path) -> RealPair:
    """Copy both studies, re-dated, under one identity, and draw a reader's mask on each axial T2."""
    source = shared_data / IMAGES
    return RealPair(
        baseline=_write_exam(source / "ProstateX-0000", out / "baseline", "20250110", "t2tsetra-00702"),
        restaging=_write_exam(source / "ProstateX-0001", out / "restaging", "20250418", "t2tsetra-17541"),
    )


def _write_exam(source: Path, out: Path, date: str, t2_folder: str) -> RealExam:
    out.mkdir(parents=True)
    t2 = []
    for path in sorted(source.rglob("*")):
        if not path.is_file():
            continue
        dataset = _redated(dcmread(path), date)
        dataset.save_as(out / f"{dataset.SOPInstanceUID[-32:]}.dcm", enforce_file_format=True)
        if t2_folder in path.parent.name:
            t2.append(dataset)
    t2.sort(key=position_along_normal)
    mask = ellipsoid(t2)
    seg = out.with_suffix(".seg.dcm")
    reader_seg(t2, mask).save_as(seg)
    return RealExam(out, str(t2[0].StudyInstanceUID), tuple(t2), mask, seg)


def _redated(dataset: Dataset, date: str) -> Dataset:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        if keyword in dataset:
            setattr(dataset, keyword, _new_uid(dataset[keyword].value))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        if keyword in dataset:
            setattr(dataset, keyword, date)
    dataset.PatientID, dataset.PatientName = PATIENT_ID, PATIENT_NAME
    dataset.PatientBirthDate, dataset.PatientSex = "19600102", "M"
    return dataset


def _new_uid(uid: str) -> UID:
    return UID(f"2.25.{int.from_bytes(hashlib.sha256(uid.encode()).digest()[:15], 'big')}")


def position_along_normal(dataset: Dataset) -> float:
    row, column = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    return float(np.dot(np.cross(row, column), np.array(dataset.ImagePositionPatient, float)))


def ellipsoid(t2: list[Dataset]) -> NDArray[np.bool_]:
    """A solid shape in the middle of the field of view: (slices, rows, columns)."""
    shape = (len(t2), int(t2[0].Rows), int(t2[0].Columns))
    slices, rows, columns = np.ogrid[: shape[0], : shape[1], : shape[2]]
    middle = [size / 2 for size in shape]
    inside = (
        ((slices - middle[0]) / 4.3) ** 2 + ((rows - middle[1]) / 22.0) ** 2 + ((columns - middle[2] + 6) / 30.0) ** 2
    )
    return np.asarray(inside <= 1)


def reader_seg(t2: list[Dataset], mask: NDArray[np.bool_], *, algorithm: str = "MANUAL") -> Dataset:
    """A SEG as a reader's workstation writes it: manual, neoplasm, in the rectum."""
    segment = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="rectal tumour",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.NeoplasmPrimary,
        algorithm_type=algorithm,
        anatomic_regions=[codes.SCT.Rectum],
    )
    return hd.seg.Segmentation(
        source_images=list(t2),
        pixel_array=mask.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        series_instance_uid=_new_uid(t2[0].SeriesInstanceUID + "seg"),
        series_number=77,
        sop_instance_uid=_new_uid(t2[0].SOPInstanceUID + "seg"),
        instance_number=1,
        manufacturer="A workstation",
        manufacturer_model_name="Drawing board",
        software_versions="1",
        device_serial_number="1",
        content_creator_name="Reader^Careful",
    )
