"""Training of any system from a cohort folder: ``train`` is what ``restage train`` calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.bundle import MANIFEST, Bundle, BundleError
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.purpose import PURPOSES, read_for
from pipelines.training.curves import curves_file, draw_curves
from pipelines.training.dlrs_nomogram import train_dlrs_nomogram
from pipelines.training.multi_rec_net import train_multi_rec_net
from pipelines.training.rp_net import train_rp_net
from pipelines.training.segmenter import train_segmenter
from pipelines.training.settings import Progress, TrainingSettings, silent
from pipelines.training.signature_svm import train_signature_svm

Trainer = Callable[[Cohort, Path, TrainingSettings, Progress], Bundle]
"""Prepares the cohort's exams, trains, and writes a bundle whose ``training["curves"]`` are those of ``compact``."""

TRAINERS: Mapping[str, Trainer] = {
    "segmenter": train_segmenter,
    "signature_svm": train_signature_svm,
    "rp_net": train_rp_net,
    "multi_rec_net": train_multi_rec_net,
    "dlrs_nomogram": train_dlrs_nomogram,
}


def train(
    system: str, cohort: Path, out: Path, settings: TrainingSettings | None = None, progress: Progress = silent
) -> Bundle:
    """Train one system on a cohort folder, write its bundle to ``out`` and its learning curves beside it.

    The same cohort, settings and machine give the same bundle. Exams are read once and kept in ``COHORT/.cache``. Until
    the bundle is written, networks are kept in ``OUT.training``: the same call goes on where it was stopped.

    Raises
    ------
    CohortError
        Naming every problem of the cohort with its row and column, before anything is trained.
    BundleError
        Where ``out`` is a folder with something else in it; before anything is trained as well.
    ValueError
        For a system that cannot be trained, settings that do not go together, or a loss that is not finite.
    """
    if system not in TRAINERS:
        raise ValueError(f"'{system}' is no system to train; there are {', '.join(TRAINERS)}")
    chosen = settings or TrainingSettings()
    if chosen.imagenet is not None and not chosen.published:
        raise ValueError("ImageNet weights fit networks of published size alone: give --published as well")
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(out, "is not empty and not a bundle", "give another folder")
    bundle = TRAINERS[system](read_for(cohort, PURPOSES[system]), out, chosen, progress)
    draw_curves(bundle.manifest.training["curves"], curves_file(out))
    return bundle
