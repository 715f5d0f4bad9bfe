"""The findings as a Comprehensive 3D SR, TID 1500 (PS3.3 A.35.13, PS3.16).

Filed in the restaging study, citing the images and the SEG of both exams. Complete, preliminary, unverified: a
person verifies, never this software.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import highdicom as hd
from highdicom.sr import RelationshipTypeValues as Relationship
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as Concept
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicom_templates import codes
from dicom_templates.encode import settle_character_set
from dicom_templates.identity import (
    MANUFACTURER,
    MODEL_NAME,
    Predecessor,
    ResultIdentity,
    phantom_trained,
)
from dicom_templates.kinds import Kind
from dicom_templates.report_context import UsedSeries, image_library, observer, qualitative_evaluations
from dicom_templates.report_groups import prediction_group, tumour_group
from dicom_templates.report_items import container
from dicom_templates.sources import copy_identity, for_highdicom, reported_exam, study_header, used_series
from pipelines.contract import Findings, TimePoint

_REPORT_CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage)


def build_report(
    findings: Findings,
    segmentations: Mapping[TimePoint, Dataset],
    identity: ResultIdentity,
    title: Concept = codes.TITLE_ONCOLOGY,
) -> Dataset:
    """The report. ``segmentations`` holds our SEG of each exam that has a tumour mask.

    The default title is the one that a viewer shows as a text tree; with TID 1500's own default and no coordinates
    it showed nothing. Raises TemplateError where findings have no exam, or an outcome has no published definition.
    """
    filed = reported_exam(findings.case)
    source = study_header(filed)
    used = {exam.files.time_point: used_series(exam) for exam in findings.case.exams}
    created = identity.local_time
    report = hd.sr.Comprehensive3DSR(
        evidence=_evidence(used, segmentations, source),
        content=_root(findings, segmentations, identity, used, title),
        series_instance_uid=identity.series_uid(Kind.REPORT),
        series_number=identity.series_number(Kind.REPORT),
        sop_instance_uid=identity.sop_uid(Kind.REPORT),
        instance_number=identity.version,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=identity.software_version,
        device_serial_number=identity.device_uid,
        series_description=identity.description("rectal MR report", phantom_trained(findings)),
        content_date=created.date(),
        content_time=created.time().replace(microsecond=0),
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=_previous_reports(identity.predecessors) or None,
        record_evidence=True,
    )
    _finish(report, identity)
    copy_identity(source, report)
    settle_character_set(report, source)
    return report


def _finish(report: Dataset, identity: ResultIdentity) -> None:
    created = identity.local_time
    report.InstanceCreationDate = created.strftime("%Y%m%d")
    report.InstanceCreationTime = created.strftime("%H%M%S")
    report.SeriesDate, report.SeriesTime = report.InstanceCreationDate, report.InstanceCreationTime
    report.StationName = identity.station[:16]
    # highdicom dates its own contribution by the clock; a repeat of the same work must be the same object.
    report.ContributingEquipmentSequence[0].ContributionDateTime = created.strftime("%Y%m%d%H%M%S")
    report.CodingSchemeIdentificationSequence = [codes.scheme_item()]


def _root(
    findings: Findings,
    segmentations: Mapping[TimePoint, Dataset],
    identity: ResultIdentity,
    used: UsedSeries,
    title: Concept,
) -> Dataset:
    """The document's tree. Built by hand: highdicom's TID 1500 has no report without a group, and no row 12."""
    root = hd.sr.ContainerContentItem(name=title, template_id="1500")
    language = hd.sr.LanguageOfContentItemAndDescendants(hd.sr.CodedConcept.from_code(codes.ENGLISH))
    procedure = hd.sr.CodeContentItem(
        name=codes.PROCEDURE_REPORTED, value=codes.PROCEDURE, relationship_type=Relationship.HAS_CONCEPT_MOD
    )
    items = [*language, *observer(identity), procedure, image_library(used)]
    groups = list(_groups(findings, segmentations, identity))
    if groups:
        items.append(container(codes.IMAGING_MEASUREMENTS, groups))
    items.append(qualitative_evaluations(findings, identity))
    root.ContentSequence = hd.sr.ContentSequence(items)
    return root


def _groups(
    findings: Findings, segmentations: Mapping[TimePoint, Dataset], identity: ResultIdentity
) -> Iterator[hd.sr.ContentItem]:
    for exam in reversed(findings.case.exams):
        if exam.files.time_point in segmentations:
            yield tumour_group(exam, findings, segmentations[exam.files.time_point], identity)
    for score in findings.scores:
        yield prediction_group(score, identity)


def _evidence(used: UsedSeries, segmentations: Mapping[TimePoint, Dataset], source: Dataset) -> list[Dataset]:
    """Everything cited. The first entry decides the study that the report is filed in."""
    cited = [for_highdicom(source, 1.0)]
    for time_point in (TimePoint.RESTAGING, TimePoint.BASELINE):
        cited += [header for series in used.get(time_point, ()) for header in series.headers]
        if time_point in segmentations:
            cited.append(segmentations[time_point])
    return cited


def _previous_reports(predecessors: tuple[Predecessor, ...]) -> list[Dataset]:
    """Items for the Predecessor Documents Sequence: reports only (PS3.3 C.17.2)."""
    previous = []
    for predecessor in predecessors:
        if predecessor.sop_class_uid in _REPORT_CLASSES:
            item = Dataset()
            item.StudyInstanceUID = predecessor.study_uid
            item.SeriesInstanceUID = predecessor.series_uid
            item.SOPClassUID = predecessor.sop_class_uid
            item.SOPInstanceUID = predecessor.sop_uid
            previous.append(item)
    return previous
