from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.filing import file_in, filed_exam, refer_to, referred, stamp
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.profile import Rendering
from pipelines.contract import Case, Exam, TimePoint

MakeExam = Callable[..., Exam]
BASELINE, RESTAGING = TimePoint.BASELINE, TimePoint.RESTAGING


@pytest.fixture(scope="module")
def case(make_exam: MakeExam) -> Case:
    return Case(make_exam(BASELINE), make_exam(RESTAGING))


def images(exam: Exam) -> list[Dataset]:
    return [dcmread(path) for path in exam.t2_paths]


def test_objects_go_to_their_own_study_or_all_to_the_restaging_study(case: Case) -> None:
    own, together = Rendering(), Rendering(in_baseline_study=False)
    assert case.baseline is not None and case.restaging is not None
    assert filed_exam(case.baseline, case, own) is case.baseline
    assert filed_exam(case.baseline, case, together) is case.restaging
    assert filed_exam(case.restaging, case, together) is case.restaging
    assert filed_exam(case.baseline, Case(case.baseline, None), together) is case.baseline


def test_images_of_the_own_study_and_of_another_one_stand_apart(case: Case) -> None:
    assert case.baseline is not None and case.restaging is not None
    old, new = images(case.baseline), images(case.restaging)
    dataset = Dataset()
    file_in(dataset, new[0])
    refer_to(dataset, [*old, *new, *old])
    assert dataset.StudyDate == new[0].StudyDate
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == new[0].SeriesInstanceUID and len(series.ReferencedInstanceSequence) == 9
    (other,) = dataset.StudiesContainingOtherReferencedInstancesSequence
    assert other.StudyInstanceUID == old[0].StudyInstanceUID
    assert len(dataset.SourceImageSequence) == 18
    assert referred(dataset) == {
        str(image.SOPInstanceUID): (image.StudyInstanceUID, image.SeriesInstanceUID) for image in (*old, *new)
    }


def test_a_second_filing_leaves_nothing_of_the_first(case: Case) -> None:
    assert case.baseline is not None and case.restaging is not None
    old, new = images(case.baseline), images(case.restaging)
    dataset = Dataset()
    for study in (old[0], new[0]):
        file_in(dataset, study)
        refer_to(dataset, old)
    assert "ReferencedSeriesSequence" not in dataset
    assert len(dataset.StudiesContainingOtherReferencedInstancesSequence) == 1
    file_in(dataset, old[0])
    refer_to(dataset, old)
    assert "StudiesContainingOtherReferencedInstancesSequence" not in dataset


def test_an_accession_number_of_another_study_does_not_stay(case: Case) -> None:
    assert case.baseline is not None
    study = images(case.baseline)[0]
    dataset = Dataset()
    dataset.AccessionNumber, dataset.StudyDescription, dataset.PatientAge = "OTHER", "other", "066Y"
    del study.AccessionNumber, study.StudyDescription
    file_in(dataset, study)
    assert dataset.AccessionNumber == "" and "StudyDescription" not in dataset and "PatientAge" not in dataset


def test_the_stamp_is_of_the_result_not_of_the_clock(identity: ResultIdentity) -> None:
    one, other = Dataset(), Dataset()
    for dataset in (one, other):
        equipment = Dataset()
        equipment.ContributionDateTime = "20991231"
        dataset.ContributingEquipmentSequence = [equipment]
        stamp(dataset, Kind.MAPS_BASELINE, replace(identity, station="A_VERY_LONG_STATION_NAME"))
    assert one == other and one.StationName == "A_VERY_LONG_STAT"
    assert one.ContributingEquipmentSequence[0].ContributionDateTime == one.SeriesDate + one.SeriesTime
    assert one.SeriesInstanceUID == identity.series_uid(Kind.MAPS_BASELINE) and one.SeriesNumber == 9003
