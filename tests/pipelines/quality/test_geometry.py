"""Slice thickness, obliquity and coverage: pipelines.quality.geometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.contract import Code, Exam, Mask, MaskOrigin, Role
from pipelines.quality import QualityFinding, Severity, assess_images, assess_target
from tests.pipelines.quality.planted import cut, resized, tilted, with_dwi, with_t2_headers


def about_slices(exam: Exam) -> list[QualityFinding]:
    return [one for one in assess_images(exam).findings if one.code is Code.SLICES_TOO_THICK]


def about_coverage(exam: Exam) -> list[QualityFinding]:
    return [one for one in assess_target(exam).findings if one.code is Code.COVERAGE_INCOMPLETE]


def with_step(exam: Exam, mm: float) -> Exam:
    return replace(exam, t2=resized(exam.t2, (mm / exam.t2.spacing[0], 1, 1)))


def with_mask(exam: Exam, array: np.ndarray) -> Exam:
    return replace(exam, mask=Mask(array, MaskOrigin.READER, "made"))


def test_a_clean_exam_has_no_finding(clean: Exam) -> None:
    assert assess_images(clean).findings == ()
    assert assess_target(clean).findings == ()


@pytest.mark.parametrize(
    ("mm", "severity"),
    [(3.0, None), (4.0, None), (4.5, Severity.WARNING), (6.0, Severity.WARNING), (6.5, Severity.REFUSAL)],
)
def test_thick_slices_are_warned_of_and_then_refused(clean: Exam, mm: float, severity: Severity | None) -> None:
    found = about_slices(with_step(clean, mm))
    assert [one.severity for one in found] == ([] if severity is None else [severity])
    assert all(f"{mm:g} mm" in one.reason and one.role is Role.T2_AXIAL for one in found)


def test_the_measured_thickness_is_among_the_parameters(clean: Exam) -> None:
    parameters = dict(assess_images(with_step(clean, 3.5)).parameters)
    assert parameters["T2 slice thickness"] == "3.5 mm, by the distance of slices"


@pytest.mark.parametrize(("thickness", "severity"), [(4.0, None), (3.2, Severity.WARNING), (1.9, Severity.REFUSAL)])
def test_the_gap_is_what_the_headers_thickness_leaves_between_slices(
    clean: Exam, tmp_path: Path, thickness: float, severity: Severity | None
) -> None:
    exam = with_t2_headers(with_step(clean, 4.3), tmp_path, SliceThickness=thickness)
    assert [one.severity for one in about_slices(exam)] == ([] if severity is None else [severity])
    assert dict(assess_images(exam).parameters)["T2 slice thickness"] == f"{thickness:g} mm"


def test_coarse_pixels_are_warned_of(clean: Exam) -> None:
    (finding,) = about_slices(replace(clean, t2=resized(clean.t2, (1, 1.3, 1))))
    assert finding.severity is Severity.WARNING
    assert "pixels" in finding.reason


@pytest.mark.parametrize(
    ("degrees", "severity"), [(0, None), (28, None), (40, Severity.WARNING), (50, Severity.REFUSAL)]
)
def test_slices_that_are_hardly_axial_are_named(clean: Exam, degrees: float, severity: Severity | None) -> None:
    upright = np.diag([clean.t2.spacing[0], clean.t2.spacing[1], clean.t2.spacing[2], 1.0])[[2, 1, 0, 3]]
    exam = replace(clean, t2=tilted(replace(clean.t2, affine=upright), degrees), dwi={})
    report = assess_images(exam)
    assert dict(report.parameters)["T2 obliquity"] == f"{degrees}°"
    found = [one for one in report.findings if one.code is Code.TOO_OBLIQUE]
    assert [one.severity for one in found] == ([] if severity is None else [severity])


@pytest.mark.parametrize(("degrees", "warned"), [(15, False), (25, True)])
def test_diffusion_tilted_against_the_t2_is_warned_of(clean: Exam, degrees: float, warned: bool) -> None:
    exam = with_dwi(clean, lambda volume: tilted(replace(volume, affine=clean.dwi[0.0].affine), degrees))
    found = [one for one in assess_images(exam).findings if one.code is Code.TOO_OBLIQUE]
    assert [(one.role, one.severity) for one in found] == ([(Role.DWI, Severity.WARNING)] if warned else [])


def test_a_tumour_that_diffusion_leaves_out_refuses_the_diffusion(clean: Exam) -> None:
    assert clean.mask is not None
    slices = np.flatnonzero(clean.mask.array.any(axis=(1, 2)))
    middle = int(slices[len(slices) // 2])
    found = about_coverage(with_dwi(clean, lambda volume: cut(volume, 0, middle)))
    assert [(one.role, one.severity) for one in found] == [(Role.DWI, Severity.REFUSAL)]
    share = clean.mask.array[middle:].sum() / clean.mask.array.sum()
    assert found[0].value == pytest.approx(share, abs=0.05)


def test_a_sliver_that_is_left_out_is_only_warned_of(clean: Exam) -> None:
    assert clean.mask is not None
    mask = np.zeros_like(clean.mask.array)
    mask[4:8, 60:80, 60:80] = True
    mask[8, 70, 70] = True
    found = about_coverage(with_dwi(with_mask(clean, mask), lambda volume: cut(volume, 0, 8)))
    assert [(one.role, one.severity) for one in found] == [(Role.DWI, Severity.WARNING)]


def test_contrast_enhanced_t1_is_judged_on_its_own(clean: Exam) -> None:
    assert clean.ce_t1 is not None
    found = about_coverage(replace(clean, ce_t1=cut(clean.ce_t1, 0, 5)))
    assert [(one.role, one.severity) for one in found] == [(Role.CE_T1, Severity.REFUSAL)]


def test_without_a_mask_the_centre_of_the_t2_must_be_covered(clean: Exam) -> None:
    bare = replace(clean, mask=None)
    assert about_coverage(bare) == []
    found = about_coverage(with_dwi(bare, lambda volume: cut(volume, 9, 14)))
    assert [(one.role, one.severity) for one in found] == [(Role.DWI, Severity.WARNING)]
    assert "central slab" in found[0].reason


@pytest.mark.parametrize(("side", "warned"), [(20, True), (4, False)])
def test_a_tumour_still_wide_in_the_last_slice_goes_on_outside(clean: Exam, side: int, warned: bool) -> None:
    mask = np.zeros(clean.t2.array.shape, dtype=bool)
    mask[-5:-1, 60:80, 60:80] = True
    mask[-1, 60 : 60 + side, 60 : 60 + side] = True
    found = about_coverage(with_mask(clean, mask))
    assert [(one.role, one.severity) for one in found] == ([(Role.T2_AXIAL, Severity.WARNING)] if warned else [])
    assert all("the last slice" in one.reason for one in found)
