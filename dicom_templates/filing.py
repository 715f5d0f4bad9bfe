"""An object of ours in its study and series: whose it is, who made it and when, and which images it refers to.

Every object about one exam is filed in the study of that exam, or in the restaging study where a destination wants
nothing new in an old study (``Rendering.in_baseline_study``). Its frame of reference stays that of its images; what
it says of their study is in the Common Instance Reference Module (PS3.3 C.12.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from dicom_templates.codes.images import SOURCE_IMAGE
from dicom_templates.encode import settle_character_set
from dicom_templates.identity import MANUFACTURER, MODEL_NAME, ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.planes import Plane
from dicom_templates.profile import Rendering
from dicom_templates.sources import copy_identity, reported_exam
from pipelines.contract import Case, Exam


def filed_exam(exam: Exam, case: Case, rendering: Rendering) -> Exam:
    """The exam whose study an object about ``exam`` is filed in."""
    return exam if rendering.in_baseline_study else reported_exam(case)


def stamp(dataset: Dataset, kind: Kind, identity: ResultIdentity) -> None:
    """Series, equipment and times (PS3.3 C.7.3.1, C.7.5.1, C.12.1): the same for the same work.

    What highdicom takes from the clock and from chance is replaced: a repeat of the same work is the same object.
    """
    created = identity.local_time
    date, time = created.strftime("%Y%m%d"), created.strftime("%H%M%S")
    dataset.SeriesInstanceUID, dataset.SeriesNumber = identity.series_uid(kind), identity.series_number(kind)
    dataset.InstanceCreationDate = dataset.SeriesDate = date
    dataset.InstanceCreationTime = dataset.SeriesTime = time
    dataset.Manufacturer, dataset.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    dataset.SoftwareVersions, dataset.DeviceSerialNumber = identity.software_version, identity.device_uid
    dataset.StationName = identity.station[:16]
    dataset.BodyPartExamined = "RECTUM"  # unpaired: without it validators ask for Laterality
    for equipment in dataset.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = date + time
    organization = identity.dimension_uid(kind)
    for item in (*dataset.get("DimensionOrganizationSequence", []), *dataset.get("DimensionIndexSequence", [])):
        item.DimensionOrganizationUID = organization


def file_in(dataset: Dataset, study: Dataset) -> None:
    """Patient, study and character set of an image of the study that the object belongs to."""
    copy_identity(study, dataset)
    settle_character_set(dataset, study)


def refer_to(dataset: Dataset, images: Sequence[Dataset]) -> None:
    """Name every image of ``images`` once: Source Image Sequence, and Common Instance Reference by study and series.

    Call it after :func:`file_in`: images of another study than the object's stand under Studies Containing Other
    Referenced Instances.
    """
    unique = list({str(image.SOPInstanceUID): image for image in images}.values())
    dataset.SourceImageSequence = [_instance(image) for image in unique]
    for keyword in ("ReferencedSeriesSequence", "StudiesContainingOtherReferencedInstancesSequence"):
        if keyword in dataset:
            del dataset[keyword]
    others = []
    for study in dict.fromkeys(str(image.StudyInstanceUID) for image in unique):
        series = _series([image for image in unique if str(image.StudyInstanceUID) == study])
        if study == str(dataset.StudyInstanceUID):
            dataset.ReferencedSeriesSequence = series
            continue
        other = Dataset()
        other.StudyInstanceUID, other.ReferencedSeriesSequence = study, series
        others.append(other)
    if others:
        dataset.StudiesContainingOtherReferencedInstancesSequence = others


def name_source(plane: Plane) -> Dataset:
    """Item of a Source Image Sequence: the plane that the pixels of an image or frame lie on (PS3.3 C.7.6.16.2.6)."""
    item = plane.reference()
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = SOURCE_IMAGE.value, SOURCE_IMAGE.scheme_designator
    purpose.CodeMeaning = SOURCE_IMAGE.meaning
    item.PurposeOfReferenceCodeSequence = [purpose]
    item.SpatialLocationsPreserved = "YES"
    return item


def referred(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """SOP Instance UID to (study, series) of everything in the object's Common Instance Reference."""
    studies = [(str(dataset.StudyInstanceUID), dataset.get("ReferencedSeriesSequence", []))]
    studies += [
        (str(other.StudyInstanceUID), other.ReferencedSeriesSequence)
        for other in dataset.get("StudiesContainingOtherReferencedInstancesSequence", [])
    ]
    return {
        str(instance.ReferencedSOPInstanceUID): (study, str(series.SeriesInstanceUID))
        for study, series_items in studies
        for series in series_items
        for instance in series.ReferencedInstanceSequence
    }


def _series(images: Sequence[Dataset]) -> list[Dataset]:
    items = []
    for uid in dict.fromkeys(str(image.SeriesInstanceUID) for image in images):
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = [_instance(one) for one in images if str(one.SeriesInstanceUID) == uid]
        items.append(item)
    return items


def _instance(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item
