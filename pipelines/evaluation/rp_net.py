"""What a bundle of system 2 says of a cohort: every network alone, what is fused, and what the node shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import out_of_scope
from pipelines.contract import Envelope, Item, TimePoint
from pipelines.evaluation.fallback import Candidate, Candidates, spread
from pipelines.evaluation.prediction import NODE, OWN_DICE, WITHOUT, Numbers, Predicted, Prediction
from pipelines.masks.overlap import dice
from pipelines.phantom.probabilities import Outcome
from pipelines.systems import rp_bundle
from pipelines.systems.rp_cut import RpCut
from pipelines.systems.rp_models import ALONE, FALLBACK, FUSED, logit_name
from pipelines.systems.rp_net import PairsRead, RpNetResponse
from pipelines.systems.signature_inputs import Sequence as MrSequence
from pipelines.systems.signature_svm import Assessed
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
    refused = tuple(patient.refusal or out_of_scope(patient.patient.record, "rp_net") for patient in prepared)
    rows = np.array([row for row, reason in enumerate(refused) if not reason], dtype=np.intp)
    envelopes = {int(row): system.envelope(prepared[row].exams, prepared[row].patient.record) for row in rows}
    outside = np.zeros(len(prepared), dtype=bool)
    outside[rows] = [not envelope.inside for envelope in envelopes.values()]
    table, overlap = _read(system, [prepared[int(row)] for row in rows])
    scored = _Scored(system, table, rows, len(prepared), envelopes)
    candidates = scored.candidates
    default, why = candidates.default()
    alone = [candidates.prediction(name) for name in candidates.names]
    return Predicted(
        system=bundle.manifest.system,
        default=default,
        predictions=(*alone, candidates.node(), *_hidden(scored)),
        refused=refused,
        outside=outside,
        features={name: _spread(scored, values) for name, values in (*_columns(table), *overlap.items())},
        used=candidates.used,
        why_default=why,
        groups=_groups(scored),
    )


@dataclass(frozen=True)
class _Scored:
    """The bundle and the patients in ``rows`` of the ``count`` of a cohort; ``envelopes`` by row.

    ``table``: of the patients in ``rows``; None where there is nobody.
    """

    system: RpNetResponse
    table: Table | None
    rows: NDArray[np.intp]
    count: int
    envelopes: Mapping[int, Envelope]

    @property
    def candidates(self) -> Candidates:
        """Every final stage of the bundle on these patients."""
        found = []
        for stage in self.system.stages:
            none = Assessed(*np.full((3, 0), np.nan))
            assessed = none if self.table is None else self.system.assess(stage, self.table)
            whole = spread(assessed, self.rows, self.count)
            found.append(Candidate(stage.model.model, bool(stage.model.markers), stage.thresholds, whole))
        return Candidates(Outcome.COMPLETE_RESPONSE, tuple(found), FALLBACK, self.envelopes, self.count)

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


def _hidden(scored: _Scored) -> Iterator[Prediction]:
    """Models from which inputs are hidden, of the patients who have them."""
    for name, (model, columns) in HIDDEN.items():
        if scored.table is None or not set(columns) <= set(scored.table.names):
            continue
        less = scored.without(columns).candidates
        found = less.node() if model == NODE else less.prediction(model)
        yield replace(found, model=name, about="", categories=None)


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
