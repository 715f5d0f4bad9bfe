"""A drawn page as a Secondary Capture Image object (PS3.3 A.8.1, RGB): every viewer shows a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_templates.encode import settle_character_set
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.sources import copy_identity


@dataclass(frozen=True)
class Capture:
    """What tells one page from another. ``source``: the header whose patient and study it is filed under."""

    kind: Kind
    description: str
    instance_number: int
    source: Dataset


def build_capture(pixels: NDArray[np.uint8], capture: Capture, identity: ResultIdentity) -> Dataset:
    """The page, uint8 (rows, columns, RGB), in the series of summary pages. It shows a name and says so."""
    page = Dataset()
    _add_series(page, capture, identity)
    page.Rows, page.Columns = pixels.shape[:2]
    page.SamplesPerPixel, page.PhotometricInterpretation, page.PlanarConfiguration = 3, "RGB", 0
    page.BitsAllocated, page.BitsStored, page.HighBit, page.PixelRepresentation = 8, 8, 7, 0
    page.LossyImageCompression = "00"
    page.PixelData = pixels.tobytes()
    copy_identity(capture.source, page)
    settle_character_set(page, capture.source)
    return page


def _add_series(page: Dataset, capture: Capture, identity: ResultIdentity) -> None:
    created = identity.local_time
    date, time = created.strftime("%Y%m%d"), created.strftime("%H%M%S")
    page.SOPClassUID = SecondaryCaptureImageStorage
    page.SOPInstanceUID = identity.sop_uid(capture.kind)
    page.SeriesInstanceUID = identity.series_uid(Kind.SUMMARY)
    page.SeriesNumber = identity.series_number(Kind.SUMMARY)
    page.InstanceNumber = capture.instance_number
    page.SeriesDescription = capture.description
    page.Modality, page.ConversionType = "OT", "WSD"  # workstation, PS3.3 C.8.6.1
    page.ImageType = ["DERIVED", "SECONDARY"]
    page.BodyPartExamined = "RECTUM"  # unpaired: without it validators ask for Laterality
    page.BurnedInAnnotation = "YES"
    page.PatientOrientation = ""
    page.Manufacturer, page.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    page.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    page.SoftwareVersions, page.DeviceSerialNumber = identity.software_version, identity.device_uid
    page.StationName = identity.station[:16]
    page.InstanceCreationDate = page.SeriesDate = page.ContentDate = page.DateOfSecondaryCapture = date
    page.InstanceCreationTime = page.SeriesTime = page.ContentTime = page.TimeOfSecondaryCapture = time
