"""System 2, complete response from paired exams (Jin et al. 2021): RP-Nets, fused by logistic regression.

One network per sequence reads both exams at once: it outlines the tumour in each, and says what the change between them
means. What the networks of the sequences say is fused, with features measured in the mask and with blood tumour markers
where they are known. A model exists for each subset of inputs it was trained for; what is missing selects another model
or refuses, it is never replaced. Networks of several folds vote by their mean log odds.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.purpose import PURPOSES, check_scope
from pipelines.contract import (
    Case,
    ClinicalRecord,
    Code,
    Contribution,
    Envelope,
    Explanation,
    InputUnfit,
    Likelihood,
    ModelIdentity,
    Score,
    TimePoint,
)
from pipelines.envelope import check_case, check_history
from pipelines.explain.shapley import linear_shapley
from pipelines.explain.viewed import Viewed
from pipelines.explain.words import LOG_ODDS, contributions
from pipelines.inputs.model_inputs import inputs_of
from pipelines.systems.conformal import stated_set
from pipelines.systems.networks.rp_net import RpNet, readings_of
from pipelines.systems.rp_bundle import RpStage, cut_of, learnt_of, read_networks, read_stages
from pipelines.systems.rp_cut import RpCut
from pipelines.systems.rp_models import FALLBACK, MARKERS, logit_name, reading_names
from pipelines.systems.rp_saliency import pair_explanation, pairs_viewed
from pipelines.systems.rp_table import Told, table_of
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_svm import Assessed, Pair, both_exams, category, demand_diffusion
from pipelines.systems.signature_table import Numbers, Table

BATCH = 16


@dataclass(frozen=True)
class PairsRead:
    """What the networks of one sequence make of n pairs, the rows of ``present`` alone, both exams.

    ``logits`` (present, folds): log odds of complete response. ``readings`` (present, folds, names): the features that
    they read. ``outlines`` (present, 2, slices, rows, columns): the
    mean over the folds of the probability of tumour, before and after therapy, in the field that was cut.
    """

    present: NDArray[np.intp]
    logits: Numbers
    readings: Numbers
    outlines: NDArray[np.float32]


class RpNetResponse:
    """Scores a pair of exams, each with a mask that says where to look, with a trained bundle."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        self._identity = bundle.identity
        self._manifest = bundle.manifest
        self._device = device
        self._cut = cut_of(bundle)
        self._stages = read_stages(bundle)
        self._networks = read_networks(bundle, device)
        self._readings = reading_names(learnt_of(bundle))

    @property
    def model(self) -> ModelIdentity:
        return self._identity

    @property
    def cut(self) -> RpCut:
        """How exams are cut for this bundle, through one mask each."""
        return self._cut

    @property
    def stages(self) -> tuple[RpStage, ...]:
        """Every final stage of the bundle, in its order."""
        return self._stages

    @property
    def networks(self) -> Mapping[Sequence, tuple[RpNet, ...]]:
        """The fold networks of each sequence."""
        return self._networks

    def score(self, case: Case) -> Score:
        """The probability of complete response of a pair, by the first model that the case has all inputs of.

        Raises
        ------
        InputUnfit
            ``OUTSIDE_INTENDED_USE``, ``NO_BASELINE``, ``NO_RESTAGING``, ``NO_MASK``, ``NO_DIFFUSION`` or
            ``INPUTS_MISSING``, naming per exam what no model of the bundle can do without.
        """
        check_scope(case.record, PURPOSES["rp_net"])
        exams = both_exams(case)
        demand_diffusion(exams)
        rng = np.random.default_rng(0)  # draws nothing: there is one view
        pair = {when: self._cut.cut(inputs_of(exam), mask, rng) for when, (exam, mask) in exams.items()}
        table = self.table(self.read([pair]), [pair], [case.record])
        chosen = self._first(table)
        names = chosen.model.names
        assessed = self.assess(chosen, table)
        probability, lower, upper = (float(v[0]) for v in (assessed.probability, assessed.lower, assessed.upper))
        envelope = self.envelope(pair, case.record)
        refits = len(chosen.stage.refits) * table.values.shape[1]
        called = category(probability, (lower, upper), chosen.thresholds, envelope)
        return Score(
            model=replace(self._identity, name=f"{self._identity.name} {chosen.model.key}"),
            outcome=self._manifest.outcome,
            probability=probability,
            lower=lower,
            upper=upper,
            interval=f"90 % of {refits}: bootstrap refits of the final stage on each fold's networks",
            category=called,
            envelope=envelope,
            inputs=tuple(zip(names, (float(value) for value in table.of(names)[0].mean(axis=0)), strict=True)),
            explanations=self.explain(case, pair, chosen, table),
            clinical=case.record.told(item for item in MARKERS[""] if str(item) in names),
            possible=stated_set(probability, chosen.thresholds, called is not Likelihood.UNCERTAIN),
            contributions=self.contributions(chosen, table),
            contribution_unit=LOG_ODDS,
        )

    def read(self, pairs: Several[Pair]) -> dict[Sequence, PairsRead]:
        """What every sequence's networks make of n pairs; one that lacks a sequence in either exam is no row of it."""
        found = {}
        for sequence, networks in self._networks.items():
            has = [all(self._cut.has(pair[when], sequence) for when in TimePoint) for pair in pairs]
            present = np.flatnonzero(has)
            parts = [self._read([pairs[int(row)] for row in rows], sequence) for rows in _batches(present)]
            empty = (
                np.empty((0, len(networks))),
                np.empty((0, len(networks), len(self._readings.get(sequence, ())))),
                np.empty((0, 2, *_shape(self._cut)), dtype=np.float32),
            )
            logits, readings, outlines = (np.concatenate(one) for one in zip(empty, *parts, strict=True))
            found[sequence] = PairsRead(present, logits, readings, outlines)
        return found

    def table(
        self, read: Mapping[Sequence, PairsRead], pairs: Several[Pair], records: Several[ClinicalRecord]
    ) -> Table:
        """What the final stages see of n patients: one row per set of fold networks. A lacking sequence is NaN."""
        told = {}
        for sequence, said in read.items():
            logits, readings = (np.full((len(pairs), *one.shape[1:]), np.nan) for one in (said.logits, said.readings))
            logits[said.present], readings[said.present] = said.logits, said.readings
            told[sequence] = Told(logits, readings, self._readings.get(sequence, ()))
        return table_of(told, pairs, records)

    def assess(self, stage: RpStage, table: Table) -> Assessed:
        """One model on the patients of a table: (n,) each, NaN where it has not the inputs."""
        complete = table.complete(stage.model.names)
        found = np.full((3, len(complete)), np.nan)
        if complete.any():
            values = table.of(stage.model.names)[complete]
            found[:, complete] = stage.stage.probability(values), *stage.stage.limits(values)
        return Assessed(*found)

    def contributions(self, stage: RpStage, table: Table) -> tuple[Contribution, ...]:
        """What each input adds to the log odds of the first patient of a table, against the training means."""
        model, seen = stage.stage, table.of(stage.model.names)[0].mean(axis=0)
        amounts = linear_shapley(model.slopes, seen, model.centre)
        return contributions(model.names, seen.tolist(), amounts.tolist())

    def explain(self, case: Case, pair: Pair, stage: RpStage, table: Table) -> tuple[Explanation, ...]:
        """Where the networks behind a model looked at a case, which was cut to ``pair``, of which ``table`` is."""
        found = []
        for sequence in (s for s in Sequence if s in stage.model.sequences):
            for when, (exam, mask) in both_exams(case).items():
                viewed = self.viewed([pair], table, sequence, when)
                seen, of = (inputs_of(exam), mask), (self._cut, self._identity)
                found.append(pair_explanation(viewed, (sequence, when), seen, of))
        return tuple(one for one in found if one is not None)

    def viewed(self, pairs: Several[Pair], table: Table, sequence: Sequence, when: TimePoint) -> Viewed:
        """One exam of pairs that all have a sequence, the rows of ``table``, as the sequence's networks see it.

        Usual is the mean log odds of training.
        """
        name = logit_name(sequence)
        reads = next(stage for stage in self._stages if name in stage.model.names)
        usual = reads.stage.centre[reads.model.names.index(name)]
        seen = {one: np.stack([self._cut.seen(pair[one], sequence) for pair in pairs]) for one in TimePoint}
        outlines = np.stack([self._cut.outline(pair[when]) for pair in pairs])
        raised = table.of((name,)).mean(axis=(1, 2)) >= usual
        return pairs_viewed(self._networks[sequence], (sequence, when), seen, outlines, raised)

    def envelope(self, pair: Pair, record: ClinicalRecord) -> Envelope:
        """Whether the exams look like the training cohort's, and the patient had a therapy that it had."""
        found = check_case(self._manifest.envelope, {when: entry.described["facts"] for when, entry in pair.items()})
        return check_history(found, record, self._manifest.training)

    def _read(self, pairs: Several[Pair], sequence: Sequence) -> tuple[Numbers, Numbers, NDArray[np.float32]]:
        """Logits (pairs, folds), readings (pairs, folds, names) and mean outlines (pairs, 2, …) of pairs that have the
        sequence."""
        pre, post = (
            torch.from_numpy(np.stack([self._cut.seen(pair[when], sequence) for pair in pairs])).float()
            for when in (TimePoint.BASELINE, TimePoint.RESTAGING)
        )
        networks = self._networks[sequence]
        logits: list[torch.Tensor] = []
        readings: list[torch.Tensor] = []
        outlines = torch.zeros(len(pairs), 2, *_shape(self._cut))
        with torch.inference_mode():
            for network in networks:
                said = network(pre.to(self._device), post.to(self._device))
                logits.append(said.response[:, 0].cpu())
                readings.append(readings_of(said).cpu())
                outlines += torch.sigmoid(torch.cat([said.pre_mask, said.post_mask], dim=1)).cpu() / len(networks)
        said_of, read_of = (torch.stack(one, dim=1).double().numpy() for one in (logits, readings))
        return said_of, read_of, outlines.numpy()

    def _first(self, table: Table) -> RpStage:
        """The first model, in the order of ``FALLBACK``, that the one patient has all inputs of."""
        usable = [stage for model in FALLBACK for stage in self._stages if stage.model.model == model]
        for stage in usable:
            if table.complete(stage.model.names)[0]:
                return stage
        missing = {
            stage.model.key: [name for name in stage.model.names if not table.complete([name])[0]] for stage in usable
        }
        words = "; ".join(f"model {key} lacks {', '.join(names)}" for key, names in missing.items())
        raise InputUnfit(Code.INPUTS_MISSING, words)


def _batches(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def _shape(cut: RpCut) -> tuple[int, int, int]:
    """Of a field without its margin."""
    return cut.rule.slices, cut.rule.pixels, cut.rule.pixels
