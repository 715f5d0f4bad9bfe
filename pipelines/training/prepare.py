"""From the exams of a cohort to what training reads, kept in a cache beside the cohort.

One entry per exam, ``COHORT/.cache/DIGEST.npz``; the digest covers the names and sizes of the exam's files and every
parameter below, so that a changed exam or rule is prepared anew and nothing stale is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.case import load_exam
from pipelines.contract import Code, Exam, FloatArray, InputUnfit, MaskArray, TimePoint, Volume
from pipelines.envelope import exam_facts
from pipelines.exam import exam_files
from pipelines.features import DiffusionInputs, diffusion_inputs, measured_features
from pipelines.resample import mask_onto
from pipelines.segment import SegmenterSize, network_grid, network_input
from pipelines.systems.signature_inputs import CropRule, Sequence, signature_input
from pipelines.training.cohort import Cohort, CohortPatient, sources_digest
from pipelines.training.disturb import disturbed
from pipelines.training.settings import Progress

VERSION = 2
"""Raised whenever the code below makes other numbers from the same exam."""


@dataclass(frozen=True)
class PrepareSettings:
    """In-plane spacing of the segmenter (mm), the signatures' crop, and through how many masks a tumour is seen."""

    spacing: float = SegmenterSize().spacing
    rule: CropRule = field(default_factory=CropRule)
    views: int = 3


@dataclass(frozen=True)
class View:
    """A tumour seen through one mask: a crop per sequence there is, and the features measured in it."""

    crops: Mapping[str, FloatArray]
    features: Mapping[str, float]


@dataclass(frozen=True)
class PreparedExam:
    """One exam as training reads it.

    ``channels`` (3, slices, rows, columns) and ``mask`` on the segmenter's grid; ``views``: first through the mask as
    drawn, then through disturbed ones; ``facts`` for the envelope; ``refusal``: why the exam cannot be used, or empty.
    """

    channels: FloatArray
    mask: MaskArray
    views: tuple[View, ...]
    facts: Mapping[str, float]
    refusal: str = ""


@dataclass(frozen=True)
class PreparedPatient:
    patient: CohortPatient
    exams: Mapping[TimePoint, PreparedExam]

    @property
    def refusal(self) -> str:
        return "; ".join(f"{time_point}: {exam.refusal}" for time_point, exam in self.exams.items() if exam.refusal)


@dataclass(frozen=True)
class _Task:
    patient: CohortPatient
    time_point: TimePoint
    entry: Path
    settings: PrepareSettings


def prepare_cohort(
    cohort: Cohort, settings: PrepareSettings, workers: int, progress: Progress
) -> tuple[PreparedPatient, ...]:
    """Every exam of the cohort, from the cache or prepared now by ``workers`` processes."""
    cache = cohort.folder / ".cache"
    cache.mkdir(exist_ok=True)
    tasks = [
        _Task(patient, time_point, cache / f"{_key(patient, time_point, settings)}.npz", settings)
        for patient in cohort.patients
        for time_point in TimePoint
    ]
    due = [task for task in tasks if not task.entry.is_file()]
    for done, _ in enumerate(_run(due, workers), start=1):
        progress("preparing exams", done, len(due))
    return tuple(
        PreparedPatient(
            patient,
            {task.time_point: _read(task.entry) for task in tasks[2 * index : 2 * index + 2]},
        )
        for index, patient in enumerate(cohort.patients)
    )


def cohort_words(cohort: Cohort, patients: Collection[PreparedPatient]) -> str:
    """What a manifest says of the patients a model learnt from."""
    source = "simulated cohort (restage phantom)" if cohort.simulated else "cohort"
    return f"{source}, {len(patients)} patients, {len({p.patient.site for p in patients})} sites"


def _run(tasks: list[_Task], workers: int) -> Iterator[None]:
    if workers <= 1:
        yield from map(_prepare_entry, tasks)
        return
    # spawn: a forked child would inherit torch's threads in an unknown state.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_thread) as pool:
        yield from pool.map(_prepare_entry, tasks, chunksize=4)


def _single_thread() -> None:
    torch.set_num_threads(1)


