from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.check.codes import check_codes
from dicom_templates.check.maps import check_maps
from dicom_templates.encode import encode, reread, write_part10
from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.parametric_map import WRITINGS, build_maps, maps_of
from dicom_templates.profile import Rendering
from pipelines.contract import (
    Case,
    Code,
    Exam,
    Findings,
    InputUnfit,
    MapKind,
    ModelIdentity,
    Role,
    ScalarMap,
    Score,
    TimePoint,
)
from tests.dicom_templates.made_images import B_VALUES, explanation, with_diffusion
from tests.dicom_templates.validated import complaints

MakeExam = Callable[..., Exam]
MakeScore = Callable[..., Score]
BASELINE = TimePoint.BASELINE
#: Its tables of 2022 do not have the term, which PS3.3 C.8.16.1.4 has.
QUANTITY = "Unrecognized defined term = <QUANTITY>"


@pytest.fixture(scope="module")
def exam(make_exam: MakeExam) -> Exam:
    return with_diffusion(make_exam(BASELINE))


@pytest.fixture
def findings(exam: Exam, model: ModelIdentity, make_score: MakeScore) -> Findings:
    seen = make_score(explanations=(explanation(exam, model),))
    return Findings(Case(exam, None), scores=(seen,))


@pytest.fixture
def maps(exam: Exam, findings: Findings, identity: ResultIdentity) -> tuple[Dataset, ...]:
    return tuple(reread(one) for one in build_maps(exam, findings, identity))


def frame_of(written: Dataset, height: float) -> int:
    positions = [
        float(f.PlanePositionSequence[0].ImagePositionPatient[2]) for f in written.PerFrameFunctionalGroupsSequence
    ]
    return int(np.abs(np.array(positions) - height).argmin())


def test_an_exam_gives_adc_and_the_kurtosis_maps_and_the_grad_cam(maps: tuple[Dataset, ...]) -> None:
    names = [one.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].LUTLabel for one in maps]
    assert names == ["ADC", "D", "K", "Grad-CAM"]
    assert len({one.SeriesInstanceUID for one in maps}) == 1
    assert [one.InstanceNumber for one in maps] == [1, 2, 3, 4]
    assert {one.ContentQualification for one in maps} == {"RESEARCH"}
    assert {one.BodyPartExamined for one in maps} == {"RECTUM"}


def test_a_voxel_of_the_adc_is_where_it_was_and_in_the_units_of_the_mapping(
    maps: tuple[Dataset, ...], exam: Exam
) -> None:
    assert exam.adc is not None
    volume, written = exam.adc.volume, maps[0]
    slices, rows, columns = volume.array.shape
    pixels = np.frombuffer(written.FloatPixelData, dtype="<f4").reshape(slices, rows, columns)
    frame = frame_of(written, float((volume.affine @ [5, 0, 0, 1])[2]))
    assert pixels[frame, 11, 17] == pytest.approx(1000.0 * volume.array[5, 11, 17], rel=1e-6)
    (mapping,) = written.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "10-6.mm2/s"
    quantity = mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodingSchemeDesignator) == ("113041", "DCM")
    assert [item.NumericValue for item in mapping.QuantityDefinitionSequence if item.ValueType == "NUMERIC"] == list(
        B_VALUES
    )


def test_another_library_reads_the_same_volume(maps: tuple[Dataset, ...], exam: Exam, tmp_path: Path) -> None:
    assert exam.adc is not None
    write_part10(maps[0], tmp_path / "adc.dcm")
    volume = hd.imread(tmp_path / "adc.dcm").get_volume(apply_real_world_transform=True)
    same = volume.match_geometry(hd.VolumeGeometry(exam.adc.volume.affine, exam.adc.volume.array.shape, "PATIENT"))
    assert np.allclose(same.array, np.where(exam.adc.valid, 1000.0 * exam.adc.volume.array, 0.0), rtol=1e-6)


