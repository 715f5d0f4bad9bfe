"""What a bundle of system 3 says of a cohort: the paper's six variants, those with measured features that the node
uses, and what each loses without D and K or without clinical values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import out_of_scope
from pipelines.contract import TimePoint
from pipelines.evaluation.prediction import OWN_DICE, WITHOUT, Numbers, Predicted, Prediction
from pipelines.evaluation.stated_sets import stated_sets
from pipelines.masks.overlap import dice
from pipelines.phantom.probabilities import Outcome
from pipelines.systems.cox_risk import HORIZON
from pipelines.systems.multi_rec_columns import YPN, Codes, codes_of, hidden
from pipelines.systems.multi_rec_cut import MultiRecCut, MultiRecExam, from_entry, network_axes
from pipelines.systems.multi_rec_models import (
    MEASURED_SUFFIX,
    SUBSETS,
    WITHOUT_MAPS,
    MultiRecRule,
    Reading,
    postoperative,
    reads_maps,
    shown_to,
)
from pipelines.systems.multi_rec_net import MultiRecSystem, Patients, Said
from pipelines.systems.networks.multi_rec_net import Variant
from pipelines.systems.tumour_field import FieldRule

MONTHS = np.array([12.0, 24.0, HORIZON, 60.0])
AT_HORIZON = 2
WITHOUT_VALUES = f"{WITHOUT}clinical values"
NODE = {f"{Variant.T2_DKI_PRECLINICAL}{MEASURED_SUFFIX}": False, f"{Variant.ALL}{MEASURED_SUFFIX}": True}
"""What the node uses before and after surgery; a patient who lacks an input is there by the next model of its order."""
TRUE_AT = 0.5
READS_MORE = "reads the regression grade and other pathology too, which its oracle, that knows of ypN alone, does not"

READS_LESS = "reads no image, which its oracle knows"


def cut_of(bundle: Bundle) -> MultiRecCut:
    """What the bundle reads of an exam."""
    return MultiRecCut(FieldRule.from_json(bundle.manifest.preprocessing["field"]))


def predict(bundle: Bundle, prepared: Sequence[PreparedPatient], device: torch.device | str) -> Predicted:
    """Every model's predictions on a cohort cut by ``cut_of``; the system that the node uses computes them all."""
    system = MultiRecSystem(bundle, torch.device(device))
    refused = tuple(patient.refusal or out_of_scope(patient.patient.record, "multi_rec_net") for patient in prepared)
    rows = [row for row, reason in enumerate(refused) if not reason]
    exams = {row: from_entry(prepared[row].exams[TimePoint.BASELINE]) for row in rows}
    records = {row: prepared[row].patient.record for row in rows}
    outside = np.zeros(len(prepared), dtype=bool)
    for row, exam in exams.items():
        outside[row] = not system.envelope(exam.facts, records[row]).inside
    asked = _Asked(system, len(prepared), exams, {row: codes_of(record) for row, record in records.items()})
    predictions = tuple(_predictions(asked))
    made = [one.model for one in predictions]
    maps = np.array([row in exams and exams[row].has_maps for row in range(len(prepared))])
    present = np.array([not reason for reason in refused])
    return Predicted(
        system=bundle.manifest.system,
        default=next((name for name in NODE if name in made), made[0]),
        predictions=predictions,
        refused=refused,
        outside=outside,
        features=_features(asked),
        groups={SUBSETS[True]: maps, SUBSETS[False]: present & ~maps},
    )


@dataclass(frozen=True)
class _Asked:
    """A system, and the patients of a cohort of ``count`` whom it may score, by row; ``heard``: what its networks said
    of them, by reading and whether optional values were hidden, and the rows in that order."""

    system: MultiRecSystem
    count: int
    exams: Mapping[int, MultiRecExam]
    codes: Mapping[int, Codes]
    heard: dict[tuple[str, bool], tuple[tuple[int, ...], Said]] = field(default_factory=dict)

    def said(self, reading: Reading, bare: bool) -> tuple[tuple[int, ...], Said]:
        """Of whom, and what: every patient who has what the reading cannot do without. ``bare``: of a record no more
        than that is shown."""
        key = (reading.name, bare)
        if key not in self.heard:
            rows = tuple(row for row, exam in self.exams.items() if exam.has_maps or not reading.needs_maps)
            self.heard[key] = rows, self.system.said(reading, self._patients(rows, reading, bare))
        return self.heard[key]

    def event_free(self, rules: Mapping[int, MultiRecRule], bare: bool = False) -> Numbers:
        """(count, months), each patient by a rule; NaN of the others."""
        found = np.full((self.count, len(MONTHS)), np.nan)
        for rule in {rule.name: rule for rule in rules.values()}.values():
            rows, said = self.said(rule.reading, bare)
            place = {row: index for index, row in enumerate(rows)}
            own = [row for row, by in rules.items() if by.name == rule.name]
            chosen = [place[row] for row in own]
            part = Said(said.risk[:, chosen], said.recurrence[:, chosen], None)
            values = self.system.covariates(rule, self._patients(own, rule.reading, bare), part)
            middle = np.array([[one[name].mean() for name in rule.covariates] for one in values])
            found[own] = self.system.cox[rule.name].event_free(middle, tuple(MONTHS))
        return found

    def _patients(self, rows: Sequence[int], reading: Reading, bare: bool) -> Patients:
        codes = [self.bare(row, reading.variant) if bare else self.codes[row] for row in rows]
        return Patients([self.exams[row] for row in rows], codes)

    def bare(self, row: int, variant: Variant) -> Codes:
        """What a variant cannot do without of a patient's record."""
        return hidden(self.codes[row], (YPN,) if postoperative(variant) else ())


