"""The findings as a structured report, TID 1500 (PS3.16), as Comprehensive 3D SR or Comprehensive SR (PS3.3 A.35).

Filed in the restaging study, citing the images and the SEG of both exams. Complete, preliminary, unverified: a
person verifies, never this software.

The order is that of a structured report of restaging (ESGAR consensus, Beets-Tan et al. 2018): the primary tumour and
its response, size before signal, with the change from baseline; then what readers reported of wall (T), fascia, veins
and nodes (N), each with who reported it; only then what models predict, response before prognosis; then disagreement,
refusals and warnings, what was used, and the limits of use. The template fixes that measurement groups precede
qualitative evaluations, and groups with a segment those without.

Before all of it stands a summary in a few sentences, which begins with RESEARCH USE ONLY: an item (55112-7,LN,
"Summary") of CID 7002 at the root, after the observation context and before the image library. TID 1500 is extensible
(PS3.16 6.2.5) and has no place of its own for one; without it a viewer opens with fifty image references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import highdicom as hd
from highdicom.sr import RelationshipTypeValues as Relationship
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicom_templates import codes, wording
from dicom_templates.conclusion import conclusion
from dicom_templates.encode import settle_character_set
from dicom_templates.identity import (
    MANUFACTURER,
    MODEL_NAME,
    Predecessor,
    ResultIdentity,
    phantom_trained,
)
from dicom_templates.kinds import Kind
from dicom_templates.profile import ReportClass
from dicom_templates.report.context import UsedSeries, image_library, observer, qualitative_evaluations
from dicom_templates.report.items import container, text
from dicom_templates.report.predictions import prediction_groups
from dicom_templates.report.tumour import reported_groups, tumour_group
from dicom_templates.sources import copy_identity, for_highdicom, reported_exam, study_header, used_series
from pipelines.contract import Findings, TimePoint

_CLASSES = {
    ReportClass.COMPREHENSIVE_3D: hd.sr.Comprehensive3DSR,
    ReportClass.COMPREHENSIVE: hd.sr.ComprehensiveSR,
}
_REPORT_CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage)


def build_report(findings: Findings, segmentations: Mapping[TimePoint, Dataset], identity: ResultIdentity) -> Dataset:
    """The report, as ``identity.rendering`` says.

    ``segmentations`` holds our SEG of each exam that has one; where it has none, or the rendering sends none, the
    tumour's numbers stand in a group without a segment.
    Raises TemplateError where findings have no exam, or an outcome has no published definition.
    """
    cited = segmentations if identity.rendering.with_segmentations else {}
    filed = reported_exam(findings.case)
    source = study_header(filed)
    used = {exam.files.time_point: used_series(exam) for exam in findings.case.exams}
    created = identity.local_time
    report: Dataset = _CLASSES[identity.rendering.report_class](
        evidence=_evidence(used, cited, source),
        content=_root(findings, cited, identity, used),
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
    findings: Findings, segmentations: Mapping[TimePoint, Dataset], identity: ResultIdentity, used: UsedSeries
) -> Dataset:
    """The document's tree. Built by hand: highdicom's TID 1500 has no report without a group, and no row 12."""
    root = hd.sr.ContainerContentItem(
        name=codes.TITLES[identity.rendering.title], template_id="1500", is_content_continuous=False
    )
    language = hd.sr.LanguageOfContentItemAndDescendants(hd.sr.CodedConcept.from_code(codes.ENGLISH))
    procedure = hd.sr.CodeContentItem(
        name=codes.PROCEDURE_REPORTED, value=codes.PROCEDURE, relationship_type=Relationship.HAS_CONCEPT_MOD
    )
    summary = text(codes.SUMMARY, conclusion(findings))
    items = [*language, *observer(identity), procedure, summary, image_library(used)]
    groups = list(_groups(findings, segmentations, identity))
    if groups:
        items.append(container(codes.IMAGING_MEASUREMENTS, groups))
    items.append(qualitative_evaluations(findings, identity))
    root.ContentSequence = hd.sr.ContentSequence(items)
    return root


def _groups(
    findings: Findings, segmentations: Mapping[TimePoint, Dataset], identity: ResultIdentity
) -> Iterator[hd.sr.ContentItem]:
    exams = findings.case.exams[::-1]
    for exam in exams:
        if exam.mask is not None:
            yield tumour_group(exam, findings, segmentations.get(exam.files.time_point), identity)
    for exam in exams:
        yield from reported_groups(exam, identity)
    for score in wording.in_reading_order(findings.scores):
        yield from prediction_groups(score, identity)


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
