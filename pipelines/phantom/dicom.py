"""Writes a simulated exam as classic MR Image Storage (PS3.3 A.4, C.8.3), Explicit VR Little Endian.

UIDs are 2.25.<UUID version 5 of (seed, patient, exam, series, instance)>: the same cohort always has the same UIDs.
b-values stand in (0018,9087); site A writes Siemens' private (0019,100C) as well.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from pipelines.contract import TimePoint
from pipelines.phantom.exam import SimulatedExam, Stack
from pipelines.phantom.patient import VirtualPatient
from pipelines.phantom.signal import CE_FLIP, CE_TE, CE_TR

NAMESPACE = uuid.UUID("6f1c8f0e-52a5-5d0b-9c34-6f2d3c1f7a10")
MANUFACTURER = "Restage phantom"
STUDY_WORDS = {
    TimePoint.BASELINE: "MR rectum primary staging",
    TimePoint.RESTAGING: "MR rectum restaging after NAT",
}


@dataclass(frozen=True)
class SeriesHeader:
    """What the headers of one series say. Times in ms, flip angle in degrees."""

    number: int
    description: str
    protocol: str
    scanning_sequence: str
    sequence_variant: str
    scan_options: str
    image_type: tuple[str, ...]
    tr: float
    te: float
    flip: float
    minute: int
    echo_train: int = 1
    contrast: bool = False


def uid(*key: object) -> UID:
    """A UID that depends on ``key`` alone (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(map(str, key))).int}")


def series_of(
    patient: VirtualPatient, exam: SimulatedExam, b_values: tuple[float, ...]
) -> list[tuple[SeriesHeader, tuple[Stack, ...]]]:
    """The series of one exam with their headers, in acquisition order."""
    site = patient.site
    tse = ("SE", "SK\\SP\\OSP", "", ("ORIGINAL", "PRIMARY", "M", "ND"))
    b_words = "_".join(f"{b:g}" for b in b_values)
    out = [
        (
            SeriesHeader(2, "t2_tse_sag", "t2_tse_sag", *tse, site.t2_tr, site.t2_te, 150, 4, 17),
            (exam.sagittal,),
        ),
        (
            SeriesHeader(3, "t2_tse_tra_obl", "t2_tse_tra_obl", *tse, site.t2_tr, site.t2_te, 150, 9, 17),
            (exam.t2,),
        ),
        (
            SeriesHeader(
                4,
                f"ep2d_diff_b{b_words}",
                "ep2d_diff",
                "EP",
                "SK\\SP",
                "FS",
                ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND"),
                site.dwi_tr,
                site.dwi_te,
                90,
                15,
            ),
            exam.dwi,
        ),
    ]
    if exam.ce_t1 is not None:
        image_type = ("ORIGINAL", "PRIMARY", "M", "ND")
        header = SeriesHeader(
            5, "t1_fs_tra_ce", "t1_vibe_fs_tra", "GR", "SP", "FS", image_type, CE_TR, CE_TE, CE_FLIP, 24, contrast=True
        )
        out.append((header, (exam.ce_t1,)))
    return out


def _study(patient: VirtualPatient, time_point: TimePoint) -> Dataset:
    """The attributes that every file of the exam shares."""
    day = patient.dates[time_point is TimePoint.RESTAGING]
    key = (patient.seed, patient.index, time_point)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = MRImageStorage
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"{day:%Y%m%d}"
    ds.StudyTime = "090000"
    ds.AccessionNumber = f"PH{patient.seed % 10000:04d}{patient.index:05d}{1 + (time_point is TimePoint.RESTAGING)}"
    ds.Modality = "MR"
    ds.Manufacturer = MANUFACTURER
    ds.InstitutionName = patient.site.institution
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = STUDY_WORDS[time_point]
    ds.ManufacturerModelName = patient.site.model
    ds.PatientName = patient.name
    ds.PatientID = patient.patient_id
    ds.PatientBirthDate = f"{patient.birth_date:%Y%m%d}"
    ds.PatientSex = patient.sex
    ds.PatientAge = f"{_years(patient.birth_date, day):03d}Y"
    ds.PatientComments = "Synthetic: no real person"
    ds.BodyPartExamined = "PELVIS"
    ds.MagneticFieldStrength = f"{patient.site.field_t:g}"
    ds.DeviceSerialNumber = f"PHANTOM-{patient.site.name}"
    ds.SoftwareVersions = "restage phantom"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = uid(*key, "study")
    ds.StudyID = "1"
    ds.FrameOfReferenceUID = uid(*key, "frame")
    ds.PositionReferenceIndicator = ""
    ds.ImageComments = "SYNTHETIC PHANTOM IMAGE - NOT A PATIENT"
    return ds