def _key(patient: CohortPatient, time_point: TimePoint, settings: PrepareSettings) -> str:
    truth = patient.truth.get(time_point)
    described = {
        "version": VERSION,
        "settings": asdict(settings),
        "sources": sources_digest(patient.exams[time_point]),
        "truth": hashlib.sha256(truth.read_bytes()).hexdigest() if truth else "",
        "exam": f"{patient.patient_id}/{time_point}",
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def _prepare_entry(task: _Task) -> None:
    try:
        exam, _ = load_exam(exam_files(task.patient.exams[task.time_point], task.time_point), segmenter=None)
        mask = _truth(exam, task.patient.truth.get(task.time_point))
        # The file's name is a digest: another stream for every exam, the same one each time.
        prepared = prepare_exam(exam, mask, task.settings, seed=int(task.entry.stem[:12], 16))
    except InputUnfit as error:
        prepared = _unfit(str(error))
    _write(task.entry, prepared)


def prepare_exam(exam: Exam, mask: MaskArray, settings: PrepareSettings, seed: int) -> PreparedExam:
    """One exam with the mask to learn from, on its T2 grid; ``seed`` draws the disturbed masks.

    Raises
    ------
    InputUnfit
        Where diffusion is missing or the mask is too small to learn from.
    """
    diffusion = diffusion_inputs(exam)
    rng = np.random.default_rng(seed)
    first = _view(exam, mask, diffusion, settings.rule)
    others = [
        _view_or(first, exam, disturbed(mask, exam.t2.spacing, rng), diffusion, settings.rule)
        for _ in range(settings.views - 1)
    ]
    grid = network_grid(exam.t2, settings.spacing)
    return PreparedExam(
        channels=network_input(exam, diffusion, grid),
        mask=mask_onto(mask, exam.t2, grid),
        views=(first, *others),
        facts=exam_facts(exam, diffusion, first.features),
    )


def _view(exam: Exam, mask: MaskArray, diffusion: DiffusionInputs, rule: CropRule) -> View:
    sequences = [s for s in Sequence if s is not Sequence.CE_T1 or exam.ce_t1 is not None]
    return View(
        crops={str(s): signature_input(exam, s, mask, diffusion, rule) for s in sequences},
        features=measured_features(exam, mask, diffusion),
    )


def _view_or(fallback: View, exam: Exam, mask: MaskArray, diffusion: DiffusionInputs, rule: CropRule) -> View:
    """The view through a disturbed mask, or the mask as drawn where the disturbed one is too small to measure in."""
    try:
        return _view(exam, mask, diffusion, rule)
    except InputUnfit:
        return fallback


def _truth(exam: Exam, path: Path | None) -> MaskArray:
    """The mask to learn from: the reader's, or a simulated cohort's truth, on the T2 grid."""
    if exam.mask is not None:
        return exam.mask.array
    if path is None:
        raise InputUnfit(Code.NO_MASK, "there is neither a reader's mask (SEG, RTSTRUCT) nor a truth file")
    with np.load(path, allow_pickle=False) as stored:
        mask, affine = stored["mask"].astype(bool), stored["affine"].astype(np.float64)
    if mask.shape == exam.t2.array.shape and np.allclose(affine, exam.t2.affine, atol=0.01):
        return np.asarray(mask)
    source = Volume(mask.astype(np.float32), affine, exam.t2.frame_of_reference_uid)
    return mask_onto(mask, source, exam.t2)


def _unfit(refusal: str) -> PreparedExam:
    return PreparedExam(np.zeros((3, 0, 0, 0), np.float32), np.zeros((0, 0, 0), bool), (), {}, refusal)


def _write(path: Path, exam: PreparedExam) -> None:
    arrays: dict[str, Any] = {
        f"crop_{index}_{name}": crop.astype(np.float16)
        for index, view in enumerate(exam.views)
        for name, crop in view.crops.items()
    }
    features = [dict(view.features) for view in exam.views]
    described = {"features": features, "facts": dict(exam.facts), "refusal": exam.refusal}
    draft = path.with_suffix(".tmp.npz")
    np.savez_compressed(
        draft,
        channels=exam.channels.astype(np.float16),
        mask=exam.mask,
        described=np.array(json.dumps(described)),
        **arrays,
    )
    draft.replace(path)


def _read(path: Path) -> PreparedExam:
    with np.load(path, allow_pickle=False) as stored:
        described = json.loads(str(stored["described"]))
        views = tuple(
            View(
                {name.split("_", 2)[2]: stored[name] for name in stored if name.startswith(f"crop_{index}_")}, features
            )
            for index, features in enumerate(described["features"])
        )
        return PreparedExam(stored["channels"], stored["mask"], views, described["facts"], described["refusal"])
