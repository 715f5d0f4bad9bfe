"""Patients of a cohort as the networks of each system's bundle see them, one view per kind of network and exam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from pipelines.bundle import Bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.evaluation.prediction import Predicted
from pipelines.explain.viewed import Viewed
from pipelines.systems import dlrs_exam, multi_rec_cut
from pipelines.systems.dlrs_inputs import Modality
from pipelines.systems.dlrs_nomogram import DlrsNomogram
from pipelines.systems.multi_rec_columns import codes_of
from pipelines.systems.multi_rec_net import MultiRecSystem, Patients
from pipelines.systems.rp_net import RpNetResponse
from pipelines.systems.signature_cut import has
from pipelines.systems.signature_inputs import Sequence as MrSequence
from pipelines.systems.signature_svm import SignatureSvm

Prepared = Sequence[PreparedPatient]
Views = Callable[[Bundle, Prepared, Predicted, torch.device], Iterator[Viewed]]


def signature_views(bundle: Bundle, prepared: Prepared, predicted: Predicted, device: torch.device) -> Iterator[Viewed]:
    """System 1: each sequence at each time, on the patients who have it in both exams."""
    system = SignatureSvm(bundle, device)
    for sequence in MrSequence:
        rows = [one for one in prepared if all(has(one.exams[when], sequence) for when in TimePoint)]
        if rows:
            pairs = [one.exams for one in rows]
            table = system.table(pairs, [one.patient.record for one in rows])
            yield from (system.viewed(pairs, table, when, sequence) for when in TimePoint)


def rp_views(bundle: Bundle, prepared: Prepared, predicted: Predicted, device: torch.device) -> Iterator[Viewed]:
    """System 2: each sequence's two exams, on the patients who have it in both."""
    system = RpNetResponse(bundle, device)
    for sequence in system.networks:
        rows = [one for one in prepared if all(system.cut.has(one.exams[when], sequence) for when in TimePoint)]
        if rows:
            pairs = [one.exams for one in rows]
            table = system.table(system.read(pairs), pairs, [one.patient.record for one in rows])
            yield from (system.viewed(pairs, table, sequence, when) for when in TimePoint)


def multi_rec_views(bundle: Bundle, prepared: Prepared, predicted: Predicted, device: torch.device) -> Iterator[Viewed]:
    """System 3: the networks of the default model, on the patients who have the maps that it needs."""
    system = MultiRecSystem(bundle, device)
    rule = system.rules[predicted.default]
    exams = [(multi_rec_cut.from_entry(one.exams[TimePoint.BASELINE]), one.patient.record) for one in prepared]
    rows = [(exam, codes_of(record)) for exam, record in exams if exam.has_maps or not rule.reading.needs_maps]
    if rows and system.networks[rule.reading.variant][0].size.sequences:
        patients = Patients([exam for exam, _ in rows], [codes for _, codes in rows])
        yield system.viewed(rule, patients, system.said(rule.reading, patients).risk.mean(axis=0))


def dlrs_views(bundle: Bundle, prepared: Prepared, predicted: Predicted, device: torch.device) -> Iterator[Viewed]:
    """System 4: each modality."""
    system = DlrsNomogram(bundle, device)
    exams = [dlrs_exam.from_entry(one.exams[TimePoint.BASELINE]) for one in prepared]
    if exams:
        yield from (system.viewed(exams, modality) for modality in Modality)


VIEWS: Mapping[str, Views] = {
    "signature_svm": signature_views,
    "rp_net": rp_views,
    "multi_rec_net": multi_rec_views,
    "dlrs_nomogram": dlrs_views,
}
