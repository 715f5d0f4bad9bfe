"""The bundles in the package: what they promise, on a phantom patient training never saw and on real prostates."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.bundle import CALIBRATION, load_bundle
from pipelines.case import load_exam
from pipelines.contract import Case, Exam, InputUnfit, Likelihood, Mask, MaskOrigin, Models, TimePoint
from pipelines.exam import exam_files
from pipelines.masks.overlap import dice
from pipelines.masks.truth_mask import read_truth
from pipelines.models import PACKAGED, load_models
from pipelines.phantom.cohort import write_patient
from pipelines.segment import TumourSegmenter

SCORING = ("signature_svm", "rp_net", "multi_rec_net", "dlrs_nomogram")
SYSTEMS = ("segmenter", *SCORING)
UNSEEN_SEED = 424242


@pytest.fixture(scope="module")
def models() -> Models:
    torch.set_num_threads(1)
    return load_models(None, SCORING, "cpu")


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom")
    return out / write_patient(out, UNSEEN_SEED, 0).patient_id


def prostate(shared_data: Path, name: str, time_point: TimePoint) -> Exam:
    (folder,) = (path for path in (shared_data / "prostatex_0000_0001").rglob(name) if path.is_dir())
    return load_exam(exam_files(folder, time_point), None)[0]


def with_a_block_as_mask(exam: Exam) -> Exam:
    """A mask of a plausible tumour's size in the middle of the T2."""
    mask = np.zeros(exam.t2.array.shape, dtype=bool)
    middle = [size // 2 for size in mask.shape]
    half = [round(length / 2 / step) for length, step in zip((20, 25, 25), exam.t2.spacing, strict=True)]
    mask[tuple(slice(m - h, m + h) for m, h in zip(middle, half, strict=True))] = True
    return replace(exam, mask=Mask(mask, MaskOrigin.READER, "a block"))


def test_all_bundles_together_stay_below_twenty_five_megabytes() -> None:
    assert sum(path.stat().st_size for path in PACKAGED.rglob("*") if path.is_file()) < 25e6


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_bundle_says_that_it_was_trained_on_phantoms_and_how(name: str) -> None:
    m = load_bundle(PACKAGED / name).manifest
    assert m.phantom_trained
    assert re.fullmatch(r"simulated cohort \(restage phantom\), \d{3} patients, 3 sites", m.cohort)
    assert {"seed", "threads", "folds_sha256", "settings"} <= set(m.training)
    assert m.limits
    assert m.intended_use.endswith("Research only.")


@pytest.mark.parametrize("name", SCORING)
def test_a_bundle_is_calibrated_on_patients_that_it_was_not_trained_on(name: str) -> None:
    m = load_bundle(PACKAGED / name).manifest
    calibrated = m.training[CALIBRATION]
    assert calibrated["cohort_digest"] != m.cohort_digest
    assert all(one["slope"] > 0 and one["patients"] > 100 for one in calibrated["models"].values())
    assert all(one["coverage"] == 0.9 for key, one in m.thresholds.items() if key not in calibrated["left"])


def test_an_unseen_phantom_patient_is_segmented_and_scored(models: Models, phantom: Path) -> None:
    assert models.segmenter is not None
    exams = {}
    for time_point in TimePoint:
        exam, _ = load_exam(exam_files(phantom / time_point, time_point), models.segmenter)
        assert exam.mask is not None
        assert exam.mask.origin is MaskOrigin.MODEL
        truth = read_truth(phantom / "truth" / f"{time_point}.dcm", exam.t2)
        assert dice(exam.mask.array, truth) > (0.7 if time_point is TimePoint.BASELINE else 0.4)
        exams[time_point] = exam
    for system in models.systems:
        score = system.score(Case(exams[TimePoint.BASELINE], exams[TimePoint.RESTAGING]))
        assert 0 < score.lower <= score.probability <= score.upper < 1
        assert score.envelope.inside, score.envelope.reasons


@pytest.mark.parametrize("name", ["ProstateX-0000", "ProstateX-0001"])
def test_a_real_prostate_lies_outside_every_bundles_envelope(models: Models, shared_data: Path, name: str) -> None:
    assert isinstance(models.segmenter, TumourSegmenter)
    exams = {point: with_a_block_as_mask(prostate(shared_data, name, point)) for point in TimePoint}
    for system in models.systems:
        score = system.score(Case(exams[TimePoint.BASELINE], exams[TimePoint.RESTAGING]))
        assert not score.envelope.inside
        assert any("highest b-value 800 s/mm²" in reason for reason in score.envelope.reasons)
        assert any("image appearance" in reason for reason in score.envelope.reasons)
        assert score.category is Likelihood.UNCERTAIN
    assert not models.segmenter.envelope(exams[TimePoint.BASELINE]).inside


def test_a_real_t2_is_segmented_or_refused_within_half_a_minute(models: Models, shared_data: Path) -> None:
    assert models.segmenter is not None
    exam = prostate(shared_data, "ProstateX-0000", TimePoint.BASELINE)
    started = time.process_time()
    try:
        mask = models.segmenter.segment(exam)
        assert mask.array.any()
        assert "unlike the segmenter's training cohort" in mask.how
    except InputUnfit as error:
        assert error.code == "NO_TUMOUR_FOUND"
    assert time.process_time() - started < 30
