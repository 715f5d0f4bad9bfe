"""Gas beside the tumour: pipelines.quality.susceptibility."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, Exam, Mask, MaskOrigin, Role
from pipelines.quality import QualityFinding, Severity, assess_target
from pipelines.quality.susceptibility import distorted_share
from tests.pipelines.quality.planted import with_dwi, with_gas


def about_gas(exam: Exam) -> list[QualityFinding]:
    return [one for one in assess_target(exam).findings if one.code is Code.GAS_SUSPECTED]


def test_a_clean_exam_is_silent_and_its_score_is_written_down(clean_pair: tuple[Exam, Exam]) -> None:
    for exam in clean_pair:
        assert about_gas(exam) == []
        assert float(dict(assess_target(exam).parameters)["DWI gas score"].split()[0]) < 0.25


@pytest.mark.parametrize("axis", [1, 2])
def test_gas_that_displaces_the_tumour_is_found_along_either_axis(clean: Exam, axis: int) -> None:
    (finding,) = about_gas(with_gas(clean, 12.0, 15.0, axis))
    assert finding.role is Role.DWI
    assert finding.value > 0.1


def test_more_gas_gives_a_higher_score(clean: Exam) -> None:
    shares = []
    for reach in (0.0, 8.0, 20.0):
        low = with_gas(clean, 5.0 + reach / 2, reach).dwi[0.0]
        shares.append(distorted_share(clean, low))
    assert shares == sorted(shares, key=float)
    assert len(set(shares)) == 3


def test_a_tumour_without_signal_refuses_the_diffusion(clean: Exam) -> None:
    assert clean.mask is not None
    tumour = np.argwhere(clean.mask.array).mean(axis=0)
    centre = clean.t2.affine[:3, :3] @ tumour + clean.t2.affine[:3, 3]

    def emptied(exam: Exam, radius: float) -> Exam:
        low = exam.dwi[0.0]
        index = np.indices(low.array.shape).reshape(3, -1)
        distance = np.linalg.norm(low.affine[:3, :3] @ index + low.affine[:3, 3:] - centre[:, None], axis=0)
        inside = (distance < radius).reshape(low.array.shape)
        return with_dwi(exam, lambda volume: volume.like(np.where(inside, 1, volume.array).astype(np.float32)))

    (finding,) = about_gas(emptied(clean, 60.0))
    assert finding.severity is Severity.REFUSAL
    assert finding.value == pytest.approx(1.0)


def test_gas_inside_the_mask_that_the_t2_shows_as_well_is_no_loss(clean: Exam) -> None:
    """A segmenter's mask may take in the lumen: what is dark in both images has not been displaced."""
    assert clean.mask is not None
    hole = np.zeros_like(clean.mask.array)
    hole[7:9, 60:75, 60:75] = True
    wide = hole.copy()
    wide[5:11, 50:90, 50:90] = True
    body = replace(clean.t2, array=np.where(hole, 1, 500).astype(np.float32))
    low = clean.t2.like(np.where(hole, 2, 300).astype(np.float32))
    air = low.array.copy()
    air[:, :40] = 2  # the patient lies behind it
    exam = replace(clean, t2=body, mask=Mask(wide, MaskOrigin.MODEL, "made"))
    assert distorted_share(exam, low.like(air)) == 0.0
    bright = replace(exam, t2=body.like(np.full_like(body.array, 500)))
    assert distorted_share(bright, low.like(air)) == pytest.approx(hole.sum() / wide.sum())


def test_without_a_mask_or_without_air_there_is_no_score(clean: Exam) -> None:
    low = clean.dwi[0.0]
    assert distorted_share(replace(clean, mask=None), low) is None
    assert distorted_share(clean, low.like(np.full_like(low.array, 300))) is None
    assert dict(assess_target(replace(clean, mask=None)).parameters)["DWI gas score"] == "not measurable"
