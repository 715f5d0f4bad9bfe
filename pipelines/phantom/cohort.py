"""The whole synthetic cohort on disk.

::

    DIR/cohort.csv                          one row per patient
    DIR/PATIENT/baseline/*.dcm              the exam before therapy, no truth in it
    DIR/PATIENT/restaging/*.dcm             the exam after therapy
    DIR/PATIENT/truth/baseline.npz          mask (bool, slice-row-column) and affine (index to LPS) on the grid of
    DIR/PATIENT/truth/restaging.npz         the axial T2, slices ascending along its normal

Columns of cohort.csv:

- patient_id, name, sex, birth_date (ISO), site, seed, index; baseline, restaging: folders relative to DIR;
- baseline_date, restaging_date (ISO), has_ce_t1 (0/1);
- good_response (0/1: AJCC 0–1), p_good_response (its true probability given what the pair of exams shows),
  trg_ajcc (AJCC-0 … AJCC-3);
- volume_*_cm3: planted tumour volume; mask_volume_*_cm3: volume of the truth mask's voxels; mwt_*_mm: maximum wall
  thickness; length_*_mm: tumour length along the rectum;
- d_*, k_*: planted D (10⁻³ mm²/s) and K of the tumour; adc_*: ADC of the noise-free weighted fit over all b-values of
  the exam; adc_b500up_*: the same over b ≥ 150 alone; b_values: the b-set in s/mm², separated by spaces;
- heterogeneity (log-SD of T2 signal in the tumour before therapy), fibrosis (dark share after therapy), z_*: the five
  standardised latents behind p_good_response (``patient.py``).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.random import Generator

from pipelines.contract import TimePoint
from pipelines.phantom.anatomy import Pelvis, draw_pelvis
from pipelines.phantom.dicom import write_exam
from pipelines.phantom.exam import Scanner, SimulatedExam, Subject, simulate_exam
from pipelines.phantom.lesion import draw_lesion
from pipelines.phantom.patient import Latents, VirtualPatient, draw_patient, stream
from pipelines.phantom.rectum import Wall, baseline_wall, draw_ripples, restaging_wall
from pipelines.phantom.signal import noise_free_adc, tissues_of
from pipelines.phantom.site import FULL, SMALL, Preset

__all__ = ["FULL", "SMALL", "PatientRow", "Preset", "simulate_patient", "write_cohort", "write_patient"]


@dataclass(frozen=True)
class PatientRow:
    """One line of cohort.csv; the module's docstring explains the columns."""

    patient_id: str
    name: str
    sex: str
    birth_date: str
    site: str
    baseline: str
    restaging: str
    good_response: int
    p_good_response: float
    trg_ajcc: str
    seed: int
    index: int
    baseline_date: str
    restaging_date: str
    has_ce_t1: int
    b_values: str
    volume_baseline_cm3: float
    volume_restaging_cm3: float
    mask_volume_baseline_cm3: float
    mask_volume_restaging_cm3: float
    mwt_baseline_mm: float
    mwt_restaging_mm: float
    length_baseline_mm: float
    length_restaging_mm: float
    d_baseline: float
    d_restaging: float
    k_baseline: float
    k_restaging: float
    adc_baseline: float
    adc_restaging: float
    adc_b500up_baseline: float
    adc_b500up_restaging: float
    heterogeneity: float
    fibrosis: float
    z_delta_d: float
    z_k_post: float
    z_remaining: float
    z_texture: float
    z_fibrosis: float


@dataclass(frozen=True)
class SimulatedPatient:
    """A patient with both exams, before they are written. Pairs are (baseline, restaging)."""

    patient: VirtualPatient
    exams: tuple[SimulatedExam, SimulatedExam]
    walls: tuple[Wall, Wall]


def _scanner(rng: Generator, patient: VirtualPatient, preset: Preset) -> Scanner:
    gain, gradient = float(rng.uniform(0.7, 1.6)), float(rng.uniform(0.97, 1.03))
    return Scanner(patient.site, preset, gain, gradient, rng)


def _exam(
    patient: VirtualPatient, preset: Preset, time_point: TimePoint, body: tuple[Pelvis, Wall, float]
) -> SimulatedExam:
    pelvis, wall, tumour_t2 = body
    after = time_point is TimePoint.RESTAGING
    rng = stream(patient.seed, patient.index, 3 if after else 2)
    latents = patient.latents
    subject = Subject(
        pelvis=pelvis,
        lesion=draw_lesion(rng, wall, latents.fibrosis if after else 0.0),
        tissues=tissues_of(latents, after, tumour_t2),
        heterogeneity=float(rng.uniform(0.15, 0.25)) if after else latents.heterogeneity,
        filling=float(rng.uniform(0, 1)),
        has_ce_t1=patient.has_ce_t1,
    )
    return simulate_exam(subject, _scanner(rng, patient, preset))


