"""System 1, response from paired exams (Zhang et al.): signatures of DenseNets, fused by a support vector machine.

One network per sequence and time point gives a signature, the probability of good response it reads from one slice.
Signatures are late-fused with features measured in the mask and, where they are known, with the clinical values that
selection left. A model exists for each subset of inputs it was trained for; what is missing selects another model or
refuses, it is never replaced. Signatures come from the networks of several folds: each set of them gives log odds,
and the patient gets their mean.
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
    Exam,
    Explanation,
    InputUnfit,
    Likelihood,
    MaskArray,
    ModelIdentity,
    Score,
    TimePoint,
)
from pipelines.envelope import check_case, check_history
from pipelines.explain.viewed import Viewed
from pipelines.explain.words import LOG_ODDS, contributions
from pipelines.inputs.cache import Entry
from pipelines.inputs.model_inputs import inputs_of
from pipelines.systems.conformal import stated_set
from pipelines.systems.signature_bundle import (
    Described,
    described_variants,
    read_networks,
    read_stages,
    read_table,
    rule_of,
)
from pipelines.systems.signature_clinical import CLINICAL, CODED
from pipelines.systems.signature_cut import SignatureCut, crop_name, has
from pipelines.systems.signature_inputs import Sequence, network_input
from pipelines.systems.signature_models import FALLBACK, signature_name
from pipelines.systems.signature_saliency import crop_explanation, crops_viewed
from pipelines.systems.signature_table import Table, table_of

INTERVAL = (0.05, 0.95)
BACKGROUND = 64  # rows of training that stand for an input that is not known: enough, and seconds
BATCH = 64
SEQUENCE_WORDS = {
    Sequence.T2: "axial T2",
    Sequence.DWI: "diffusion-weighted images",
    Sequence.CE_T1: "contrast-enhanced T1",
}
Pair = Mapping[TimePoint, Entry]


@dataclass(frozen=True)
class Assessed:
    """One model on n patients, (n,) each, NaN where it has not the inputs: probability and the limits of 90 %."""

    probability: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


class SignatureSvm:
    """Scores a pair of exams with masks with a trained bundle."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        self._identity = bundle.identity
        self._manifest = bundle.manifest
        self._device = device
        self._cut = SignatureCut(rule_of(bundle))
        self._variants = tuple(described_variants(bundle))
        self._stages = read_stages(bundle)
        self._learnt_from = read_table(bundle)
        self._networks = read_networks(bundle, device)

    @property
    def model(self) -> ModelIdentity:
        return self._identity

    @property
    def cut(self) -> SignatureCut:
        """How exams are cut for this bundle, through one mask each."""
        return self._cut

    @property
    def variants(self) -> tuple[Described, ...]:
        """Every machine of the bundle, in its order."""
        return self._variants

    def score(self, case: Case) -> Score:
        """The probability of good response of a pair, by the first model that the case has all inputs of.

        Raises
        ------
        InputUnfit
            ``OUTSIDE_INTENDED_USE``, ``NO_BASELINE``, ``NO_RESTAGING``, ``NO_MASK``, ``NO_DIFFUSION`` or
            ``INPUTS_MISSING``, naming per exam what no model of the bundle can do without.
        """
        check_scope(case.record, PURPOSES["signature_svm"])
        exams = both_exams(case)
        demand_diffusion(exams)
        rng = np.random.default_rng(0)  # draws nothing: there is one view
        pair = {when: self._cut.cut(inputs_of(exam), mask, rng) for when, (exam, mask) in exams.items()}
        table = self.table([pair], [case.record])
        described = self._first(table)
        assessed = self.assess(described, table)
        probability, lower, upper = (float(v[0]) for v in (assessed.probability, assessed.lower, assessed.upper))
        envelope = self.envelope(pair, case.record)
        refits = len(self._stages[described.variant.key].refits) * table.values.shape[1]
        seen = table.of(described.columns)[0].mean(axis=0)
        called = category(probability, (lower, upper), described.thresholds, envelope)
        return Score(
            model=replace(self._identity, name=f"{self._identity.name} {described.variant.key}"),
            outcome=self._manifest.outcome,
            probability=probability,
            lower=lower,
            upper=upper,
            interval=f"90 % of {refits}: bootstrap refits of the final stage on each fold's networks",
            category=called,
            envelope=envelope,
            inputs=tuple(zip(described.columns, (float(value) for value in seen), strict=True)),
            explanations=self.explain(case, pair, described, table),
            clinical=case.record.told(item for item in CODED if str(item) in described.columns),
            possible=stated_set(probability, described.thresholds, called is not Likelihood.UNCERTAIN),
            contributions=self.contributions(described, table),
            contribution_unit=LOG_ODDS,
        )

    def table(self, pairs: Several[Pair], records: Several[ClinicalRecord]) -> Table:
        """What the machines see of n patients: one row per set of fold networks. A lacking sequence is NaN."""
        signatures = {
            signature_name(time_point, sequence): self._signatures(pairs, time_point, sequence)
            for sequence in Sequence
            for time_point in TimePoint
            if signature_name(time_point, sequence) in self._networks
        }
        return table_of(signatures, pairs, records)

    def assess(self, described: Described, table: Table) -> Assessed:
        """One model on the patients of a table."""
        stage = self._stages[described.variant.key]
        complete = table.complete(described.columns)
        features = table.of(described.columns)[complete]
        found = np.full((3, len(complete)), np.nan)
        if complete.any():
            found[:, complete] = stage.machine.probability(features)
        if complete.any() and stage.refits:
            refits = 1.0 / (1.0 + np.exp(-np.concatenate([refit.logit(features) for refit in stage.refits], axis=1)))
            low, high = np.quantile(refits, INTERVAL, axis=1)
            found[1, complete] = np.minimum(found[0, complete], low)
            found[2, complete] = np.maximum(found[0, complete], high)
        return Assessed(*found)

    def contributions(self, described: Described, table: Table) -> tuple[Contribution, ...]:
        """What each input adds to the log odds of the first patient of a table, against training rows."""
        features = table.of(described.columns)[:1]
        background = self._learnt_from.spread(described.columns, BACKGROUND)
        amounts = self._stages[described.variant.key].machine.contributions(features, background)[0]
        return contributions(described.columns, features[0].mean(axis=0).tolist(), amounts.tolist())

    def explain(self, case: Case, pair: Pair, described: Described, table: Table) -> tuple[Explanation, ...]:
        """Where the networks behind a model's signatures looked at a case, cut to ``pair``, of which ``table`` is."""
        found = []
        for time_point, (exam, mask) in both_exams(case).items():
            for sequence in (s for s in Sequence if s in described.variant.sequences):
                viewed, at = self.viewed([pair], table, time_point, sequence), (sequence, mask, self._cut.rule)
                found.append(crop_explanation(viewed, inputs_of(exam), at, self._identity))
        return tuple(one for one in found if one is not None)

    def viewed(self, pairs: Several[Pair], table: Table, time_point: TimePoint, sequence: Sequence) -> Viewed:
        """One exam's crops of a sequence that all of these patients have, the rows of ``table``, as networks see them.

        Usual is the mean signature of training.
        """
        name = signature_name(time_point, sequence)
        crops = np.stack([pair[time_point].arrays[crop_name(0, sequence)] for pair in pairs])
        usual = float(np.nanmean(self._learnt_from.of((name,))))
        return crops_viewed(name, self._networks[name], crops, table.of((name,)).mean(axis=(1, 2)) >= usual)

    def envelope(self, pair: Pair, record: ClinicalRecord) -> Envelope:
        """Whether the exams look like the training cohort's, and the patient had a therapy that it had."""
        found = check_case(self._manifest.envelope, {when: entry.described["facts"] for when, entry in pair.items()})
        return check_history(found, record, self._manifest.training)

    def signatures(self, name: str, crops: NDArray[np.float16]) -> NDArray[np.float64]:
        """Signatures (cases, folds) of crops (cases, channels, pixels, pixels), one column per fold's network."""
        parts = []
        for start in range(0, len(crops), BATCH):
            batch = network_input(crops[start : start + BATCH]).to(self._device)
            with torch.inference_mode():
                parts.append(torch.stack([torch.sigmoid(n(batch))[:, 0] for n in self._networks[name]], dim=1).cpu())
        return torch.cat(parts).numpy().astype(np.float64)

    def _signatures(self, pairs: Several[Pair], time_point: TimePoint, sequence: Sequence) -> NDArray[np.float64]:
        name = signature_name(time_point, sequence)
        found = np.full((len(pairs), len(self._networks[name])), np.nan)
        # A lone signature of a sequence has no partner to be compared with: both exams need it.
        rows = [i for i, pair in enumerate(pairs) if all(has(entry, sequence) for entry in pair.values())]
        if rows:
            crops = np.stack([pairs[i][time_point].arrays[crop_name(0, sequence)] for i in rows])
            found[rows] = self.signatures(name, crops)
        return found

    def _first(self, table: Table) -> Described:
        """The first model, in the order of ``FALLBACK``, that the one patient has all inputs of."""
        usable = [described for model in FALLBACK for described in self._variants if described.variant.model == model]
        for described in usable:
            if table.complete(described.columns)[0]:
                return described
        missing = {
            described.variant.key: [name for name in described.columns if not table.complete([name])[0]]
            for described in usable
        }
        words = "; ".join(f"model {key} lacks {', '.join(names)}" for key, names in missing.items())
        raise InputUnfit(Code.INPUTS_MISSING, words)


