"""What a bundle of system 2 says of a cohort: every network alone, what is fused, and what the node shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import PURPOSES, check_scope
from pipelines.contract import ClinicalRecord, Envelope, InputUnfit, Item, TimePoint
from pipelines.evaluation.prediction import NODE, OWN_DICE, WITHOUT, Numbers, Predicted, Prediction
from pipelines.evaluation.stated_sets import stated_sets
from pipelines.masks.overlap import dice
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems import rp_bundle
from pipelines.systems.rp_bundle import RpStage
from pipelines.systems.rp_cut import RpCut
from pipelines.systems.rp_models import ALONE, FALLBACK, FUSED, FUSED_MARKERS_MEASURED, logit_name
from pipelines.systems.rp_net import PairsRead, RpNetResponse
from pipelines.systems.signature_inputs import Sequence as MrSequence
from pipelines.systems.signature_svm import Assessed, category
from pipelines.systems.signature_table import Table

AT_ONCE = 64
CE_T1 = logit_name(MrSequence.CE_T1)
CEA, CA19_9 = str(Item.CEA), str(Item.CA19_9)
HIDDEN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    f"{NODE}{WITHOUT}contrast-enhanced T1": (NODE, (CE_T1,)),
    f"{NODE}{WITHOUT}CEA": (NODE, (CEA,)),
    f"{NODE}{WITHOUT}CA19-9": (NODE, (CA19_9,)),
    f"{NODE}{WITHOUT}CEA and CA19-9": (NODE, (CEA, CA19_9)),
    f"{FUSED}{WITHOUT}contrast-enhanced T1": (FUSED, (CE_T1,)),
}
"""What is hidden from which model, to see what it is worth to the patients who have it."""
PRESENT = 0.5


def cut_of(bundle: Bundle) -> RpCut:
    """What the bundle reads of an exam, as training cut it: a cohort that was prepared for one is for the other."""
    return rp_bundle.cut_of(bundle, int(bundle.manifest.training["settings"]["views"]))


def predict(bundle: Bundle, prepared: Sequence[PreparedPatient], device: torch.device | str) -> Predicted:
    """Every model's predictions on a cohort cut by ``cut_of``; the system that the node uses computes them all."""
    system = RpNetResponse(bundle, torch.device(device))
    refused = tuple(patient.refusal or _out_of_scope(patient.patient.record) for patient in prepared)
    rows = np.array([row for row, reason in enumerate(refused) if not reason], dtype=np.intp)
    envelopes = {int(row): system.envelope(prepared[row].exams, prepared[row].patient.record) for row in rows}
    outside = np.zeros(len(prepared), dtype=bool)
    outside[rows] = [not envelope.inside for envelope in envelopes.values()]
    table, overlap = _read(system, [prepared[int(row)] for row in rows])
    scored = _Scored(system, table, rows, len(prepared), envelopes)
    default, why = _default(scored)
    return Predicted(
        system=bundle.manifest.system,
        default=default,
        predictions=(*(_prediction(scored, name) for name in scored.names), _node(scored), *_hidden(scored)),
        refused=refused,
        outside=outside,
        features={name: _spread(scored, values) for name, values in (*_columns(table), *overlap.items())},
        used=tuple(stage.model.model if stage else "" for stage in scored.first(FALLBACK)),
        why_default=why,
        groups=_groups(scored),
    )


