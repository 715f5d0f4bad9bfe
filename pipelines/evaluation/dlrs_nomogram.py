"""What a bundle of system 4 says of a cohort: the paper's models, the nomogram that the node uses, and its parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import out_of_scope
from pipelines.contract import Nomogram, TimePoint
from pipelines.evaluation.prediction import Numbers, Predicted, Prediction
from pipelines.evaluation.stated_sets import stated_sets
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.dlrs_exam import DlrsCut, DlrsExam, from_entry
from pipelines.systems.dlrs_inputs import BoxRule
from pipelines.systems.dlrs_models import ITEMS, NOMOGRAM, POSTOPERATIVE, ModelRule
from pipelines.systems.dlrs_nomogram import HORIZON, Covariates, DlrsNomogram

MONTHS = np.array([12.0, 24.0, HORIZON, 60.0])
AT_HORIZON = 2
ALONE = (
    *("T2W", "ADC", "DLRS", "measured", "DLRS_measured"),
    *("clinical", "clinical_postoperative", "nomogram_published", "nomogram_published_postoperative"),
)
"""Models that say nothing of a patient who lacks one of their covariates."""
OF_THE_RECORD = ("clinical", "clinical_postoperative")
FAMILIES = {NOMOGRAM: False, NOMOGRAM + POSTOPERATIVE: True}
"""The node's own: each patient by the model that uses all that is known, without or with ypN."""


def cut_of(bundle: Bundle) -> DlrsCut:
    """What the bundle reads of an exam."""
    return DlrsCut(BoxRule.from_json(bundle.manifest.preprocessing["box"]))


def predict(bundle: Bundle, prepared: Sequence[PreparedPatient], device: torch.device | str) -> Predicted:
    """Every model's predictions on a cohort cut by ``cut_of``; the system that the node uses computes them all."""
    system = DlrsNomogram(bundle, torch.device(device))
    refused = tuple(patient.refusal or out_of_scope(patient.patient.record, "dlrs_nomogram") for patient in prepared)
    rows = [row for row, reason in enumerate(refused) if not reason]
    exams = [from_entry(prepared[row].exams[TimePoint.BASELINE]) for row in rows]
    outside = np.zeros(len(prepared), dtype=bool)
    records = [prepared[row].patient.record for row in rows]
    outside[rows] = [
        not system.envelope(exam.facts, record).inside for exam, record in zip(exams, records, strict=True)
    ]
    values = system.covariates(exams, records) if rows else []
    known: dict[int, Covariates] = dict(zip(rows, values, strict=True))
    strict = [_strict(system, system.rules[name], known, len(prepared)) for name in ALONE if name in system.rules]
    families = [_family(system, name, known, len(prepared)) for name in FAMILIES if name in system.thresholds]
    made = [one.model for one in (*families, *strict)]
    return Predicted(
        system=bundle.manifest.system,
        default=NOMOGRAM if NOMOGRAM in made else made[0],
        predictions=(*strict, *families),
        refused=refused,
        outside=outside,
        features=_features(known, dict(zip(rows, exams, strict=True)), len(prepared)),
    )


def nomogram_of(bundle: Bundle, patient: PreparedPatient, device: torch.device | str) -> Nomogram | None:
    """The nomogram that the node would show of a patient, with the patient's points on it; None where refused."""
    if patient.refusal or out_of_scope(patient.patient.record, "dlrs_nomogram"):
        return None
    system = DlrsNomogram(bundle, torch.device(device))
    (values,) = system.covariates([from_entry(patient.exams[TimePoint.BASELINE])], [patient.patient.record])
    rule = system.matched(values)
    return None if rule is None else system.drawn(rule, values)


def _strict(system: DlrsNomogram, rule: ModelRule, known: dict[int, Covariates], count: int) -> Prediction:
    rules = {row: rule for row, values in known.items() if all(name in values for name in rule.covariates)}
    return _prediction(system, rule.name, rule.shown, rules, (known, count))


def _family(system: DlrsNomogram, name: str, known: dict[int, Covariates], count: int) -> Prediction:
    after = FAMILIES[name]
    rules = {}
    for row, values in known.items():
        rule = system.matched(values, postoperative=after)
        if rule is not None:
            rules[row] = rule
    shown = InformationSet.BASELINE_PATHOLOGY if after else InformationSet.BASELINE_CLINICAL
    return _prediction(system, name, shown, rules, (known, count))


def _prediction(
    system: DlrsNomogram,
    name: str,
    shown: InformationSet,
    rules: dict[int, ModelRule],
    of: tuple[dict[int, Covariates], int],
) -> Prediction:
    known, count = of
    event_free = np.full((count, len(MONTHS)), np.nan)
    for row, rule in rules.items():
        event_free[row] = system.risk(rule, known[row], tuple(MONTHS)).event_free
    family = system.rules[name].family if name in system.rules else name
    return Prediction(
        model=name,
        outcome=Outcome.METASTASIS,
        shown=shown,
        probability=1.0 - event_free[:, AT_HORIZON],
        threshold=system.thresholds[family]["youden"],
        months=MONTHS,
        event_free=event_free,
        images=name not in OF_THE_RECORD,
        sets=stated_sets(1.0 - event_free[:, AT_HORIZON], system.thresholds[family]),
    )


def _features(known: dict[int, Covariates], exams: dict[int, DlrsExam], count: int) -> dict[str, Numbers]:
    """Covariates (of the fold networks the mean), volume and measured features by name, NaN where not known."""
    columns: dict[str, NDArray[np.float64]] = {}
    for row, values in known.items():
        exam = exams[row]
        named = {name: float(value.mean()) for name, value in values.items()}
        named |= {"volume_cm3": exam.volume_cm3, "tumour_slices_dropped": float(exam.dropped), **exam.features}
        for name, value in named.items():
            columns.setdefault(name, np.full(count, np.nan))[row] = value
    for name in ITEMS:
        columns.setdefault(name, np.full(count, np.nan))
    return columns
