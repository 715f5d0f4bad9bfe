"""Where a model looks in an exam after therapy that shows no tumour: the baseline's tumour, carried over.

The tumour bed is a place, no finding: it goes into no SEG, nothing is measured in it, and a score that was read in it
says so. The masks of an exam after therapy come in this order: a reader's, the segmenter's own where it is large
enough, the tumour bed; else the exam cannot be scored. Points that a reader only set beside the tumour are not read.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.contract import (
    Alignment,
    Case,
    Code,
    Envelope,
    Exam,
    InputUnfit,
    Likelihood,
    Mask,
    Score,
    Statement,
    TimePoint,
)
from pipelines.registration.register import align_exams, carried

LEAST_CARRIED = 0.5
"""Of the baseline tumour's volume, inside the restaging T2: of less, the middle is no longer the tumour's."""
READ_IN_BED = (
    "no tumour is outlined in the restaging exam: it was read in the tumour bed, where the baseline's tumour lay, and "
    "what the model takes for size there is the baseline's"
)


def aligned(baseline: Exam | None, restaging: Exam | None) -> tuple[Case, tuple[Statement, ...]]:
    """The case, with the baseline's T2 laid on the restaging exam's, and a tumour bed where no tumour is outlined.

    Statements: TUMOUR_BED_USED, or NO_MASK with the reason why the baseline's tumour could not be carried over.
    """
    if baseline is None or restaging is None:
        return Case(baseline, restaging), ()
    alignment = align_exams(baseline.t2, restaging.t2)
    if outlined(restaging) or baseline.mask is None:
        return Case(baseline, restaging, alignment), ()
    subject = f"{restaging.files.time_point} tumour mask"
    try:
        bed = tumour_bed(baseline, baseline.mask, restaging, alignment)
    except InputUnfit as unfit:
        return Case(baseline, restaging, alignment), (Statement(unfit.code, subject, unfit.reason),)
    used = f"no tumour is outlined in this exam; scores read it in the {bed.how}. Nothing is measured in it"
    stated = Statement(Code.TUMOUR_BED_USED, subject, used)
    return Case(baseline, replace(restaging, bed=bed), alignment), (stated,)


def tumour_bed(baseline: Exam, outline: Mask, restaging: Exam, alignment: Alignment) -> Mask:
    """The outline of the baseline's tumour on the restaging exam's T2; origin, reader and model stay the outline's.

    Raises InputUnfit (NO_MASK) where the exams could not be aligned, or most of the tumour lies outside this T2.
    """
    if not alignment.accepted:
        reason = f"the baseline's tumour cannot be carried over to where it lay: {alignment.how}"
        raise InputUnfit(Code.NO_MASK, reason)
    array = carried(outline.array, baseline.t2, restaging.t2, alignment)
    before = float(np.count_nonzero(outline.array)) * baseline.t2.voxel_mm3
    inside = float(np.count_nonzero(array)) * restaging.t2.voxel_mm3 / max(before, 1e-9)
    if inside < LEAST_CARRIED:
        reason = f"{inside:.0%} of the baseline's tumour, carried over, lies inside the restaging T2: too little"
        raise InputUnfit(Code.NO_MASK, reason)
    how = f"tumour bed: the outline of the baseline's tumour ({outline.how}) carried over; {alignment.how}"
    return replace(outline, array=array, how=how)


def outlined(exam: Exam) -> bool:
    """Whether somebody or something outlined a tumour in this exam."""
    return exam.mask is not None and bool(exam.mask.array.any())


def read_in_bed(score: Score, case: Case) -> Score:
    """The score, outside the envelope and uncertain where it read a tumour bed: models learn from tumours' outlines."""
    exam = case.restaging
    if exam is None or exam.bed is None or outlined(exam) or TimePoint.RESTAGING not in score.time_points:
        return score
    return replace(
        score,
        envelope=Envelope(False, (*score.envelope.reasons, READ_IN_BED)),
        category=Likelihood.UNCERTAIN,
        possible=replace(score.possible, event=True, no_event=True) if score.possible else None,
    )
