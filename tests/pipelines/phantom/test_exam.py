"""The images of one exam: what is displaced, what is missing, and what the scanner's own map shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.phantom.anatomy import draw_pelvis
from pipelines.phantom.exam import Scanner, SimulatedExam, Subject, simulate_exam
from pipelines.phantom.lesion import draw_lesion
from pipelines.phantom.rectum import baseline_wall, draw_ripples
from pipelines.phantom.signal import TISSUES, noise_free_adc
from pipelines.phantom.site import SITES, SMALL, Site
from tests.pipelines.phantom.made_exams import patient_of

NAMES = [site.name for site in SITES]
QUIET = replace(SMALL, slices=10, dwi_slices=10)


def exam_of(site: Site, missing: frozenset[str] = frozenset()) -> SimulatedExam:
    latents = patient_of("A").patient.latents
    rng = default_rng(3)
    pelvis = draw_pelvis(rng, "M")
    wall = baseline_wall(rng, latents, draw_ripples(rng), pelvis.anal_w)
    subject = Subject(pelvis, draw_lesion(rng, wall, 0.0), dict(TISSUES), 0.2, 0.5, missing)
    return simulate_exam(subject, Scanner(site, QUIET, 1.0, 1.0, default_rng(4)))


def seen_from_t2(exam: SimulatedExam, moved: float) -> np.ndarray:
    """b 0 sampled where the voxels of the T2's middle slice lie, after a move along the axis of the shift (mm)."""
    middle = exam.t2.counts.shape[0] // 2
    rows, columns = np.mgrid[20:140:2, 20:140:2]
    index = np.stack([np.full(rows.size, middle), rows.ravel(), columns.ravel(), np.ones(rows.size)])
    world = exam.t2.affine @ index
    world[:3] += moved * exam.dwi_shift_axis[:, None]
    i, j, k = np.rint(np.linalg.inv(exam.dwi[0].affine) @ world).astype(int)[:3]
    return np.asarray(exam.dwi[0].counts[i, j, k], dtype=float)


@pytest.mark.parametrize("name", NAMES)
def test_epi_displaces_the_anatomy_by_the_planted_shift_along_the_phase_encoding(name: str) -> None:
    """The bladder, bright on both images, overlaps best where the planted shift is undone."""
    site = next(site for site in SITES if site.name == name)
    exam = exam_of(replace(site, snr=(55, 60)))
    middle = exam.t2.counts.shape[0] // 2
    t2 = exam.t2.counts[middle, 20:140:2, 20:140:2].ravel().astype(float)
    bright = t2 > np.percentile(t2, 90)
    moves = np.arange(-6, 6.1, 0.5)
    agreement = [
        float(np.corrcoef(bright, seen_from_t2(exam, move) > 0.3 * exam.dwi[0].counts.max())[0, 1]) for move in moves
    ]
    assert site.epi_shift[0] <= abs(exam.dwi_shift_mm) <= site.epi_shift[1]
    assert moves[int(np.argmax(agreement))] == pytest.approx(exam.dwi_shift_mm, abs=1.5)
    axis = exam.dwi[0].affine[:3, 1 if site.phase_encoding == "COL" else 2]
    assert abs(float(axis @ exam.dwi_shift_axis)) == pytest.approx(float(np.linalg.norm(axis)))


@pytest.mark.parametrize("name", NAMES)
def test_the_scanners_map_shows_the_adc_of_its_own_b_values(name: str) -> None:
    site = next(site for site in SITES if site.name == name)
    exam = exam_of(site)
    assert exam.scanner_adc is not None
    urine = exam.scanner_adc.counts[exam.dwi[0].counts > 0.6 * exam.dwi[0].counts.max()] * site.adc_step
    b = np.array(site.adc_b_values) / 1000
    signals = np.exp(-b * TISSUES["urine"].d)
    assert float(np.median(urine)) == pytest.approx(-np.polyfit(b, np.log(signals), 1)[0], rel=0.05)
    assert noise_free_adc(TISSUES["urine"].d, 0.0, site.adc_b_values) == pytest.approx(TISSUES["urine"].d)


def test_missing_series_are_not_made() -> None:
    exam = exam_of(SITES[1], frozenset({"ce_t1", "dwi", "t2_sagittal"}))
    assert exam.sagittal is None
    assert exam.ce_t1 is None
    assert exam.t1 is None
    assert exam.scanner_adc is None
    assert exam.dwi == ()


def test_an_unenhanced_t1_is_darker_in_the_tumour_than_after_the_contrast_agent() -> None:
    exam = exam_of(SITES[1])
    assert exam.t1 is not None
    assert exam.ce_t1 is not None
    assert np.median(exam.t1.counts[exam.mask]) < 0.8 * np.median(exam.ce_t1.counts[exam.mask])


@pytest.mark.parametrize("name", NAMES)
def test_structures_lie_where_they_belong(name: str) -> None:
    exam = patient_of(name).exams[0]
    voxel = abs(float(np.linalg.det(exam.t2.affine[:3, :3]))) / 1000
    assert 20 < exam.structures["mesorectum"].sum() * voxel < 350
    assert not (exam.structures["lumen"] & exam.structures["mesorectum"]).any()
    assert exam.mask[exam.structures["wall"]].any()
