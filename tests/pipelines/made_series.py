"""Small DICOM series made for a test: classic MR slices with any geometry, annotations drawn on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from pipelines.headers.files import SeriesHeaders

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
T2 = {
    "SeriesDescription": "t2_tse_tra",
    "ScanningSequence": "SE",
    "SequenceVariant": "SK",
    "EchoTime": 100,
    "RepetitionTime": 4000,
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
}
DWI = {
    "SeriesDescription": "ep2d_diff_tra",
    "ScanningSequence": "EP",
    "EchoTime": 60,
    "RepetitionTime": 5000,
    "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"],
}
T1 = {
    "SeriesDescription": "t1_tse_tra",
    "ScanningSequence": "SE",
    "EchoTime": 10,
    "RepetitionTime": 600,
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
}


@dataclass(frozen=True)
class Grid:
    """Where the slices of a made series lie: ``spacing`` (slice, row, column) mm, ``origin`` LPS mm."""

    spacing: tuple[float, float, float] = (3.0, 0.8, 0.6)
    orientation: tuple[float, ...] = AXIAL
    origin: tuple[float, float, float] = (-50.0, -40.0, -20.0)

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def affine(self) -> np.ndarray:
        affine = np.eye(4)
        affine[:3, 0] = self.normal * self.spacing[0]
        affine[:3, 1] = np.array(self.orientation[3:]) * self.spacing[1]
        affine[:3, 2] = np.array(self.orientation[:3]) * self.spacing[2]
        affine[:3, 3] = self.origin
        return affine


class Maker:
    """Makes series of one patient, study and frame of reference."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study_uid = generate_uid()
        self.frame_of_reference_uid = generate_uid()
        self.made = 0

    def slices(self, array: np.ndarray, grid: Grid, contrast: dict[str, Any], **more: Any) -> list[Dataset]:
        """One dataset per slice of ``array`` (slices, rows, columns), uint16."""
        self.made += 1
        series_uid = more.pop("SeriesInstanceUID", generate_uid())
        return [
            self._slice(array[index], grid, index, {**contrast, **more, "SeriesInstanceUID": series_uid})
            for index in range(len(array))
        ]

    def write(self, datasets: Sequence[Dataset], name: str = "") -> tuple[Path, ...]:
        folder = self.folder / (name or f"series{self.made}")
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for dataset in datasets:
            path = folder / f"{dataset.SOPInstanceUID}.dcm"
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = dataset.SOPClassUID
            meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.file_meta = meta
            dataset.save_as(path, enforce_file_format=True)
            paths.append(path)
        return tuple(paths)

    @staticmethod
    def headers(datasets: Sequence[Dataset]) -> SeriesHeaders:
        first = datasets[0]
        return SeriesHeaders(
            str(first.SeriesInstanceUID), str(first.StudyInstanceUID), tuple(datasets), tuple(Path() for _ in datasets)
        )

    def common(self, sop_class: UID, modality: str) -> Dataset:
        """Patient, study and identity of any object."""
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = sop_class, generate_uid(), modality
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self.study_uid, generate_uid()
        dataset.FrameOfReferenceUID = self.frame_of_reference_uid
        dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = "P1", "Doe^Jane", "19600101"
        dataset.PatientSex, dataset.StudyDate, dataset.StudyTime = "F", "20240102", "100000"
        dataset.Manufacturer, dataset.SeriesNumber = "SIEMENS", self.made
        return dataset

    def _slice(self, pixels: np.ndarray, grid: Grid, index: int, attributes: dict[str, Any]) -> Dataset:
        dataset = self.common(MRImageStorage, "MR")
        dataset.InstanceNumber = index + 1
        dataset.ImageOrientationPatient = [float(f"{value:.9g}") for value in grid.orientation]
        position = np.array(grid.origin) + grid.normal * grid.spacing[0] * index
        dataset.ImagePositionPatient = [float(f"{value:.9g}") for value in position]
        dataset.PixelSpacing = [float(f"{value:.9g}") for value in grid.spacing[1:]]
        dataset.SliceThickness = float(f"{grid.spacing[0]:.9g}")
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        dataset.PixelData = pixels.astype("<u2").tobytes()
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        return dataset
