"""System 4, distant metastasis from the baseline exam (Liu X. et al.): networks, a Cox model, a nomogram.

One network per modality reads the tumour's slices; DL-prob is the sum of their probabilities of metastasis by 36
months, and a Cox model of DL-prob is the deep-learning radiomic signature (DLRS). The nomogram adds measured features
and what the record knows: cT, CEA and EMVI before surgery, ypN after it. Of the models for each set of known items the
one that uses all that is known scores the patient; nothing is filled in. Death counts as censored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

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
    ModelIdentity,
    Nomogram,
    Score,
    TimePoint,
)
from pipelines.envelope import check_case, check_history
from pipelines.explain.cox import Within, cox_contributions
from pipelines.explain.viewed import Viewed
from pipelines.explain.words import LOG_HAZARD
from pipelines.inputs.model_inputs import inputs_of
from pipelines.systems.conformal import stated_set
from pipelines.systems.cox import Numbers
from pipelines.systems.cox_risk import CURVE_MONTHS, HORIZON, Risk, category, curve_of, risk_of, stored_cox
from pipelines.systems.dlrs_exam import DlrsExam, dlrs_exam
from pipelines.systems.dlrs_inputs import BoxRule, Modality
from pipelines.systems.dlrs_models import ADC, DL, FEATURES, ITEMS, MEASURED, T2W, ModelRule, choose, clinical_values
from pipelines.systems.dlrs_network import DlrsSize, dlrs_network, network_input
from pipelines.systems.dlrs_saliency import stack_explanation, stacks_viewed
from pipelines.systems.networks.resnet import ResNetSize
from pipelines.systems.nomogram import Axis, nomogram

__all__ = ["HORIZON", "Covariates", "DlrsNomogram", "category", "event_probability"]

TIME_ZERO = "surgery; death without metastasis counts as censored (cause-specific hazard)"
RISK = 0
ALONE = {Modality.T2: "T2W", Modality.ADC: "ADC"}
"""The Cox model of each modality's probability alone."""
WORDS = {T2W: "T2-prob", ADC: "ADC-prob", DL: "DL-prob", MEASURED: "measured score (log hazard)"}
BATCH = 32

Covariates = Mapping[str, Numbers]
"""Of one patient by name: (folds,) each, since every fold's networks give values of their own."""


