"""What a bundle of system 1 says of a cohort: every model that Zhang et al. compare, and the node's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import out_of_scope
from pipelines.evaluation.fallback import Candidate, Candidates, spread
from pipelines.evaluation.prediction import Numbers, Predicted
from pipelines.phantom.probabilities import Outcome
from pipelines.systems.signature_bundle import rule_of
from pipelines.systems.signature_cut import SignatureCut
from pipelines.systems.signature_models import CR, FALLBACK
from pipelines.systems.signature_svm import Assessed, SignatureSvm
from pipelines.systems.signature_table import Table


def cut_of(bundle: Bundle) -> SignatureCut:
    """What the bundle reads of an exam."""
    return SignatureCut(rule_of(bundle))


def predict(bundle: Bundle, prepared: Sequence[PreparedPatient], device: torch.device | str) -> Predicted:
    """Every model's predictions on a cohort cut by ``cut_of``; the system that the node uses computes them all."""
    system = SignatureSvm(bundle, torch.device(device))
    refused = tuple(patient.refusal or out_of_scope(patient.patient.record, "signature_svm") for patient in prepared)
    rows = np.array([row for row, reason in enumerate(refused) if not reason], dtype=np.intp)
    seen = [prepared[int(row)] for row in rows]
    envelopes = {int(row): system.envelope(prepared[row].exams, prepared[row].patient.record) for row in rows}
    outside = np.zeros(len(prepared), dtype=bool)
    outside[rows] = [not envelope.inside for envelope in envelopes.values()]
    table = system.table([p.exams for p in seen], [p.patient.record for p in seen]) if seen else None
    count = len(prepared)
    candidates = Candidates(
        Outcome.GOOD_RESPONSE, tuple(_candidates(system, table, rows, count)), FALLBACK, envelopes, count
    )
    default, why = candidates.default()
    alone = [replace(candidates.prediction(name), images=name != CR) for name in candidates.names]
    return Predicted(
        system=bundle.manifest.system,
        default=default,
        predictions=(*alone, candidates.node()),
        refused=refused,
        outside=outside,
        features={} if table is None else _features(table, rows, count),
        used=candidates.used,
        why_default=why,
    )


def _candidates(system: SignatureSvm, table: Table | None, rows: NDArray[np.intp], count: int) -> Iterator[Candidate]:
    for described in system.variants:
        none = Assessed(*np.full((3, 0), np.nan))
        assessed = none if table is None else system.assess(described, table)
        variant = described.variant
        yield Candidate(variant.model, variant.clinical, described.thresholds, spread(assessed, rows, count))


def _features(table: Table, rows: NDArray[np.intp], count: int) -> dict[str, Numbers]:
    """The columns of the table (of the fold networks the mean), NaN where not known."""
    columns = {name: np.full(count, np.nan) for name in table.names}
    for index, name in enumerate(table.names):
        columns[name][rows] = table.values[:, :, index].mean(axis=1)
    return columns
