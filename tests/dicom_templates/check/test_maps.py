"""The check must find what is wrong: each test breaks one thing in right objects."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_templates.check.maps import check_maps
from dicom_templates.encode import reread
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import ResultIdentity
from dicom_templates.parametric_map import build_maps
from pipelines.contract import Case, Exam, Findings, TimePoint
from tests.dicom_templates.made_images import with_diffusion

MakeExam = Callable[..., Exam]
Built = tuple[list[Dataset], Exam, Findings]


@pytest.fixture(scope="module")
def built(make_exam: MakeExam, identity: ResultIdentity) -> Built:
    exam = with_diffusion(make_exam(TimePoint.BASELINE))
    findings = Findings(Case(exam, None))
    return [reread(one) for one in build_maps(exam, findings, identity)], exam, findings


def refuses(built: Built, spoil: Callable[[Dataset], None], message: str) -> None:
    maps, exam, findings = built
    spoilt = [deepcopy(one) for one in maps]
    spoil(spoilt[0])
    with pytest.raises(ResultUnfit, match=message):
        check_maps(spoilt, exam, findings)


def test_what_was_built_passes(built: Built) -> None:
    maps, exam, findings = built
    check_maps(maps, exam, findings)


def test_a_missing_map_is_found(built: Built) -> None:
    maps, exam, findings = built
    with pytest.raises(ResultUnfit, match="2 objects for 3 maps"):
        check_maps(maps[:2], exam, findings)


def test_two_maps_in_each_others_place_are_found(built: Built) -> None:
    maps, exam, findings = built
    with pytest.raises(ResultUnfit, match="ADC is called Kurtosis Diffusion Coefficient"):
        check_maps([maps[1], maps[0], maps[2]], exam, findings)


def test_one_wrong_value_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        values = np.frombuffer(one.FloatPixelData, dtype="<f4").copy()
        values[np.flatnonzero(values)[0]] += 1.0
        one.FloatPixelData = values.tobytes()

    refuses(built, spoil, "1 voxels differ from the ADC map")


def test_a_value_where_there_is_none_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        values = np.frombuffer(one.FloatPixelData, dtype="<f4").copy()
        values[np.flatnonzero(values == 0)[0]] = 900.0
        one.FloatPixelData = values.tobytes()

    refuses(built, spoil, "1 voxels are wrong about having a value")


def test_frames_in_another_order_are_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        frames = list(one.PerFrameFunctionalGroupsSequence)
        one.PerFrameFunctionalGroupsSequence = frames[1:] + frames[:1]

    refuses(built, spoil, "voxels")


def test_another_unit_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        (mapping,) = one.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
        mapping.MeasurementUnitsCodeSequence[0].CodeValue = "mm2/s"

    refuses(built, spoil, "the unit of ADC is mm2/s, not 10-6.mm2/s")


def test_a_slope_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        one.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].RealWorldValueSlope = 1e-6

    refuses(built, spoil, "the stored values of ADC are not its values")


def test_another_grid_is_found(built: Built) -> None:
    def stretch(one: Dataset) -> None:
        one.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.75, 1.75]

    def turn(one: Dataset) -> None:
        one.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]

    refuses(built, stretch, "pixel spacing")
    refuses(built, turn, "orientation")


def test_a_frame_that_names_the_images_of_another_slice_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        first, second, *_ = one.PerFrameFunctionalGroupsSequence
        first.DerivationImageSequence = second.DerivationImageSequence

    refuses(built, spoil, "does not name the images that lie there")


def test_an_image_of_no_source_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        one.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    refuses(built, spoil, "not those of the dwi series")


def test_another_frame_of_reference_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        one.FrameOfReferenceUID = "1.2.3"

    refuses(built, spoil, "frame of reference")


def test_another_padding_is_found(built: Built) -> None:
    def spoil(one: Dataset) -> None:
        one.FloatPixelPaddingValue = -1.0

    refuses(built, spoil, "padding is -1.0")


def test_another_exams_map_is_found(built: Built) -> None:
    maps, exam, findings = built
    assert exam.adc is not None
    other = replace(exam, adc=replace(exam.adc, volume=exam.adc.volume.like(exam.adc.volume.array * 1.01)))
    with pytest.raises(ResultUnfit, match="voxels differ from the ADC map"):
        check_maps(maps, other, findings)
