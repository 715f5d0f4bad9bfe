from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit
from pipelines.segment import network_grid, network_input
from pipelines.segmenter_cut import SegmenterCut, SegmenterExam
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RNG = np.random.default_rng(0)


def test_an_exam_comes_back_as_the_network_and_the_report_see_it() -> None:
    exam = made_up_exam()
    inputs = plain_inputs(exam)
    found = SegmenterExam.of(SegmenterCut(3.0).cut(inputs, mask_of(exam), RNG))
    grid = network_grid(exam.t2, 3.0)
    np.testing.assert_array_equal(found.truth, mask_of(exam))
    np.testing.assert_allclose(found.channels, network_input(inputs, grid), atol=2e-3)
    np.testing.assert_array_equal(found.grid.affine, grid.affine)
    np.testing.assert_array_equal(found.t2.affine, exam.t2.affine)
    assert found.mask.shape == found.grid.array.shape == grid.array.shape
    assert found.volume_cm3 == pytest.approx(mask_of(exam).sum() * 1.5 * 1.5 * 4.0 / 1000)
    assert found.mask.sum() * grid.voxel_mm3 / 1000 == pytest.approx(found.volume_cm3, rel=0.1)


def test_every_number_that_decides_the_entry_is_a_parameter() -> None:
    assert SegmenterCut(3.0).parameters() != SegmenterCut(1.5).parameters()
    assert SegmenterCut(3.0).parameters()["version"] >= 1


def test_a_complete_responder_without_tumour_is_learnt_from_too() -> None:
    exam = made_up_exam()
    found = SegmenterExam.of(SegmenterCut(3.0).cut(plain_inputs(exam), np.zeros_like(mask_of(exam)), RNG))
    assert not found.mask.any() and not found.truth.any() and found.volume_cm3 == 0.0


def test_an_exam_without_diffusion_is_refused() -> None:
    exam = replace(made_up_exam(), dwi={})
    with pytest.raises(InputUnfit) as caught:
        SegmenterCut(3.0).cut(plain_inputs(exam), mask_of(exam), RNG)
    assert caught.value.code is Code.NO_DIFFUSION