def _predictions(asked: _Asked) -> list[Prediction]:
    """Of every model, and of those from which something can be hidden."""
    found = []
    for model in dict.fromkeys(rule.model for rule in asked.system.rules.values()):
        rules = {row: rule for row in asked.exams if (rule := _rule(asked, model, row)) is not None}
        variant = next(rule.reading.variant for rule in asked.system.rules.values() if rule.model == model)
        found.append(_prediction(asked, (model, variant), rules))
        without = asked.system.rules.get(f"{model}{WITHOUT_MAPS}")
        who = {row: without for row, rule in rules.items() if without is not None and rule.reading.maps}
        if without is not None and who:
            found.append(_prediction(asked, (without.name, variant), who))
        if variant.sequences and variant.columns:
            who = {row: rule for row, rule in rules.items() if asked.bare(row, variant) != asked.codes[row]}
            found.append(_prediction(asked, (f"{model}{WITHOUT_VALUES}", variant), who, bare=True))
    return found


def _rule(asked: _Asked, model: str, row: int) -> MultiRecRule | None:
    """By what a model scores a patient: with D and K where there are any; of what the node uses, by its order."""
    system, exam, codes = asked.system, asked.exams[row], asked.codes[row]
    if model in NODE:
        return system.matched(exam, codes, after=NODE[model])
    rules = (system.rules.get(f"{model}{without}") for without in ("", WITHOUT_MAPS))
    for rule in rules:
        if rule is not None and rule.allowed(codes, maps=exam.has_maps) and system.measurable(rule, exam):
            return rule
    return None


def _prediction(
    asked: _Asked, what: tuple[str, Variant], rules: Mapping[int, MultiRecRule], bare: bool = False
) -> Prediction:
    name, variant = what
    event_free = asked.event_free(rules, bare)
    thresholds = [asked.system.thresholds[rules[row].name] if row in rules else None for row in range(asked.count)]
    probability = 1.0 - event_free[:, AT_HORIZON]
    return Prediction(
        model=name,
        outcome=Outcome.RECURRENCE,
        shown=shown_to(variant),
        probability=probability,
        threshold=np.array([np.nan if by is None else by["youden"] for by in thresholds]),
        months=MONTHS,
        event_free=event_free,
        about=_about(name, variant),
        sets=stated_sets(probability, thresholds),
        images=bool(variant.sequences),
    )


def _about(name: str, variant: Variant) -> str:
    said = []
    if reads_maps(variant) and not name.endswith(WITHOUT_MAPS):
        said.append("D and K where there are any, else T2 and ADC")
    if name in NODE:
        said.append(f"what the node uses {'after' if NODE[name] else 'before'} surgery")
    if not variant.sequences:
        said.append(READS_LESS)
    if postoperative(variant):
        said.append(READS_MORE)
    return "; ".join(said)


def _features(asked: _Asked) -> dict[str, Numbers]:
    """What the networks say (the mean of the folds), the Dice of their own masks with the given ones, volume and
    measured features, by name; NaN where not known."""
    columns: dict[str, NDArray[np.float64]] = {}

    def note(name: str, row: int, value: float) -> None:
        columns.setdefault(name, np.full(asked.count, np.nan))[row] = value

    for (reading, bare), (rows, said) in asked.heard.items():
        for index, row in enumerate(rows if not bare else ()):
            note(f"{reading} log risk", row, float(said.risk[:, index].mean()))
    for variant in asked.system.networks:
        for row, own in _masks(asked, variant).items():
            given = network_axes(asked.exams[row].mask, asked.system.rule)
            note(f"{OWN_DICE}{variant}_{TimePoint.BASELINE}", row, dice(own, np.asarray(given, dtype=bool)))
    for row, exam in asked.exams.items():
        for name, value in {"volume_cm3": exam.volume_cm3, **exam.features[0]}.items():
            note(name, row, value)
    return columns


def _masks(asked: _Asked, variant: Variant) -> dict[int, NDArray[np.bool_]]:
    """A variant's own masks, with D and K where there are any."""
    found: dict[int, NDArray[np.bool_]] = {}
    for reading in (Reading(variant, False), Reading(variant, True)):
        rows, said = asked.heard.get((reading.name, False), ((), None))
        if said is not None and said.mask is not None:
            found |= {row: said.mask[index] >= TRUE_AT for index, row in enumerate(rows)}
    return found
