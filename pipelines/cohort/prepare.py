"""From the exams of a cohort to what a system reads, kept in a cache beside the cohort.

Three entries per exam in ``COHORT/.cache``: the model inputs (``inputs.input_cache``) and the mask (``look``) that all
systems share, and what one system's cut takes from them. All keys cover the bytes of the exam's files and every
parameter, so that a changed exam, mask or rule is prepared anew and nothing stale is read. Where the folder cannot be
written, nothing is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.cut import Cut, PreparedPatient
from pipelines.cohort.load import Drawing, Seen, exam_with_outline, exam_with_truth
from pipelines.cohort.look import Look, keep_look, keep_refusal, kept_look
from pipelines.cohort.origin import Origin, contradictions
from pipelines.cohort.read import source_digest
from pipelines.contract import Code, InputUnfit, TimePoint
from pipelines.inputs.cache import Cache, Entry, key_of
from pipelines.inputs.input_cache import Preparation
from pipelines.inputs.model_inputs import DEFAULT, inputs_of
from pipelines.inputs.model_inputs import VERSION as INPUTS_VERSION
from pipelines.progress import Progress, silent
from pipelines.quality.limits import VERSION as QUALITY_VERSION

VERSION = 6
"""Raised whenever the code below makes another entry from the same exam and cut."""
CACHE = ".cache"
READER: Literal["reader"] = "reader"
ABSENT = {TimePoint.BASELINE: Code.NO_BASELINE, TimePoint.RESTAGING: Code.NO_RESTAGING}


@dataclass(frozen=True)
class Preparing:
    """How a cohort is prepared, beside the cut.

    ``workers``: processes, which change nothing in the result. ``masks``: "reader" takes the reader's mask, or the
    truth of a simulated patient; the bundle of a segmenter has it draw every tumour that no reader outlined, even
    where the truth is known. ``beds``: with readers' masks, whether a restaging exam in which the reader drew nothing
    is read in the tumour bed, as the node reads it; what learns to outline tumours must not see one.
    """

    workers: int = 1
    progress: Progress = silent
    masks: Literal["reader"] | Bundle = READER
    beds: bool = False


@dataclass(frozen=True)
class _Task:
    patient: CohortPatient
    time_point: TimePoint
    cut: Cut
    key: str
    look_key: str
    cache: Path
    drawing: Drawing | None
    beds: bool


@dataclass(frozen=True)
class _Done:
    """The entry of one exam, or why there is none. ``lasting``: whether the next run would find the same."""

    entry: Entry
    refusal: str = ""
    bed: bool = False
    lasting: bool = True
    origin: Origin | None = None


def prepare(cohort: Cohort, patients: Sequence[CohortPatient], cut: Cut, run: Preparing) -> tuple[PreparedPatient, ...]:
    """The given patients of a cohort, in their order, with an entry per exam that the cut reads.

    An exam that cannot be used is left out, and its patient has the reason in ``refusal``; other exams of the same
    patient are there, unless exams contradict each other or their row. ``cut`` travels to other processes: a plain
    record, defined in a module.
    """
    drawing = None if isinstance(run.masks, str) else Drawing(run.masks.folder, run.masks.weights_digest)
    folder = cohort.folder / CACHE
    tasks = [
        _task(patient, time_point, cut, folder, (drawing, run.beds or drawing is not None))
        for patient in patients
        for time_point in TimePoint
        if time_point in cut.time_points and time_point in patient.exams
    ]
    found: dict[str, _Done] = {}
    due = []
    for task in tasks:
        kept = _kept(task)
        if kept is None:
            due.append(task)
        else:
            found[task.key] = kept
    for done, (key, made) in enumerate(_run(due, run.workers), start=1):
        found[key] = made
        run.progress("preparing exams", done, len(due))
    made_of = {(task.patient.patient_id, task.time_point): found[task.key] for task in tasks}
    return tuple(_gathered(patient, cut, made_of) for patient in patients)


def _gathered(patient: CohortPatient, cut: Cut, made: Mapping[tuple[str, TimePoint], _Done]) -> PreparedPatient:
    exams: dict[TimePoint, Entry] = {}
    beds = set()
    refusals = []
    origins: dict[TimePoint, Origin] = {}
    for time_point in TimePoint:
        done = made.get((patient.patient_id, time_point))
        if time_point not in cut.time_points:
            continue
        if done is None:
            refusals.append(f"{time_point}: {ABSENT[time_point]}: there is no {time_point} exam")
        elif done.refusal:
            refusals.append(f"{time_point}: {done.refusal}")
        else:
            exams[time_point] = done.entry
            beds |= {time_point} if done.bed else set()
            origins |= {} if done.origin is None else {time_point: done.origin}
    if found := list(contradictions(patient, origins)):
        return PreparedPatient(patient, {}, "; ".join([*refusals, *found]))
    return PreparedPatient(patient, exams, "; ".join(refusals), frozenset(beds))


def _task(
    patient: CohortPatient, time_point: TimePoint, cut: Cut, folder: Path, masks: tuple[Drawing | None, bool]
) -> _Task:
    drawing, beds = masks
    # Where nothing is outlined after therapy, the baseline exam is looked at.
    read = {time_point, TimePoint.BASELINE}
    sources = [_source(patient, when) for when in TimePoint if when in read and when in patient.exams]
    seen = {
        "versions": [VERSION, INPUTS_VERSION, QUALITY_VERSION],
        "inputs": asdict(DEFAULT),
        "exam": f"{patient.patient_id}/{time_point}",
        "masks": READER if drawing is None else drawing.digest,
    }
    key = key_of(sources, seen | {"cut": [cut.name, dict(cut.parameters())], "beds": beds})
    return _Task(patient, time_point, cut, key, key_of(sources, seen | {"look": True}), folder, drawing, beds)


def _source(patient: CohortPatient, time_point: TimePoint) -> str:
    return f"{time_point} {patient.sources.get(time_point) or source_digest(patient, time_point)}"


def _kept(task: _Task) -> _Done | None:
    entry = Cache(task.cache).read(task.key)
    if entry is None:
        return None
    said = entry.described
    origin = Origin.from_json(said["origin"]) if said["origin"] else None
    return _Done(Entry(entry.arrays, said["cut"]), said["refusal"], said["bed"], origin=origin)


def _run(tasks: list[_Task], workers: int) -> Iterator[tuple[str, _Done]]:
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_prepare, tasks)
        return
    # spawn: a forked child would inherit torch's threads in an unknown state.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_thread) as pool:
        yield from pool.map(_prepare, tasks, chunksize=4)


def _single_thread() -> None:
    torch.set_num_threads(1)


def _prepare(task: _Task) -> tuple[str, _Done]:
    cache = Cache(task.cache)
    try:
        look = _look(task, cache)
        if isinstance(look, str):
            done = _Done(Entry({}, {}), look)
        elif look.bed and not task.beds:
            done = _Done(Entry({}, {}), f"{Code.NO_MASK}: the reader outlined no tumour")
        else:
            done = _Done(task.cut.cut(look.inputs, look.mask, _generator(task)), bed=look.bed, origin=look.origin)
    except InputUnfit as unfit:
        done = _Done(Entry({}, {}), str(unfit))
    except OSError as error:  # the disk may have failed only today: not kept
        done = _Done(Entry({}, {}), f"{Code.PIXELS_UNREADABLE}: the exam cannot be read ({error})", lasting=False)
    if done.lasting:
        origin = None if done.origin is None else done.origin.as_json()
        described = {"refusal": done.refusal, "bed": done.bed, "origin": origin, "cut": dict(done.entry.described)}
        cache.write(task.key, Entry(done.entry.arrays, described))
    return task.key, done


def _look(task: _Task, cache: Cache) -> Look | str:
    """Loaded in full once, the quality gate included: a model learns from what the node would score. A refusal: why."""
    kept = kept_look(cache, task.look_key)
    if kept is not None:
        return kept
    try:
        seen = _seen(task, Preparation(cache))
    except InputUnfit as unfit:
        keep_refusal(cache, task.look_key, str(unfit))
        return str(unfit)
    look = Look(inputs_of(seen.exam), seen.mask, Origin.of(seen.exam.files), seen.bed)
    keep_look(cache, task.look_key, look, seen.exam.files)
    return look


def _seen(task: _Task, preparation: Preparation) -> Seen:
    if task.drawing is None:
        return exam_with_truth(task.patient, task.time_point, preparation)
    return exam_with_outline(task.patient, task.time_point, preparation, task.drawing)


def _generator(task: _Task) -> np.random.Generator:
    """Another stream for every exam, the same one each time and for every cut."""
    name = f"{task.patient.patient_id}/{task.time_point}"
    return np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))
