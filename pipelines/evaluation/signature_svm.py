"""What a bundle of system 1 says of a cohort: every model that Zhang et al. compare, and the node's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import PURPOSES, check_scope
from pipelines.contract import ClinicalRecord, InputUnfit
from pipelines.evaluation.prediction import Numbers, Predicted, Prediction
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.signature_bundle import rule_of
from pipelines.systems.signature_cut import SignatureCut
from pipelines.systems.signature_models import CRD, FDL_MEASURED
from pipelines.systems.signature_svm import SignatureSvm
from pipelines.systems.signature_table import Table


def cut_of(bundle: Bundle) -> SignatureCut:
    """What the bundle reads of an exam."""
    return SignatureCut(rule_of(bundle))


def predict(bundle: Bundle, prepared: Sequence[PreparedPatient], device: torch.device | str) -> Predicted:
    """Every model's predictions on a cohort cut by ``cut_of``; the system that the node uses computes them all."""
    system = SignatureSvm(bundle, torch.device(device))
    refused = tuple(patient.refusal or _out_of_scope(patient.patient.record) for patient in prepared)
    rows = np.array([row for row, reason in enumerate(refused) if not reason], dtype=np.intp)
    seen = [prepared[int(row)] for row in rows]
    outside = np.zeros(len(prepared), dtype=bool)
    outside[rows] = [not system.envelope(patient.exams, patient.patient.record).inside for patient in seen]
    names = list(dict.fromkeys(described.variant.model for described in system.variants))
    table = system.table([p.exams for p in seen], [p.patient.record for p in seen]) if seen else None
    return Predicted(
        system=bundle.manifest.system,
        default=CRD if CRD in names else FDL_MEASURED,
        predictions=tuple(_prediction(system, name, table, (rows, len(prepared))) for name in names),
        refused=refused,
        outside=outside,
        features={} if table is None else _features(table, rows, len(prepared)),
    )


def _out_of_scope(record: ClinicalRecord) -> str:
    try:
        check_scope(record, PURPOSES["signature_svm"])
    except InputUnfit as unfit:
        return str(unfit)
    return ""


def _prediction(system: SignatureSvm, name: str, table: Table | None, of: tuple[NDArray[np.intp], int]) -> Prediction:
    """A model by the first of its subsets that a patient has, as the node does; the threshold is the subsets' mean."""
    rows, count = of
    variants = [described for described in system.variants if described.variant.model == name]
    probability = np.full(count, np.nan)
    if table is not None:
        found = np.full(len(rows), np.nan)
        for described in variants:
            found = np.where(np.isfinite(found), found, system.assess(described, table).probability)
        probability[rows] = found
    clinical = any(described.variant.clinical for described in variants)
    return Prediction(
        model=name,
        outcome=Outcome.GOOD_RESPONSE,
        shown=InformationSet.PAIR_CLINICAL if clinical else InformationSet.PAIR,
        probability=probability,
        threshold=float(np.mean([described.thresholds["youden"] for described in variants])),
    )


def _features(table: Table, rows: NDArray[np.intp], count: int) -> dict[str, Numbers]:
    """The columns of the table (of the fold networks the mean), NaN where not known."""
    columns = {name: np.full(count, np.nan) for name in table.names}
    for index, name in enumerate(table.names):
        columns[name][rows] = table.values[:, :, index].mean(axis=1)
    return columns