def test_a_voxel_without_a_value_is_padding_and_no_other_one_is(maps: tuple[Dataset, ...], findings: Findings) -> None:
    """A Grad-CAM is 0 where a network did not look: that is a value."""
    written, saliency = maps[3], findings.scores[0].explanations[0].saliency
    values = np.frombuffer(written.FloatPixelData, dtype="<f4")
    assert written.FloatPixelPaddingValue == 0
    assert np.count_nonzero(values == 0) == np.count_nonzero(~saliency.valid)
    zeros = saliency.valid & (saliency.volume.array == 0)
    assert zeros.any() and np.count_nonzero((values > 0) & (values < 1e-30)) == np.count_nonzero(zeros)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("enhanced", [False, True])
def test_a_frame_names_the_images_of_every_b_value_at_its_place(
    make_exam: MakeExam, identity: ResultIdentity, enhanced: bool
) -> None:
    exam = with_diffusion(make_exam(BASELINE), enhanced=enhanced)
    adc = reread(build_maps(exam, Findings(Case(exam, None)), identity)[0])
    place = {
        (str(ds.SOPInstanceUID), number if enhanced else None): position
        for ds in map(dcmread, exam.files.chosen[Role.DWI].paths)
        for number, position in enumerate(
            [f.PlanePositionSequence[0].ImagePositionPatient for f in ds.PerFrameFunctionalGroupsSequence]
            if enhanced
            else [ds.ImagePositionPatient],
            start=1,
        )
    }
    for frame in adc.PerFrameFunctionalGroupsSequence:
        sources = frame.DerivationImageSequence[0].SourceImageSequence
        assert len(sources) == len(B_VALUES)
        for source in sources:
            key = (str(source.ReferencedSOPInstanceUID), source.get("ReferencedFrameNumber"))
            there = np.array(place[key], dtype=float)
            assert np.allclose(there, frame.PlanePositionSequence[0].ImagePositionPatient, atol=1e-3)


def test_a_grad_cam_on_its_own_grid_names_its_network_and_no_image_of_its_own(maps: tuple[Dataset, ...]) -> None:
    written = maps[3]
    assert "signature_svm_t2_dwi 1.0" in written.ContentDescription and len(written.ContentDescription) <= 64
    for frame in written.PerFrameFunctionalGroupsSequence:
        (item,) = frame.DerivationImageSequence
        assert "t2 of signature_svm_t2_dwi 1.0" in item.DerivationDescription
        assert not item.SourceImageSequence
    assert len(written.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 9  # the T2
    assert "PHANTOM-TRAINED" in written.SeriesDescription


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("net", "Grad-CAM t2 of net 1.0, baseline. RESEARCH ONLY"),
        ("a_network_with_a_longish_name", "Grad-CAM t2 of a_network_with_a_longish_name 1.0. RESEARCH ONLY"),
        ("restage-signature-svm ce_t1_t2_dwi", "Grad-CAM t2 of restage-signature-svm ce_t1_t2_dwi 1.0"),
        ("n" * 70, f"Grad-CAM t2 of {'n' * 46}..."),
    ],
)
def test_the_description_of_a_map_has_room_for_its_model_first(
    exam: Exam, identity: ResultIdentity, model: ModelIdentity, make_score: MakeScore, name: str, said: str
) -> None:
    seen = make_score(explanations=(explanation(exam, replace(model, name=name)),))
    written = build_maps(exam, Findings(Case(exam, None), scores=(seen,)), identity)[3]
    assert written.ContentDescription == said and len(said) <= 64
    (derived,) = written.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence
    assert f"t2 of {name} 1.0" in derived.DerivationDescription


def test_a_grad_cam_without_a_model_is_refused(exam: Exam, identity: ResultIdentity, make_score: MakeScore) -> None:
    seen = make_score(explanations=(explanation(exam, None),))  # type: ignore[arg-type]  # what is refused
    with pytest.raises(TemplateError, match="must name its model"):
        build_maps(exam, Findings(Case(exam, None), scores=(seen,)), identity)


