"""After therapy a tumour that nobody outlined is looked for where it lay, and a score that was read there says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipelines.contract import (
    Alignment,
    Case,
    Code,
    Envelope,
    Exam,
    ExamFiles,
    InputUnfit,
    Likelihood,
    Mask,
    MaskOrigin,
    ModelIdentity,
    Patient,
    PredictionSet,
    Score,
    TimePoint,
    Volume,
)
from pipelines.masks import tumour_bed as module
from pipelines.masks.tumour_bed import READ_IN_BED, aligned, read_in_bed, tumour_bed
from pipelines.measure import measure, unmeasured

MODEL = ModelIdentity("segmenter", "net", "1", "sha", "cohort", "digest", True, "research", "limits")
SPACING = (3.0, 1.5, 1.0)


def exam(when: TimePoint, outlined: bool, origin: MaskOrigin = MaskOrigin.MODEL) -> Exam:
    files = ExamFiles(when, (f"1.2.{when}",), date(2024, 1, 1), Patient("P1", "", "", "", ""), {})
    t2 = Volume(np.zeros((10, 20, 30), np.float32), np.diag([*SPACING, 1.0]))
    array = np.zeros(t2.array.shape, bool)
    array[3:6, 8:12, 10:18] = True
    mask = Mask(array, origin, "drawn", "Reader^Anna", "net", "1", "1.2.3", MODEL) if outlined else None
    return Exam(files, t2, (), {}, None, None, mask)


def moved(*mm: float, accepted: bool = True) -> Alignment:
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return Alignment(matrix, accepted, max(map(abs, mm)), "moved by a known distance")


BASELINE, RESTAGING = exam(TimePoint.BASELINE, outlined=True), exam(TimePoint.RESTAGING, outlined=False)


@pytest.mark.parametrize("origin", MaskOrigin)
def test_the_bed_is_the_baselines_outline_where_the_alignment_puts_it(origin: MaskOrigin) -> None:
    before = exam(TimePoint.BASELINE, True, origin)
    assert before.mask is not None
    bed = tumour_bed(before, before.mask, RESTAGING, moved(6.0, -3.0, 4.0))
    expected = np.roll(before.mask.array, (2, -2, 4), axis=(0, 1, 2))  # 6, −3 and 4 mm in voxels of 3, 1.5 and 1 mm
    np.testing.assert_array_equal(bed.array, expected)
    assert (bed.origin, bed.model, bed.reader) == (origin, MODEL, "Reader^Anna")
    assert bed.how.startswith("tumour bed: the outline of the baseline's tumour (drawn) carried over")
    assert "moved by a known distance" in bed.how


def test_exams_that_could_not_be_aligned_have_no_bed() -> None:
    assert BASELINE.mask is not None
    with pytest.raises(InputUnfit, match="moved by a known distance") as caught:
        tumour_bed(BASELINE, BASELINE.mask, RESTAGING, moved(0, 0, 0, accepted=False))
    assert caught.value.code is Code.NO_MASK


def test_a_bed_that_lies_mostly_outside_the_restaging_images_is_none() -> None:
    assert BASELINE.mask is not None
    tumour_bed(BASELINE, BASELINE.mask, RESTAGING, moved(0, 0, 16.0))  # 4 of 8 columns outside: half
    with pytest.raises(InputUnfit, match="38% of the baseline's tumour"):
        tumour_bed(BASELINE, BASELINE.mask, RESTAGING, moved(0, 0, 17.0))


def test_an_exams_own_outline_comes_before_the_bed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "align_exams", lambda before, after: moved(3.0, 0, 0))
    case, stated = aligned(BASELINE, exam(TimePoint.RESTAGING, outlined=True))
    assert case.restaging is not None and case.restaging.mask is not None
    assert case.restaging.target is case.restaging.mask
    assert case.restaging.bed is None and stated == ()


def test_an_exam_without_outline_is_read_in_the_bed_and_nothing_is_measured_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "align_exams", lambda before, after: moved(3.0, 0, 0))
    case, (used,) = aligned(BASELINE, RESTAGING)
    after = case.restaging
    assert after is not None and after.mask is None and after.bed is not None
    assert after.target is after.bed
    assert (used.code, used.subject) == (Code.TUMOUR_BED_USED, "restaging tumour mask")
    assert measure(after, TimePoint.RESTAGING) == unmeasured(after, TimePoint.RESTAGING) == ()


def test_an_empty_outline_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "align_exams", lambda before, after: moved(0, 0, 0))
    full = exam(TimePoint.RESTAGING, outlined=True)
    assert full.mask is not None
    empty = replace(full, mask=replace(full.mask, array=np.zeros_like(full.mask.array)))
    case, (used,) = aligned(BASELINE, empty)
    assert used.code is Code.TUMOUR_BED_USED
    assert case.restaging is not None and case.restaging.target is case.restaging.bed is not None


def test_without_a_place_the_reason_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "align_exams", lambda before, after: moved(0, 0, 0, accepted=False))
    case, (refused,) = aligned(BASELINE, RESTAGING)
    assert refused.code is Code.NO_MASK and "moved by a known distance" in refused.reason
    assert case.restaging is not None and case.restaging.target is None
    case, stated = aligned(replace(BASELINE, mask=None), RESTAGING)
    assert stated == () and case.restaging is not None and case.restaging.target is None


def score(*used: TimePoint) -> Score:
    envelope = Envelope(False, ("noisy",))
    ruled_out = PredictionSet(0.9, event=True, no_event=False)
    return Score(
        MODEL, "good response", 0.8, 0.7, 0.9, "90 %", Likelihood.HIGH, envelope, time_points=used, possible=ruled_out
    )


def test_a_score_that_was_read_in_the_bed_is_uncertain_and_says_why() -> None:
    assert BASELINE.mask is not None
    case = Case(BASELINE, replace(RESTAGING, bed=BASELINE.mask))
    found = read_in_bed(score(TimePoint.BASELINE, TimePoint.RESTAGING), case)
    assert (found.probability, found.category) == (0.8, Likelihood.UNCERTAIN)
    assert found.envelope == Envelope(False, ("noisy", READ_IN_BED))
    assert found.possible is not None and found.possible.refer


def test_a_score_of_the_baseline_alone_or_of_an_outlined_tumour_stays_as_it_is() -> None:
    of_baseline, of_pair = score(TimePoint.BASELINE), score(TimePoint.BASELINE, TimePoint.RESTAGING)
    in_bed = Case(BASELINE, replace(RESTAGING, bed=BASELINE.mask))
    assert read_in_bed(of_baseline, in_bed) is of_baseline
    assert read_in_bed(of_pair, Case(BASELINE, exam(TimePoint.RESTAGING, outlined=True))) is of_pair
    assert read_in_bed(of_baseline, Case(BASELINE, None)) is of_baseline