def simulate_patient(seed: int, index: int, preset: Preset = SMALL) -> SimulatedPatient:
    """Both exams of patient ``index`` (from 0) of the cohort with this seed, in memory."""
    patient = draw_patient(seed, index)
    rng = stream(seed, index, 1)
    pelvis = draw_pelvis(rng, patient.sex)
    ripples = draw_ripples(rng)
    before = baseline_wall(rng, patient.latents, ripples, pelvis.anal_w)
    after = restaging_wall(rng, patient.latents, ripples, pelvis.anal_w, before)
    tumour_t2 = float(rng.uniform(80, 88))
    exams = (
        _exam(patient, preset, TimePoint.BASELINE, (pelvis, before, tumour_t2)),
        _exam(patient, preset, TimePoint.RESTAGING, (pelvis, after, tumour_t2)),
    )
    return SimulatedPatient(patient, exams, (before, after))


def write_patient(out: Path, seed: int, index: int, *, preset: Preset = SMALL) -> PatientRow:
    """Writes both exams and the truth masks of one patient under ``out``; returns its row of cohort.csv."""
    simulated = simulate_patient(seed, index, preset)
    patient = simulated.patient
    home = out / patient.patient_id
    (home / "truth").mkdir(parents=True, exist_ok=True)
    for time_point, exam in zip(TimePoint, simulated.exams, strict=True):
        write_exam(home / time_point, patient, time_point, exam)
        np.savez_compressed(home / "truth" / f"{time_point}.npz", mask=exam.mask, affine=exam.t2.affine)
    return _row(simulated, preset)


def _row(simulated: SimulatedPatient, preset: Preset) -> PatientRow:
    p, truth = simulated.patient, simulated.patient.latents
    first, second = simulated.walls
    mask_volumes = [float(e.mask.sum() * abs(np.linalg.det(e.t2.affine[:3, :3])) / 1000) for e in simulated.exams]
    return PatientRow(
        patient_id=p.patient_id,
        name=p.name,
        sex=p.sex,
        birth_date=p.birth_date.isoformat(),
        site=p.site.name,
        baseline=f"{p.patient_id}/baseline",
        restaging=f"{p.patient_id}/restaging",
        good_response=int(p.good_response),
        p_good_response=truth.p_good_response,
        trg_ajcc=p.trg_ajcc,
        seed=p.seed,
        index=p.index,
        baseline_date=p.dates[0].isoformat(),
        restaging_date=p.dates[1].isoformat(),
        has_ce_t1=int(p.has_ce_t1),
        b_values=" ".join(f"{b:g}" for b in preset.b_values),
        volume_baseline_cm3=truth.volume_pre,
        volume_restaging_cm3=truth.volume_post,
        mask_volume_baseline_cm3=mask_volumes[0],
        mask_volume_restaging_cm3=mask_volumes[1],
        mwt_baseline_mm=first.wall_thickness_mm,
        mwt_restaging_mm=second.wall_thickness_mm,
        length_baseline_mm=first.shape.length,
        length_restaging_mm=second.shape.length,
        **_diffusion_columns(truth, preset.b_values),
        heterogeneity=truth.heterogeneity,
        fibrosis=truth.fibrosis,
        z_delta_d=truth.z[0],
        z_k_post=truth.z[1],
        z_remaining=truth.z[2],
        z_texture=truth.z[3],
        z_fibrosis=truth.z[4],
    )


def _diffusion_columns(truth: Latents, b_values: tuple[float, ...]) -> dict[str, float]:
    high = tuple(b for b in b_values if b >= 150)
    columns: dict[str, float] = {}
    for when, d, k in (("baseline", truth.d_pre, truth.k_pre), ("restaging", truth.d_post, truth.k_post)):
        columns |= {f"d_{when}": d, f"k_{when}": k}
        columns[f"adc_{when}"] = noise_free_adc(d, k, b_values)
        columns[f"adc_b500up_{when}"] = noise_free_adc(d, k, high)
    return columns


def _rows(out: Path, patients: int, seed: int, preset: Preset, workers: int) -> Iterator[PatientRow]:
    if workers == 1:
        for index in range(patients):
            yield write_patient(out, seed, index, preset=preset)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(write_patient, out, seed, index, preset=preset) for index in range(patients)]
        for done in as_completed(pending):
            yield done.result()


def write_cohort(
    out: Path,
    patients: int,
    seed: int,
    *,
    progress: Callable[[int, int], None] | None = None,
    preset: Preset = SMALL,
    workers: int = 1,
) -> Path:
    """Writes patients 0 … ``patients`` − 1 of the cohort with this seed and its cohort.csv; returns the csv's path.

    Patient i is the same (to the byte, on the same machine) whatever ``patients`` and ``workers`` are. ``progress`` is
    called with (done, total). Raises ValueError for a count, seed or worker number that makes no cohort.
    """
    if patients < 1 or seed < 0 or workers < 1:
        raise ValueError(f"a cohort needs patients ≥ 1, seed ≥ 0, workers ≥ 1, not {patients}, {seed}, {workers}")
    out.mkdir(parents=True, exist_ok=True)
    path = out / "cohort.csv"
    path.unlink(missing_ok=True)  # the csv is there only when the cohort is whole
    rows = []
    for row in _rows(out, patients, seed, preset, workers):
        rows.append(row)
        if progress is not None:
            progress(len(rows), patients)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(PatientRow)], lineterminator="\n")
        writer.writeheader()
        for row in sorted(rows, key=lambda r: r.index):
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(row).items()})
    return path
