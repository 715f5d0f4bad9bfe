"""The virtual patient: who it is, what was planted in it, what was recorded of it, and what became of it.

The order of causes: latents (``latents.py``, shown by images) → tumour regression grade → words of the clinical record
and of pathology (``words.py``) → times of metastasis, recurrence and death (``survival.py``). The site, the therapy,
the histology, the sex, and what is missing decide nothing. Every purpose has its own random stream, so that a change in
one leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from pipelines.phantom.clinical import Record, Therapy, draw_record, draw_therapy
from pipelines.phantom.latents import Histology, Latents, draw_latents
from pipelines.phantom.probabilities import Probabilities, true_hazards, true_probabilities
from pipelines.phantom.site import SITES, Site
from pipelines.phantom.survival import DAYS_PER_MONTH, FollowUp, Hazards, draw_follow_up
from pipelines.phantom.words import WORDS, draw_words, grade_probabilities

__all__ = ["Latents", "VirtualPatient", "draw_patient", "stream"]

FIRST_BASELINE, YEARS_OF_ACCRUAL = date(2019, 1, 7), 4
STUDY_END = date(2025, 12, 31)
SITE_SHARES = {"A": 0.45, "B": 0.30, "C": 0.25}
OTHER_SITES_SHARE = 0.30
HISTOLOGY_SHARES = {Histology.ADENOCARCINOMA: 0.95, Histology.MUCINOUS: 0.04, Histology.SIGNET_RING: 0.01}
# No contrast agent at either exam, and a series that one exam lacks.
NO_CONTRAST = 0.20
SERIES_LACKING = {"ce_t1": 0.03, "t2_sagittal": 0.06, "dwi": 0.03}
# Streams 1–3 belong to anatomy and the two exams (``cohort.py``).
IDENTITY, HISTOLOGY, RECORD, COURSE, SERIES = 0, 4, 5, 6, 7


@dataclass(frozen=True)
class VirtualPatient:
    """Patient ``index`` of the cohort with this ``seed``. Pairs are (baseline, restaging).

    ``missing``: the series that each exam lacks, of "ce_t1", "t2_sagittal" and "dwi". ``words``: the complete truth
    that ``record`` holds but for its missing values.
    """

    seed: int
    index: int
    sex: str
    birth_date: date
    dates: tuple[date, date]
    site: Site
    missing: tuple[frozenset[str], frozenset[str]]
    latents: Latents
    histology: Histology
    words: dict[str, str]
    record: Record
    therapy: Therapy
    hazards: Hazards
    follow_up: FollowUp

    @property
    def patient_id(self) -> str:
        return f"PHANTOM-S{self.seed}-{self.index:04d}"

    @property
    def name(self) -> str:
        return f"Phantom^Patient {self.index:04d}"

    @property
    def has_ce_t1(self) -> bool:
        """Whether both exams have a contrast-enhanced T1."""
        return not any("ce_t1" in lacking for lacking in self.missing)

    @property
    def age_years(self) -> int:
        """Completed years at the baseline exam."""
        return completed_years(self.birth_date, self.dates[0])

    @property
    def trg_ajcc(self) -> str:
        return self.words["trg_ajcc"]

    @property
    def good_response(self) -> bool:
        """AJCC tumour regression grade 0–1."""
        return self.trg_ajcc in ("AJCC-0", "AJCC-1")

    @property
    def complete_response(self) -> bool:
        """Pathological complete response: ypT0 ypN0."""
        return self.record.ypt == "ypT0" and self.words["ypn"] == "ypN0"

    @cached_property
    def probabilities(self) -> Probabilities:
        """The true probability of each outcome given each information set."""
        return true_probabilities(self.latents, self.age_years, self.record.words)


def completed_years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def stream(seed: int, index: int, purpose: int) -> Generator:
    """An independent random stream per (seed, patient, purpose): no patient depends on how many there are."""
    return default_rng(SeedSequence(entropy=seed, spawn_key=(index, purpose)))


def draw_patient(seed: int, index: int, sites: Sequence[Site] = SITES) -> VirtualPatient:
    """Patient ``index`` (from 0) of the cohort with this ``seed``; the same whatever else is drawn.

    ``sites``: where patients may come from. Another choice of sites moves patients to other scanners and changes
    nothing else of them.
    """
    rng = stream(seed, index, IDENTITY)
    histology = _histology(stream(seed, index, HISTOLOGY))
    latents = draw_latents(rng, histology)
    grade = int(np.searchsorted(np.cumsum(grade_probabilities(np.array(latents.response_index))), rng.random()))
    first = FIRST_BASELINE + timedelta(days=int(rng.integers(0, YEARS_OF_ACCRUAL * 365)))
    sex = str(rng.choice(["M", "F"], p=[0.62, 0.38]))
    born = first - timedelta(days=int(365.25 * np.clip(rng.normal(61, 10), 32, 86)))
    dates = (first, first + timedelta(days=int(rng.integers(60, 111))))
    site = _site(rng, sites)
    age = completed_years(born, first)
    records = stream(seed, index, RECORD)
    words = draw_words(records, latents, WORDS["trg_ajcc"][min(grade, 3)])
    therapy = draw_therapy(records, dates)
    hazards = true_hazards(latents, age, words)
    months = (STUDY_END - therapy.surgery).days / DAYS_PER_MONTH
    return VirtualPatient(
        seed=seed,
        index=index,
        sex=sex,
        birth_date=born,
        dates=dates,
        site=site,
        missing=_missing(stream(seed, index, SERIES)),
        latents=latents,
        histology=histology,
        words=words,
        record=draw_record(records, words, age),
        therapy=therapy,
        hazards=hazards,
        follow_up=draw_follow_up(stream(seed, index, COURSE), hazards, months),
    )


def _histology(rng: Generator) -> Histology:
    return list(HISTOLOGY_SHARES)[int(rng.choice(len(HISTOLOGY_SHARES), p=list(HISTOLOGY_SHARES.values())))]


def _site(rng: Generator, sites: Sequence[Site]) -> Site:
    shares = np.array([SITE_SHARES.get(site.name, OTHER_SITES_SHARE) for site in sites])
    return sites[int(rng.choice(len(sites), p=shares / shares.sum()))]


def _missing(rng: Generator) -> tuple[frozenset[str], frozenset[str]]:
    without_contrast = {"ce_t1"} if rng.random() < NO_CONTRAST else set()
    before, after = (
        frozenset(without_contrast | {name for name, share in SERIES_LACKING.items() if rng.random() < share})
        for _ in range(2)
    )
    return before, after
