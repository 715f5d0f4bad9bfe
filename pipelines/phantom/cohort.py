"""The whole synthetic cohort on disk.

::

    DIR/cohort.csv                          one row per patient; ``row.py`` explains its columns
    DIR/PATIENT/baseline/*.dcm              the exam before therapy, no truth in it
    DIR/PATIENT/restaging/*.dcm             the exam after therapy
    DIR/PATIENT/truth/baseline.dcm          the planted tumour on the axial T2 of that exam, as DICOM SEG (``truth.py``)
    DIR/PATIENT/truth/restaging.dcm

The same seed gives the same bytes on one machine. Patient i is the same whatever the number of patients and workers;
another choice of sites may move it to another scanner, and then its images differ, its truth does not. A folder that
holds another cohort is left as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.random import Generator

from pipelines.contract import TimePoint
from pipelines.phantom.anatomy import Pelvis, draw_pelvis
from pipelines.phantom.dicom import write_exam
from pipelines.phantom.exam import Scanner, SimulatedExam, Subject, simulate_exam
from pipelines.phantom.latents import Histology
from pipelines.phantom.lesion import draw_lesion
from pipelines.phantom.patient import Latents, VirtualPatient, draw_patient, stream
from pipelines.phantom.rectum import Wall, baseline_wall, draw_ripples, restaging_wall
from pipelines.phantom.row import COLUMNS, Measured, PatientRow, row_of, write_rows
from pipelines.phantom.signal import noise_free_adc, tissues_of
from pipelines.phantom.site import FULL, OUTSIDE, SITES, SMALL, Preset, Site
from pipelines.phantom.truth import write_truth

__all__ = [
    "FULL",
    "PRESETS",
    "SMALL",
    "CohortHeld",
    "CohortPlan",
    "PatientRow",
    "Preset",
    "choose_sites",
    "refuse_other_cohort",
    "simulate_patient",
    "write_cohort",
    "write_patient",
]

PRESETS = {preset.name: preset for preset in (SMALL, FULL)}
ANAL_CANAL_MM = 35.0  # from where the anal canal begins (``Pelvis.anal_w``) to the anal verge
TUMOUR_T2, MUCINOUS_T2 = (80.0, 88.0), (130.0, 155.0)  # ms; mucin is bright


def choose_sites(names: str) -> tuple[Site, ...]:
    """The sites of a list such as "A,B"; for "" all but ``site.OUTSIDE``. Raises ValueError naming what is unknown."""
    known = {site.name: site for site in (*SITES, OUTSIDE)}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no site {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(site for name, site in known.items() if name in wanted) if wanted else SITES


@dataclass(frozen=True)
class SimulatedPatient:
    """A patient with both exams, before they are written. Pairs are (baseline, restaging).

    ``anal_w``: where the anal canal begins, in mm along the rectum from the tumour's centre (negative: below).
    """

    patient: VirtualPatient
    exams: tuple[SimulatedExam, SimulatedExam]
    walls: tuple[Wall, Wall]
    anal_w: float


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
        missing=patient.missing[after],
    )
    return simulate_exam(subject, _scanner(rng, patient, preset))


def simulate_patient(seed: int, index: int, preset: Preset = SMALL, sites: Sequence[Site] = SITES) -> SimulatedPatient:
    """Both exams of patient ``index`` (from 0) of the cohort with this seed, in memory."""
    patient = draw_patient(seed, index, sites)
    rng = stream(seed, index, 1)
    pelvis = draw_pelvis(rng, patient.sex)
    ripples = draw_ripples(rng)
    before = baseline_wall(rng, patient.latents, ripples, pelvis.anal_w)
    after = restaging_wall(rng, patient.latents, ripples, pelvis.anal_w, before)
    tumour_t2 = float(rng.uniform(*(MUCINOUS_T2 if patient.histology is Histology.MUCINOUS else TUMOUR_T2)))
    exams = (
        _exam(patient, preset, TimePoint.BASELINE, (pelvis, before, tumour_t2)),
        _exam(patient, preset, TimePoint.RESTAGING, (pelvis, after, tumour_t2)),
    )
    return SimulatedPatient(patient, exams, (before, after), pelvis.anal_w)


def write_patient(
    out: Path, seed: int, index: int, *, preset: Preset = SMALL, sites: Sequence[Site] = SITES
) -> PatientRow:
    """Writes both exams and the truth masks of one patient under ``out``; returns its row of cohort.csv."""
    simulated = simulate_patient(seed, index, preset, sites)
    patient = simulated.patient
    home = out / patient.patient_id
    (home / "truth").mkdir(parents=True, exist_ok=True)
    for time_point, exam in zip(TimePoint, simulated.exams, strict=True):
        write_exam(home / time_point, patient, time_point, exam)
        write_truth(home / "truth", patient, time_point, exam)
    return row_of(patient, _measured(simulated, preset))


def _measured(simulated: SimulatedPatient, preset: Preset) -> Measured:
    (first, second), (before, after) = simulated.exams, simulated.walls
    acquired = first.dwi or second.dwi
    b_values = tuple(stack.b_value or 0.0 for stack in acquired) or simulated.patient.site.b_values
    return Measured(
        preset=preset.name,
        b_values=b_values,
        dwi_shift_mm=(first.dwi_shift_mm, second.dwi_shift_mm),
        mask_volume_cm3=(_mask_volume(first), _mask_volume(second)),
        mwt_mm=(before.wall_thickness_mm, after.wall_thickness_mm),
        length_mm=(before.shape.length, after.shape.length),
        dtav_mm=(_to_anal_verge(simulated.anal_w, before), _to_anal_verge(simulated.anal_w, after)),
        adc=_adc_columns(simulated.patient.latents, b_values),
    )


def _mask_volume(exam: SimulatedExam) -> float:
    return float(exam.mask.sum() * abs(np.linalg.det(exam.t2.affine[:3, :3])) / 1000)


def _to_anal_verge(anal_w: float, wall: Wall) -> float:
    return max(ANAL_CANAL_MM - anal_w - wall.shape.length / 2, 0.0)


def _adc_columns(truth: Latents, b_values: tuple[float, ...]) -> dict[str, float]:
    high = tuple(b for b in b_values if b >= 150)
    columns: dict[str, float] = {}
    for when, d, k in (("baseline", truth.d_pre, truth.k_pre), ("restaging", truth.d_post, truth.k_post)):
        columns[f"adc_{when}"] = noise_free_adc(d, k, b_values)
        columns[f"adc_b500up_{when}"] = noise_free_adc(d, k, high)
    return columns


@dataclass(frozen=True)
class CohortPlan:
    """Patients 0 … ``patients`` − 1 of the cohort with this ``seed``, from these sites."""

    patients: int
    seed: int
    preset: Preset = SMALL
    sites: tuple[Site, ...] = SITES

    def write(self, out: Path, index: int) -> PatientRow:
        return write_patient(out, self.seed, index, preset=self.preset, sites=self.sites)


class CohortHeld(ValueError):
    """The folder holds a cohort.csv that would be lost."""


def refuse_other_cohort(out: Path, plan: CohortPlan) -> None:
    """Raises CohortHeld where ``out``/cohort.csv has any line that this plan would not write again."""
    path = out / "cohort.csv"
    if not path.exists():
        return
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        columns, lines = reader.fieldnames, list(reader)
    if columns and tuple(columns) != COLUMNS:
        raise CohortHeld(f"{path} is not a synthetic cohort of this program: nothing was written, name another folder")
    if difference := _difference(lines, plan):
        raise CohortHeld(f"{path} {difference}: nothing was written, name another folder")


def _difference(lines: Sequence[dict[str, str]], plan: CohortPlan) -> str:
    if [line["index"] for line in lines] != [str(index) for index in range(len(lines))]:
        return "was changed since it was written"
    for name, wanted in (("seed", str(plan.seed)), ("preset", plan.preset.name)):
        if other := sorted({line[name] or "none" for line in lines} - {wanted}):
            return f"is another cohort, with {name} {', '.join(other)} instead of {wanted}"
    if len(lines) > plan.patients:
        return f"is another cohort, with {len(lines)} patients, more than {plan.patients}"
    if [line["site"] for line in lines] != [
        draw_patient(plan.seed, index, plan.sites).site.name for index in range(len(lines))
    ]:
        return f"is another cohort, whose patients are not those of the sites {', '.join(s.name for s in plan.sites)}"
    return ""


def _rows(out: Path, plan: CohortPlan, workers: int) -> Iterator[PatientRow]:
    if workers == 1:
        for index in range(plan.patients):
            yield plan.write(out, index)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(plan.write, out, index) for index in range(plan.patients)]
        for done in as_completed(pending):
            yield done.result()


def write_cohort(
    out: Path,
    patients: int,
    seed: int,
    *,
    progress: Callable[[int, int], None] | None = None,
    preset: Preset = SMALL,
    sites: Sequence[Site] = SITES,
    workers: int = 1,
) -> Path:
    """Writes patients 0 … ``patients`` − 1 of the cohort with this seed and its cohort.csv; returns the csv's path.

    Patient i is the same (to the byte, on the same machine) whatever ``patients`` and ``workers`` are. ``progress`` is
    called with (done, total). Raises ValueError for a count, seed, worker number or list of sites that makes no cohort,
    and CohortHeld where ``out`` holds another one; the same one is written again, and may get more patients.
    """
    if patients < 1 or seed < 0 or workers < 1 or not sites:
        wanted = f"{patients}, {seed}, {workers} and {len(sites)} sites"
        raise ValueError(f"a cohort needs patients ≥ 1, seed ≥ 0, workers ≥ 1 and a site, not {wanted}")
    plan = CohortPlan(patients, seed, preset, tuple(sites))
    refuse_other_cohort(out, plan)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "cohort.csv"
    path.unlink(missing_ok=True)  # the csv is there only when the cohort is whole
    rows = []
    for row in _rows(out, plan, min(workers, patients)):
        rows.append(row)
        if progress is not None:
            progress(len(rows), patients)
    write_rows(path, rows)
    return path