def clinical_columns(described: Described) -> tuple[str, ...]:
    """The clinical values that a model uses."""
    return tuple(name for name in described.columns if name in CLINICAL)


def category(
    probability: float, limits: tuple[float, float], thresholds: Mapping[str, float], envelope: Envelope
) -> Likelihood:
    """High where the limits of training (``low``, ``high``) rule out a poor response, low where they rule out a good
    one, moderate where neither; uncertain where the interval reaches across both, or outside the envelope."""
    if not envelope.inside or (limits[0] < thresholds["low"] and limits[1] > thresholds["high"]):
        return Likelihood.UNCERTAIN
    if probability > thresholds["high"]:
        return Likelihood.HIGH
    return Likelihood.LOW if probability < thresholds["low"] else Likelihood.MODERATE


def both_exams(case: Case) -> dict[TimePoint, tuple[Exam, MaskArray]]:
    """Both exams with their masks. Raises InputUnfit ``NO_BASELINE``, ``NO_RESTAGING`` or ``NO_MASK``."""
    if case.baseline is None:
        raise InputUnfit(Code.NO_BASELINE, "response needs the exam before therapy as well")
    if case.restaging is None:
        raise InputUnfit(Code.NO_RESTAGING, "response needs the exam after therapy as well")
    found = {}
    for time_point, exam in ((TimePoint.BASELINE, case.baseline), (TimePoint.RESTAGING, case.restaging)):
        if exam.target is None:
            raise InputUnfit(Code.NO_MASK, f"the {time_point} exam has no tumour mask")
        found[time_point] = (exam, exam.target.array)
    return found


def demand_diffusion(exams: Mapping[TimePoint, tuple[Exam, MaskArray]]) -> None:
    """Raises InputUnfit ``INPUTS_MISSING`` that names the exams without diffusion."""
    lacking = [f"the {time_point} exam" for time_point, (exam, _) in exams.items() if not exam.dwi]
    if lacking:
        words = f"{' and '.join(lacking)} has no {SEQUENCE_WORDS[Sequence.DWI]}: no model of the bundle does without"
        raise InputUnfit(Code.INPUTS_MISSING, words)