def test_only_the_maps_of_the_exams_own_time_point_are_its_maps(exam: Exam, findings: Findings) -> None:
    other = replace(findings.scores[0].explanations[0], time_point=TimePoint.RESTAGING)
    scores = (replace(findings.scores[0], explanations=(other,)),)
    assert [one.scalar.kind for one in maps_of(exam, replace(findings, scores=scores))] == ["adc", "d", "k"]


def test_the_scanners_map_comes_from_its_own_series(exam: Exam, findings: Findings) -> None:
    assert exam.adc is not None
    scanner = replace(exam, adc=replace(exam.adc, fit="scanner's map (b-values not stated)"))
    assert maps_of(scanner, findings)[0].role is Role.ADC


def test_a_map_of_a_series_that_is_not_there_is_refused(exam: Exam, identity: ResultIdentity) -> None:
    without = replace(exam, files=replace(exam.files, chosen={}))
    with pytest.raises(TemplateError, match="the exam does not have"):
        build_maps(without, Findings(Case(without, None)), identity)


def test_a_source_without_frame_of_reference_is_refused_with_a_reason(
    exam: Exam, identity: ResultIdentity, tmp_path: Path
) -> None:
    dwi = exam.files.chosen[Role.DWI]
    ds = dcmread(dwi.paths[0])
    del ds.FrameOfReferenceUID
    ds.save_as(tmp_path / "lost.dcm")
    chosen = {**exam.files.chosen, Role.DWI: replace(dwi, paths=(tmp_path / "lost.dcm",))}
    lost = replace(exam, files=replace(exam.files, chosen=chosen))
    with pytest.raises(InputUnfit, match="the dwi series has no Frame of Reference UID") as refusal:
        build_maps(lost, Findings(Case(lost, None)), identity)
    assert refusal.value.code is Code.NO_FRAME_OF_REFERENCE


def test_a_map_in_another_frame_of_reference_is_refused(exam: Exam, identity: ResultIdentity) -> None:
    assert exam.adc is not None
    elsewhere = replace(exam.adc.volume, frame_of_reference_uid="1.2.3")
    moved = replace(exam, adc=replace(exam.adc, volume=elsewhere))
    with pytest.raises(TemplateError, match="another frame of reference"):
        build_maps(moved, Findings(Case(moved, None)), identity)


def broken(one: ScalarMap, how: str) -> ScalarMap:
    if how == "empty":
        return replace(one, valid=np.zeros_like(one.valid))
    if how == "elsewhere":
        return replace(one, valid=one.valid[1:])
    array = one.volume.array.copy()
    array[one.valid] = np.nan
    return replace(one, volume=one.volume.like(array))


@pytest.mark.parametrize(
    ("how", "message"), [("empty", "no usable value"), ("elsewhere", "not on its grid"), ("nan", "not finite")]
)
def test_a_map_without_usable_values_is_refused(exam: Exam, identity: ResultIdentity, how: str, message: str) -> None:
    odd = replace(exam, maps=(broken(exam.maps[0], how),))
    with pytest.raises(TemplateError, match=message):
        build_maps(odd, Findings(Case(odd, None)), identity)


def test_the_series_of_a_second_version_keeps_its_instances_apart(
    exam: Exam, findings: Findings, identity: ResultIdentity
) -> None:
    first, second = (build_maps(exam, findings, replace(identity, version=version)) for version in (1, 2))
    assert {one.SeriesInstanceUID for one in (*first, *second)} == {identity.series_uid(Kind.MAPS_BASELINE)}
    assert len({one.InstanceNumber for one in (*first, *second)}) == 8
    assert len({one.SOPInstanceUID for one in (*first, *second)}) == 8


