from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from pipelines.contract import Code, ExamFiles, InputUnfit, Role, TimePoint
from pipelines.exam import assemble, exam_files
from pipelines.roles.site_rules import SiteRule
from pipelines.roles.study_roles import classified
from tests.pipelines.made_exam import made_exam
from tests.pipelines.made_series import DWI, T2, Grid, Maker

SHAPE = (8, 12, 10)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def assembled(maker: Maker, *series: list[Any]) -> ExamFiles:
    headers = [maker.headers(one) for one in series]
    return assemble(classified(headers), TimePoint.BASELINE, ())


def test_the_smaller_field_of_view_is_taken_and_the_choice_stated(maker: Maker) -> None:
    large = maker.slices(np.ones(SHAPE), Grid(spacing=(3.0, 1.2, 1.2)), T2, SeriesDescription="t2_large")
    small = maker.slices(np.ones(SHAPE), Grid(spacing=(3.0, 0.6, 0.6)), T2, SeriesDescription="t2_small")
    for order in ((large, small), (small, large)):
        files = assembled(maker, *order)
        assert files.chosen[Role.T2_AXIAL].role.description == "t2_small"
        (choice,) = files.choices
        assert "t2_large" in choice
        assert "smallest field of view" in choice


def test_of_equals_the_later_repeat_is_taken(maker: Maker) -> None:
    late = maker.slices(np.ones(SHAPE), Grid(), T2, AcquisitionTime="101500")
    early = maker.slices(np.ones(SHAPE), Grid(), T2, AcquisitionTime="100500")
    files = assembled(maker, late, early)
    assert files.chosen[Role.T2_AXIAL].role.series_uid == late[0].SeriesInstanceUID
    assert "the later of equals" in files.choices[0]


def test_a_fat_suppressed_t2_is_second_choice(maker: Maker) -> None:
    plain = maker.slices(np.ones(SHAPE), Grid(spacing=(3.0, 1.0, 1.0)), T2)
    suppressed = maker.slices(np.ones(SHAPE), Grid(spacing=(3.0, 0.6, 0.6)), T2, SeriesDescription="t2_tse_fs_tra")
    files = assembled(maker, suppressed, plain)
    assert files.chosen[Role.T2_AXIAL].role.series_uid == plain[0].SeriesInstanceUID


def test_thick_slices_are_second_choice(maker: Maker) -> None:
    thin = maker.slices(np.ones(SHAPE), Grid(spacing=(3.0, 1.0, 1.0)), T2)
    thick = maker.slices(np.ones(SHAPE), Grid(spacing=(6.0, 0.6, 0.6)), T2)
    files = assembled(maker, thick, thin)
    assert files.chosen[Role.T2_AXIAL].role.series_uid == thin[0].SeriesInstanceUID
    assert "slices at most 5 mm apart" in files.choices[0]


def test_of_equal_fields_and_pixels_the_oblique_one_is_taken(maker: Maker) -> None:
    angle = np.radians(20)
    tilted = Grid(orientation=(1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(-np.sin(angle))))
    oblique = maker.slices(np.ones(SHAPE), tilted, T2, AcquisitionTime="100000")
    straight = maker.slices(np.ones(SHAPE), Grid(), T2, AcquisitionTime="101000")
    files = assembled(maker, oblique, straight)
    assert files.chosen[Role.T2_AXIAL].role.series_uid == oblique[0].SeriesInstanceUID
    assert "tilted" in files.choices[0]


