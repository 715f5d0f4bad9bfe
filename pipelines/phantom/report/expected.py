"""A cohort's figures beside the published ones that it was made to have.

Sources: diffusion, rates and volumes as for ``latents.py`` and ``words.py``; lengths, wall thickness and distance to
the anal verge are the medians of both groups and both cohorts in table 1 of Zhang et al.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.phantom.oracle import CohortTruth, Numbers, adc_alone, oracle
from pipelines.phantom.survival import HORIZON_MONTHS


@dataclass(frozen=True)
class Check:
    """One figure: measured, with its standard error, beside the range that is expected of it."""

    name: str
    low: float
    high: float
    measured: float
    error: float
    digits: int = 2
    unit: str = ""

    @property
    def within(self) -> bool:
        """Whether the measured figure lies in the range or within two standard errors of it."""
        return self.low - 2 * self.error <= self.measured <= self.high + 2 * self.error

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "expected": [self.low, self.high],
            "measured": round(self.measured, 4),
            "standard_error": round(self.error, 4),
            "unit": self.unit,
            "within": self.within,
        }


def _mean(name: str, values: Numbers, low: float, high: float, unit: str = "", digits: int = 2) -> Check:
    values = values[np.isfinite(values)]
    error = float(values.std() / np.sqrt(max(values.size, 1)))
    return Check(name, low, high, float(values.mean()), error, digits, unit)


def _median(name: str, values: Numbers, low: float, high: float, unit: str = "", digits: int = 2) -> Check:
    """The error of a median is about 1.25 times that of the mean."""
    mean = _mean(name, values, low, high, unit, digits)
    return Check(name, low, high, float(np.median(values)), 1.25 * mean.error, digits, unit)


def _rate(name: str, flags: np.ndarray, low: float, high: float) -> Check:
    return _mean(name, 100.0 * flags, low, high, "%", 1)


def cumulative_incidence(months: Numbers, event: np.ndarray, death: np.ndarray, at: float) -> float:
    """Share with the event by ``at`` months, other deaths competing (Aalen and Johansen 1978)."""
    free, found = 1.0, 0.0
    for time in np.unique(months[(event | death) & (months <= at)]):
        risk = float((months >= time).sum())
        found += free * float((event & (months == time)).sum()) / risk
        free *= 1 - float(((event | death) & (months == time)).sum()) / risk
    return found


def checks(truth: CohortTruth) -> list[Check]:
    """Every figure of the notes that a cohort can be held against."""
    return [*_rates(truth), *_tumours(truth), *_ceilings(truth)]


def _is(truth: CohortTruth, column: str, *words: str) -> np.ndarray:
    return np.isin(np.array(truth.words[column]), words)


def _rates(truth: CohortTruth) -> list[Check]:
    number = truth.numbers
    cea = number["cea_ng_ml"]
    spread = cumulative_incidence(
        number["metastasis_months"],
        number["metastasis_event"] == 1,
        _is(truth, "metastasis_ended", "death"),
        HORIZON_MONTHS,
    )
    error = 100 * float(np.sqrt(spread * (1 - spread) / cea.size))
    return [
        _rate("good response (AJCC 0–1)", number["good_response"], 32, 33),
        _rate("complete response (ypT0 ypN0)", number["complete_response"], 10, 27),
        Check("metastasis by 36 months", 21, 29, 100 * spread, error, 1, "%"),
        _rate("CEA raised", (cea > 5)[np.isfinite(cea)].astype(float), 24, 24),
        *(
            _rate(name, _is(truth, "ypn_stage", name).astype(float), share, share)
            for name, share in (("ypN0", 66), ("ypN1", 21), ("ypN2", 13))
        ),
    ]


def _tumours(truth: CohortTruth) -> list[Check]:
    number = truth.numbers
    good = number["good_response"] == 1
    complete, usual = number["complete_response"] == 1, _is(truth, "histology", "adenocarcinoma")
    left = 100 * (1 - number["volume_restaging_cm3"] / number["volume_baseline_cm3"])

    def of(column: str, rows: np.ndarray) -> Numbers:
        return np.asarray(number[column][rows])

    diffusion: list[tuple[Callable[..., Check], str, Numbers, float, float]] = [
        (_median, "D before (10⁻³ mm²/s)", of("d_baseline", usual), 1.33, 1.40),
        (_median, "K before", of("k_baseline", usual), 0.85, 0.93),
        (_mean, "D after, complete response", of("d_restaging", usual & complete), 2.12, 2.78),
        (_mean, "D after, others", of("d_restaging", usual & ~complete), 1.65, 2.25),
        (_mean, "K after, complete response", of("k_restaging", usual & complete), 0.50, 0.62),
        (_mean, "K after, others", of("k_restaging", usual & ~complete), 0.60, 0.76),
    ]
    return [
        *(make(name, values, low, high) for make, name, values, low, high in diffusion if values.size),
        _median("volume before", number["volume_baseline_cm3"], 20, 20, "cm³", 1),
        _mean("volume lost", left, 52, 52, "%", 1),
        _median("length before", number["length_baseline_mm"], 44.5, 48, "mm", 1),
        _median("length after", number["length_restaging_mm"], 33, 40.5, "mm", 1),
        _median("wall thickness before", number["mwt_baseline_mm"], 15, 17.5, "mm", 1),
        _median("wall thickness after, poor response", of("mwt_restaging_mm", ~good), 11, 14, "mm", 1),
        _median("wall thickness after, good response", of("mwt_restaging_mm", good), 9, 10, "mm", 1),
        _median("tumour to anal verge before (published quartiles)", number["dtav_baseline_mm"], 41, 95, "mm", 1),
    ]


def _ceilings(truth: CohortTruth) -> list[Check]:
    table, count = oracle(truth), truth.numbers["good_response"].size
    error = 0.4 / float(np.sqrt(count))  # of an expected AUC over these patients, from repeated cohorts
    best = [
        Check(f"oracle AUC, {outcome.replace('_', ' ')}, both exams", 0.75, 0.90, sets["pair"]["auc"], error)
        for outcome, sets in table.items()
    ]
    return [*best, Check("AUC of ADC after therapy alone", 0.65, 0.75, adc_alone(truth), error)]
