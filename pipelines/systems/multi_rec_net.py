"""System 3, recurrence or death from the baseline exam and the record (Liu Z. et al. 2025): networks, a Cox model.

Networks of each fold read the field around the tumour and the clinical table together; a Cox model makes a risk of what
they say, with measured features beside it. After surgery, which a known ypN says, a patient is scored by networks that
read pathology as well. A clinical value that is not known is the network's learned token and is named; a patient
without D and K is scored from T2 and ADC, by a Cox model of patients who were read like that, and the score says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    ModelIdentity,
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
from pipelines.systems.multi_rec_columns import YPN, Codes, Scaler, codes_of, items_of, missing_words
from pipelines.systems.multi_rec_cut import MAPS, MultiRecCut, MultiRecExam, network_axes
from pipelines.systems.multi_rec_models import (
    MEASURED,
    RECURRENCE,
    RISK,
    MultiRecRule,
    Reading,
    choose,
    measured_name,
    postoperative,
    reads_maps,
)
from pipelines.systems.multi_rec_saliency import field_explanation, fields_viewed
from pipelines.systems.networks.multi_rec_net import MultiRecNet, MultiRecNetSize, Variant
from pipelines.systems.networks.multi_rec_size import POSTOPERATIVE
from pipelines.systems.tumour_field import FieldRule, central

TIME_ZERO = "surgery; recurrence or death of any cause, whichever is first"
WORDS = {
    RISK: "log risk read by the networks",
    RECURRENCE: "log odds of recurrence read by the networks",
    MEASURED: "measured score (log hazard)",
}
BATCH = 32
NO_MODEL = "this bundle has no model that reads them with the rest of these inputs"

Covariates = Mapping[str, Numbers]
"""Of one patient by name: (folds,) each, since every fold's network gives values of its own."""


@dataclass(frozen=True)
class Patients:
    """Exams that were cut alike, and what is known of each patient."""

    exams: Sequence[MultiRecExam]
    codes: Sequence[Codes]

    def __len__(self) -> int:
        return len(self.exams)


@dataclass(frozen=True)
class Said:
    """What the networks of a reading say of n patients: ``risk``, log hazard against the mean of each network's own
    patients, and ``recurrence``, logit, both (folds, n); ``mask``: float16 (n, rows, columns, slices), the mean
    probability of being tumour, None of networks that see no image."""

    risk: Numbers
    recurrence: Numbers
    mask: NDArray[np.float16] | None


