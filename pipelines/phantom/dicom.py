"""Writes a simulated exam as classic MR Image Storage (PS3.3 A.4, C.8.3), Explicit VR Little Endian.

UIDs are 2.25.<UUID version 5 of (seed, patient, exam, series, instance)>: the same cohort always has the same UIDs.
Names, image types, private attributes, units and the order of images follow the habits of the site's vendor
(``vendors``): at no site does a b-value stand in (0018,9087).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage

from pipelines.contract import TimePoint
from pipelines.phantom.exam import SimulatedExam, Stack
from pipelines.phantom.part10 import encode, encode_pixels, file_bytes
from pipelines.phantom.patient import VirtualPatient
from pipelines.phantom.signal import CE_FLIP, CE_TE, CE_TR
from pipelines.phantom.site import Site, Vendor
from pipelines.phantom.vendors.ge import GE
from pipelines.phantom.vendors.habits import Habits, Kind, SeriesHeader
from pipelines.phantom.vendors.philips import PHILIPS
from pipelines.phantom.vendors.siemens import SIEMENS

NAMESPACE = uuid.UUID("6f1c8f0e-52a5-5d0b-9c34-6f2d3c1f7a10")
HABITS = {Vendor.SIEMENS: SIEMENS, Vendor.GE: GE, Vendor.PHILIPS: PHILIPS}
STUDY_WORDS = {
    TimePoint.BASELINE: "MR rectum primary staging",
    TimePoint.RESTAGING: "MR rectum restaging after NAT",
}
# Minutes after nine at which a series begins; a map is computed when its images are there.
BEGINS = {Kind.T2_SAGITTAL: 4, Kind.T2_AXIAL: 9, Kind.DWI: 15, Kind.ADC: 15, Kind.T1: 21, Kind.CE_T1: 24}
SECONDS_PER_B_VALUE = 40
T2_FLIP, DWI_FLIP = 150.0, 90.0


def uid(*key: object) -> UID:
    """A UID that depends on ``key`` alone (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(map(str, key))).int}")


def study_key(patient: VirtualPatient, time_point: TimePoint) -> tuple[object, ...]:
    """What every UID of this exam begins with."""
    return patient.seed, patient.index, time_point


def stacks_of(exam: SimulatedExam) -> dict[Kind, tuple[Stack, ...]]:
    """The series that the exam has, in the order in which they were made."""
    single = {Kind.T2_SAGITTAL: exam.sagittal, Kind.T2_AXIAL: exam.t2, Kind.ADC: exam.scanner_adc}
    single |= {Kind.T1: exam.t1, Kind.CE_T1: exam.ce_t1}
    several: dict[Kind, tuple[Stack, ...]] = {kind: (stack,) for kind, stack in single.items() if stack is not None}
    if exam.dwi:
        several[Kind.DWI] = exam.dwi
    return {kind: several[kind] for kind in Kind if kind in several}


def _study(patient: VirtualPatient, time_point: TimePoint) -> Dataset:
    """The attributes that every file of the exam shares."""
    day = patient.dates[time_point is TimePoint.RESTAGING]
    key = study_key(patient, time_point)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = MRImageStorage
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"{day:%Y%m%d}"
    ds.StudyTime = "090000"
    ds.AccessionNumber = f"PH{patient.seed % 10000:04d}{patient.index:05d}{1 + (time_point is TimePoint.RESTAGING)}"
    ds.Modality = "MR"
    ds.Manufacturer = HABITS[patient.site.vendor].manufacturer
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


def _timing(kind: Kind, site: Site) -> tuple[float, float, float]:
    """TR, TE (ms) and flip angle (degrees)."""
    if kind in {Kind.T1, Kind.CE_T1}:
        return CE_TR, CE_TE, CE_FLIP
    if kind in {Kind.DWI, Kind.ADC}:
        return site.dwi_tr, site.dwi_te, DWI_FLIP
    return site.t2_tr, site.t2_te, T2_FLIP


def _protocol(ds: Dataset, site: Site, kind: Kind, header: SeriesHeader) -> None:
    tr, te, flip = _timing(kind, site)
    ds.SeriesDescription = header.description
    ds.ProtocolName = header.protocol
    ds.ScanningSequence = header.scanning_sequence.split("\\")
    ds.SequenceVariant = header.sequence_variant.split("\\")
    ds.ScanOptions = header.scan_options.split("\\")
    if header.sequence_name:
        ds.SequenceName = header.sequence_name
    ds.MRAcquisitionType = "3D" if kind in {Kind.T1, Kind.CE_T1} else "2D"
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle = f"{tr:g}", f"{te:g}", f"{flip:g}"
    ds.EchoTrainLength = str(header.echo_train)
    ds.NumberOfAverages = "1"
    ds.ImagingFrequency = f"{42.577 * site.field_t:.4f}"
    ds.ImagedNucleus = "1H"
    ds.InPlanePhaseEncodingDirection = site.phase_encoding if kind in {Kind.DWI, Kind.ADC} else "ROW"
    if kind is Kind.CE_T1:
        ds.ContrastBolusAgent = "Synthetic gadolinium chelate"
        ds.ContrastBolusRoute = "IV"
    ds.SeriesNumber = str(header.number)
    ds.ImageType = header.image_type.split("\\")


