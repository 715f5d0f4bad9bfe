"""Structured Reports of readers made for a test, with highdicom, as a reader's workstation would make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from pipelines.contract import PRIVATE_SCHEME, VARIABLE_CODES, Variable

MM, CM = codes.UCUM.Millimeter, codes.UCUM.Centimeter
EMVI = Code("RDE110", "RADELEMENT", "Extramural venous invasion (EMVI)")
CRM_DISTANCE = Code("RDE111", "RADELEMENT", "Shortest distance of tumor (MRF)")
CRM = Code("RDE120", "RADELEMENT", "Circumferential resection margin (CRM)")
CT_CATEGORY = Code("399504009", "SCT", "cT category")
CN_CATEGORY = Code("399534004", "SCT", "cN category")
PRESENT, ABSENT = Code("52101004", "SCT", "Present"), Code("272519000", "SCT", "Absent")
RECTUM = Code("34402009", "SCT", "Rectum")


def ours(variable: Variable) -> Code:
    """A variable's code in the published private scheme."""
    value, meaning = VARIABLE_CODES[variable]
    return Code(value, PRIVATE_SCHEME, meaning)


def number(name: Code, value: float, unit: Code = MM, **more: Any) -> hd.sr.Measurement:
    return hd.sr.Measurement(name=name, value=value, unit=unit, **more)


def answer(name: Code, value: Code | str) -> hd.sr.QualitativeEvaluation:
    coded = Code(value.upper().replace(" ", "")[:16] or "NONE", "99HOSP", value) if isinstance(value, str) else value
    return hd.sr.QualitativeEvaluation(name=name, value=coded)


def group(
    *said: hd.sr.Measurement | hd.sr.QualitativeEvaluation,
    finding: Code | None = codes.SCT.AdenocarcinomaOfRectum,
    site: Code | None = None,
    **more: Any,
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """A measurement group, TID 1501."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="1"),
        finding_type=finding,
        finding_sites=[hd.sr.FindingSite(site)] if site is not None else None,
        measurements=[one for one in said if isinstance(one, hd.sr.Measurement)],
        qualitative_evaluations=[one for one in said if isinstance(one, hd.sr.QualitativeEvaluation)],
        **more,
    )


def report(
    sources: Sequence[Dataset], *groups: hd.sr.MeasurementsAndQualitativeEvaluations, **attributes: Any
) -> Dataset:
    """A TID 1500 report, Comprehensive 3D SR, by Reader^Anna on 2024-04-12 at noon; ``attributes`` are set in the end.

    ``device=True``: observed by a device alone; ``verified_by``: a name.
    """
    by_device, verified_by = attributes.pop("device", False), attributes.pop("verified_by", "")
    other_evidence = attributes.pop("other_evidence", [])
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(_device() if by_device else _person()),
        procedure_reported=codes.LN.MRIUnspecifiedBodyRegion,
        imaging_measurements=list(groups),
        title=codes.DCM.ImagingMeasurementReport,
    )
    sr = hd.sr.Comprehensive3DSR(
        evidence=[_complete(source) for source in (*sources, *other_evidence)],
        content=content,
        series_instance_uid=generate_uid(),
        series_number=200,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=attributes.pop("Manufacturer", "Workstation"),
        is_complete=True,
        is_final=True,
        is_verified=bool(verified_by),
        verifying_observer_name=verified_by or None,
        verifying_organization="Hospital" if verified_by else None,
        series_description=attributes.pop("SeriesDescription", "Rectal MRI"),
    )
    sr.ContentDate, sr.ContentTime = "20240412", "120000"
    for one in sr.get("VerifyingObserverSequence") or ():
        one.VerificationDateTime = "20240412130000"
    for keyword, value in attributes.items():
        setattr(sr, keyword, value)
    return sr


def saved(sr: Dataset, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sr.SOPInstanceUID}.sr.dcm"
    sr.save_as(path)
    return path


def _complete(source: Dataset) -> Dataset:
    for keyword in ("AccessionNumber", "StudyID", "ReferringPhysicianName"):
        if keyword not in source:
            setattr(source, keyword, "")
    return source


def _person() -> hd.sr.ObserverContext:
    return hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name="Reader^Anna"),
    )


def _device() -> hd.sr.ObserverContext:
    return hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(uid=hd.UID(), name="Other AI"),
    )
