"""The findings on one page, as a Secondary Capture image (PS3.3 A.8.1): every viewer shows a picture.

Filed in the restaging study, or the only exam's. It carries the patient's name in its pixels and says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_templates import palette
from dicom_templates.encode import settle_character_set
from dicom_templates.identity import (
    MANUFACTURER,
    MODEL_NAME,
    ResultIdentity,
    phantom_trained,
)
from dicom_templates.kinds import Kind
from dicom_templates.page import Box, Page
from dicom_templates.sources import copy_identity, reported_exam, study_header
from dicom_templates.summary_frame import FOOTER_TOP, HEADER_BOTTOM, MARGIN, draw_footer, draw_header
from dicom_templates.summary_panels import draw_exams, draw_predictions, draw_series, draw_statements, draw_table
from pipelines.contract import Findings

WIDTH, HEIGHT = 1600, 1200
_COLUMN = 1004.0  # where the right-hand column begins


def render_summary(findings: Findings, identity: ResultIdentity) -> NDArray[np.uint8]:
    """The page as uint8 (rows, columns, RGB)."""
    reported_exam(findings.case)
    page = Page(WIDTH, HEIGHT, palette.BACKGROUND)
    draw_header(page, findings)
    top = HEADER_BOTTOM + 22
    draw_exams(page, Box(MARGIN, top, 920, FOOTER_TOP - top), findings)
    right = Box(_COLUMN, top - 6, WIDTH - MARGIN - _COLUMN, FOOTER_TOP - 24 - top)
    y = draw_table(page, right, findings)
    y = draw_predictions(page, right.below(y), findings)
    y = draw_statements(page, right.below(y + 6), findings)
    draw_series(page, right.below(y + 14), findings)
    draw_footer(page, findings, identity)
    return page.pixels()


def build_summary(findings: Findings, identity: ResultIdentity) -> Dataset:
    """The page as a Secondary Capture Image object."""
    pixels = render_summary(findings, identity)
    source = study_header(reported_exam(findings.case))
    page = Dataset()
    _add_series(page, identity, identity.description("rectal MR summary page", phantom_trained(findings)))
    page.Rows, page.Columns = pixels.shape[:2]
    page.SamplesPerPixel, page.PhotometricInterpretation, page.PlanarConfiguration = 3, "RGB", 0
    page.BitsAllocated, page.BitsStored, page.HighBit, page.PixelRepresentation = 8, 8, 7, 0
    page.LossyImageCompression = "00"
    page.PixelData = pixels.tobytes()
    copy_identity(source, page)
    settle_character_set(page, source)
    return page


def _add_series(page: Dataset, identity: ResultIdentity, series_description: str) -> None:
    created = identity.local_time
    date, time = created.strftime("%Y%m%d"), created.strftime("%H%M%S")
    page.SOPClassUID = SecondaryCaptureImageStorage
    page.SOPInstanceUID = identity.sop_uid(Kind.SUMMARY)
    page.SeriesInstanceUID = identity.series_uid(Kind.SUMMARY)
    page.SeriesNumber = identity.series_number(Kind.SUMMARY)
    page.InstanceNumber = identity.version
    page.SeriesDescription = series_description
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