def test_a_site_rule_fills_a_role_of_the_exam(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    maker.write(maker.slices(np.ones(SHAPE), Grid(), T2, SeriesDescription="t2_a"), "a")
    maker.write(maker.slices(np.ones(SHAPE), Grid(), T2, SeriesDescription="t2_b"), "b")
    rules = [SiteRule(Role.OTHER, description="t2_b")]
    files = exam_files(tmp_path, TimePoint.BASELINE, rules)
    assert files.chosen[Role.T2_AXIAL].role.description == "t2_a"
    assert [role.code for role in files.refused] == [Code.SITE_RULE]


def test_the_dwi_with_more_b_values_is_taken(maker: Maker) -> None:
    def series(*b_values: float) -> list[Any]:
        uid = f"1.2.3.{len(b_values)}"
        return [
            dataset
            for b in b_values
            for dataset in maker.slices(np.ones(SHAPE), Grid(), DWI, SeriesInstanceUID=uid, DiffusionBValue=b)
        ]

    files = assembled(maker, series(50, 2000), series(50, 400, 800))
    assert files.chosen[Role.DWI].role.b_values == (50, 400, 800)


def test_the_adc_map_whose_header_says_most_is_taken_before_a_finer_one(maker: Maker) -> None:
    typed = {"SeriesDescription": "ADC", "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}
    named = {"SeriesDescription": "ADC late", "ImageType": ["DERIVED", "PRIMARY", "OTHER"]}
    sure = maker.slices(np.ones(SHAPE), Grid(spacing=(3.0, 1.0, 1.0)), DWI, **typed, AcquisitionTime="100000")
    finer = maker.slices(np.ones(SHAPE), Grid(spacing=(3.0, 0.6, 0.6)), DWI, **named, AcquisitionTime="101000")
    files = assembled(maker, finer, sure)
    assert files.chosen[Role.ADC].role.series_uid == sure[0].SeriesInstanceUID
    assert "the one whose header says more surely what it is" in files.choices[0]


def test_a_diffusion_image_named_for_its_map_too_does_not_take_the_maps_place(maker: Maker) -> None:
    types = {"map": ["DERIVED", "PRIMARY", "ADC"], "image": ["DERIVED", "PRIMARY", "OTHER"]}
    adc = maker.slices(np.ones(SHAPE), Grid(), DWI, SeriesDescription="ADC", ImageType=types["map"])
    b = {"SeriesDescription": "DWI/ADC b1000", "DiffusionBValue": 1000.0, "ImageType": types["image"]}
    files = assembled(maker, adc, maker.slices(np.ones(SHAPE), Grid(), DWI, **b))
    assert files.chosen[Role.ADC].role.description == "ADC"
    assert [role.code for role in files.refused] == [Code.DERIVED_SERIES]


def test_refused_series_are_kept_by_name_and_the_exam_knows_patient_and_day(maker: Maker) -> None:
    good = maker.slices(np.ones(SHAPE), Grid(), T2)
    localizer = maker.slices(np.ones(SHAPE), Grid(), T2, SeriesDescription="t2_loc sag")
    files = assembled(maker, good, localizer)
    assert [role.code for role in files.refused] == [Code.LOCALIZER]
    assert files.study_uids == (maker.study_uid,)
    assert files.study_date == date(2024, 1, 2)
    assert (files.patient.patient_id, files.patient.name, files.patient.sex) == ("P1", "Doe^Jane", "F")


def test_series_of_two_patients_are_no_exam(maker: Maker) -> None:
    other = maker.slices(np.ones(SHAPE), Grid(), T2, PatientBirthDate="19700101")
    with pytest.raises(InputUnfit, match="birth date") as refused:
        assembled(maker, maker.slices(np.ones(SHAPE), Grid(), T2), other)
    assert refused.value.code is Code.PATIENTS_DIFFER


def test_an_exam_without_any_date_is_refused(maker: Maker) -> None:
    with pytest.raises(InputUnfit) as refused:
        assembled(maker, maker.slices(np.ones(SHAPE), Grid(), T2, StudyDate=""))
    assert refused.value.code is Code.NO_STUDY_DATE


def test_a_folder_becomes_an_exam_with_its_annotations_but_not_our_own_results(tmp_path: Path) -> None:
    made_exam(tmp_path)
    (seg,) = tmp_path.glob("*.seg.dcm")
    own = pydicom.dcmread(seg)
    own.Manufacturer, own.SOPInstanceUID, own.SeriesInstanceUID = "Restage", "1.2.3.4", "1.2.3"
    own.save_as(tmp_path / "own.dcm")
    files = exam_files(tmp_path, TimePoint.RESTAGING)
    assert set(files.chosen) == {Role.T2_AXIAL, Role.DWI, Role.CE_T1}
    assert files.annotations == (seg,)
    assert "1.2.3" not in {role.series_uid for role in files.refused}
    assert files.time_point is TimePoint.RESTAGING


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputUnfit, match="no DICOM series"):
        exam_files(tmp_path, TimePoint.BASELINE)


def test_the_later_of_two_equal_real_t2_series_is_taken(shared_data: Path) -> None:
    (folder,) = (p for p in (shared_data / "prostatex_0000_0001").rglob("ProstateX-0001") if p.is_dir())
    files = exam_files(folder, TimePoint.BASELINE)
    assert set(files.chosen) == {Role.T2_AXIAL, Role.T2_SAGITTAL, Role.T2_CORONAL, Role.DWI, Role.ADC}
    assert "series 10 't2_tse_tra'" in files.choices[0]
    with pytest.raises(InputUnfit, match="ProstateX-0000"):
        exam_files(folder.parent, TimePoint.BASELINE)