def _years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _series(ds: Dataset, patient: VirtualPatient, header: SeriesHeader, stack: Stack) -> None:
    """The attributes that every file of the series shares, added to those of the study."""
    site = patient.site
    step = np.linalg.norm(stack.affine[:3, :3], axis=0)
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = f"09{header.minute:02d}00"
    ds.SeriesDescription = header.description
    ds.ProtocolName = header.protocol
    ds.ScanningSequence = header.scanning_sequence
    ds.SequenceVariant = header.sequence_variant.split("\\")
    ds.ScanOptions = header.scan_options
    ds.MRAcquisitionType = "3D" if header.contrast else "2D"
    ds.SliceThickness = f"{min(site.slice_thickness, float(step[0])):g}"
    ds.SpacingBetweenSlices = f"{step[0]:.4g}"
    ds.RepetitionTime = f"{header.tr:g}"
    ds.EchoTime = f"{header.te:g}"
    ds.FlipAngle = f"{header.flip:g}"
    ds.EchoTrainLength = str(header.echo_train)
    ds.NumberOfAverages = "1"
    ds.ImagingFrequency = f"{42.577 * site.field_t:.4f}"
    ds.ImagedNucleus = "1H"
    ds.InPlanePhaseEncodingDirection = "COL"
    if header.contrast:
        ds.ContrastBolusAgent = "Synthetic gadolinium chelate"
        ds.ContrastBolusRoute = "IV"
    ds.SeriesNumber = str(header.number)
    ds.ImageType = list(header.image_type)
    rows, columns = stack.counts.shape[1:]
    ds.Rows, ds.Columns = rows, columns
    ds.PixelSpacing = [f"{step[1]:.6g}", f"{step[2]:.6g}"]
    ds.ImageOrientationPatient = [f"{v:.10f}" for axis in (2, 1) for v in stack.affine[:3, axis] / step[axis]]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0


def _diffusion(ds: Dataset, b_value: float, private: bool) -> None:
    ds.DiffusionBValue = float(b_value)
    ds.SequenceName = f"*ep_b{b_value:g}t"
    if private:
        block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", f"{b_value:g}")


def _instances(ds: Dataset, key: tuple[object, ...], stacks: tuple[Stack, ...], private: bool) -> Iterator[Dataset]:
    """One dataset per image, slices ascending along the normal within each stack; ``ds`` is reused."""
    number = 0
    for acquisition, stack in enumerate(stacks, start=1):
        top = float(np.percentile(stack.counts, 99.5))
        ds.AcquisitionNumber = str(acquisition)
        ds.WindowCenter, ds.WindowWidth = f"{top / 2:.0f}", f"{max(top, 1):.0f}"
        if stack.b_value is not None:
            _diffusion(ds, stack.b_value, private)
        normal = stack.affine[:3, 0] / np.linalg.norm(stack.affine[:3, 0])
        for i, pixels in enumerate(stack.counts):
            number += 1
            position = stack.affine[:3, 3] + i * stack.affine[:3, 0]
            ds.InstanceNumber = str(number)
            ds.SOPInstanceUID = uid(*key, number)
            ds.ImagePositionPatient = [f"{v:.6f}" for v in position]
            ds.SliceLocation = f"{float(normal @ position):.4f}"
            ds.PixelData = pixels.astype("<u2").tobytes()
            yield ds


def write_exam(folder: Path, patient: VirtualPatient, time_point: TimePoint, exam: SimulatedExam) -> int:
    """Writes all series of one exam into ``folder``; returns the number of files. Earlier files there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.dcm"):
        stale.unlink()
    count = 0
    b_values = tuple(s.b_value for s in exam.dwi if s.b_value is not None)
    for header, stacks in series_of(patient, exam, b_values):
        key = (patient.seed, patient.index, time_point, header.number)
        ds = _study(patient, time_point)
        _series(ds, patient, header, stacks[0])
        ds.SeriesInstanceUID = uid(*key)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        for image in _instances(ds, key, stacks, patient.site.b_value_also_in_siemens_tag):
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            path = folder / f"{header.number:02d}_{int(image.InstanceNumber):04d}.dcm"
            dcmwrite(path, image, enforce_file_format=True)
            count += 1
    return count
