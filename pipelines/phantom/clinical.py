"""The clinical record of a virtual patient: values with units, typed words, therapy and dates; some values missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.random import Generator

from pipelines.phantom.words import RAISED

CEA_LIMIT, CA19_9_LIMIT = 5.0, 37.0  # ng/mL, U/mL
CHEMOTHERAPY, CHEMORADIOTHERAPY = "chemotherapy", "chemoradiotherapy"
# The share of patients in whom a value was never taken or written down; independent of everything else.
MISSING: dict[str, float] = {
    "cea": 0.06,
    "ca19_9": 0.12,
    "emvi_baseline": 0.04,
    "emvi_restaging": 0.06,
    "crm_baseline": 0.02,
    "crm_restaging": 0.04,
    "differentiation": 0.06,
    "lymphovascular_invasion": 0.05,
    "perineural_invasion": 0.08,
}
# Schemes run in different directions and do not map one to one: (Mandard, Dworak) with the share of each pair.
SCHEMES: dict[str, tuple[tuple[str, str, float], ...]] = {
    "AJCC-0": (("Mandard-1", "Dworak-4", 1.0),),
    "AJCC-1": (("Mandard-2", "Dworak-3", 1.0),),
    "AJCC-2": (("Mandard-3", "Dworak-2", 0.65), ("Mandard-4", "Dworak-2", 0.15), ("Mandard-4", "Dworak-1", 0.20)),
    "AJCC-3": (("Mandard-4", "Dworak-1", 0.60), ("Mandard-5", "Dworak-0", 0.40)),
}
YPT: dict[str, tuple[float, ...]] = {  # shares of ypT0 to ypT4
    "AJCC-0": (1.0, 0.0, 0.0, 0.0, 0.0),
    "AJCC-1": (0.0, 0.22, 0.43, 0.33, 0.02),
    "AJCC-2": (0.0, 0.05, 0.27, 0.60, 0.08),
    "AJCC-3": (0.0, 0.01, 0.16, 0.66, 0.17),
}


@dataclass(frozen=True)
class Therapy:
    """Neoadjuvant therapy, and the operation after it."""

    kind: str
    start: date
    end: date
    surgery: date


@dataclass(frozen=True)
class Record:
    """What the hospital knows. Words that are missing are ''; values that are missing are None.

    ``words``: the words of ``words.WORDS`` that were recorded. ``cea_ng_ml`` and ``ca19_9_u_ml`` before therapy.
    """

    words: Mapping[str, str]
    cea_ng_ml: float | None
    ca19_9_u_ml: float | None
    differentiation: str
    ypt: str
    trg_mandard: str
    trg_dworak: str
    lymphovascular_invasion: str
    perineural_invasion: str
    adjuvant_chemotherapy: str

    def word(self, name: str) -> str:
        return self.words.get(name, "")


def _choice(rng: Generator, values: tuple[str, ...], shares: tuple[float, ...]) -> str:
    return values[min(int(np.searchsorted(np.cumsum(shares), rng.random(), side="right")), len(values) - 1)]


def _marker(rng: Generator, state: str, limit: float, typical: float) -> float:
    """A tumour marker below or above its limit, skewed as they are; two significant digits behind the point."""
    spread = abs(rng.standard_normal())
    value = limit * float(np.exp(0.12 + 0.9 * spread)) if state == RAISED else typical * float(np.exp(0.5 - spread))
    return round(value if state == RAISED else min(value, 0.98 * limit), 2)


def draw_record(rng: Generator, words: Mapping[str, str], age_years: float) -> Record:
    """The record from the true words. What it adds tells no more about outcomes than the words do."""
    grade, nodes = words["trg_ajcc"], words["ypn"]
    positive_nodes = nodes != "ypN0"
    cea = _marker(rng, words["cea"], CEA_LIMIT, 2.4)
    ca19_9 = _marker(rng, words["ca19_9"], CA19_9_LIMIT, 12.0)
    missing = {name for name, share in MISSING.items() if rng.random() < share}
    mandard, dworak, _ = SCHEMES[grade][int(rng.choice(len(SCHEMES[grade]), p=[s[2] for s in SCHEMES[grade]]))]
    invasion = 0.06 + 0.22 * positive_nodes + (0.04 if grade in ("AJCC-2", "AJCC-3") else -0.03)
    noted = {
        "differentiation": _choice(rng, ("well", "moderate", "poor"), (0.14, 0.69, 0.17)),
        "lymphovascular_invasion": "positive" if rng.random() < invasion else "negative",
        "perineural_invasion": "positive" if rng.random() < 0.8 * invasion else "negative",
    }
    adjuvant = float(np.clip(0.45 + 0.35 * positive_nodes - 0.012 * max(age_years - 60, 0), 0.1, 0.95))
    return Record(
        words={name: word for name, word in words.items() if name not in missing},
        cea_ng_ml=None if "cea" in missing else cea,
        ca19_9_u_ml=None if "ca19_9" in missing else ca19_9,
        ypt=_choice(rng, ("ypT0", "ypT1", "ypT2", "ypT3", "ypT4"), YPT[grade]),
        trg_mandard=mandard,
        trg_dworak=dworak,
        adjuvant_chemotherapy="yes" if rng.random() < adjuvant else "no",
        **{name: "" if name in missing else word for name, word in noted.items()},
    )


def draw_therapy(rng: Generator, dates: tuple[date, date]) -> Therapy:
    """Two to four courses of chemotherapy, or five weeks of chemoradiotherapy, between the exams; then surgery."""
    start = dates[0] + timedelta(days=int(rng.integers(5, 15)))
    kind = CHEMOTHERAPY if rng.random() < 0.6 else CHEMORADIOTHERAPY
    rest = int(rng.integers(7, 19))
    end = start + timedelta(days=37) if kind == CHEMORADIOTHERAPY else dates[1] - timedelta(days=rest)
    return Therapy(kind, start, min(end, dates[1] - timedelta(days=4)), dates[1] + timedelta(int(rng.integers(5, 25))))