class MultiRecSystem:
    """Scores a baseline exam with a mask, and what the record knows, with a trained bundle."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        m = bundle.manifest
        self._identity = bundle.identity
        self._outcome = m.outcome
        self._manifest = m
        self._device = device
        self.rule = FieldRule.from_json(m.preprocessing["field"])
        self.thresholds: Mapping[str, Mapping[str, float]] = m.thresholds
        self.rules = {name: MultiRecRule.from_json(said) for name, said in m.network["models"].items()}
        self._scoring = tuple(m.network["scoring"])
        self._centres: Mapping[str, Sequence[float]] = m.network["centres"]
        self._scalers = tuple(Scaler.from_json(said) for said in m.network["scalers"])
        stored = bundle.arrays("cox")
        self.cox = {name: stored_cox(stored, name, rule.covariates) for name, rule in self.rules.items()}
        self.measured = {name: stored_cox(stored, name, names) for name, names in m.network["measured"].items()}
        self.networks = _networks(bundle, device)

    @property
    def model(self) -> ModelIdentity:
        return self._identity

    @property
    def folds(self) -> int:
        return len(self._scalers)

    def score(self, case: Case) -> Score:
        """The probability of recurrence or death within 36 months of surgery, from the baseline exam and the record.

        Raises
        ------
        InputUnfit
            ``NO_BASELINE``, ``NO_MASK``, ``OUTSIDE_INTENDED_USE``, why there is no diffusion, or ``INPUTS_MISSING``.
        """
        exam = _exam(case, self.rule)
        codes = codes_of(case.record)
        rule = self.matched(exam, codes)
        if rule is None:
            raise InputUnfit(Code.INPUTS_MISSING, "no model of this bundle is for a patient with these inputs")
        patients = Patients([exam], [codes])
        (values,) = self.covariates(rule, patients, self.said(rule.reading, patients))
        followed = tuple(month for month in CURVE_MONTHS if month <= self.cox[rule.name].months[-1])
        risk = self.risk(rule, values, (*followed, HORIZON))
        envelope = self.envelope(exam.facts, case.record)
        probability = 1.0 - float(risk.event_free[-1])
        thresholds = self.thresholds[rule.name]
        return Score(
            model=self._named(rule, exam),
            outcome=self._outcome,
            probability=probability,
            lower=1.0 - float(risk.upper[-1]),
            upper=1.0 - float(risk.lower[-1]),
            interval=f"95 %: covariance of the Cox model, and spread of {self.folds} networks",
            category=category(probability, thresholds["youden"], envelope),
            envelope=envelope,
            inputs=(*((WORDS[name], float(values[name].mean())) for name in rule.covariates), _volume(exam)),
            time_points=(TimePoint.BASELINE,),
            curve=curve_of(risk, followed, TIME_ZERO),
            explanations=self.explain(case, Patients([exam], [codes]), rule, values),
            clinical=_clinical(case.record, codes, rule),
            possible=stated_set(probability, thresholds, envelope.inside),
            contributions=self.contributions(rule, values, exam),
            contribution_unit=LOG_HAZARD,
        )

    def envelope(self, facts: Mapping[str, float], record: ClinicalRecord) -> Envelope:
        """Whether the exam looks like the training cohort's, and the patient had a therapy that it had."""
        found = check_case(self._manifest.envelope, {TimePoint.BASELINE: facts})
        return check_history(found, record, self._manifest.training)

    def matched(self, exam: MultiRecExam, codes: Codes, *, after: bool | None = None) -> MultiRecRule | None:
        """The model that the node scores a patient by: after surgery where ypN is known; ``after`` decides that too.

        None where every such model needs something that the patient lacks.
        """
        rules = (self.rules[name] for name in self._scoring)
        allowed = [rule for rule in rules if self.measurable(rule, exam)]
        return choose(allowed, codes, maps=exam.has_maps, after=after)

    def covariates(self, rule: MultiRecRule, patients: Patients, said: Said) -> list[Covariates]:
        """What a model reads of patients who allow it, and of whom its networks ``said`` this."""
        found: list[Covariates] = []
        for index, exam in enumerate(patients.exams):
            values = {RISK: said.risk[:, index], RECURRENCE: said.recurrence[:, index]}
            if rule.measured:
                values[MEASURED] = np.full(self.folds, self._measured_score(rule, exam))
            found.append({name: values[name] for name in rule.covariates})
        return found

    def measurable(self, rule: MultiRecRule, exam: MultiRecExam) -> bool:
        """Whether what the model wants measured could be."""
        if not rule.measured:
            return True
        return all(name in exam.features[0] for name in self.measured[measured_name(rule.reading.maps)].names)

    def said(self, reading: Reading, patients: Patients) -> Said:
        """What every fold's network of a reading says of these patients; D and K are hidden where it reads none."""
        variant = reading.variant
        size = self.networks[variant][0].size
        images, present = self._images(size, patients, reading)
        columns = size.clinical.columns if size.clinical is not None else ()
        risk, recurrence, masks = [], [], []
        for network, scaler in zip(self.networks[variant], self._scalers, strict=True):
            values, missing = scaler.table(patients.codes, columns) if columns else (None, None)
            outputs = self._run(network, (images, present, values, missing), len(patients))
            risk.append(outputs[0])
            recurrence.append(outputs[1])
            masks.append(outputs[2])
        centred = np.stack(risk) - np.array(self._centres[reading.name])[:, None]
        drawn = None if images is None else np.stack(masks).astype(np.float32).mean(axis=0).astype(np.float16)
        return Said(centred, np.stack(recurrence), drawn)

    def risk(self, rule: MultiRecRule, values: Covariates, months: Sequence[float]) -> Risk:
        """What a model says of a patient with these covariates."""
        rows = np.stack([values[name] for name in rule.covariates], axis=1)
        return risk_of(self.cox[rule.name], rows, months)

    def contributions(self, rule: MultiRecRule, values: Covariates, exam: MultiRecExam) -> tuple[Contribution, ...]:
        """What each covariate of a model adds to the log hazard; the measured score as the features that made it."""
        means = {name: float(values[name].mean()) for name in rule.covariates}
        measured = self.measured[measured_name(rule.reading.maps)] if rule.measured else None
        within = None if measured is None else Within(MEASURED, measured, exam.features[0])
        return cox_contributions(self.cox[rule.name], means, within)

    def explain(self, case: Case, patient: Patients, rule: MultiRecRule, values: Covariates) -> tuple[Explanation, ...]:
        """Where the networks looked at the baseline of a case, which was cut to the one ``patient`` of ``values``."""
        assert case.baseline is not None and case.baseline.mask is not None  # else there would be no such exam
        viewed = self.viewed(rule, patient, values[RISK].mean(keepdims=True))
        size = self.networks[rule.reading.variant][0].size
        at = (inputs_of(case.baseline), case.baseline.mask.array, self.rule)
        found = field_explanation(viewed, size, at, self._identity)
        return () if found is None else (found,)

    def viewed(self, rule: MultiRecRule, patients: Patients, risk: Numbers) -> Viewed:
        """Patients as the networks of a model see them; ``risk`` (n,): what these say. Usual is training's mean."""
        networks, model = self.networks[rule.reading.variant], self.cox[rule.name]
        images, present = self._images(networks[0].size, patients, rule.reading)
        columns = networks[0].size.clinical.columns if networks[0].size.clinical is not None else ()
        # The heads add up what images and table say: where the networks looked does not hang on the table.
        table = self._scalers[0].table(patients.codes, columns) if columns else (None, None)
        given = tuple(None if part is None else part.to(self._device) for part in (images, present, *table))
        outlines = np.stack([central(exam.mask, self.rule) for exam in patients.exams])
        return fields_viewed(networks, given, outlines, risk >= model.centre[model.names.index(RISK)])

    def _images(
        self, size: MultiRecNetSize, patients: Patients, reading: Reading
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """(patients, sequences, rows, columns, slices) and which there are, (patients, sequences)."""
        if not size.sequences:
            return None, None
        stacks, there = zip(*(exam.stack(size.sequences) for exam in patients.exams), strict=True)
        shown = np.array([reading.maps or name not in MAPS for name in size.sequences])
        images = np.ascontiguousarray(network_axes(np.stack(stacks), self.rule))
        return torch.from_numpy(images), torch.from_numpy(np.stack(there) & shown)

    def _run(
        self, network: MultiRecNet, inputs: Sequence[torch.Tensor | None], count: int
    ) -> tuple[Numbers, Numbers, NDArray[np.float16]]:
        """Log risk, logit of recurrence, (n,) each, and the probabilities of the mask (empty without images)."""
        risk, recurrence, masks = [], [], []
        for rows in torch.arange(count).split(BATCH):
            given = [None if part is None else part[rows].to(self._device) for part in inputs]
            images = None if given[0] is None else given[0].float()
            with torch.inference_mode():
                output = network(images, *given[1:])
            risk.append(output.log_risk.double().cpu().numpy())
            recurrence.append(output.recurrence.double().cpu().numpy())
            if output.segmentation is not None:
                masks.append(torch.sigmoid(output.segmentation[:, 0]).half().cpu().numpy())
        mask = np.concatenate(masks) if masks else np.empty(0, dtype=np.float16)
        return np.concatenate(risk), np.concatenate(recurrence), mask

    def _measured_score(self, rule: MultiRecRule, exam: MultiRecExam) -> float:
        model = self.measured[measured_name(rule.reading.maps)]
        return float(model.log_hazard(np.array([[exam.features[0][name] for name in model.names]]))[0])

    def _named(self, rule: MultiRecRule, exam: MultiRecExam) -> ModelIdentity:
        """The model as this score shows it: its name, and in its limits what it did without."""
        limits = self._identity.limits
        if reads_maps(rule.reading.variant) and not rule.reading.maps:
            limits = f"{limits}; scored without D and K: {exam.without_maps or NO_MODEL}"
        return replace(self._identity, name=f"{self._identity.name} {rule.name}", limits=limits)


def _exam(case: Case, rule: FieldRule) -> MultiRecExam:
    baseline = case.baseline
    if baseline is None:
        raise InputUnfit(Code.NO_BASELINE, "recurrence is predicted from the exam before therapy")
    check_scope(case.record, PURPOSES["multi_rec_net"])
    if baseline.mask is None or not baseline.mask.array.any():
        raise InputUnfit(Code.NO_MASK, "the baseline exam has no tumour mask")
    # One view, which draws nothing at random.
    return MultiRecCut(rule).exam(inputs_of(baseline), baseline.mask.array, np.random.default_rng(0))


def _volume(exam: MultiRecExam) -> tuple[str, float]:
    return "tumour volume (cm³)", exam.volume_cm3


def _clinical(record: ClinicalRecord, codes: Codes, rule: MultiRecRule) -> tuple[str, ...]:
    """The clinical values that the networks read, in words, then what was not known, and what was not read."""
    variant = rule.reading.variant
    said = list(record.told(items_of(codes, variant.columns)))
    missing = missing_words(codes, variant.columns)
    if missing:
        said.append(f"not known, and read as missing: {', '.join(missing)}")
    unread = () if postoperative(variant) else items_of(codes, POSTOPERATIVE)
    if unread:
        why = "as no model after surgery has these inputs" if YPN in codes else "as ypN is not known"
        said.append(f"not read, {why}: {', '.join(record.told(unread))}")
    return tuple(said)


def _networks(bundle: Bundle, device: torch.device) -> dict[Variant, tuple[MultiRecNet, ...]]:
    """The fold networks of each variant, in evaluation mode."""
    described, stored = bundle.manifest.network, bundle.weights("networks")
    networks: dict[Variant, tuple[MultiRecNet, ...]] = {}
    for name, said in described["sizes"].items():
        members = []
        for fold in range(int(described["folds"])):
            network = MultiRecNet(MultiRecNetSize.from_json(said))
            prefix = f"{name}.{fold}."
            network.load_state_dict(
                {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
            )
            members.append(network.to(device).eval())
        networks[Variant(name)] = tuple(members)
    return networks
