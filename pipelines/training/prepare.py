"""From the exams of a cohort to what training reads, kept in a cache beside the cohort.

Two entries per exam in ``COHORT/.cache``: the model inputs that all systems share (``inputs.input_cache``), and what
the settings below cut from them. Both keys cover the bytes of the exam's files and every parameter, so that a changed
exam or rule is prepared anew and nothing stale is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.case import load_exam
from pipelines.contract import (
    Code,
    Exam,
    InputUnfit,
    Mask,
    MaskArray,
    MaskOrigin,
    ModelInputs,
    TimePoint,
)
from pipelines.envelope import exam_facts
from pipelines.exam import exam_files
from pipelines.features import measured_features
from pipelines.inputs.cache import Cache, Entry, file_digest, folder_digest, key_of
from pipelines.inputs.input_cache import Preparation
from pipelines.inputs.model_inputs import DEFAULT, inputs_of
from pipelines.inputs.model_inputs import VERSION as INPUTS_VERSION
from pipelines.masks.truth_mask import read_truth
from pipelines.quality import admitted, assess_target
from pipelines.quality.limits import VERSION as QUALITY_VERSION
from pipelines.segment import SegmenterSize, network_grid, network_input
from pipelines.systems.signature_inputs import CropRule, Sequence, signature_input
from pipelines.training.cohort import Cohort, CohortPatient
from pipelines.training.disturb import disturbed
from pipelines.training.settings import Progress
from pipelines.volumes.resample import mask_onto

VERSION = 4
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

    crops: Mapping[str, NDArray[np.float16]]
    features: Mapping[str, float]


@dataclass(frozen=True)
class PreparedExam:
    """One exam as training reads it.

    ``channels`` (3, slices, rows, columns), in half precision, and ``mask`` on the segmenter's grid; ``views``: first
    through the mask as drawn, then through disturbed ones; ``facts`` for the envelope; ``refusal``: why the exam
    cannot be used, or empty.
    """

    channels: NDArray[np.float16]
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
    key: str
    cache: Path
    settings: PrepareSettings


def prepare_cohort(
    cohort: Cohort, settings: PrepareSettings, workers: int, progress: Progress
) -> tuple[PreparedPatient, ...]:
    """Every exam of the cohort, from the cache or prepared now by ``workers`` processes."""
    folder = cohort.folder / ".cache"
    tasks = [
        _Task(patient, time_point, _key(patient, time_point, settings), folder, settings)
        for patient in cohort.patients
        for time_point in TimePoint
    ]
    found = {task.key: _kept(task) for task in tasks}
    due = [task for task in tasks if found[task.key] is None]
    for done, (key, prepared) in enumerate(_run(due, workers), start=1):
        found[key] = prepared
        progress("preparing exams", done, len(due))
    exams = {(task.patient.patient_id, task.time_point): found[task.key] for task in tasks}
    return tuple(
        PreparedPatient(patient, {when: _whole(exams[patient.patient_id, when]) for when in TimePoint})
        for patient in cohort.patients
    )


def _whole(prepared: PreparedExam | None) -> PreparedExam:
    assert prepared is not None  # found in the cache, or prepared just now
    return prepared


def cohort_words(cohort: Cohort, patients: Collection[PreparedPatient]) -> str:
    """What a manifest says of the patients a model learnt from."""
    source = "simulated cohort (restage phantom)" if cohort.simulated else "cohort"
    return f"{source}, {len(patients)} patients, {len({p.patient.site for p in patients})} sites"


def _run(tasks: list[_Task], workers: int) -> Iterator[tuple[str, PreparedExam]]:
    if workers <= 1:
        yield from map(_prepare, tasks)
        return
    # spawn: a forked child would inherit torch's threads in an unknown state.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_thread) as pool:
        yield from pool.map(_prepare, tasks, chunksize=4)


def _single_thread() -> None:
    torch.set_num_threads(1)


def _key(patient: CohortPatient, time_point: TimePoint, settings: PrepareSettings) -> str:
    truth = patient.truth.get(time_point)
    sources = [folder_digest(patient.exams[time_point]), file_digest(truth) if truth else ""]
    parameters = {
        "versions": [VERSION, INPUTS_VERSION, QUALITY_VERSION],
        "settings": asdict(settings),
        "inputs": asdict(DEFAULT),
        "exam": f"{patient.patient_id}/{time_point}",
    }
    return key_of(sources, parameters)


def _prepare(task: _Task) -> tuple[str, PreparedExam]:
    cache = Cache(task.cache)
    try:
        files = exam_files(task.patient.exams[task.time_point], task.time_point)
        # Loaded in full, the quality gate included: a model learns from what the node would score.
        exam, _ = load_exam(files, segmenter=None, preparation=Preparation(cache))
        if exam.mask is None:
            exam = replace(exam, mask=_truth(exam, task.patient.truth.get(task.time_point)))
            exam, _ = admitted(exam, assess_target(exam))
        # The key is a digest: another stream for every exam, the same one each time.
        prepared = prepare_exam(inputs_of(exam), _drawn(exam), task.settings, seed=int(task.key[:12], 16))
    except InputUnfit as error:
        prepared = _unfit(str(error))
    cache.write(task.key, _entry(prepared))
    return task.key, prepared


def prepare_exam(inputs: ModelInputs, mask: MaskArray, settings: PrepareSettings, seed: int) -> PreparedExam:
    """One exam with the mask to learn from, on its T2 grid; ``seed`` draws the disturbed masks.

    Raises
    ------
    InputUnfit
        Where diffusion is missing or the mask is too small to learn from.
    """
    rng = np.random.default_rng(seed)
    first = _view(inputs, mask, settings.rule)
    others = [
        _view_or(first, inputs, disturbed(mask, inputs.t2.spacing, rng), settings.rule)
        for _ in range(settings.views - 1)
    ]
    grid = network_grid(inputs.t2, settings.spacing)
    return PreparedExam(
        channels=network_input(inputs, grid).astype(np.float16),
        mask=mask_onto(mask, inputs.t2, grid),
        views=(first, *others),
        facts=exam_facts(inputs, first.features),
    )


def _view(inputs: ModelInputs, mask: MaskArray, rule: CropRule) -> View:
    sequences = [s for s in Sequence if s is not Sequence.CE_T1 or inputs.ce_t1 is not None]
    return View(
        crops={str(s): signature_input(inputs, s, mask, rule).astype(np.float16) for s in sequences},
        features=measured_features(inputs, mask),
    )


def _view_or(fallback: View, inputs: ModelInputs, mask: MaskArray, rule: CropRule) -> View:
    """The view through a disturbed mask, or the mask as drawn where the disturbed one is too small to measure in."""
    try:
        return _view(inputs, mask, rule)
    except InputUnfit:
        return fallback


def _truth(exam: Exam, path: Path | None) -> Mask:
    """The mask to learn from where no reader drew one: a simulated cohort's truth, on the T2 grid."""
    if path is None:
        raise InputUnfit(Code.NO_MASK, "there is neither a reader's mask (SEG, RTSTRUCT) nor a truth file")
    return Mask(read_truth(path, exam.t2), MaskOrigin.READER, "the truth of a simulated patient")


def _drawn(exam: Exam) -> MaskArray:
    assert exam.mask is not None  # the reader's, or the truth
    return exam.mask.array


def _unfit(refusal: str) -> PreparedExam:
    return PreparedExam(np.zeros((3, 0, 0, 0), np.float16), np.zeros((0, 0, 0), bool), (), {}, refusal)


def _entry(exam: PreparedExam) -> Entry:
    arrays: dict[str, NDArray[Any]] = {
        f"crop_{index}_{name}": crop for index, view in enumerate(exam.views) for name, crop in view.crops.items()
    }
    arrays |= {"channels": exam.channels, "mask": exam.mask}
    features = [dict(view.features) for view in exam.views]
    return Entry(arrays, {"features": features, "facts": dict(exam.facts), "refusal": exam.refusal})


def _kept(task: _Task) -> PreparedExam | None:
    entry = Cache(task.cache).read(task.key)
    if entry is None:
        return None
    arrays, described = entry.arrays, entry.described
    views = tuple(
        View({name.split("_", 2)[2]: arrays[name] for name in arrays if name.startswith(f"crop_{index}_")}, features)
        for index, features in enumerate(described["features"])
    )
    return PreparedExam(arrays["channels"], arrays["mask"], views, described["facts"], described["refusal"])
