"""The parts of the report around its groups: images used, qualitative evaluations, who observed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import highdicom as hd
from highdicom.sr import RelationshipTypeValues as Relationship
from pydicom.dataset import Dataset

from dicom_templates import codes, wording
from dicom_templates.identity import MODEL_NAME, ResultIdentity
from dicom_templates.observer import device_observer
from dicom_templates.report.items import container, text
from dicom_templates.sources import SeriesHeaders, used_roles
from pipelines.contract import Code, Exam, Findings, TimePoint

UsedSeries = Mapping[TimePoint, tuple[SeriesHeaders, ...]]


def observer(identity: ResultIdentity) -> hd.sr.ObservationContext:
    """TID 1001: the observer is this device (TID 1004); no person has looked."""
    return hd.sr.ObservationContext(observer_device_context=device_observer(identity))


def image_library(used: UsedSeries) -> hd.sr.ContainerContentItem:
    """TID 1600 with only the series used, restaging first, each with one image that stands for it.

    Descriptors that a series shares stand once, on its group: sixteen of them on every image make 5 kB per image.
    """
    groups = [
        _library_group(when, series)
        for when in (TimePoint.RESTAGING, TimePoint.BASELINE)
        for series in used.get(when, ())
    ]
    return container(codes.IMAGE_LIBRARY, groups)


def qualitative_evaluations(findings: Findings, identity: ResultIdentity) -> hd.sr.ContainerContentItem:
    """TID 1500 row 12: disagreement, refusals, warnings, then what was used and how, then the limits of use."""
    against = [one for one in findings.warnings if one.code is Code.SYSTEMS_DISAGREE]
    noted = [one for one in findings.warnings if one.code is not Code.SYSTEMS_DISAGREE]
    kinds = ((wording.WARNING, against), (wording.REFUSED, findings.refusals), (wording.WARNING, noted))
    items = [
        text(codes.STATEMENTS[one.code].concept, wording.statement_sentence(kind, one))
        for kind, statements in kinds
        for one in statements
    ]
    for exam in reversed(findings.case.exams):
        items += [text(codes.SERIES_USED.concept, one) for one in series_sentences(exam)]
    items += [text(codes.PARAMETER.concept, one) for one in parameter_sentences(findings)]
    items.append(text(codes.VERSION.concept, version_sentence(identity)))
    items += [text(codes.LIMITS.concept, one) for one in wording.limits_of_use(findings)]
    return container(codes.QUALITATIVE_EVALUATIONS, items)


def version_sentence(identity: ResultIdentity) -> str:
    """The number of this result, and what it replaces."""
    replaces = f"; replaces version {identity.version - 1}" if identity.version > 1 else ""
    return f"Version {identity.version}{replaces}. Made by {MODEL_NAME} {identity.software_version}."


def _library_group(when: TimePoint, series: SeriesHeaders) -> hd.sr.ContainerContentItem:
    first = series.headers[0]
    role = f"{wording.TIME_POINT_WORDS[when]} {wording.ROLE_WORDS[series.role]}: '{series.description}', "
    role += f"{len(series.headers)} images, all of them in evidence"
    items: list[hd.sr.ContentItem] = [
        hd.sr.TextContentItem(codes.SERIES_USED.concept, role, relationship_type=Relationship.HAS_ACQ_CONTEXT),
        hd.sr.CodeContentItem(codes.MODALITY, codes.MR, relationship_type=Relationship.HAS_ACQ_CONTEXT),
    ]
    if first.get("StudyDate"):
        items.append(
            hd.sr.DateContentItem(codes.STUDY_DATE, first.StudyDate, relationship_type=Relationship.HAS_ACQ_CONTEXT)
        )
    if first.get("FrameOfReferenceUID"):
        items.append(
            hd.sr.UIDRefContentItem(
                codes.FRAME_OF_REFERENCE, first.FrameOfReferenceUID, relationship_type=Relationship.HAS_ACQ_CONTEXT
            )
        )
    middle = _middle(series)
    items.append(
        hd.sr.ImageContentItem(
            name=codes.SOURCE,
            referenced_sop_class_uid=middle.SOPClassUID,
            referenced_sop_instance_uid=middle.SOPInstanceUID,
            relationship_type=Relationship.CONTAINS,
        )
    )
    return container(codes.IMAGE_LIBRARY_GROUP, items, continuous=True)


def _middle(series: SeriesHeaders) -> Dataset:
    """The image that stands for its series. The others are in evidence: a viewer prints a line for each one here."""
    in_order = sorted(
        series.headers, key=lambda header: (int(header.get("InstanceNumber") or 0), header.SOPInstanceUID)
    )
    return in_order[len(in_order) // 2]


def series_sentences(exam: Exam) -> Iterator[str]:
    """Which series of an exam were chosen for what, and why."""
    when = wording.TIME_POINT_WORDS[exam.files.time_point]
    used = used_roles(exam)
    for role, series in exam.files.chosen.items():
        b_values = ", ".join(f"{b:g}" for b in series.role.b_values)
        b_words = f", b {b_values} s/mm²" if b_values else ""
        unused = "" if role in used else " Not used for any number here."
        yield (
            f"{when} {wording.ROLE_WORDS[role]}: '{series.role.description}'{b_words}, {len(series.paths)} objects, "
            f"series {series.role.series_uid}. Recognised by: {wording.sentence(series.role.reason)}{unused}"
        )
    for choice in exam.files.choices:
        yield f"{when} choice: {wording.sentence(choice)}"


def parameter_sentences(findings: Findings) -> Iterator[str]:
    """What preprocessing chose, each parameter once."""
    for exam in reversed(findings.case.exams):
        for name, value in exam.parameters:
            full = f"{exam.files.time_point} {name}"
            if (full, value) not in findings.parameters:
                yield f"{full}: {value}"
    for name, value in findings.parameters:
        yield f"{name}: {value}"
