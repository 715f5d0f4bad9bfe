"""What a bundle of system 1 says of a cohort: every model that Zhang et al. compare, and the node's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import PURPOSES, check_scope
from pipelines.contract import ClinicalRecord, Envelope, InputUnfit
from pipelines.evaluation.prediction import NODE, Numbers, Predicted, Prediction
from pipelines.evaluation.stated_sets import stated_sets
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.signature_bundle import Described, rule_of
from pipelines.systems.signature_cut import SignatureCut
from pipelines.systems.signature_models import CR, CRD, FALLBACK
from pipelines.systems.signature_svm import Assessed, SignatureSvm, category
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
    envelopes = {int(row): system.envelope(prepared[row].exams, prepared[row].patient.record) for row in rows}
    outside = np.zeros(len(prepared), dtype=bool)
    outside[rows] = [not envelope.inside for envelope in envelopes.values()]
    table = system.table([p.exams for p in seen], [p.patient.record for p in seen]) if seen else None
    scored = _Scored(system, table, rows, len(prepared), envelopes)
    default, why = _default(scored)
    return Predicted(
        system=bundle.manifest.system,
        default=default,
        predictions=(*(_prediction(scored, name) for name in scored.names), _node(scored)),
        refused=refused,
        outside=outside,
        features={} if table is None else _features(table, rows, len(prepared)),
        used=tuple(described.variant.model if described else "" for described in scored.first(FALLBACK)),
        why_default=why,
    )


@dataclass(frozen=True)
class _Scored:
    """Every machine of the bundle on the patients in ``rows`` of the ``count`` of a cohort; ``envelopes`` by row."""

    system: SignatureSvm
    table: Table | None
    rows: NDArray[np.intp]
    count: int
    envelopes: Mapping[int, Envelope]

    @property
    def names(self) -> tuple[str, ...]:
        """The bundle's models, in its order."""
        return tuple(dict.fromkeys(described.variant.model for described in self.system.variants))

    def variants(self, models: Sequence[str]) -> list[Described]:
        """The machines of these models, in the order in which the node tries them."""
        return [d for model in models for d in self.system.variants if d.variant.model == model]

    @cached_property
    def assessed(self) -> Mapping[str, Assessed]:
        """By the machine's key, each (n,) of the whole cohort."""
        found = {}
        for described in self.system.variants:
            values = np.full((3, self.count), np.nan)
            if self.table is not None:
                own = self.system.assess(described, self.table)
                values[:, self.rows] = own.probability, own.lower, own.upper
            found[described.variant.key] = Assessed(*values)
        return found

    def first(self, models: Sequence[str]) -> list[Described | None]:
        """(n,): of each patient the first machine of these models that has all inputs, as the node does it."""
        chosen: list[Described | None] = [None] * self.count
        for described in self.variants(models):
            for row in np.flatnonzero(np.isfinite(self.assessed[described.variant.key].probability)):
                chosen[row] = chosen[row] or described
        return chosen


def _default(scored: _Scored) -> tuple[str, str]:
    """The model that the node uses first, or the next of them where that one covers nobody; and why, in words."""
    held = [name for name in FALLBACK if name in scored.names]
    usual = held[0] if held else CRD
    for name in held:
        if any(scored.first((name,))):
            words = f"{usual} covers nobody here, so the report is about {name}, which the node uses in its place."
            return name, "" if name == usual else words
    return usual, ""


def _out_of_scope(record: ClinicalRecord) -> str:
    try:
        check_scope(record, PURPOSES["signature_svm"])
    except InputUnfit as unfit:
        return str(unfit)
    return ""


def _prediction(scored: _Scored, name: str) -> Prediction:
    """A model by the first of its subsets of sequences that a patient has, and that subset's threshold."""
    clinical = any(described.variant.clinical for described in scored.variants((name,)))
    shown = InformationSet.PAIR_CLINICAL if clinical else InformationSet.PAIR
    return _by_first(scored, name, scored.variants((name,)), shown)


def _node(scored: _Scored) -> Prediction:
    """What the node shows: of each patient the first of ``FALLBACK`` that has all inputs."""
    models = [name for name in FALLBACK if name in scored.names]
    words = f"{NODE}: of each patient the first of {', '.join(models)} that has its inputs, as the node shows it"
    found = _by_first(scored, NODE, scored.variants(models), InformationSet.PAIR_CLINICAL)
    return replace(found, about=words)


def _by_first(scored: _Scored, name: str, machines: Sequence[Described], shown: InformationSet) -> Prediction:
    probability, threshold = np.full((2, scored.count), np.nan)
    categories = np.full(scored.count, "", dtype="<U16")
    thresholds: list[Mapping[str, float] | None] = [None] * scored.count
    for described in reversed(machines):  # the first is written last, over the others
        own = scored.assessed[described.variant.key]
        for row in np.flatnonzero(np.isfinite(own.probability)):
            limits = (float(own.lower[row]), float(own.upper[row]))
            probability[row], threshold[row] = own.probability[row], described.thresholds["youden"]
            thresholds[row] = described.thresholds
            categories[row] = category(
                float(probability[row]), limits, described.thresholds, scored.envelopes[int(row)]
            )
    return Prediction(
        model=name,
        outcome=Outcome.GOOD_RESPONSE,
        shown=shown,
        probability=probability,
        threshold=float(machines[0].thresholds["youden"]) if len(machines) == 1 else threshold,
        categories=categories if name == NODE else None,
        images=name != CR,
        sets=stated_sets(probability, thresholds),
    )


def _features(table: Table, rows: NDArray[np.intp], count: int) -> dict[str, Numbers]:
    """The columns of the table (of the fold networks the mean), NaN where not known."""
    columns = {name: np.full(count, np.nan) for name in table.names}
    for index, name in enumerate(table.names):
        columns[name][rows] = table.values[:, :, index].mean(axis=1)
    return columns
