"""The synthetic cohort: its ceilings and rates on latents alone, and what a written patient costs.

Run: python -m tests.benchmarks.phantom; prints JSON last.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from pipelines.phantom.cohort import write_patient
from pipelines.phantom.oracle import adc_alone, oracle, truth_of
from pipelines.phantom.patient import VirtualPatient, draw_patient
from pipelines.phantom.probabilities import InformationSet, Outcome

SEED = 606
PATIENTS = 600
WRITTEN = 4


def rates(patients: list[VirtualPatient]) -> dict[str, float]:
    """Shares in percent."""
    shares = {
        "good_response": [p.good_response for p in patients],
        "complete_response": [p.complete_response for p in patients],
        "cea_raised": [p.record.cea_ng_ml > 5 for p in patients if p.record.cea_ng_ml is not None],
        **{name: [p.words["ypn"] == name for p in patients] for name in ("ypN0", "ypN1", "ypN2")},
        "metastasis_36m": [p.probabilities[Outcome.METASTASIS, InformationSet.PATHOLOGY] for p in patients],
        "censored_before_36m": [
            p.follow_up.metastasis_months < 36 and p.follow_up.metastasis_ended not in ("", "death") for p in patients
        ],
    }
    return {name: round(100 * float(np.mean(values)), 1) for name, values in shares.items()}


def cost() -> dict[str, float]:
    """Seconds and megabytes of one written patient of preset small, on one thread, the first left out of the time."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        write_patient(out, SEED, WRITTEN)
        started = time.perf_counter()
        for index in range(WRITTEN):
            write_patient(out, SEED, index)
        seconds = (time.perf_counter() - started) / WRITTEN
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / (WRITTEN + 1)
    return {"seconds_per_patient": round(seconds, 2), "mb_per_patient": round(size / 1e6, 2)}


def main() -> None:
    started = time.perf_counter()
    patients = [draw_patient(SEED, index) for index in range(PATIENTS)]
    truth = truth_of(patients)
    drawn = time.perf_counter() - started
    table = {
        outcome: {shown: {key: round(value, 3) for key, value in cell.items()} for shown, cell in sets.items()}
        for outcome, sets in oracle(truth).items()
    }
    figures = {
        "patients": PATIENTS,
        "oracle": table,
        "adc_alone_auc": round(adc_alone(truth), 3),
        "rates_percent": rates(patients),
        "draw_ms_per_patient": round(1000 * drawn / PATIENTS, 2),
        **cost(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
