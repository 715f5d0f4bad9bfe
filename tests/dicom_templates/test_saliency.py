from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dicom_templates.key_slice import key_slice
from dicom_templates.saliency import by_time_point, overlay, ramp, seen_slice
from pipelines.contract import Exam, Explanation, MapKind, ScalarMap, TimePoint
from tests.dicom_templates.conftest import score

GREY = np.array([0.2126, 0.7152, 0.0722])


def explained(exam: Exam, values: np.ndarray, valid: np.ndarray | None = None) -> Explanation:
    usable = np.ones(values.shape, dtype=bool) if valid is None else valid
    saliency = ScalarMap(MapKind.GRAD_CAM, exam.t2.like(values.astype(np.float32)), usable, "made up")
    return Explanation(exam.files.time_point, "T2", saliency, 0.5)


def test_the_scale_gets_lighter_all_the_way() -> None:
    levels = ramp()[0] @ GREY
    assert (np.diff(levels) > -0.002).all() and levels[-1] - levels[0] > 0.6


def test_where_nothing_was_looked_at_the_t2_shows(make_exam: Callable[..., Exam]) -> None:
    exam = make_exam(TimePoint.BASELINE)
    key = key_slice(exam, 90.0)
    shown = overlay(key, explained(exam, np.zeros(exam.t2.array.shape)))
    assert np.allclose(shown, 0.42 * key.t2[..., None], atol=1e-5)


def test_the_map_lies_where_the_tumour_is(make_exam: Callable[..., Exam]) -> None:
    exam = make_exam(TimePoint.BASELINE)
    assert exam.mask is not None
    key = key_slice(exam, 90.0)
    grey = overlay(key, explained(exam, exam.mask.array)) @ GREY
    assert key.outline is not None
    assert grey[key.outline > 0.99].min() > grey[key.outline < 0.01].max()


def test_voxels_without_a_usable_value_are_not_coloured(make_exam: Callable[..., Exam]) -> None:
    exam = make_exam(TimePoint.BASELINE)
    nothing = np.zeros(exam.t2.array.shape, dtype=bool)
    shown = overlay(key_slice(exam, 90.0), explained(exam, np.ones(exam.t2.array.shape), nothing))
    assert np.ptp(shown, axis=2).max() < 1e-6


def test_maps_are_found_by_exam_with_their_scores(make_exam: Callable[..., Exam]) -> None:
    maps = [explained(make_exam(time_point), np.zeros((9, 80, 96))) for time_point in TimePoint]
    first, second = score(explanations=tuple(maps)), replace(score(), explanations=(maps[1],))
    assert by_time_point((first, second), TimePoint.RESTAGING) == ((first, maps[1]), (second, maps[1]))
    assert by_time_point((first, second), TimePoint.BASELINE) == ((first, maps[0]),)


def test_a_map_of_another_slice_is_shown_on_that_slice(make_exam: Callable[..., Exam]) -> None:
    exam = make_exam(TimePoint.BASELINE)
    key = key_slice(exam, 90.0)
    here, elsewhere = np.zeros(exam.t2.array.shape, dtype=bool), np.zeros(exam.t2.array.shape, dtype=bool)
    here[key.index, 30:50, 40:60] = True
    elsewhere[key.index + 1, 30:50, 40:60] = True
    heat = np.full(exam.t2.array.shape, 0.5)
    assert seen_slice(key, exam, explained(exam, heat, here)) is key
    other = seen_slice(key, exam, explained(exam, heat, elsewhere))
    assert other.index == key.index + 1 and np.array_equal(other.points.shape, key.points.shape)
    assert np.ptp(overlay(other, explained(exam, heat, elsewhere)), axis=2).max() > 0.1


def test_a_map_without_any_place_stays_on_the_key_slice(make_exam: Callable[..., Exam]) -> None:
    exam = make_exam(TimePoint.BASELINE)
    key = key_slice(exam, 90.0)
    nothing = np.zeros(exam.t2.array.shape, dtype=bool)
    assert seen_slice(key, exam, explained(exam, np.ones(exam.t2.array.shape), nothing)) is key
