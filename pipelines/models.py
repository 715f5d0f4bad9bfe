"""Loads what scores a case: the segmenter and the scoring systems, from bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from pipelines.bundle import Bundle, BundleError, load_bundle
from pipelines.contract import Models, ScoringSystem
from pipelines.segment import TumourSegmenter
from pipelines.systems.dlrs_nomogram import DlrsNomogram
from pipelines.systems.multi_rec_net import MultiRecSystem
from pipelines.systems.rp_net import RpNetResponse
from pipelines.systems.signature_svm import SignatureSvm

PACKAGED = Path(__file__).parent / "bundles"
SEGMENTER = "segmenter"
SYSTEMS: Mapping[str, Callable[[Bundle, torch.device], ScoringSystem]] = {
    "signature_svm": SignatureSvm,
    "rp_net": RpNetResponse,
    "multi_rec_net": MultiRecSystem,
    "dlrs_nomogram": DlrsNomogram,
}


def load_models(folder: Path | None, systems: Sequence[str], device: str = "auto") -> Models:
    """The segmenter and the named systems from ``folder`` (default: the bundles shipped with the package).

    Without any system there is no segmenter either: only readers' masks are measured. Sets torch to one thread in
    this process.

    ``device``: ``cpu``, ``cuda``, or ``auto`` for CUDA where there is a usable one.

    Raises
    ------
    BundleError
        Where a bundle is missing, changed, or made for another system.
    ValueError
        For an unknown system or device, naming what is allowed.
    """
    unknown = [name for name in systems if name not in SYSTEMS]
    if unknown:
        raise ValueError(f"unknown system {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    if not systems:
        return Models()
    # Two threads wait for each other as soon as anything else runs on the machine: 7 s for a pair became 32 s.
    torch.set_num_threads(1)
    root, where = folder or PACKAGED, choose_device(device)
    bundles = {name: _bundle(root / name, name) for name in (*systems, SEGMENTER)}
    loaded = tuple(SYSTEMS[name](bundles[name], where) for name in systems)
    parameters = tuple((f"{name} preprocessing", _words(bundle)) for name, bundle in bundles.items())
    return Models(TumourSegmenter(bundles[SEGMENTER], where), loaded, parameters)


def _words(bundle: Bundle) -> str:
    """How the model's inputs are cut and scaled, as its manifest says it, for a report."""
    said = []
    for name, value in bundle.manifest.preprocessing.items():
        parts = value.items() if isinstance(value, Mapping) else (("", value),)
        named = "ADC over 10⁻³ mm²/s ×" if name == "adc" else name
        said += [
            " ".join(part for part in (named, key, "" if one is True else f"{one}") if part).replace("_", " ")
            for key, one in parts
            if one is not None and one is not False
        ]
    return ", ".join(said)


def choose_device(device: str) -> torch.device:
    """The device that ``cpu``, ``cuda`` or ``auto`` means on this machine; ValueError where it is not to be had."""
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device '{device}' is not one of auto, cpu, cuda")
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for and this machine offers none; use 'cpu' or 'auto'")
    return torch.device("cuda")


def _bundle(folder: Path, system: str) -> Bundle:
    bundle = load_bundle(folder)
    if bundle.manifest.system != system:
        problem = f"is a bundle of '{bundle.manifest.system}', not of '{system}'"
        raise BundleError(folder / "manifest.json", problem, "give the folder whose bundles have their systems' names")
    return bundle
