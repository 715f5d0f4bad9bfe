"""The synthetic patients of `restage demo`: each shows something that the four systems may say together."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node.clinical_file import DATE, PATIENT_ID
from pipelines.contract import Item
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.phantom.row import PatientRow

SEED = 4711  # no shipped bundle was trained or calibrated on this seed: manifests name the cohorts'
RESTAGING = frozenset({Item.EMVI_RESTAGING, Item.CRM_RESTAGING, Item.MWT_RESTAGING, Item.LENGTH_RESTAGING})
BASELINE = frozenset(
    {
        *(Item.THERAPY, Item.THERAPY_START, Item.THERAPY_END, Item.HISTOLOGY, Item.DIFFERENTIATION),
        *(Item.CT_STAGE, Item.CN_STAGE, Item.CEA, Item.CA19_9, Item.LOCATION),
        *(Item.EMVI_BASELINE, Item.CRM_BASELINE, Item.MWT_BASELINE, Item.LENGTH_BASELINE),
    }
)
"""What a hospital knows of a patient before surgery; nothing of pathology after it."""


@dataclass(frozen=True)
class DemoPatient:
    """``index``: in the seed. ``name``: of its files. ``shows``: why this patient is in the demo, in words."""

    index: int
    name: str
    shows: str


PATIENTS = (
    DemoPatient(114, "agreement", "four systems agree"),
    DemoPatient(3, "disagreement", "two systems contradict each other: both are shown, and neither is changed"),
    DemoPatient(21, "refer", "models that cannot rule out either outcome leave the decision to a reader"),
    DemoPatient(20, "refusal", "a histology that response was not learnt from: no number, and the reason"),
)


def write_clinical_table(path: Path, rows: Sequence[PatientRow]) -> None:
    """What the hospital knows of these patients, as `restage clinical import` reads it: a line per exam."""
    items = [str(item) for item in Item if item in BASELINE | RESTAGING]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [PATIENT_ID, DATE, *items], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            written = row.columns()
            for day, known in ((row.baseline_date, BASELINE), (row.restaging_date, RESTAGING)):
                values = {str(item): written[str(item)] for item in Item if item in known}
                writer.writerow({PATIENT_ID: row.patient_id, DATE: day} | values)


_TRUE = {
    "good response": (Outcome.GOOD_RESPONSE, InformationSet.PAIR_CLINICAL),
    "complete response": (Outcome.COMPLETE_RESPONSE, InformationSet.PAIR_CLINICAL),
    "metastasis by 36 months": (Outcome.METASTASIS, InformationSet.BASELINE_CLINICAL),
    "recurrence or death by then": (Outcome.RECURRENCE, InformationSet.BASELINE_CLINICAL),
}


def truth_lines(row: PatientRow) -> tuple[str, ...]:
    """What is known of a patient because it is synthetic, to be read beside the report."""
    response = "complete" if row.complete_response else "good" if row.good_response else "poor"
    metastasis = f"after {row.metastasis_months:.0f} months" if row.metastasis_event else "never seen"
    recurrence = f"{row.dfs_first}, after {row.dfs_months:.0f} months" if row.dfs_event else "never seen"
    given = {name: f"{100 * row.probabilities[key]:.0f} %" for name, key in _TRUE.items()}
    return (
        "THE TRUTH (known, because this patient is synthetic)",
        f"  response                  {response} ({row.trg_ajcc}, {row.ypt_stage or 'ypT?'} {row.ypn_stage or 'ypN?'})",
        f"  distant metastasis        {metastasis}",
        f"  recurrence or death       {recurrence}",
        "  true probabilities        " + ", ".join(f"{name} {percent}" for name, percent in given.items()),
        f"  tumour volume             {row.mask_volume_baseline_cm3:.1f} cm³ before,"
        f" {row.mask_volume_restaging_cm3:.1f} cm³ after",
        f"  mean ADC                  {1000 * row.adc_b500up_baseline:.0f} before,"
        f" {1000 * row.adc_b500up_restaging:.0f} after (10⁻⁶ mm²/s, noise-free fit over b ≥ 150)",
    )
