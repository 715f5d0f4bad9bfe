"""One line of a synthetic cohort's cohort.csv.

Units stand in the names. Empty: missing or not defined. Words are typed ("cT3", "negative"), flags are 0/1.

- patient_id, name, sex, birth_date, age_years (completed, at the baseline exam), site, seed, index, preset;
  baseline, restaging: folders relative to cohort.csv; baseline_date, restaging_date (dates are ISO throughout);
- missing_baseline, missing_restaging: series that the exam lacks, of ce_t1, t2_sagittal and dwi; has_ce_t1: both exams
  have it; b_values: the b-set in s/mm², separated by spaces; dwi_shift_*_mm: what EPI displaced, signed;
- therapy, therapy_start, therapy_end, surgery_date, histology; excluded: why nobody should learn from this patient;
- ct_stage, cn_stage, cea_ng_ml (5 is the limit), ca19_9_u_ml (37 is), location (low, middle, high: up to 5, up to 10,
  over 10 cm from the anal verge), emvi_* and crm_* (extramural vascular invasion; mesorectal fascia involved on MRI),
  differentiation: the clinical record before surgery;
- ypt_stage, ypn_stage, trg_ajcc, trg_mandard, trg_dworak, lymphovascular_invasion, perineural_invasion,
  adjuvant_chemotherapy: after surgery;
- good_response (AJCC 0–1), complete_response (ypT0 ypN0);
- metastasis_months, metastasis_event, metastasis_ended (why it was never seen: death, lost to follow-up, end of study);
  dfs_months, dfs_event (recurrence_or_death), dfs_first (metastasis, local recurrence, death); death_months,
  death_event, death_cause; months run from surgery;
- p_OUTCOME_SET: true probability of good_response, complete_response, metastasis_36m, recurrence_36m given baseline,
  baseline_clinical, baseline_pathology, pair, pair_clinical, pathology (``probabilities.py``);
  p_good_response = p_good_response_pair;
- hazard_metastasis, hazard_local_recurrence, hazard_death: the cumulative hazards by 36 months that times were drawn
  from, H(t) = h (t / 36)^1.1; observed_months: how long the patient would have been followed without dying, so that
  times can be drawn and censored again (``oracle.py``);
- volume_*_cm3: planted tumour volume; mask_volume_*_cm3: that of the truth mask's voxels; mwt_*_mm: maximum wall
  thickness; length_*_mm: along the rectum; dtav_*_mm: distance from the tumour's lower edge to the anal verge;
- d_*, k_*: planted D (10⁻³ mm²/s) and K of the tumour; adc_*: ADC of the noise-free weighted fit over all b-values;
  adc_b500up_*: the same over b ≥ 150 alone;
- heterogeneity (log-SD of T2 signal in the tumour before therapy), fibrosis (dark share after therapy), z_*: the five
  standardised latents of response, spread: the log hazard ratio of metastasis that the baseline exam shows.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipelines.phantom.latents import Histology
from pipelines.phantom.patient import VirtualPatient
from pipelines.phantom.probabilities import AFTER_SURGERY, RESPONSES, InformationSet, Outcome, Probabilities

PROBABILITY_COLUMNS = {
    (outcome, shown): f"p_{outcome}_{shown}"
    for outcome in Outcome
    for shown in InformationSet
    if outcome not in RESPONSES or shown not in AFTER_SURGERY
}


@dataclass(frozen=True)
class PatientRow:
    """One line of cohort.csv; the module's docstring explains the columns. ``probabilities``: the p_* columns."""

    patient_id: str
    name: str
    sex: str
    birth_date: str
    age_years: int
    site: str
    baseline: str
    restaging: str
    seed: int
    index: int
    preset: str
    baseline_date: str
    restaging_date: str
    missing_baseline: str
    missing_restaging: str
    has_ce_t1: int
    b_values: str
    dwi_shift_baseline_mm: float
    dwi_shift_restaging_mm: float
    therapy: str
    therapy_start: str
    therapy_end: str
    surgery_date: str
    histology: str
    excluded: str
    ct_stage: str
    cn_stage: str
    cea_ng_ml: float | None
    ca19_9_u_ml: float | None
    location: str
    emvi_baseline: str
    emvi_restaging: str
    crm_baseline: str
    crm_restaging: str
    differentiation: str
    ypt_stage: str
    ypn_stage: str
    trg_ajcc: str
    trg_mandard: str
    trg_dworak: str
    lymphovascular_invasion: str
    perineural_invasion: str
    adjuvant_chemotherapy: str
    good_response: int
    complete_response: int
    metastasis_months: float
    metastasis_event: int
    metastasis_ended: str
    dfs_months: float
    dfs_event: int
    dfs_first: str
    death_months: float
    death_event: int
    death_cause: str
    observed_months: float
    hazard_metastasis: float
    hazard_local_recurrence: float
    hazard_death: float
    volume_baseline_cm3: float
    volume_restaging_cm3: float
    mask_volume_baseline_cm3: float
    mask_volume_restaging_cm3: float
    mwt_baseline_mm: float
    mwt_restaging_mm: float
    length_baseline_mm: float
    length_restaging_mm: float
    dtav_baseline_mm: float
    dtav_restaging_mm: float
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
    spread: float
    probabilities: Probabilities

    @property
    def p_good_response(self) -> float:
        """The true probability of good response given what the pair of exams shows."""
        return self.probabilities[Outcome.GOOD_RESPONSE, InformationSet.PAIR]

    def columns(self) -> dict[str, str]:
        """The line as it is written: floats with six digits, '' for what is missing."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "probabilities"}
        values["p_good_response"] = self.p_good_response
        values |= {column: self.probabilities[key] for key, column in PROBABILITY_COLUMNS.items()}
        return {name: _written(value) for name, value in values.items()}


COLUMNS = (
    *(f.name for f in fields(PatientRow) if f.name != "probabilities"),
    "p_good_response",
    *PROBABILITY_COLUMNS.values(),
)


def _written(value: object) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def write_rows(path: Path, rows: list[PatientRow]) -> None:
    """cohort.csv, patients in the order of their index."""
    lines = [row.columns() for row in sorted(rows, key=lambda row: row.index)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


@dataclass(frozen=True)
class Measured:
    """What is known only once the exams were made. Pairs are (baseline, restaging)."""

    preset: str
    b_values: tuple[float, ...]
    dwi_shift_mm: tuple[float, float]
    mask_volume_cm3: tuple[float, float]
    mwt_mm: tuple[float, float]
    length_mm: tuple[float, float]
    dtav_mm: tuple[float, float]
    adc: Mapping[str, Any]


def row_of(patient: VirtualPatient, measured: Measured) -> PatientRow:
    """The line of one patient."""
    truth = patient.latents
    return PatientRow(
        patient_id=patient.patient_id,
        name=patient.name,
        sex=patient.sex,
        birth_date=patient.birth_date.isoformat(),
        age_years=patient.age_years,
        site=patient.site.name,
        baseline=f"{patient.patient_id}/baseline",
        restaging=f"{patient.patient_id}/restaging",
        seed=patient.seed,
        index=patient.index,
        preset=measured.preset,
        baseline_date=patient.dates[0].isoformat(),
        restaging_date=patient.dates[1].isoformat(),
        missing_baseline=" ".join(sorted(patient.missing[0])),
        missing_restaging=" ".join(sorted(patient.missing[1])),
        has_ce_t1=int(patient.has_ce_t1),
        b_values=" ".join(f"{b:g}" for b in measured.b_values),
        location=_location(measured.dtav_mm[0]),
        **_record_columns(patient),
        **_course_columns(patient),
        **_pairs("dwi_shift_{}_mm", measured.dwi_shift_mm),
        **_pairs("volume_{}_cm3", (truth.volume_pre, truth.volume_post)),
        **_pairs("mask_volume_{}_cm3", measured.mask_volume_cm3),
        **_pairs("mwt_{}_mm", measured.mwt_mm),
        **_pairs("length_{}_mm", measured.length_mm),
        **_pairs("dtav_{}_mm", measured.dtav_mm),
        **_pairs("d_{}", (truth.d_pre, truth.d_post)),
        **_pairs("k_{}", (truth.k_pre, truth.k_post)),
        **measured.adc,
        heterogeneity=truth.heterogeneity,
        fibrosis=truth.fibrosis,
        z_delta_d=truth.z[0],
        z_k_post=truth.z[1],
        z_remaining=truth.z[2],
        z_texture=truth.z[3],
        z_fibrosis=truth.z[4],
        spread=truth.spread,
        probabilities=patient.probabilities,
    )


def _pairs(pattern: str, values: tuple[float, float]) -> dict[str, Any]:
    return dict(zip((pattern.format("baseline"), pattern.format("restaging")), values, strict=True))


def _location(dtav_mm: float) -> str:
    return "low" if dtav_mm <= 50 else "middle" if dtav_mm <= 100 else "high"


def _record_columns(patient: VirtualPatient) -> dict[str, Any]:
    record, therapy = patient.record, patient.therapy
    same = ("ct_stage", "cn_stage", "emvi_baseline", "emvi_restaging", "crm_baseline", "crm_restaging", "trg_ajcc")
    return {
        "therapy": therapy.kind,
        "therapy_start": therapy.start.isoformat(),
        "therapy_end": therapy.end.isoformat(),
        "surgery_date": therapy.surgery.isoformat(),
        "histology": str(patient.histology),
        "excluded": "" if patient.histology is Histology.ADENOCARCINOMA else f"histology: {patient.histology}",
        **{name: record.word(name) for name in same},
        "ypn_stage": record.word("ypn"),
        "ypt_stage": record.ypt,
        **{name: value for name, value in asdict(record).items() if name not in ("words", "ypt")},
    }


def _course_columns(patient: VirtualPatient) -> dict[str, Any]:
    course = {name: int(v) if isinstance(v, bool) else v for name, v in asdict(patient.follow_up).items()}
    return {
        "good_response": int(patient.good_response),
        "complete_response": int(patient.complete_response),
        **{
            name: str(v) if name in ("metastasis_ended", "dfs_first", "death_cause") else v
            for name, v in course.items()
        },
        "hazard_metastasis": patient.hazards.metastasis,
        "hazard_local_recurrence": patient.hazards.local_recurrence,
        "hazard_death": patient.hazards.other_death,
    }
