from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.segmenter_cut import SegmenterExam
from pipelines.training import segmenter as module
from pipelines.training.recipe import Recipe
from pipelines.training.segmenter import Patches, SegmenterSettings, random_patch, split_of, train_segmenter
from pipelines.training.settings import TrainingSettings, silent
from tests.pipelines.made_up_segmenting import SIZE, segmenter_cohort, segmenter_patients

QUICK = SegmenterSettings(size=SIZE, recipe=Recipe(2, 2, 1e-2), patches=4, held_out=4, stopping=0.2)
TOLD = TrainingSettings(seed=3)

Given = Callable[[tuple[PreparedPatient, ...]], None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Puts patients in the place of a folder of exams."""

    def put(patients: tuple[PreparedPatient, ...]) -> None:
        monkeypatch.setattr(module, "prepare", lambda cohort, chosen, cut, run: patients)

    return put


def exam(value: float, tumour: bool = True) -> SegmenterExam:
    """An exam that is recognised by the value of its channels."""
    one = SegmenterExam.of(segmenter_patients()[0].exams[TimePoint.BASELINE])
    return replace(one, channels=np.full_like(one.channels, value), mask=one.mask & tumour)


def test_the_same_seed_gives_the_same_bundle_and_leaves_nothing_beside_it(given: Given, tmp_path: Path) -> None:
    given(segmenter_patients())
    first = train_segmenter(segmenter_cohort(), tmp_path / "a", TOLD, silent, QUICK)
    torch.rand(7)  # what ran before must not matter
    second = train_segmenter(segmenter_cohort(), tmp_path / "b", TOLD, silent, QUICK)
    other = train_segmenter(segmenter_cohort(), tmp_path / "c", replace(TOLD, seed=4), silent, QUICK)
    assert first.weights_digest == second.weights_digest != other.weights_digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_the_manifest_says_what_was_learnt_from_and_who_was_left_out(given: Given, tmp_path: Path) -> None:
    patients = segmenter_patients()
    half = replace(patients[3], exams={TimePoint.BASELINE: patients[3].exams[TimePoint.BASELINE]}, refusal="no DWI")
    gone = replace(patients[5], exams={}, refusal="no T2")
    given((*patients[:3], half, patients[4], gone, *patients[6:]))
    manifest = train_segmenter(segmenter_cohort(), tmp_path / "a", TOLD, silent, QUICK).manifest
    assert manifest.training["left_out"] == ["P03: no DWI", "P05: no T2"]
    assert (manifest.training["patients"], list(manifest.training["sites"])) == (11, ["A", "B"])
    assert manifest.metrics["held_out_exams"] in (5, 6)  # 3 patients, one of them perhaps with one exam
    assert 0.0 <= manifest.metrics["held_out_dice_baseline"] <= 1.0
    assert len(manifest.training["curves"]["segmenter"]["validation"]) == 2
    volumes = [SegmenterExam.of(e).volume_cm3 for one in patients for e in one.exams.values()]
    assert 0.1 <= manifest.thresholds["min_volume_cm3"] <= 0.5 * float(np.quantile(volumes, 0.1))


def test_too_few_patients_are_named_with_their_reasons(given: Given, tmp_path: Path) -> None:
    few = replace(segmenter_patients()[0], exams={}, refusal="no T2")
    given((few, *segmenter_patients()[1:4]))
    with pytest.raises(ValueError, match=r"3 patients can be learnt from, 8 are needed \(P00: no T2\)"):
        train_segmenter(segmenter_cohort(), tmp_path / "a", TOLD, silent, QUICK)


def test_a_dark_tumour_is_learnt(given: Given, tmp_path: Path) -> None:
    given(segmenter_patients())
    chosen = replace(QUICK, recipe=Recipe(6, 2, 1e-2), patches=20)
    metrics = train_segmenter(segmenter_cohort(), tmp_path / "a", TOLD, silent, chosen).manifest.metrics
    assert metrics["held_out_dice_baseline"] > 0.85


def test_no_patient_is_on_two_sides() -> None:
    patients = segmenter_patients()
    split = split_of(patients, QUICK, seed=1)
    whose = {_seen(SegmenterExam.of(e)): one.patient.patient_id for one in patients for e in one.exams.values()}
    assert len(whose) == 24
    train, stopping, held_out = (
        {whose[_seen(exam)] for _, exam in part} for part in (split.train, split.stopping, split.held_out)
    )
    assert [len(part) for part in (train, stopping, held_out)] == [7, 2, 3]
    assert len(train | stopping | held_out) == 12


def _seen(exam: SegmenterExam) -> float:
    """The noise of an exam, which no other has."""
    return exam.facts["t2_sharpness"]


def test_patches_come_from_training_exams_and_more_from_after_therapy() -> None:
    train = [(TimePoint.BASELINE, exam(1.0)), (TimePoint.RESTAGING, exam(2.0))]
    patches = Patches(train, [(TimePoint.BASELINE, exam(9.0))], replace(QUICK, patches=400, after_therapy=0.7))
    inputs, targets = patches.batch(torch.arange(400), torch.Generator(), augment=False)
    assert (inputs.shape, targets.shape) == ((400, 3, *SIZE.window), (400, 1, *SIZE.window))
    drawn = inputs.amax(dim=(1, 2, 3, 4))
    assert set(drawn.tolist()) == {1.0, 2.0}
    assert (drawn == 2.0).float().mean() == pytest.approx(0.7, abs=0.08)  # 3.5 standard errors
    last, _ = patches.batch(torch.tensor([400]), torch.Generator(), augment=False)
    assert float(last.amax()) == 9.0 and len(patches) == 401


def test_without_augmentation_a_row_always_gives_the_same_and_with_it_never() -> None:
    patches = Patches([(TimePoint.BASELINE, exam(1.0))], [], replace(QUICK, patches=6))
    generator = torch.Generator().manual_seed(1)
    alone, _ = patches.batch(torch.tensor([4]), generator, augment=False)
    together, _ = patches.batch(torch.arange(6), generator, augment=False)
    assert torch.equal(alone[0], together[4])
    first, masks = patches.batch(torch.arange(6), generator, augment=True)
    again, _ = patches.batch(torch.arange(6), generator, augment=True)
    assert not torch.equal(first, again)
    assert set(masks.unique().tolist()) <= {0.0, 1.0}


def test_three_patches_in_four_lie_around_the_tumour() -> None:
    rng = np.random.default_rng(0)
    small = exam(1.0)
    small.mask[:] = False
    small.mask[2, 3, 3] = True  # a random place shows it in fewer than half of the patches
    shown = [bool(random_patch(small, (4, 8, 8), rng)[3].any()) for _ in range(400)]
    assert 0.75 < np.mean(shown) < 0.95
    assert random_patch(exam(1.0, tumour=False), SIZE.window, rng)[3].sum() == 0


def test_a_patch_larger_than_the_exam_is_filled_with_zeros() -> None:
    patch = random_patch(exam(1.0), (16, 64, 64), np.random.default_rng(0))
    assert patch.shape == (4, 16, 64, 64)
    assert patch[:3].sum() == pytest.approx(3 * 10 * 36 * 36)
