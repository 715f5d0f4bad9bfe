from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from pipelines.bundle import BundleError, save_bundle
from pipelines.models import PACKAGED, choose_device, load_models
from tests.pipelines.made_up_manifest import manifest


def test_the_packaged_bundles_load() -> None:
    models = load_models(None, ["signature_svm"], "cpu")
    assert models.segmenter is not None
    assert models.segmenter.model.system == "segmenter"
    assert [system.model.system for system in models.systems] == ["signature_svm"]


def test_how_each_model_cuts_and_scales_its_inputs_is_said_for_the_report() -> None:
    said = dict(load_models(None, ["signature_svm"], "cpu").parameters)
    assert said["signature_svm preprocessing"].startswith("crop field mm 60.0, crop pixels 48, weighted 0–255")
    assert said["segmenter preprocessing"].endswith("ADC over 10⁻³ mm²/s × 3.5")


def test_without_systems_the_segmenter_alone_is_loaded() -> None:
    assert load_models(None, [], "cpu").systems == ()


def test_an_unknown_system_is_named_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="unknown system oracle; there are signature_svm"):
        load_models(None, ["oracle"])


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"signature_svm/manifest\.json: does not exist"):
        load_models(tmp_path, ["signature_svm"])


def test_a_bundle_under_another_systems_name_is_refused(tmp_path: Path) -> None:
    shutil.copytree(PACKAGED / "segmenter", tmp_path / "segmenter")
    save_bundle(tmp_path / "signature_svm", manifest(), {})
    with pytest.raises(BundleError, match="is a bundle of 'made_up', not of 'signature_svm'"):
        load_models(tmp_path, ["signature_svm"])


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="'cuda' was asked for and this machine offers none"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="device 'gpu' is not one of auto, cpu, cuda"):
        choose_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
