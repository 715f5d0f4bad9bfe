from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.bundle import MANIFEST, Bundle, BundleError, load_bundle, save_bundle
from tests.pipelines.made_up_manifest import manifest


def saved(folder: Path) -> Bundle:
    weights = {"network": {"layer.weight": torch.arange(6.0).reshape(2, 3).half(), "steps": torch.tensor(3)}}
    return save_bundle(folder, manifest(), weights | {"final": {"support": torch.zeros(2)}})


def test_a_saved_bundle_is_read_back_as_it_was(tmp_path: Path) -> None:
    saved(tmp_path / "b")
    bundle = load_bundle(tmp_path / "b")
    assert bundle.manifest.inputs == ("axial T2",)
    assert torch.equal(bundle.weights("network")["layer.weight"], torch.arange(6.0).reshape(2, 3))
    assert bundle.identity.phantom_trained
    assert bundle.identity.weights_digest == bundle.weights_digest


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a"), saved(tmp_path / "b")
    assert first.weights_digest == second.weights_digest
    for file in [MANIFEST, *first.manifest.files]:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_a_bundle_holds_numbers_alone(tmp_path: Path) -> None:
    saved(tmp_path / "b")
    assert {path.suffix for path in (tmp_path / "b").iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("file", ["network.safetensors", "final.safetensors"])
def test_a_changed_file_is_refused_by_name(tmp_path: Path, file: str) -> None:
    saved(tmp_path / "b")
    data = bytearray((tmp_path / "b" / file).read_bytes())
    data[-1] ^= 1
    (tmp_path / "b" / file).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{file}.*SHA-256.*restore"):
        load_bundle(tmp_path / "b")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    saved(tmp_path / "b")
    (tmp_path / "b" / "final.safetensors").unlink()
    with pytest.raises(BundleError, match=r"final\.safetensors: is missing; restore"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize(("key", "value"), [("limits", "none at all"), ("thresholds", {"high": 0.1}), ("digest", "0")])
def test_a_changed_manifest_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    saved(tmp_path / "b")
    path = tmp_path / "b" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(BundleError, match="was changed after the bundle was made"):
        load_bundle(tmp_path / "b")


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json: does not exist"):
        load_bundle(tmp_path)


def test_an_unreadable_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(BundleError, match="not readable JSON"):
        load_bundle(tmp_path)


def test_a_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"format": 99}))
    with pytest.raises(BundleError, match="has format 99"):
        load_bundle(tmp_path)


def test_a_folder_with_other_things_in_it_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.doc").write_text("years of work")
    with pytest.raises(BundleError, match="not empty and not a bundle"):
        saved(tmp_path / "b")
    assert (tmp_path / "b" / "thesis.doc").exists()


@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_kill_while_saving_again_leaves_a_bundle_that_the_next_save_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    saved(tmp_path / "b")
    calls: list[Path] = []
    original = Path.replace

    def killed(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == killed_at:
            raise KeyboardInterrupt
        return original(self, target)

    with monkeypatch.context() as once:
        once.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            save_bundle(tmp_path / "b", manifest(version="2.0"), {})
    left = [load_bundle(path) for path in (tmp_path / "b", tmp_path / ".b.old") if path.exists()]
    assert [bundle.manifest.version for bundle in left] == [manifest().version]
    assert save_bundle(tmp_path / "b", manifest(version="3.0"), {}).manifest.version == "3.0"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_an_earlier_bundle_left_aside_is_put_back_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "b").folder.rename(tmp_path / ".b.old")
    monkeypatch.setattr(Path, "mkdir", None)  # the new one cannot even be begun
    with pytest.raises(TypeError):
        save_bundle(tmp_path / "b", manifest(version="2.0"), {})
    assert load_bundle(tmp_path / "b").manifest.version == manifest().version


def test_saving_again_replaces_the_bundle(tmp_path: Path) -> None:
    saved(tmp_path / "b")
    bundle = save_bundle(tmp_path / "b", manifest(version="2.0"), {})
    assert load_bundle(tmp_path / "b").manifest.version == "2.0"
    assert [path.name for path in bundle.folder.iterdir()] == [MANIFEST]
