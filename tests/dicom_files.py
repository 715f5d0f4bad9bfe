"""Small DICOM exams made for a test: classic MR series of a few slices, with settable identity, dates and UIDs.

Deterministic: the same study gives the same UIDs and the same bytes, so that a test can send it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SegmentationStorage,
)

ROOT = "1.2.826.0.1.3680043.8.498.77"  # below pydicom's own root, for test objects
SIDE = 32  # rows and columns


@dataclass(frozen=True)
class Study:
    """Whose exam it is, and when. ``number`` makes its UIDs."""

    number: int
    date: str = "20240110"
    patient_id: str = "P1"
    issuer: str = "HOSPITAL"
    name: str = "DOE^JANE"
    birth_date: str = "19600102"
    sex: str = "F"
    description: str = "MR Becken"

    @property
    def uid(self) -> str:
        return f"{ROOT}.{self.number}"

    def series_uid(self, series: int) -> str:
        return f"{self.uid}.{series}"


BASELINE = Study(1, "20240110")
RESTAGING = Study(2, "20240410")
TUMOUR, LUMEN = ("372087000", "Neoplasm, Primary"), ("91747007", "Lumen")
T2_SERIES, DWI_SERIES, LOCALIZER_SERIES, REPORT_SERIES, MASK_SERIES = 1, 2, 3, 4, 5


def t2_axial(study: Study, slices: int = 5, **changes: Any) -> list[Dataset]:
    """An axial T2 TSE: TE 100 ms, TR 4000 ms, slices 3 mm apart."""
    values = {
        "SeriesDescription": "t2_tse_tra",
        "ScanningSequence": "SE",
        "SequenceVariant": "SK",
        "EchoTime": 100,
        "RepetitionTime": 4000,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        **changes,
    }
    return [_slice(study, T2_SERIES, i + 1, i, values) for i in range(slices)]


def dwi(study: Study, b_values: Sequence[int] = (50, 800), slices: int = 5, **changes: Any) -> list[Dataset]:
    """An axial trace DWI with Diffusion b-value (0018,9087) in each image."""
    values = {
        "SeriesDescription": "ep2d_diff_tra",
        "ScanningSequence": "EP",
        "EchoTime": 60,
        "RepetitionTime": 5000,
        "ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "TRACEW"],
        **changes,
    }
    return [
        _slice(study, DWI_SERIES, group * slices + i + 1, i, {**values, "DiffusionBValue": float(b)})
        for group, b in enumerate(b_values)
        for i in range(slices)
    ]


def localizer(study: Study) -> list[Dataset]:
    values = {"SeriesDescription": "localizer", "ImageType": ["ORIGINAL", "PRIMARY", "M", "LOCALIZER"]}
    return [_slice(study, LOCALIZER_SERIES, 1, 0, values)]


def exam(study: Study) -> list[Dataset]:
    """What one exam of most tests holds: T2, DWI and a localizer."""
    return [*t2_axial(study), *dwi(study), *localizer(study)]


def report(study: Study) -> Dataset:
    """A Basic Text SR of somebody else."""
    dataset = _object(study, REPORT_SERIES, 1, BasicTextSRStorage, "SR")
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.ValueType = "CONTAINER"
    dataset.ContinuityOfContent = "SEPARATE"
    dataset.ContentSequence = DicomSequence([])
    return dataset


def mask(
    study: Study, manufacturer: str = "ACME", algorithm: str = "MANUAL", kind: tuple[str, str] = TUMOUR
) -> Dataset:
    """A segmentation object with one segment in the rectum, by its headers; nothing reads its frames here."""
    dataset = _object(study, MASK_SERIES, 1, SegmentationStorage, "SEG")
    dataset.Manufacturer = manufacturer
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel, segment.SegmentAlgorithmType = 1, kind[1], algorithm
    segment.SegmentedPropertyTypeCodeSequence = [_coded(*kind)]
    segment.AnatomicRegionSequence = [_coded("34402009", "Rectum")]
    dataset.SegmentSequence = [segment]
    dataset.Rows = dataset.Columns = SIDE
    dataset.BitsAllocated = dataset.BitsStored = dataset.SamplesPerPixel = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.NumberOfFrames = 1
    dataset.PixelData = b"\x01" * (SIDE * SIDE // 8)
    return dataset


def _coded(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code


def computed_tomogram(study: Study) -> Dataset:
    dataset = _slice(study, 9, 1, 0, {"SeriesDescription": "abdomen"})
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.Modality = "CT"
    return dataset


def encoded(dataset: Dataset) -> bytes:
    """The Part 10 bytes of a dataset, in the transfer syntax its file meta names."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def data_set(dataset: Dataset) -> bytes:
    """The encoded data set without preamble and file meta information: what travels in a C-STORE."""
    content = encoded(dataset)
    read = dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=[])
    return content[128 + 4 + 12 + read.file_meta.FileMetaInformationGroupLength :]


def in_syntax(dataset: Dataset, syntax: str) -> Dataset:
    """The same image in another uncompressed transfer syntax, as a file in that syntax reads."""
    copy = deepcopy(dataset)
    copy.file_meta.TransferSyntaxUID = UID(syntax)
    if not UID(syntax).is_little_endian:
        copy.PixelData = np.frombuffer(dataset.PixelData, np.uint16).byteswap().tobytes()
    return dcmread(BytesIO(encoded(copy)))


def write(datasets: Iterable[Dataset], folder: Path) -> list[Path]:
    """One file per dataset, named by its place in the list."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets):
        paths.append(folder / f"{number:03d}.dcm")
        paths[-1].write_bytes(encoded(dataset))
    return paths


def of_other_patient(study: Study) -> Study:
    return replace(study, patient_id="P2", name="ROE^RICHARD", birth_date="19500505", sex="M")


def _slice(study: Study, series: int, instance: int, position: int, values: dict[str, Any]) -> Dataset:
    dataset = _object(study, series, instance, MRImageStorage, "MR")
    dataset.FrameOfReferenceUID = f"{study.uid}.99"
    dataset.ImagePositionPatient = [-50.0, -40.0, 3.0 * position]
    dataset.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    dataset.PixelSpacing = [0.8, 0.8]
    dataset.SliceThickness = 3.0
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 16
    dataset.BitsStored = 12
    dataset.HighBit = 11
    dataset.PixelRepresentation = 0
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    random = np.random.default_rng([study.number, series, instance])
    dataset.PixelData = random.integers(0, 2**12, (SIDE, SIDE), dtype=np.uint16).tobytes()
    return dataset


def _object(study: Study, series: int, instance: int, sop_class: str, modality: str) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = f"{study.series_uid(series)}.{instance}"
    dataset.SeriesInstanceUID = study.series_uid(series)
    dataset.StudyInstanceUID = study.uid
    dataset.PatientID = study.patient_id
    if study.issuer:
        dataset.IssuerOfPatientID = study.issuer
    dataset.PatientName = study.name
    dataset.PatientBirthDate = study.birth_date
    dataset.PatientSex = study.sex
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = study.date
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "101500"
    dataset.StudyDescription = study.description
    dataset.StudyID = str(study.number)
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.Modality = modality
    dataset.Manufacturer = "ACME"
    dataset.SeriesNumber = series
    dataset.InstanceNumber = instance
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    dataset.file_meta = meta
    return dataset