class DlrsNomogram:
    """Scores a baseline exam with a mask, and what the record knows, with a trained bundle."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        m = bundle.manifest
        self._identity = bundle.identity
        self._outcome = m.outcome
        self._manifest = m
        self._device = device
        self.rule = BoxRule.from_json(m.preprocessing["box"])
        self.thresholds: Mapping[str, Mapping[str, float]] = m.thresholds
        self.rules = {
            name: ModelRule(name, tuple(said["covariates"]), said["family"])
            for name, said in m.network["models"].items()
        }
        self._scoring = tuple(m.network["scoring"])
        self._axes = {name: Axis.from_json(said) for name, said in m.network["axes"].items()}
        self._baselines: Mapping[str, Sequence[float]] = m.network["baselines"]
        stored = bundle.arrays("cox")
        self.cox = {name: stored_cox(stored, name, rule.covariates) for name, rule in self.rules.items()}
        self._measured = stored_cox(stored, FEATURES, tuple(m.network["measured"]))
        self._networks = _networks(bundle, self.rule, device)

    @property
    def model(self) -> ModelIdentity:
        return self._identity

    def score(self, case: Case) -> Score:
        """The probability of distant metastasis within 36 months of surgery, from the baseline exam and the record.

        Raises
        ------
        InputUnfit
            ``NO_BASELINE``, ``NO_MASK``, ``OUTSIDE_INTENDED_USE``, why there is no diffusion, or ``INPUTS_MISSING``.
        """
        exam = _exam(case, self.rule)
        (values,) = self.covariates([exam], [case.record])
        rule = self.matched(values)
        if rule is None:
            raise InputUnfit(Code.CLINICAL_MISSING, f"every model needs one of {', '.join(self._items(values))}")
        followed = tuple(month for month in CURVE_MONTHS if month <= self.cox[rule.name].months[-1])
        risk = self.risk(rule, values, (*followed, HORIZON))
        envelope = self.envelope(exam.facts, case.record)
        probability = 1.0 - float(risk.event_free[-1])
        thresholds = self.thresholds[rule.family]
        return Score(
            model=replace(self._identity, name=f"{self._identity.name} {rule.name}"),
            outcome=self._outcome,
            probability=probability,
            lower=1.0 - float(risk.upper[-1]),
            upper=1.0 - float(risk.lower[-1]),
            interval=f"95 %: covariance of the Cox model, and spread of {self.folds} networks per modality",
            category=category(probability, thresholds["youden"], envelope),
            envelope=envelope,
            inputs=_shown(values, rule, exam),
            time_points=(TimePoint.BASELINE,),
            curve=curve_of(risk, followed, TIME_ZERO),
            nomogram=self.drawn(rule, values),
            explanations=self.explain(case, exam),
            clinical=case.record.told(ITEMS[name] for name in rule.covariates if name in ITEMS),
            possible=stated_set(probability, thresholds, envelope.inside),
            contributions=self.contributions(rule, values, exam),
            contribution_unit=LOG_HAZARD,
        )

    def explain(self, case: Case, exam: DlrsExam) -> tuple[Explanation, ...]:
        """Where the networks of each modality looked at the baseline of a case, which was cut to ``exam``."""
        assert case.baseline is not None and case.baseline.mask is not None  # else there would be no such exam
        inputs, mask, found = inputs_of(case.baseline), case.baseline.mask.array, []
        for modality in Modality:
            viewed, at = self.viewed([exam], modality), (modality, mask, self.rule)
            found.append(stack_explanation(viewed, inputs, at, (self._size(modality), self._identity)))
        return tuple(one for one in found if one is not None)

    def viewed(self, exams: Sequence[DlrsExam], modality: Modality) -> Viewed:
        """These exams as the networks of a modality see them."""
        raised = self.probabilities(exams, modality).mean(axis=0) >= self._usual(modality)
        boxes = np.stack([exam.boxes[modality] for exam in exams])
        return stacks_viewed(modality, (self._networks[modality], self._size(modality)), boxes, raised)

    def _usual(self, modality: Modality) -> float:
        """The mean probability of training; where no model of it alone was left, that of the mean log hazard, 0."""
        model = self.cox.get(ALONE[modality])
        if model is not None:
            return float(model.centre[0])
        return float(np.mean([self._probability(modality, fold, np.zeros(1)) for fold in range(self.folds)]))

    def _size(self, modality: Modality) -> ResNetSize:
        return DlrsSize.from_json(self._manifest.network["sizes"][modality]).resnet

    def envelope(self, facts: Mapping[str, float], record: ClinicalRecord) -> Envelope:
        """Whether the exam looks like the training cohort's, and the patient had a therapy that it had."""
        found = check_case(self._manifest.envelope, {TimePoint.BASELINE: facts})
        return check_history(found, record, self._manifest.training)

    @property
    def folds(self) -> int:
        return len(self._networks[Modality.T2])

    def probabilities(self, exams: Sequence[DlrsExam], modality: Modality) -> Numbers:
        """Probability of metastasis by 36 months, (folds, exams), one row per fold's network."""
        stacks = torch.from_numpy(np.stack([exam.boxes[modality] for exam in exams])).float()
        rows = []
        for fold, network in enumerate(self._networks[modality]):
            with torch.inference_mode():
                parts = [network(network_input(part).to(self._device))[:, RISK].cpu() for part in stacks.split(BATCH)]
            rows.append(self._probability(modality, fold, torch.cat(parts).double().numpy()))
        return np.stack(rows)

    def covariates(self, exams: Sequence[DlrsExam], records: Sequence[ClinicalRecord]) -> list[Covariates]:
        """All that the models may read of each patient; what is not known is absent."""
        t2, adc = (self.probabilities(exams, modality) for modality in Modality)
        found: list[Covariates] = []
        for index, (exam, record) in enumerate(zip(exams, records, strict=True)):
            values = {T2W: t2[:, index], ADC: adc[:, index], DL: t2[:, index] + adc[:, index]}
            once = clinical_values(record)
            if all(name in exam.features for name in self._measured.names):
                row = np.array([[exam.features[name] for name in self._measured.names]])
                once[MEASURED] = float(self._measured.log_hazard(row)[0])
            found.append(values | {name: np.full(self.folds, value) for name, value in once.items()})
        return found

    def matched(self, values: Covariates, *, postoperative: bool | None = None) -> ModelRule | None:
        """The model that uses most of what is known, with ypN where it is known; ``postoperative`` decides that too.

        None where every such model needs something that is not known.
        """
        return choose((self.rules[name] for name in self._scoring), values.keys(), postoperative)

    def risk(self, rule: ModelRule, values: Covariates, months: Sequence[float]) -> Risk:
        """What a model says of a patient whose covariates it needs are all known."""
        rows = np.stack([values[name] for name in rule.covariates], axis=1)
        return risk_of(self.cox[rule.name], rows, months)

    def drawn(self, rule: ModelRule, values: Covariates) -> Nomogram:
        """A model as a nomogram with the patient's points on it; the risk is that by 36 months."""
        row = np.array([float(values[name].mean()) for name in rule.covariates])
        return nomogram(self.cox[rule.name], [self._axes[name] for name in rule.covariates], row, HORIZON)

    def contributions(self, rule: ModelRule, values: Covariates, exam: DlrsExam) -> tuple[Contribution, ...]:
        """What each covariate of a model adds to the log hazard; the measured score as the features that made it."""
        means = {name: float(values[name].mean()) for name in rule.covariates}
        within = Within(MEASURED, self._measured, exam.features) if MEASURED in rule.covariates else None
        return cox_contributions(self.cox[rule.name], means, within)

    def _items(self, values: Covariates) -> list[str]:
        """The clinical items that models need and nobody knows."""
        needed = {covariate for name in self._scoring for covariate in self.rules[name].covariates}
        return sorted(str(ITEMS[name]) for name in needed & ITEMS.keys() - values.keys())

    def _probability(self, modality: Modality, fold: int, output: Numbers) -> Numbers:
        baselines = self._baselines.get(str(modality))
        return event_probability(output, baselines[fold] if baselines else None)


