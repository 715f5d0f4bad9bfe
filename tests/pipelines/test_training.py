from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.contract import TimePoint
from pipelines.systems.signature_inputs import Sequence
from pipelines.training import CohortError, train
from pipelines.training.prepare import PreparedPatient
from pipelines.training.segmenter import dice, train_segmenter
from pipelines.training.settings import fixed_random_state, silent
from pipelines.training.signature_networks import fit_signature
from pipelines.training.signature_svm import train_signature_svm
from tests.pipelines.made_up_cohort import QUICK, made_up_cohort, made_up_patients


@pytest.fixture(scope="module")
def patients() -> tuple[PreparedPatient, ...]:
    return made_up_patients()


def test_the_same_seed_gives_the_same_segmenter_bundle(patients, tmp_path: Path) -> None:
    cohort = made_up_cohort(patients)
    first = train_segmenter(cohort, patients, tmp_path / "a", QUICK, silent)
    torch.rand(7)  # what ran before must not matter
    second = train_segmenter(cohort, patients, tmp_path / "b", QUICK, silent)
    other = train_segmenter(cohort, patients, tmp_path / "c", replace(QUICK, seed=4), silent)
    assert first.weights_digest == second.weights_digest != other.weights_digest
    assert first.manifest.metrics["held_out_exams"] == 6
    assert 0.0 <= first.manifest.metrics["held_out_dice_baseline"] <= 1.0


def test_the_same_seed_gives_the_same_signature_bundle(patients, tmp_path: Path) -> None:
    cohort = made_up_cohort(patients)
    first = train_signature_svm(cohort, patients, tmp_path / "a", QUICK, silent)
    torch.rand(7)
    second = train_signature_svm(cohort, patients, tmp_path / "b", QUICK, silent)
    assert first.weights_digest == second.weights_digest


def test_an_unusable_exam_leaves_its_patient_out_and_is_named(patients, tmp_path: Path) -> None:
    broken = replace(patients[3].exams[TimePoint.RESTAGING], refusal="NO_MASK: nothing drawn")
    spoilt = replace(patients[3], exams={**patients[3].exams, TimePoint.RESTAGING: broken})
    given = (*patients[:3], spoilt, *patients[4:])
    bundle = train_segmenter(made_up_cohort(given), given, tmp_path / "a", QUICK, silent)
    assert bundle.manifest.training["left_out"] == ["P03: restaging: NO_MASK: nothing drawn"]
    assert bundle.manifest.training["patients"] == 23


def test_signatures_are_learnt_from_the_labels_given(patients) -> None:
    crops = np.stack([p.exams[TimePoint.RESTAGING].views[0].crops["dwi"] for p in patients])[:, None].astype(np.float32)
    labels = np.array([p.patient.good_response for p in patients])
    longer = replace(QUICK, signature=replace(QUICK.signature, epochs=30, learning_rate=1e-2))
    with fixed_random_state(1, 1), torch.no_grad():
        with torch.enable_grad():
            network = fit_signature(crops, labels, Sequence.DWI, 1, longer)
        logits = network(torch.from_numpy(crops[:, 0]))[:, 0].numpy()
    assert logits[labels].mean() > logits[~labels].mean() + 0.5


def test_the_random_state_of_the_caller_is_left_alone() -> None:
    torch.manual_seed(11)
    threads = torch.get_num_threads()
    expected = torch.rand(1)
    torch.manual_seed(11)
    with fixed_random_state(5, 1):
        torch.rand(100)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


def test_progress_counts_to_the_end(patients, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    train_segmenter(made_up_cohort(patients), patients, tmp_path / "a", QUICK, lambda *now: seen.append(now))
    assert ("training the segmenter", 3, 3) in seen
    assert seen[-1] == ("measuring the segmenter", 6, 6)


def test_dice_is_the_overlap() -> None:
    one, other = np.zeros((1, 4, 4), bool), np.zeros((1, 4, 4), bool)
    assert dice(one, other) == 1.0
    one[0, 0, :4] = True
    assert dice(one, other) == 0.0
    other[0, 0, 2:] = True
    assert dice(one, other) == pytest.approx(2 * 2 / (4 + 2))


def test_an_unknown_system_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'oracle' is no system to train; there are segmenter, signature_svm"):
        train("oracle", tmp_path, tmp_path / "out")


def test_a_cohort_without_its_table_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"cohort\.csv"):
        train("segmenter", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