@dataclass(frozen=True)
class _Scored:
    """Every stage of the bundle on the patients in ``rows`` of the ``count`` of a cohort; ``envelopes`` by row.

    ``table``: of the patients in ``rows``; None where there is nobody.
    """

    system: RpNetResponse
    table: Table | None
    rows: NDArray[np.intp]
    count: int
    envelopes: Mapping[int, Envelope]

    @property
    def names(self) -> tuple[str, ...]:
        """The bundle's models, in its order."""
        return tuple(dict.fromkeys(stage.model.model for stage in self.system.stages))

    def stages(self, models: Sequence[str]) -> list[RpStage]:
        """The stages of these models, in the order in which the node tries them."""
        return [stage for model in models for stage in self.system.stages if stage.model.model == model]

    @cached_property
    def assessed(self) -> Mapping[str, Assessed]:
        """By the stage's key, each (n,) of the whole cohort."""
        found = {}
        for stage in self.system.stages:
            values = np.full((3, self.count), np.nan)
            if self.table is not None:
                own = self.system.assess(stage, self.table)
                values[:, self.rows] = own.probability, own.lower, own.upper
            found[stage.model.key] = Assessed(*values)
        return found

    def first(self, models: Sequence[str]) -> list[RpStage | None]:
        """(n,): of each patient the first stage of these models that has all inputs, as the node does it."""
        chosen: list[RpStage | None] = [None] * self.count
        for stage in self.stages(models):
            for row in np.flatnonzero(np.isfinite(self.assessed[stage.model.key].probability)):
                chosen[row] = chosen[row] or stage
        return chosen

    def without(self, hidden: Sequence[str]) -> _Scored:
        """The same patients with these columns unknown; those who never had them all are left out."""
        assert self.table is not None
        had = self.table.complete([name for name in hidden if name in self.table.names])
        values = self.table.values[had].copy()
        values[..., [index for index, name in enumerate(self.table.names) if name in hidden]] = np.nan
        return replace(self, table=Table(self.table.names, values), rows=self.rows[had])


def _read(system: RpNetResponse, seen: Sequence[PreparedPatient]) -> tuple[Table | None, dict[str, Numbers]]:
    """The table of these patients, and the Dice of the networks' own outlines by column, (patients,) each."""
    tables, overlaps = [], []
    for start in range(0, len(seen), AT_ONCE):
        part = seen[start : start + AT_ONCE]
        pairs = [patient.exams for patient in part]
        read = system.read(pairs)
        tables.append(system.table(read, pairs, [patient.patient.record for patient in part]))
        overlaps.append(_own_dice(system.cut, read, part))
    if not tables:
        return None, {}
    table = Table(tables[0].names, np.concatenate([one.values for one in tables]))
    return table, {name: np.concatenate([one[name] for one in overlaps]) for name in overlaps[0]}


def _own_dice(cut: RpCut, read: Mapping[MrSequence, PairsRead], part: Sequence[PreparedPatient]) -> dict[str, Numbers]:
    """Of each sequence's networks, and of the mean of all that a patient has, by time point.

    NaN where nothing was outlined, as in a tumour bed: a Dice of nothing is 0 or 1, and says neither how large what was
    drawn is nor that it was expected.
    """
    found: dict[str, Numbers] = {}
    for place, when in enumerate(TimePoint):
        given = [_given(cut, patient, when) for patient in part]
        total, count = np.zeros((len(part), *given[0].shape)), np.zeros(len(part))
        for sequence, said in read.items():
            column = found.setdefault(f"{OWN_DICE}{ALONE[sequence]}_{when}", np.full(len(part), np.nan))
            for row, outline in zip(said.present, said.outlines[:, place], strict=True):
                column[row] = _agreement(outline, given[row])
                total[row] += outline
                count[row] += 1
        means = total / count.reshape(-1, 1, 1, 1)  # T2 is in every exam, so that none is 0
        found[f"{OWN_DICE}{when}"] = np.array([_agreement(m, g) for m, g in zip(means, given, strict=True)])
    return found


def _agreement(outline: NDArray[np.floating[Any]], given: NDArray[np.bool_]) -> float:
    return dice(outline >= PRESENT, given) if given.any() else np.nan


def _given(cut: RpCut, patient: PreparedPatient, when: TimePoint) -> NDArray[np.bool_]:
    """The outline that the exam came with; none where it was read in the tumour bed."""
    outline = cut.outline(patient.exams[when])
    return np.zeros_like(outline) if when in patient.beds else outline