def _matrix(ds: Dataset, site: Site, stack: Stack) -> None:
    """Image Plane and Image Pixel, the same for every image of the series."""
    step = np.linalg.norm(stack.affine[:3, :3], axis=0)
    ds.SliceThickness = f"{min(site.slice_thickness, float(step[0])):g}"
    ds.SpacingBetweenSlices = f"{step[0]:.4g}"
    ds.Rows, ds.Columns = stack.counts.shape[1:]
    ds.PixelSpacing = [f"{step[1]:.6g}", f"{step[2]:.6g}"]
    ds.ImageOrientationPatient = [f"{v:.10f}" for axis in (2, 1) for v in stack.affine[:3, axis] / step[axis]]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0


def _stack(kind: Kind, order: int, stack: Stack, habits: Habits, index: int) -> Dataset:
    """What the images of one stack share: acquisition and b-value."""
    ds = Dataset()
    begin = BEGINS[kind] * 60 + SECONDS_PER_B_VALUE * order
    ds.AcquisitionNumber = str(1 if habits.by_slice else order + 1)
    ds.AcquisitionTime = f"09{begin // 60:02d}{begin % 60:02d}"
    if stack.b_value is not None:
        habits.mark_b_value(ds, stack.b_value, index)
    return ds


def _window(ds: Dataset, stack: Stack, slope: float) -> None:
    """Window in displayed units: after the rescale (PS3.3 C.11.2.1.2)."""
    top = float(np.percentile(stack.counts[:, ::2, ::2], 99.5)) * slope
    ds.WindowCenter, ds.WindowWidth = (f"{max(value, slope):.6g}" for value in (top / 2, top))


def _places(stack: Stack) -> list[Dataset]:
    """Position of each slice, ascending along the normal (PS3.3 C.7.6.2)."""
    normal = stack.affine[:3, 0] / np.linalg.norm(stack.affine[:3, 0])
    places = []
    for i in range(len(stack.counts)):
        position = stack.affine[:3, 3] + i * stack.affine[:3, 0]
        ds = Dataset()
        ds.ImagePositionPatient = [f"{v:.6f}" for v in position]
        ds.SliceLocation = f"{float(normal @ position):.4f}"
        places.append(ds)
    return places


def _order(stacks: tuple[Stack, ...], by_slice: bool) -> Iterator[tuple[int, int]]:
    """(stack, slice) of each image in the order of the instance numbers."""
    slices = range(len(stacks[0].counts))
    if by_slice:
        yield from ((j, i) for i in slices for j in range(len(stacks)))
    else:
        yield from ((j, i) for j in range(len(stacks)) for i in slices)


def _series(patient: VirtualPatient, time_point: TimePoint, kind: Kind, stack: Stack) -> Dataset:
    """All that the images of one series share."""
    site = patient.site
    habits = HABITS[site.vendor]
    header = habits.header(kind, site)
    ds = _study(patient, time_point)
    ds.SeriesTime = ds.ContentTime = f"09{BEGINS[kind] + (kind is Kind.ADC) * 4:02d}00"
    ds.SeriesInstanceUID = uid(*study_key(patient, time_point), header.number)
    _protocol(ds, site, kind, header)
    _matrix(ds, site, stack)
    habits.mark_series(ds, kind, site, patient.index)
    return ds


def t2_headers(patient: VirtualPatient, time_point: TimePoint, exam: SimulatedExam) -> list[Dataset]:
    """The headers of the axial T2, slices ascending, as ``write_exam`` writes them: for objects that refer to them."""
    series = _series(patient, time_point, Kind.T2_AXIAL, exam.t2)
    headers = []
    for number, place in enumerate(_places(exam.t2), start=1):
        image = Dataset()
        image.update(series)
        image.update(place)
        image.SOPInstanceUID = _image_uid(patient, time_point, int(series.SeriesNumber), number)
        image.InstanceNumber = str(number)
        headers.append(image)
    return headers


def _image_uid(patient: VirtualPatient, time_point: TimePoint, series: int, number: int) -> UID:
    return uid(*study_key(patient, time_point), series, number)


def _write_series(
    folder: Path, patient: VirtualPatient, time_point: TimePoint, kind: Kind, stacks: tuple[Stack, ...]
) -> int:
    habits = HABITS[patient.site.vendor]
    series = _series(patient, time_point, kind, stacks[0])
    number, slope = int(series.SeriesNumber), float(series.get("RescaleSlope") or 1)
    shared = encode(series)
    headers = []
    for order, stack in enumerate(stacks):
        ds = _stack(kind, order, stack, habits, patient.index)
        _window(ds, stack, slope)
        headers.append(encode(ds))
    places = [encode(place) for place in _places(stacks[0])]
    count = 0
    for count, (which, slice_index) in enumerate(_order(stacks, habits.by_slice), start=1):
        own = Dataset()
        own.SOPInstanceUID = _image_uid(patient, time_point, number, count)
        own.InstanceNumber = str(count)
        pixels = encode_pixels(stacks[which].counts[slice_index])
        parts = [shared, headers[which], places[slice_index], encode(own), pixels]
        data = file_bytes(parts, MRImageStorage, own.SOPInstanceUID)
        (folder / f"{number:02d}_{count:04d}.dcm").write_bytes(data)
    return count


def write_exam(folder: Path, patient: VirtualPatient, time_point: TimePoint, exam: SimulatedExam) -> int:
    """Writes all series of one exam into ``folder``; returns the number of files. Earlier files there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.dcm"):
        stale.unlink()
    return sum(_write_series(folder, patient, time_point, kind, stacks) for kind, stacks in stacks_of(exam).items())
