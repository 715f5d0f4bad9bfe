"""The groups about the tumour: what was measured at each time point (TID 1411 or 1501), what readers reported."""

from __future__ import annotations

import highdicom as hd
from pydicom.dataset import Dataset

from dicom_templates import codes, reported, wording
from dicom_templates.errors import TemplateError
from dicom_templates.figures import ORDER, changes, find, rounded, written
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, ResultIdentity
from dicom_templates.report.items import code, comment, number, text, uid, with_items
from dicom_templates.segmentation import TRACKING_ID
from dicom_templates.sources import study_header
from pipelines.contract import Exam, Findings, Mask, MaskOrigin, TimePoint

_SUBJECT_IDS = {TimePoint.BASELINE: "TP1", TimePoint.RESTAGING: "TP2"}
_PROTOCOL_IDS = {TimePoint.BASELINE: "PRE-NAT", TimePoint.RESTAGING: "POST-NAT"}


def tumour_group(
    exam: Exam, findings: Findings, segmentation: Dataset | None, identity: ResultIdentity
) -> hd.sr.ContentItem:
    """The tumour of one exam and its numbers; changes go with the restaging exam.

    TID 1411 with the segment where the report cites a SEG, else TID 1501: the same tumour, the same numbers, and
    no reference that leads nowhere.
    """
    mask = exam.mask
    if mask is None:
        raise TemplateError(f"the {exam.files.time_point} exam has no tumour mask to report on")
    algorithm = _outlining_algorithm(mask, identity)
    if segmentation is None:
        return with_items(_plain_group(exam, identity, algorithm), _tumour_items(exam, mask, findings))
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(exam, identity),
        finding_category=codes.ABNORMAL,
        finding_type=codes.ADENOCARCINOMA,
        finding_sites=[hd.sr.FindingSite(codes.RECTUM)],
        algorithm_id=algorithm,
        time_point_context=_time_point(exam),
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=1,
            source_series=hd.sr.SourceSeriesForSegmentation(str(study_header(exam).SeriesInstanceUID)),
        ),
    )
    return with_items(group, _tumour_items(exam, mask, findings))


def reported_groups(exam: Exam, identity: ResultIdentity) -> list[hd.sr.ContentItem]:
    """TID 1501 for each reader whose report speaks of this exam: the values as they were reported, and by whom."""
    said = reported.reported_of(exam)
    return [with_items(_plain_group(exam, identity, None), _reported_items(exam, one)) for one in said]


def _plain_group(
    exam: Exam, identity: ResultIdentity, algorithm: hd.sr.AlgorithmIdentification | None
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 about the tumour at one time point."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(exam, identity),
        finding_category=codes.ABNORMAL,
        finding_type=codes.ADENOCARCINOMA,
        finding_sites=[hd.sr.FindingSite(codes.RECTUM)],
        algorithm_id=algorithm,
        time_point_context=_time_point(exam),
    )


def _tumour_items(exam: Exam, mask: Mask, findings: Findings) -> list[hd.sr.ContentItem]:
    when = exam.files.time_point
    found = (find(findings, quantity, when) for quantity in ORDER)
    items = [comment(wording.tumour_sentences(exam, findings))]
    items += [
        number(codes.QUANTITIES[one.quantity], rounded(one), codes.UNITS[one.unit], written(one))
        for one in found
        if one is not None
    ]
    if when is TimePoint.RESTAGING:
        items += [
            number(codes.CHANGES[change.quantity].concept, change.value, codes.PERCENT)
            for change in changes(findings)
            if change.value is not None
        ]
    return [*items, code(codes.MASK_ORIGIN.concept, codes.MASK_ORIGINS[mask.origin].concept)]


def _reported_items(exam: Exam, said: reported.Reported) -> list[hd.sr.ContentItem]:
    items = [comment(reported.reported_sentences(exam, said)), text(codes.REPORTED_BY.concept, said.by)]
    for one in said.variables:
        name = codes.VARIABLES[one.variable]
        if one.millimetres is not None:
            items.append(number(name, one.millimetres, codes.UNITS["mm"]))
        else:
            items.append(code(name, codes.VARIABLE_CATEGORIES[one.variable, one.category].concept))
    for one in said.variables:
        if how := reported.how_reported(one):
            items.append(text(codes.REPORTED_AS.concept, wording.sentence(f"{reported.variable_words(one)}: {how}")))
    return [*items, uid(codes.REPORTED_IN.concept, said.source_sop_uid)] if said.source_sop_uid else items


def _tracking(exam: Exam, identity: ResultIdentity) -> hd.sr.TrackingIdentifier:
    return hd.sr.TrackingIdentifier(uid=identity.tracking_uid(exam.files.patient), identifier=TRACKING_ID)


def _time_point(exam: Exam) -> hd.sr.TimePointContext:
    """TID 1502. The order and the offset from an event are left out: validators flag them, and dates say it."""
    when = exam.files.time_point
    return hd.sr.TimePointContext(
        time_point=f"{wording.TIME_POINT_WORDS[when]} {exam.files.study_date.isoformat()}",
        time_point_type=codes.TIME_POINT_TYPES[when],
        subject_time_point_identifier=_SUBJECT_IDS[when],
        protocol_time_point_identifier=_PROTOCOL_IDS[when],
    )


def _outlining_algorithm(mask: Mask, identity: ResultIdentity) -> hd.sr.AlgorithmIdentification:
    """TID 4019: what outlined and measured. In a reader's outline only the measuring is ours."""
    if mask.origin is MaskOrigin.READER:
        return hd.sr.AlgorithmIdentification(
            name=f"{MODEL_NAME}: measurements in a reader's outline",
            version=identity.software_version,
            manufacturer=MANUFACTURER,
            family=codes.FAMILY_MANUAL,
        )
    weights = [f"weights SHA-256: {mask.model.weights_digest}"] if mask.model is not None else None
    return hd.sr.AlgorithmIdentification(
        name=mask.algorithm,
        version=mask.version,
        manufacturer=MANUFACTURER,
        parameters=weights,
        family=codes.FAMILY_AI,
    )