def _default(scored: _Scored) -> tuple[str, str]:
    """The model that the node uses first, or the next of them where that one covers nobody; and why, in words."""
    held = [name for name in FALLBACK if name in scored.names]
    usual = held[0] if held else FUSED_MARKERS_MEASURED
    for name in held:
        if any(scored.first((name,))):
            words = f"{usual} covers nobody here, so the report is about {name}, which the node uses in its place."
            return name, "" if name == usual else words
    return usual, ""


def _out_of_scope(record: ClinicalRecord) -> str:
    try:
        check_scope(record, PURPOSES["rp_net"])
    except InputUnfit as unfit:
        return str(unfit)
    return ""


def _prediction(scored: _Scored, name: str) -> Prediction:
    """A model by the first of its subsets that a patient has, and that subset's threshold."""
    marked = any(stage.model.markers for stage in scored.stages((name,)))
    shown = InformationSet.PAIR_CLINICAL if marked else InformationSet.PAIR
    return _by_first(scored, name, scored.stages((name,)), shown)


def _node(scored: _Scored) -> Prediction:
    """What the node shows: of each patient the first of ``FALLBACK`` that has all inputs."""
    models = [name for name in FALLBACK if name in scored.names]
    words = f"{NODE}: of each patient the first of {', '.join(models)} that has its inputs, as the node shows it"
    found = _by_first(scored, NODE, scored.stages(models), InformationSet.PAIR_CLINICAL)
    return replace(found, about=words)


def _hidden(scored: _Scored) -> Iterator[Prediction]:
    """Models from which inputs are hidden, of the patients who have them."""
    for name, (model, columns) in HIDDEN.items():
        if scored.table is None or not set(columns) <= set(scored.table.names):
            continue
        less = scored.without(columns)
        found = _node(less) if model == NODE else _prediction(less, model)
        yield replace(found, model=name, about="", categories=None)


def _by_first(scored: _Scored, name: str, stages: Sequence[RpStage], shown: InformationSet) -> Prediction:
    probability, threshold = np.full((2, scored.count), np.nan)
    categories = np.full(scored.count, "", dtype="<U16")
    thresholds: list[Mapping[str, float] | None] = [None] * scored.count
    for stage in reversed(stages):  # the first is written last, over the others
        own = scored.assessed[stage.model.key]
        for row in np.flatnonzero(np.isfinite(own.probability)):
            limits = (float(own.lower[row]), float(own.upper[row]))
            probability[row], threshold[row] = own.probability[row], stage.thresholds["youden"]
            thresholds[row] = stage.thresholds
            categories[row] = category(float(probability[row]), limits, stage.thresholds, scored.envelopes[int(row)])
    return Prediction(
        model=name,
        outcome=Outcome.COMPLETE_RESPONSE,
        shown=shown,
        probability=probability,
        threshold=float(stages[0].thresholds["youden"]) if len(stages) == 1 else threshold,
        categories=categories if name == NODE else None,
        sets=stated_sets(probability, thresholds),
    )


def _columns(table: Table | None) -> Iterator[tuple[str, Numbers]]:
    """What the final stages saw, of the fold networks the mean."""
    if table is not None:
        yield from ((name, table.values[:, :, index].mean(axis=1)) for index, name in enumerate(table.names))


def _spread(scored: _Scored, values: Numbers) -> Numbers:
    """Numbers of the patients in ``rows`` for the whole cohort, NaN elsewhere."""
    column = np.full(scored.count, np.nan)
    column[scored.rows] = values
    return column


def _groups(scored: _Scored) -> dict[str, NDArray[np.bool_]]:
    """Patients with and without contrast-enhanced T1 in both exams."""
    if scored.table is None or CE_T1 not in scored.table.names:
        return {}
    has = _spread(scored, scored.table.complete([CE_T1]).astype(np.float64))
    return {"with contrast-enhanced T1": has == 1.0, "without contrast-enhanced T1": has == 0.0}
