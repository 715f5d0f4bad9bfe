"""Simulated patients without images, and models that know their true probabilities up to a noise of our choice."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import Cohort, CohortPatient, FollowUp
from pipelines.contract import ClinicalRecord
from pipelines.contract.record import Item
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.prediction import Numbers, Predicted, Prediction, Sets
from pipelines.phantom.oracle import CohortTruth, truth_of
from pipelines.phantom.patient import VirtualPatient, draw_patient
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.phantom.site import OUTSIDE, SITES
from tests.pipelines.made_up_manifest import manifest

MONTHS = np.arange(0.0, 61.0, 3.0)


@lru_cache(maxsize=4)
def made_cohort(count: int, seed: int = 4711) -> tuple[tuple[CohortPatient, ...], CohortTruth]:
    """Patients of four sites, the last of them one that training never saw."""
    drawn = [draw_patient(seed, index, (*SITES, OUTSIDE)) for index in range(count)]
    return tuple(_patient(line, who) for line, who in enumerate(drawn, start=2)), truth_of(drawn)


def _patient(line: int, who: VirtualPatient) -> CohortPatient:
    words = {
        Item.SEX: who.sex,
        Item.THERAPY: who.therapy.kind,
        Item.HISTOLOGY: str(who.histology),
        Item.CT_STAGE: who.record.word("ct_stage"),
        Item.YPT_STAGE: who.record.ypt,
        Item.YPN_STAGE: who.record.word("ypn"),
    }
    course = who.follow_up
    return CohortPatient(
        line=line,
        patient_id=who.patient_id,
        site=who.site.name,
        exams={},
        truth={},
        record=ClinicalRecord({Item.AGE_YEARS: float(who.age_years)} | {k: v for k, v in words.items() if v}),
        good_response=who.good_response,
        complete_response=who.complete_response,
        metastasis=FollowUp(course.metastasis_months, course.metastasis_event),
        recurrence=FollowUp(course.dfs_months, course.dfs_event),
        excluded="" if str(who.histology) == "adenocarcinoma" else f"histology: {who.histology}",
    )


def _noisy(true: Numbers, noise: float, seed: int) -> Numbers:
    """A probability that knows ``true`` up to noise of its logit, shrunk so that it stays calibrated."""
    logit = np.log(true / (1 - true))
    spread = float(logit.std())
    seen = logit + noise * np.random.default_rng(seed).standard_normal(true.size)
    shrunk = logit.mean() + (seen - logit.mean()) * spread**2 / (spread**2 + noise**2)
    return np.asarray(1 / (1 + np.exp(-shrunk)))


def _judged(
    system: str, predicted: Predicted, count: int, seed: int, outcome: str = "good response (AJCC TRG 0–1)"
) -> Judged:
    patients, truth = made_cohort(count, seed)
    described = manifest(
        system=system,
        name=f"restage-{system}",
        version="0.0",
        outcome=outcome,
        cohort="simulated cohort (restage phantom), 570 patients, 3 sites",
        cohort_digest="0" * 64,
        intended_use="Tests of the report.",
        limits="Nobody exists.",
        training={"seed": 20261, "sites": ["A", "B", "C"]},
    )
    cohort = Cohort(Path("nowhere"), patients, "1" * 64, truth)
    kept = tuple(patient for patient in patients if not patient.excluded)
    return Judged(Bundle(Path("nowhere"), described, "2" * 64), cohort, kept, predicted)


def _kept_rows(count: int, seed: int) -> np.ndarray:
    return np.array([not patient.excluded for patient in made_cohort(count, seed)[0]])


@lru_cache(maxsize=4)
def judged_response(count: int = 200, seed: int = 4711) -> Judged:
    """System 1 as it may come out: CR blurred, FDL better, CRD best; one patient in twenty-five was refused."""
    kept = _kept_rows(count, seed)
    _, truth = made_cohort(count, seed)
    pair = truth.probability(Outcome.GOOD_RESPONSE, InformationSet.PAIR)[kept]
    clinical = truth.probability(Outcome.GOOD_RESPONSE, InformationSet.PAIR_CLINICAL)[kept]
    refused = tuple("the baseline exam has no DWI" if row % 25 == 7 else "" for row in range(int(kept.sum())))
    gone = np.array([bool(reason) for reason in refused])
    models = {
        "CR": (clinical, InformationSet.PAIR_CLINICAL, 3.0),
        "T2": (pair, InformationSet.PAIR, 2.2),
        "DWI": (pair, InformationSet.PAIR, 1.5),
        "FDL": (pair, InformationSet.PAIR, 1.1),
        "CRD": (clinical, InformationSet.PAIR_CLINICAL, 0.7),
    }
    predictions = tuple(
        Prediction(name, Outcome.GOOD_RESPONSE, shown, np.where(gone, np.nan, _noisy(true, noise, seed=row)), 0.33)
        for row, (name, (true, shown, noise)) in enumerate(models.items())
    )
    features = {name: np.asarray(_noisy(pair, 2.0, seed=50 + row)) for row, name in enumerate(("pre_t2", "post_dwi"))}
    outside = np.zeros(gone.size, dtype=bool)
    outside[::40] = True
    predicted = Predicted("signature_svm", "CRD", predictions, refused, outside, features)
    return _judged("signature_svm", predicted, count, seed)


@lru_cache(maxsize=4)
def judged_survival(count: int = 200, seed: int = 4711) -> Judged:
    """System 4 as it may come out, its event-free shares by the phantom's own Weibull shape."""
    kept = _kept_rows(count, seed)
    _, truth = made_cohort(count, seed)
    models = {
        "clinical": (InformationSet.BASELINE_PATHOLOGY, 2.0),
        "ADC": (InformationSet.BASELINE, 2.0),
        "T2W": (InformationSet.BASELINE, 1.6),
        "DLRS": (InformationSet.BASELINE, 0.8),
        "nomogram": (InformationSet.BASELINE_PATHOLOGY, 0.6),
    }
    predictions = []
    for row, (name, (shown, noise)) in enumerate(models.items()):
        p = _noisy(truth.probability(Outcome.METASTASIS, shown)[kept], noise, seed=row)
        event_free = np.power(1 - p[:, None], (MONTHS[None, :] / 36.0) ** 1.1)
        cut = float(np.quantile(p, 0.7))
        predictions.append(Prediction(name, Outcome.METASTASIS, shown, p, cut, MONTHS, event_free))
    count_kept = int(kept.sum())
    predicted = Predicted(
        "dlrs_nomogram", "nomogram", tuple(predictions), ("",) * count_kept, np.zeros(count_kept, dtype=bool), {}
    )
    return _judged("dlrs_nomogram", predicted, count, seed)


