"""The measurement groups of the report: the tumour at each time point (TID 1411), each prediction (TID 1501)."""

from __future__ import annotations

from typing import cast

import highdicom as hd
from pydicom.dataset import Dataset

from dicom_templates import codes, wording
from dicom_templates.errors import TemplateError
from dicom_templates.figures import changes, percent, rounded
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, ResultIdentity
from dicom_templates.report_items import code, comment, number, text
from dicom_templates.segmentation import TRACKING_ID
from pipelines.contract import Exam, Findings, Mask, MaskOrigin, Score, TimePoint

_SUBJECT_IDS = {TimePoint.BASELINE: "TP1", TimePoint.RESTAGING: "TP2"}
_PROTOCOL_IDS = {TimePoint.BASELINE: "PRE-NAT", TimePoint.RESTAGING: "POST-NAT"}


def tumour_group(exam: Exam, findings: Findings, segmentation: Dataset, identity: ResultIdentity) -> hd.sr.ContentItem:
    """TID 1411: the tumour of one exam, its segment and its numbers; changes go with the restaging exam."""
    if exam.mask is None:
        raise TemplateError(f"the {exam.files.time_point} exam has no tumour mask to report on")
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=identity.tracking_uid(exam.files.patient), identifier=TRACKING_ID
        ),
        finding_category=codes.ABNORMAL,
        finding_type=codes.ADENOCARCINOMA,
        finding_sites=[hd.sr.FindingSite(codes.RECTUM)],
        algorithm_id=_outlining_algorithm(exam.mask, identity),
        time_point_context=_time_point(exam),
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=1,
            source_series=hd.sr.SourceSeriesForSegmentation(exam_series_uid(segmentation)),
        ),
    )
    return _with_items(group, _tumour_items(exam, exam.mask, findings))


def prediction_group(score: Score, identity: ResultIdentity) -> hd.sr.ContentItem:
    """TID 1501: one prediction: probability and limits in percent as siblings, category, envelope, and its model."""
    model = score.model
    outcome = codes.outcome(score.outcome)
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=identity.prediction_uid(model.system, score.outcome), identifier=f"{model.system}: {outcome.words}"
        ),
        finding_type=codes.PREDICTION.concept,
        finding_sites=[hd.sr.FindingSite(codes.RECTUM)],
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=model.name,
            version=model.version,
            manufacturer=MANUFACTURER,
            parameters=[f"system: {model.system}", f"weights SHA-256: {model.weights_digest}"],
            family=codes.FAMILY_AI,
        ),
    )
    return _with_items(group, _prediction_items(score, outcome))


def exam_series_uid(segmentation: Dataset) -> str:
    """The series that a SEG of ours was made on (one, by construction)."""
    return str(segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID)


def _with_items(template: hd.sr.ContentSequence, items: list[hd.sr.ContentItem]) -> hd.sr.ContentItem:
    """The group's container, with further items at its end."""
    group = cast(hd.sr.ContentItem, template[0])
    group.ContentSequence.extend(items)
    return group


def _tumour_items(exam: Exam, mask: Mask, findings: Findings) -> list[hd.sr.ContentItem]:
    when = exam.files.time_point
    items = [
        number(codes.QUANTITIES[one.quantity], rounded(one), codes.UNITS[one.unit])
        for one in findings.measurements
        if one.time_point == when
    ]
    if when is TimePoint.RESTAGING:
        items += [
            number(codes.CHANGES[change.quantity].concept, change.value, codes.PERCENT)
            for change in changes(findings)
            if change.value is not None
        ]
    items.append(code(codes.MASK_ORIGIN.concept, codes.MASK_ORIGINS[mask.origin].concept))
    items.append(comment(wording.tumour_sentences(exam, findings)))
    return items


def _prediction_items(score: Score, outcome: codes.Outcome) -> list[hd.sr.ContentItem]:
    model = score.model
    envelope = codes.INSIDE if score.envelope.inside else codes.OUTSIDE
    training = codes.ON_PHANTOM if model.phantom_trained else codes.ON_PATIENTS
    items = [
        number(outcome.probability.concept, percent(score.probability), codes.PERCENT),
        number(codes.LOWER.concept, percent(score.lower), codes.PERCENT),
        number(codes.UPPER.concept, percent(score.upper), codes.PERCENT),
        code(codes.LIKELIHOOD.concept, outcome.categories[score.category].concept),
        code(codes.ENVELOPE.concept, envelope.concept),
        code(codes.TRAINING.concept, training.concept),
        text(codes.INTERVAL.concept, score.interval),
        text(codes.COHORT.concept, f"{model.cohort}; SHA-256 {model.cohort_digest}"),
        text(codes.WEIGHTS.concept, model.weights_digest),
        text(codes.INTENDED_USE.concept, model.intended_use),
        text(codes.LIMITS.concept, model.limits),
    ]
    if score.inputs:
        items.append(text(codes.INPUTS.concept, "; ".join(f"{name} = {value:.4g}" for name, value in score.inputs)))
    parts = (wording.score_sentence(score), wording.envelope_sentence(score), wording.training_sentence(score))
    items.append(comment(" ".join(parts)))
    return items


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
