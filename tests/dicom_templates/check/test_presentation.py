"""The check must find what is wrong: each test breaks one thing in a right object."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_templates.check.presentation import check_presentation
from dicom_templates.encode import reread
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import ResultIdentity
from dicom_templates.presentation import build_presentation
from pipelines.contract import Exam, TimePoint

MakeExam = Callable[..., Exam]
Built = tuple[Dataset, Exam]


@pytest.fixture(scope="module")
def built(make_exam: MakeExam, identity: ResultIdentity) -> Built:
    exam = make_exam(TimePoint.BASELINE)
    return reread(build_presentation(exam, identity)), exam


def refuses(built: Built, spoil: Callable[[Dataset], None], message: str) -> None:
    state, exam = deepcopy(built[0]), built[1]
    spoil(state)
    with pytest.raises(ResultUnfit, match=message):
        check_presentation(state, exam)


def test_a_line_moved_by_one_pixel_is_found(built: Built) -> None:
    def spoil(state: Dataset) -> None:
        line = state.GraphicAnnotationSequence[3].GraphicObjectSequence[0]
        line.GraphicData = (np.array(line.GraphicData) + 1.0).tolist()

    refuses(built, spoil, r"PR: \d+ pixels of slice 4 are on the wrong side")


def test_a_slice_without_its_lines_is_found(built: Built) -> None:
    def spoil(state: Dataset) -> None:
        del state.GraphicAnnotationSequence[0]

    refuses(built, spoil, "pixels of slice 1 ")


def test_lines_over_another_image_are_found(built: Built) -> None:
    def swap(state: Dataset) -> None:
        first, second, *_ = state.GraphicAnnotationSequence
        first.ReferencedImageSequence, second.ReferencedImageSequence = (
            second.ReferencedImageSequence,
            first.ReferencedImageSequence,
        )

    def stray(state: Dataset) -> None:
        state.GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    def twice(state: Dataset) -> None:
        state.GraphicAnnotationSequence.append(state.GraphicAnnotationSequence[0])

    refuses(built, swap, "on the wrong side")
    refuses(built, stray, "no slice of the axial T2")
    refuses(built, twice, "two groups of lines")


def test_a_line_of_another_kind_is_found(built: Built) -> None:
    def display(state: Dataset) -> None:
        state.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicAnnotationUnits = "DISPLAY"

    def opened(state: Dataset) -> None:
        line = state.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
        line.GraphicData = list(line.GraphicData)[:-2]

    refuses(built, display, "no polyline in image coordinates")
    refuses(built, opened, "not closed")


def test_another_layer_text_series_or_study_is_found(built: Built) -> None:
    def layer(state: Dataset) -> None:
        state.GraphicAnnotationSequence[0].GraphicLayer = "OTHER"

    def text(state: Dataset) -> None:
        state.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue = "tumour"

    def series(state: Dataset) -> None:
        state.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"

    def image(state: Dataset) -> None:
        del state.ReferencedSeriesSequence[0].ReferencedImageSequence[0]

    def study(state: Dataset) -> None:
        state.StudyInstanceUID = "1.2.3"

    refuses(built, layer, "which nobody defines")
    refuses(built, text, "does not say RESEARCH ONLY")
    refuses(built, series, "to no other")
    refuses(built, image, "not those of the axial T2")
    refuses(built, study, "the study of its images")


def test_another_exams_mask_is_found(built: Built) -> None:
    state, exam = built
    assert exam.mask is not None
    moved = replace(exam, mask=replace(exam.mask, array=np.roll(exam.mask.array, 1, axis=0)))
    with pytest.raises(ResultUnfit, match="on the wrong side"):
        check_presentation(state, moved)
    with pytest.raises(ResultUnfit, match="no tumour mask"):
        check_presentation(state, replace(exam, mask=None))
