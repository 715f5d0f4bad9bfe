"""Model bundles: a folder that says in plain words what a model is, and holds its weights.

A bundle is a folder with ``manifest.json`` (readable) and numbers as ``*.safetensors``: weights of networks, support
vectors, hazard ratios. Nothing in it can run code. The manifest lists the SHA-256 of every file and of itself; loading
checks all of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from pipelines.contract import ModelIdentity

MANIFEST = "manifest.json"
FORMAT = 1
CALIBRATION = "calibration"
"""Where a manifest's ``training`` says on whom the bundle was calibrated, if it was."""
UNRECORDED = "unknown"
"""What a manifest counts those patients under of whom a therapy or histology was not recorded."""

Weights = Mapping[str, torch.Tensor]


class BundleError(Exception):
    """A bundle cannot be used. The message names the file, what is wrong with it and what to do."""

    def __init__(self, file: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {problem}; {remedy}")
        self.file = file


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    ``inputs``: what an exam must have, in words. ``preprocessing``, ``network`` and ``thresholds`` are read back by
    the system that made them; ``envelope`` by :mod:`pipelines.envelope`. ``metrics``: figures from out-of-fold
    predictions on the training cohort. ``training`` records seed, thread count, folds and exclusions.
    ``files``: file name to SHA-256, filled when the bundle is saved.
    """

    system: str
    name: str
    version: str
    outcome: str
    intended_use: str
    limits: str
    phantom_trained: bool
    cohort: str
    cohort_digest: str
    inputs: tuple[str, ...]
    preprocessing: Mapping[str, Any]
    network: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    envelope: Mapping[str, Any]
    metrics: Mapping[str, Any]
    training: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def learnt_from(self) -> tuple[str, ...]:
        """The digests of the cohorts that it was trained and calibrated on."""
        calibrated = self.training.get(CALIBRATION)
        return (self.cohort_digest, *((calibrated["cohort_digest"],) if calibrated else ()))


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. ``weights_digest``: SHA-256 over the manifest and, through it, every file."""

    folder: Path
    manifest: Manifest
    weights_digest: str

    @property
    def identity(self) -> ModelIdentity:
        """The model as every result shows it."""
        m = self.manifest
        return ModelIdentity(
            system=m.system,
            name=m.name,
            version=m.version,
            weights_digest=self.weights_digest,
            cohort=m.cohort,
            cohort_digest=m.cohort_digest,
            phantom_trained=m.phantom_trained,
            intended_use=m.intended_use,
            limits=m.limits,
        )

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        """The tensors of ``name.safetensors`` as float32, on the CPU.

        Raises
        ------
        BundleError
            Where the file is absent or is not a safetensors file.
        """
        path = self._listed(f"{name}.safetensors")
        try:
            stored = safetensors.torch.load(path.read_bytes())
        except SafetensorError as error:
            raise BundleError(path, f"is not a safetensors file ({error})", "train the bundle again") from error
        return {key: value.float() if value.is_floating_point() else value for key, value in stored.items()}

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The tensors of ``name.safetensors`` as NumPy arrays, in their stored precision."""
        stored = safetensors.torch.load(self._listed(f"{name}.safetensors").read_bytes())
        return {key: np.asarray(value.numpy()) for key, value in stored.items()}

    def _listed(self, file: str) -> Path:
        path = self.folder / file
        if file not in self.manifest.files:
            raise BundleError(path, "is not listed in the manifest", "train the bundle again with this version")
        return path


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify every digest.

    Raises
    ------
    BundleError
        Where a file is missing, changed or unreadable; names it and says what to do.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(path, "does not exist", "give the folder of a bundle, or train one") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(path, f"is not readable JSON ({error})", "restore the bundle from its source") from error
    manifest = _manifest(raw, path)
    if raw.get("digest") != _digest(manifest):
        raise BundleError(path, "was changed after the bundle was made", "restore the bundle from its source")
    for file, expected in manifest.files.items():
        _verify(folder, file, expected)
    return Bundle(folder, manifest, raw["digest"])


def save_bundle(folder: Path, manifest: Manifest, weights: Mapping[str, Weights]) -> Bundle:
    """Write a bundle, whole or not at all, over an earlier one of the same folder; return it verified.

    ``weights``: file stem to tensors. The bytes depend on the content alone, so that the same training gives the same
    files. At every moment the earlier bundle or the new one is on disk: where a kill leaves none at ``folder`` itself,
    the earlier one is beside it as ``.NAME.old``, and the next call puts it back first.
    """
    old = folder.with_name(f".{folder.name}.old")
    if old.is_dir() and not _filled(folder):
        old.replace(folder)
    if _filled(folder) and not (folder / MANIFEST).is_file():
        raise BundleError(folder, "is not empty and not a bundle", "give another folder")
    shutil.rmtree(old, ignore_errors=True)
    content = {f"{stem}.safetensors": _safetensors(tensors) for stem, tensors in weights.items()}
    files = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(content.items())}
    manifest = replace(manifest, files=files)
    draft = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, data in content.items():
        (draft / name).write_bytes(data)
    described = {"format": FORMAT, "digest": _digest(manifest)} | asdict(manifest)
    (draft / MANIFEST).write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if folder.exists():
        folder.replace(old)
    draft.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
    return load_bundle(folder)


def _filled(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _manifest(raw: Any, path: Path) -> Manifest:
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else None
        raise BundleError(path, f"has format {found}, this version reads {FORMAT}", "train the bundle again")
    names = {f.name for f in fields(Manifest)}
    missing = sorted(names - raw.keys())
    if missing:
        raise BundleError(path, f"lacks {', '.join(missing)}", "train the bundle again with this version")
    values = {name: raw[name] for name in names}
    return Manifest(**(values | {"inputs": tuple(values["inputs"])}))


def _digest(manifest: Manifest) -> str:
    # Through JSON, so that a manifest just made and one just read (tuples, integers as keys) give the same text.
    canonical = json.dumps(json.loads(json.dumps(asdict(manifest))), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _verify(folder: Path, file: str, expected: str) -> None:
    path = folder / file
    if Path(file).name != file:
        raise BundleError(folder / MANIFEST, f"lists a file outside the bundle ({file})", "do not use this bundle")
    if not path.is_file():
        raise BundleError(path, "is missing", "restore the bundle from its source")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        problem = f"has SHA-256 {found[:12]}…, the manifest says {expected[:12]}…"
        raise BundleError(path, problem, "restore the bundle from its source")


def _safetensors(tensors: Weights) -> bytes:
    return safetensors.torch.save({key: value.detach().cpu().contiguous() for key, value in sorted(tensors.items())})