def test_the_same_work_gives_the_same_bytes(exam: Exam, findings: Findings, identity: ResultIdentity) -> None:
    first, second = (build_maps(exam, findings, identity) for _ in range(2))
    assert [encode(one) for one in first] == [encode(one) for one in second]


def test_a_baseline_map_filed_in_the_restaging_study_still_leads_to_its_images(
    make_exam: MakeExam, exam: Exam, findings: Findings, identity: ResultIdentity
) -> None:
    restaging = make_exam(TimePoint.RESTAGING)
    written = [reread(one) for one in build_maps(exam, findings, identity, restaging)]
    check_maps(written, exam, findings)
    for one in written:
        assert one.StudyInstanceUID == restaging.files.study_uids[0] and "baseline" in one.SeriesDescription
        assert one.FrameOfReferenceUID == exam.t2.frame_of_reference_uid
        assert "ReferencedSeriesSequence" not in one


def test_every_code_is_a_published_one(maps: tuple[Dataset, ...]) -> None:
    for one in maps:
        check_codes(one)


def test_every_kind_of_map_can_be_written() -> None:
    assert set(WRITINGS) == set(MapKind)


@pytest.mark.peers
def test_dciodvfy_has_nothing_against_them(maps: tuple[Dataset, ...], tmp_path: Path) -> None:
    for one in maps:
        assert complaints(one, tmp_path, "ParametricMap", (QUANTITY,)) == []


def test_the_longest_prefix_leaves_room_for_the_series_description(
    make_exam: MakeExam, identity: ResultIdentity, model: ModelIdentity, make_score: MakeScore
) -> None:
    exam = with_diffusion(make_exam(TimePoint.RESTAGING))
    findings = Findings(Case(None, exam), scores=(make_score(explanations=(explanation(exam, model),)),))
    longest = replace(identity, rendering=Rendering(prefix="HOSPITAL"))
    (said,) = {one.SeriesDescription for one in build_maps(exam, findings, longest)}
    assert said == "HOSPITAL parametric maps restaging PHANTOM-TRAINED RESEARCH ONLY" and len(said) == 64


def role(exam: Exam, model: ModelIdentity, make_score: MakeScore, sequence: str, frame: str = "") -> Role:
    """The series that a Grad-CAM of this sequence is said to come from."""
    one = explanation(exam, model, sequence)
    volume = replace(one.saliency.volume, frame_of_reference_uid=frame)
    seen = make_score(explanations=(replace(one, saliency=replace(one.saliency, volume=volume)),))
    return maps_of(exam, Findings(Case(exam, None), scores=(seen,)))[-1].role


def test_a_grad_cam_comes_from_the_series_that_the_network_saw(
    exam: Exam, model: ModelIdentity, make_score: MakeScore
) -> None:
    assert role(exam, model, make_score, "T2") is Role.T2_AXIAL
    assert role(exam, model, make_score, "DWI") is Role.DWI
    assert role(exam, model, make_score, "ADC") is Role.DWI  # which it was computed from
    assert role(exam, model, make_score, "T2, ADC, Dapp, Kapp") is Role.T2_AXIAL


def test_a_grad_cam_on_a_grid_of_another_frame_of_reference_comes_from_the_t2_it_lies_on(
    exam: Exam, model: ModelIdentity, make_score: MakeScore
) -> None:
    own = next(iter(exam.dwi.values())).frame_of_reference_uid
    assert role(exam, model, make_score, "DWI", own) is Role.DWI
    assert role(exam, model, make_score, "DWI", f"{own or '1.2'}.99") is (Role.T2_AXIAL if own else Role.DWI)


def test_a_grad_cam_of_a_series_that_is_not_there_is_the_t2s(
    exam: Exam, model: ModelIdentity, make_score: MakeScore
) -> None:
    assert Role.CE_T1 not in exam.files.chosen
    assert role(exam, model, make_score, "CE-T1") is Role.T2_AXIAL
