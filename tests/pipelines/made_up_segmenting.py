"""Patients whose tumours are dark ellipsoids, cut for the segmenter, in memory."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import UNKNOWN, TimePoint
from pipelines.inputs.cache import Entry
from pipelines.segment import SegmenterSize
from pipelines.segmenter_cut import SegmenterCut
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

SIZE = SegmenterSize(spacing=3.0, window=(8, 24, 24), filters=(4, 4, 8, 8))


def entry(time_point: TimePoint, radius: float, seed: int) -> Entry:
    exam = made_up_exam(time_point, radius=radius, seed=seed)
    return SegmenterCut(SIZE.spacing).cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(0))


@lru_cache(maxsize=1)
def segmenter_patients(count: int = 12) -> tuple[PreparedPatient, ...]:
    return tuple(
        PreparedPatient(
            CohortPatient(index + 2, f"P{index:02d}", "AB"[index % 2], {}, {}, UNKNOWN, good_response=index % 3 == 0),
            {
                TimePoint.BASELINE: entry(TimePoint.BASELINE, 15.0 + index % 4, 2 * index),
                TimePoint.RESTAGING: entry(TimePoint.RESTAGING, 10.0 + index % 3, 2 * index + 1),
            },
        )
        for index in range(count)
    )


def segmenter_cohort() -> Cohort:
    """The cohort these patients would be read from."""
    return Cohort(Path("nowhere"), tuple(one.patient for one in segmenter_patients()), "0" * 64)
