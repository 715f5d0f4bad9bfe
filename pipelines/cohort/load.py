"""One exam of a cohort, loaded as the node loads it, with the mask that a system is to learn from or be judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from pipelines.bundle import BundleError, load_bundle
from pipelines.case import load_exam
from pipelines.cohort.cohort import CohortPatient
from pipelines.contract import Code, Exam, ExamFiles, InputUnfit, Mask, MaskArray, MaskOrigin, Statement, TimePoint
from pipelines.exam import exam_files
from pipelines.headers.files import UNREADABLE
from pipelines.inputs.input_cache import Preparation
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN, is_meant
from pipelines.masks.truth_mask import read_truth
from pipelines.masks.tumour_bed import outlined, tumour_bed
from pipelines.quality import admitted, assess_target
from pipelines.registration.register import align_exams
from pipelines.segment import TumourSegmenter


@dataclass(frozen=True)
class Drawing:
    """A segmenter's bundle by its folder and digest: small enough to travel to every worker."""

    folder: Path
    digest: str


@dataclass(frozen=True)
class Seen:
    """An exam, the mask on its T2 grid to look through, and whether that is the tumour bed."""

    exam: Exam
    mask: MaskArray
    bed: bool = False


def exam_with_truth(patient: CohortPatient, time_point: TimePoint, preparation: Preparation) -> Seen:
    """The exam with its reader's mask or, where no reader drew one, the truth of a simulated patient.

    After therapy a reader draws nothing where no tumour is left: without a truth such an exam is looked at in the
    tumour bed, or training would leave out those who responded best.
    Raises InputUnfit where the exam cannot be used, or there is nothing to look at.
    """
    exam, _ = load_exam(_files(patient, time_point), segmenter=None, preparation=preparation)
    if exam.mask is None and _left_undrawn(exam, patient):
        return _in_bed(exam, exam_with_truth(patient, TimePoint.BASELINE, preparation).exam)
    if exam.mask is None:
        exam = replace(exam, mask=_truth(exam, patient.truth.get(time_point)))
        exam, _ = admitted(exam, assess_target(exam))
    assert exam.mask is not None  # the reader's, or the truth
    return Seen(exam, exam.mask.array)


def exam_with_outline(
    patient: CohortPatient, time_point: TimePoint, preparation: Preparation, drawing: Drawing
) -> Seen:
    """The exam as the node sees it: its reader's mask, else the segmenter's, else after therapy the tumour bed.

    Raises InputUnfit where the exam cannot be used, or there is nothing to look at.
    """
    segmenter = _segmenter(drawing)
    exam, statements = load_exam(_files(patient, time_point), segmenter, preparation=preparation)
    if exam.mask is not None and outlined(exam):
        return Seen(exam, exam.mask.array)
    if time_point is TimePoint.BASELINE or TimePoint.BASELINE not in patient.exams:
        raise InputUnfit(*_why_no_mask(statements))
    before, stated = load_exam(_files(patient, TimePoint.BASELINE), segmenter, preparation=preparation)
    if not outlined(before):
        raise InputUnfit(*_why_no_mask(stated))
    return _in_bed(exam, before)


def _left_undrawn(exam: Exam, patient: CohortPatient) -> bool:
    """Whether this is an exam after therapy in which the reader meant nothing as the tumour. A mask that cannot be used
    is none the less one, and of a simulated patient the truth is known."""
    files = exam.files
    if files.time_point is TimePoint.BASELINE or not patient.exams.keys() >= set(TimePoint) or patient.truth:
        return False
    return not any(is_meant(path, files.study_uids, DEFAULT_ROI_PATTERN) for path in files.annotations)


def _in_bed(exam: Exam, before: Exam) -> Seen:
    """The exam after therapy, looked at where the outlined tumour of the exam before it lay."""
    assert before.mask is not None
    bed = tumour_bed(before, before.mask, exam, align_exams(before.t2, exam.t2))
    exam, _ = admitted(exam, assess_target(replace(exam, bed=bed)))
    return Seen(exam, bed.array, bed=True)


def _files(patient: CohortPatient, time_point: TimePoint) -> ExamFiles:
    return exam_files(patient.exams[time_point], time_point)


def _why_no_mask(statements: Sequence[Statement]) -> tuple[Code, str]:
    """What loading said last of the mask."""
    for statement in reversed(statements):
        if statement.subject.endswith(" mask"):
            return statement.code, statement.reason
    return Code.NO_MASK, "no tumour is outlined"


def _truth(exam: Exam, path: Path | None) -> Mask:
    if path is None:
        raise InputUnfit(Code.NO_MASK, "there is neither a reader's mask (SEG, RTSTRUCT) nor a truth file")
    try:
        return Mask(read_truth(path, exam.t2), MaskOrigin.READER, "the truth of a simulated patient")
    except UNREADABLE as error:
        raise InputUnfit(Code.READER_MASK_UNFIT, f"the truth file cannot be read ({error})") from error


@lru_cache(maxsize=1)
def _segmenter(drawing: Drawing) -> TumourSegmenter:
    bundle = load_bundle(drawing.folder)
    if bundle.weights_digest != drawing.digest:
        raise BundleError(drawing.folder, "was changed while the cohort was prepared", "start again")
    return TumourSegmenter(bundle, torch.device("cpu"))