def _sets(probability: Numbers, low: float, high: float) -> Sets:
    seen = np.nan_to_num(probability)
    return Sets(0.9, seen >= low, seen <= high)


def _own_dice(count: int) -> dict[str, Numbers]:
    """As a network's own masks may agree with the truth: better before therapy, one in fifty found nothing."""
    rng = np.random.default_rng(9)
    drawn = {"baseline": rng.normal(0.8, 0.06, count), "restaging": rng.normal(0.6, 0.15, count)}
    missed = np.arange(count) % 50 == 3
    return {f"own_dice_{when}": np.where(missed, 0.0, dice.clip(0, 1)) for when, dice in drawn.items()}


@lru_cache(maxsize=4)
def judged_complete_response(count: int = 200, seed: int = 4711) -> Judged:
    """System 2 as it may come out: each sequence, all together, with markers and measured features, and without CE-T1,
    which every fourth patient lacks."""
    kept, (_, truth) = _kept_rows(count, seed), made_cohort(count, seed)
    pair = truth.probability(Outcome.COMPLETE_RESPONSE, InformationSet.PAIR)[kept]
    clinical = truth.probability(Outcome.COMPLETE_RESPONSE, InformationSet.PAIR_CLINICAL)[kept]
    lacking = np.arange(pair.size) % 4 == 1
    models = {
        "T2": (pair, InformationSet.PAIR, 2.6),
        "DWI": (pair, InformationSet.PAIR, 1.8),
        "CE-T1": (pair, InformationSet.PAIR, 4.0),
        "fused": (pair, InformationSet.PAIR, 1.5),
        "fused without CE-T1": (pair, InformationSet.PAIR, 1.7),
        "fused_markers": (clinical, InformationSet.PAIR_CLINICAL, 1.4),
        "fused_measured": (pair, InformationSet.PAIR, 0.8),
        "fused_markers_measured": (clinical, InformationSet.PAIR_CLINICAL, 0.7),
        "fused_markers_measured without blood markers": (clinical, InformationSet.PAIR_CLINICAL, 0.9),
    }
    predictions = []
    for row, (name, (true, shown, noise)) in enumerate(models.items()):
        p = _noisy(true, noise, seed=row)
        p = np.where(lacking, np.nan, p) if "CE-T1" in name else p
        predictions.append(
            Prediction(name, Outcome.COMPLETE_RESPONSE, shown, p, 0.2, sets=_sets(p, 0.08, 0.3) if row == 7 else None)
        )
    predicted = Predicted(
        "rp_net",
        "fused_markers_measured",
        tuple(predictions),
        ("",) * pair.size,
        np.arange(pair.size) % 40 == 0,
        _own_dice(pair.size),
        groups={"with CE-T1": ~lacking, "without CE-T1": lacking},
    )
    return _judged("rp_net", predicted, count, seed, "complete response (ypT0 ypN0)")


@lru_cache(maxsize=4)
def judged_recurrence(count: int = 200, seed: int = 4711) -> Judged:
    """System 3 as it may come out: the paper's six variants, those with measured features, and inputs hidden."""
    kept, (_, truth) = _kept_rows(count, seed), made_cohort(count, seed)
    images, before, after = (
        InformationSet.BASELINE,
        InformationSet.BASELINE_CLINICAL,
        InformationSet.BASELINE_PATHOLOGY,
    )
    models = {
        "Clinical": (after, 2.0),
        "Preclinical": (before, 2.5),
        "T2": (images, 2.0),
        "T2+DKI": (images, 1.1),
        "T2+DKI_measured": (images, 0.8),
        "T2+DKI+Preclinical": (before, 1.0),
        "T2+DKI+Preclinical_measured": (before, 0.8),
        "All": (after, 0.9),
        "All_measured": (after, 0.6),
        "All without kurtosis maps": (after, 1.0),
        "All_measured without clinical values": (after, 1.1),
    }
    predictions = []
    for row, (name, (shown, noise)) in enumerate(models.items()):
        p = _noisy(truth.probability(Outcome.RECURRENCE, shown)[kept], noise, seed=row)
        event_free = np.power(1 - p[:, None], (MONTHS[None, :] / 36.0) ** 1.1)
        cut = float(np.quantile(p, 0.7))
        sets = _sets(p, 0.2, 0.55) if name.endswith("_measured") else None
        predictions.append(Prediction(name, Outcome.RECURRENCE, shown, p, cut, MONTHS, event_free, sets=sets))
    size = int(kept.sum())
    own = {name: values for name, values in _own_dice(size).items() if name.endswith("baseline")}
    predicted = Predicted(
        "multi_rec_net", "All_measured", tuple(predictions), ("",) * size, np.zeros(size, dtype=bool), own
    )
    return _judged("multi_rec_net", predicted, count, seed, "recurrence or death within 36 months")
