"""Motion and ghosts: pipelines.quality.motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, Exam, Role
from pipelines.quality import QualityFinding, Severity, assess_images
from pipelines.quality.motion import b_shift, ghost_level, motion_of, slice_jitter
from tests.pipelines.quality.planted import displaced, ghosted, with_dwi


def about_motion(exam: Exam) -> list[QualityFinding]:
    return [one for one in assess_images(exam).findings if one.code is Code.MOTION_SUSPECTED]


def lowest(exam: Exam) -> float:
    return min(exam.dwi)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("mm", [3.0, -5.0])
def test_the_displacement_between_b_values_is_measured_in_mm(clean: Exam, mm: float, axis: int) -> None:
    moved = with_dwi(clean, lambda volume: displaced(volume, mm, axis), (max(clean.dwi),))
    assert b_shift(moved.dwi) == pytest.approx(abs(mm), abs=0.5)


@pytest.mark.parametrize("mm", [2.0, 4.0])
def test_the_displacement_of_every_second_slice_is_measured_in_mm(clean: Exam, mm: float) -> None:
    assert slice_jitter(displaced(clean.t2, mm, every=2)) == pytest.approx(mm, abs=0.4)
    assert slice_jitter(displaced(clean.dwi[lowest(clean)], mm, 2, every=2)) == pytest.approx(mm, abs=0.4)


def test_anatomy_that_leans_from_slice_to_slice_is_no_motion(clean: Exam) -> None:
    leaning = np.stack([np.roll(plane, index, axis=0) for index, plane in enumerate(clean.t2.array)])
    level = slice_jitter(clean.t2.like(leaning))
    assert level is not None
    assert level < 0.4


@pytest.mark.parametrize("axis", [1, 2])
def test_a_ghost_rises_above_a_clean_image_along_its_own_axis(clean: Exam, axis: int) -> None:
    low = clean.dwi[lowest(clean)]
    own, other = ghost_level(ghosted(low, 0.2, axis), axis), ghost_level(ghosted(low, 0.2, axis), 3 - axis)
    without = ghost_level(low)
    assert own is not None
    assert other is not None
    assert without is not None
    assert own > 0.15
    assert without < 0.05
    assert other < 0.05


@pytest.mark.parametrize(("mm", "severity"), [(0.0, None), (3.0, Severity.WARNING), (6.0, Severity.REFUSAL)])
def test_a_moderate_displacement_is_warned_of_and_a_gross_one_refused(
    clean: Exam, mm: float, severity: Severity | None
) -> None:
    found = about_motion(with_dwi(clean, lambda volume: displaced(volume, mm), (max(clean.dwi),)))
    assert [(one.role, one.severity) for one in found] == ([(Role.DWI, severity)] if severity else [])


def test_images_too_noisy_slice_by_slice_are_compared_together(clean: Exam) -> None:
    rng = np.random.default_rng(5)
    low = clean.dwi[lowest(clean)]
    noise = 0.35 * np.percentile(low.array, 95) * rng.standard_normal((2, *low.array.shape)).astype(np.float32)
    noisy = low.like(np.hypot(low.array + noise[0], noise[1]))
    assert b_shift({0.0: low, 800.0: displaced(noisy, 5.0)}) == pytest.approx(5.0, abs=0.6)


def test_a_ghost_is_warned_of(clean: Exam) -> None:
    (finding,) = about_motion(with_dwi(clean, lambda volume: ghosted(volume, 0.15)))
    assert finding.severity is Severity.WARNING
    assert "ghost" in finding.reason


def test_displaced_t2_slices_are_warned_of_and_never_refused(clean: Exam) -> None:
    for mm in (2.0, 6.0):
        (finding,) = about_motion(replace(clean, t2=displaced(clean.t2, mm, every=2)))
        assert (finding.role, finding.severity) == (Role.T2_AXIAL, Severity.WARNING)


def test_the_score_is_one_where_refusal_begins(clean: Exam) -> None:
    calm = motion_of(clean.dwi).score()
    moved = with_dwi(clean, lambda volume: displaced(volume, 4.0), (max(clean.dwi),))
    stirred = motion_of(moved.dwi).score()
    assert calm is not None
    assert stirred is not None
    assert calm < 0.3
    assert stirred == pytest.approx(1.0, abs=0.15)


def test_noise_and_empty_images_are_not_measured(clean: Exam) -> None:
    rng = np.random.default_rng(3)
    noise = {b: volume.like(rng.random(volume.array.shape, np.float32)) for b, volume in clean.dwi.items()}
    assert b_shift(noise) is None
    assert slice_jitter(noise[lowest(clean)]) is None
    blank = with_dwi(clean, lambda volume: volume.like(np.zeros_like(volume.array)))
    assert motion_of(blank.dwi).score() is None
    assert about_motion(blank) == []
    assert dict(assess_images(blank).parameters)["DWI motion score"] == "not measurable"


def test_slices_too_small_for_a_ghost_are_not_measured(clean: Exam) -> None:
    low = clean.dwi[lowest(clean)]
    assert ghost_level(replace(low, array=low.array[:, :40, :40])) is None
