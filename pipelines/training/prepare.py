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
from pipelines.features import diffusion_inputs, measured_features
from pipelines.resample import mask_onto
from pipelines.segment import SegmenterSize, network_grid, network_input
from pipelines.systems.signature_inputs import CropRule, Sequence, signature_input
from pipelines.training.cohort import Cohort, CohortPatient, sources_digest
from pipelines.training.settings import Progress

VERSION = 1
"""Raised whenever the code below makes other numbers from the same exam."""


@dataclass(frozen=True)
class PrepareSettings:
    spacing: float = SegmenterSize().spacing
    rule: CropRule = field(default_factory=CropRule)


@dataclass(frozen=True)
class PreparedExam:
    """One exam as training reads it.

    ``channels`` (3, slices, rows, columns) and ``mask`` on the segmenter's grid; ``crops`` per sequence there is;
    ``features`` in the mask; ``facts`` for the envelope, ``refusal`` why the exam cannot be used, or empty.
    """

    channels: FloatArray
    mask: MaskArray
    crops: Mapping[str, FloatArray]
    features: Mapping[str, float]
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
        prepared = prepare_exam(exam, _truth(exam, task.patient.truth.get(task.time_point)), task.settings)
    except InputUnfit as error:
        prepared = _unfit(str(error))
    _write(task.entry, prepared)


def prepare_exam(exam: Exam, mask: MaskArray, settings: PrepareSettings) -> PreparedExam:
    """One exam with the mask to learn from, on its T2 grid.

    Raises
    ------
    InputUnfit
        Where diffusion is missing or the mask is too small to learn from.
    """
    diffusion = diffusion_inputs(exam)
    features = measured_features(exam, mask, diffusion)
    grid = network_grid(exam.t2, settings.spacing)
    sequences = [s for s in Sequence if s is not Sequence.CE_T1 or exam.ce_t1 is not None]
    return PreparedExam(
        channels=network_input(exam, diffusion, grid),
        mask=mask_onto(mask, exam.t2, grid),
        crops={str(s): signature_input(exam, s, mask, diffusion, settings.rule) for s in sequences},
        features=features,
        facts=exam_facts(exam, diffusion, features),
    )


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
    return PreparedExam(np.zeros((3, 0, 0, 0), np.float32), np.zeros((0, 0, 0), bool), {}, {}, {}, refusal)


def _write(path: Path, exam: PreparedExam) -> None:
    arrays: dict[str, Any] = {f"crop_{name}": crop.astype(np.float16) for name, crop in exam.crops.items()}
    described = {"features": dict(exam.features), "facts": dict(exam.facts), "refusal": exam.refusal}
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
        crops = {
            name.removeprefix("crop_"): stored[name].astype(np.float32) for name in stored if name.startswith("crop_")
        }
        return PreparedExam(stored["channels"], stored["mask"], crops, **described)
