from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.bundle import Bundle, BundleError
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.read import CohortError
from pipelines.training import train as module
from pipelines.training.settings import TrainingSettings
from pipelines.training.train import TRAINERS, train

CURVES = {"a": {"best_epoch": 1, "train": [0.7, 0.6], "validation": [0.6, 0.7]}}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A trainer and a cohort that only note what they were given."""
    calls: list[Any] = []

    def trainer(cohort: Any, out: Path, settings: TrainingSettings, progress: Any) -> Any:
        calls.append((cohort, out, settings))
        return SimpleNamespace(manifest=SimpleNamespace(training={"curves": CURVES}))

    monkeypatch.setattr(module, "TRAINERS", {"segmenter": trainer})
    monkeypatch.setattr(module, "read_for", lambda folder, purpose: (folder, purpose.system))
    return calls


def test_an_unknown_system_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'magic' is no system to train; there are segmenter, signature_svm, rp_net"):
        train("magic", tmp_path, tmp_path / "out")


@pytest.mark.parametrize("system", sorted(TRAINERS))
def test_a_cohort_without_its_table_is_refused_before_training(tmp_path: Path, system: str) -> None:
    with pytest.raises(CohortError, match=r"cohort\.csv"):
        train(system, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_else_in_it_is_refused_before_the_cohort_is_read(
    tmp_path: Path, called: list[Any]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letters.txt").write_text("mine")
    with pytest.raises(BundleError, match="is not empty and not a bundle"):
        train("segmenter", tmp_path, tmp_path / "out")
    assert called == []


def test_imagenet_weights_are_refused_for_small_networks(tmp_path: Path, called: list[Any]) -> None:
    with pytest.raises(ValueError, match="give --published as well"):
        train("segmenter", tmp_path, tmp_path / "out", TrainingSettings(imagenet="resnet18-f37072fd.pth"))
    assert called == []


def test_the_trainer_gets_the_cohort_read_for_its_purpose_and_the_curves_are_drawn_beside_the_bundle(
    tmp_path: Path, called: list[tuple[Cohort, Path, TrainingSettings]]
) -> None:
    told = TrainingSettings(seed=9)
    bundle: Bundle = train("segmenter", tmp_path, tmp_path / "out", told)
    assert called == [((tmp_path, "segmenter"), tmp_path / "out", told)]
    assert bundle.manifest.training["curves"] is CURVES
    assert (tmp_path / "out.curves.png").stat().st_size > 1000