def event_probability(output: Numbers, hazard: float | None) -> Numbers:
    """Probability of the event by 36 months from a network's outputs: log hazards with the cumulative hazard at 0, or
    logits (None)."""
    if hazard is None:
        return np.asarray(1.0 / (1.0 + np.exp(-output)))
    return np.asarray(-np.expm1(-hazard * np.exp(output)))


def _exam(case: Case, rule: BoxRule) -> DlrsExam:
    baseline = case.baseline
    if baseline is None:
        raise InputUnfit(Code.NO_BASELINE, "metastasis is predicted from the exam before therapy")
    check_scope(case.record, PURPOSES["dlrs_nomogram"])
    if baseline.mask is None or not baseline.mask.array.any():
        raise InputUnfit(Code.NO_MASK, "the baseline exam has no tumour mask")
    return dlrs_exam(inputs_of(baseline), baseline.mask.array, rule)


def _shown(values: Covariates, rule: ModelRule, exam: DlrsExam) -> tuple[tuple[str, float], ...]:
    """What the model saw, and the volume, which is reported beside it because a resized box does not hold it."""
    names = dict.fromkeys((T2W, ADC, DL, *rule.covariates))
    inputs = [(WORDS.get(name, name), float(values[name].mean())) for name in names]
    dropped = [("tumour slices beyond the stack", float(exam.dropped))] if exam.dropped else []
    return (*inputs, ("tumour volume (cm³)", exam.volume_cm3), *dropped)


def _networks(bundle: Bundle, rule: BoxRule, device: torch.device) -> dict[Modality, tuple[torch.nn.Module, ...]]:
    """The fold networks of each modality, in evaluation mode."""
    described, stored = bundle.manifest.network, bundle.weights("networks")
    networks: dict[Modality, tuple[torch.nn.Module, ...]] = {}
    for modality in Modality:
        size = DlrsSize.from_json(described["sizes"][modality])
        members = []
        for fold in range(int(described["folds"])):
            network = dlrs_network(size, rule.slices, len(rule.channels))
            prefix = f"{modality}.{fold}."
            network.load_state_dict(
                {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
            )
            members.append(network.to(device).eval())
        networks[modality] = tuple(members)
    return networks
