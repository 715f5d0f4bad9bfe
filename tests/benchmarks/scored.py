"""One made-up patient before each of the four systems: from tensors to a probability, forward passes, explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from pipelines.bundle import Bundle
from pipelines.contract import Case, ClinicalRecord, Exam, Item, TimePoint
from pipelines.inputs.model_inputs import inputs_of
from pipelines.systems import dlrs_network, signature_inputs
from pipelines.systems.dlrs_exam import dlrs_exam
from pipelines.systems.dlrs_inputs import Modality
from pipelines.systems.dlrs_nomogram import HORIZON, DlrsNomogram
from pipelines.systems.multi_rec_columns import codes_of
from pipelines.systems.multi_rec_cut import MultiRecCut
from pipelines.systems.multi_rec_net import MultiRecSystem, Patients
from pipelines.systems.rp_net import RpNetResponse
from pipelines.systems.signature_cut import crop_name
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_models import signature_name
from pipelines.systems.signature_svm import SignatureSvm
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

KURTOSIS = (0.0, 600.0, 1000.0, 1500.0, 2000.0)
RECORD = ClinicalRecord(
    {
        Item.SEX: "F",
        Item.AGE_YEARS: 61.0,
        Item.CT_STAGE: "cT3",
        Item.CN_STAGE: "cN1",
        Item.CEA: 3.0,
        Item.CA19_9: 12.0,
        Item.EMVI_BASELINE: "negative",
        Item.YPN_STAGE: "ypN0",
        Item.THERAPY: "chemoradiotherapy",
        Item.HISTOLOGY: "adenocarcinoma",
    }
)


@dataclass(frozen=True)
class Scored:
    """``score``: from tensors (what a cut made of the images) to the probability with its limits. ``forward``: the same
    networks on the same tensors and nothing else. ``explain`` and ``contribute``: Grad-CAM of every network that the
    score used, and what each input added. ``networks``: how many pass forward."""

    score: Callable[[], object]
    forward: Callable[[], object]
    explain: Callable[[], object]
    contribute: Callable[[], object]
    networks: int


@lru_cache(maxsize=1)
def case() -> Case:
    """A pair of exams with every sequence, b-values for kurtosis and outlined tumours."""
    exams = [_exam(when, adc, radius) for when, adc, radius in zip(TimePoint, (0.9, 1.3), (14.0, 11.0), strict=True)]
    return Case(*exams, record=RECORD)


def _exam(when: TimePoint, adc: float, radius: float) -> Exam:
    exam = made_up_exam(when, adc=adc, radius=radius, b_values=KURTOSIS)
    return replace(exam, inputs=plain_inputs(exam))


def scored(bundle: Bundle, device: torch.device) -> Scored:
    """The patient before a bundle's system."""
    return SUBJECTS[bundle.manifest.system](bundle, device)


def _exams() -> dict[TimePoint, Exam]:
    patient = case()
    assert patient.baseline is not None and patient.restaging is not None
    return {TimePoint.BASELINE: patient.baseline, TimePoint.RESTAGING: patient.restaging}


def _signatures(bundle: Bundle, device: torch.device) -> Scored:
    system = SignatureSvm(bundle, device)
    cut = replace(system.cut, views=1)
    pair = {when: cut.cut(inputs_of(e), mask_of(e), np.random.default_rng(0)) for when, e in _exams().items()}
    table = system.table([pair], [RECORD])
    described = system._first(table)
    passes = [
        (network, signature_inputs.network_input(pair[when].arrays[crop_name(0, sequence)][None]).to(device))
        for when in TimePoint
        for sequence in Sequence
        for network in system._networks.get(signature_name(when, sequence), ())
    ]
    return Scored(
        score=lambda: system.assess(described, system.table([pair], [RECORD])),
        forward=lambda: [network(seen) for network, seen in passes],
        explain=lambda: system.explain(case(), pair, described, table),
        contribute=lambda: system.contributions(described, table),
        networks=len(passes),
    )


def _rp_net(bundle: Bundle, device: torch.device) -> Scored:
    system = RpNetResponse(bundle, device)
    cut = system.cut
    pair = {when: cut.cut(inputs_of(e), mask_of(e), np.random.default_rng(0)) for when, e in _exams().items()}
    table = system.table(system.read([pair]), [pair], [RECORD])
    stage = system._first(table)
    passes = [
        (network, [torch.from_numpy(cut.seen(pair[when], sequence)[None]).float().to(device) for when in TimePoint])
        for sequence, networks in system.networks.items()
        for network in networks
    ]
    return Scored(
        score=lambda: system.assess(stage, system.table(system.read([pair]), [pair], [RECORD])),
        forward=lambda: [network(*seen) for network, seen in passes],
        explain=lambda: system.explain(case(), pair, stage, table),
        contribute=lambda: system.contributions(stage, table),
        networks=len(passes),
    )


def _multi_rec_net(bundle: Bundle, device: torch.device) -> Scored:
    system = MultiRecSystem(bundle, device)
    baseline = _exams()[TimePoint.BASELINE]
    exam = MultiRecCut(system.rule).exam(inputs_of(baseline), mask_of(baseline), np.random.default_rng(0))
    codes = codes_of(RECORD)
    rule = system.matched(exam, codes)
    assert rule is not None  # the patient has everything
    patients = Patients([exam], [codes])

    def score() -> object:
        (values,) = system.covariates(rule, patients, system.said(rule.reading, patients))
        return system.risk(rule, values, (HORIZON,))

    networks = system.networks[rule.reading.variant]
    size = networks[0].size
    images, present = system._images(size, patients, rule.reading)
    columns = size.clinical.columns if size.clinical is not None else ()
    passes = []
    for network, scaler in zip(networks, system._scalers, strict=True):
        table = scaler.table([codes], columns) if columns else (None, None)
        given = (None if images is None else images.float(), present, *table)
        passes.append((network, [None if part is None else part.to(device) for part in given]))
    (values,) = system.covariates(rule, patients, system.said(rule.reading, patients))
    return Scored(
        score=score,
        forward=lambda: [network(*seen) for network, seen in passes],
        explain=lambda: system.explain(case(), patients, rule, values),
        contribute=lambda: system.contributions(rule, values, exam),
        networks=len(passes),
    )


def _dlrs(bundle: Bundle, device: torch.device) -> Scored:
    system = DlrsNomogram(bundle, device)
    baseline = _exams()[TimePoint.BASELINE]
    exam = dlrs_exam(inputs_of(baseline), mask_of(baseline), system.rule)
    (values,) = system.covariates([exam], [RECORD])
    rule = system.matched(values)
    assert rule is not None  # the patient has everything

    def score() -> object:
        (values,) = system.covariates([exam], [RECORD])
        return system.risk(rule, values, (HORIZON,))

    passes = [
        (network, dlrs_network.network_input(torch.from_numpy(exam.boxes[modality][None]).float()).to(device))
        for modality in Modality
        for network in system._networks[modality]
    ]
    return Scored(
        score=score,
        forward=lambda: [network(seen) for network, seen in passes],
        explain=lambda: system.explain(case(), exam),
        contribute=lambda: system.contributions(rule, values, exam),
        networks=len(passes),
    )


SUBJECTS: Mapping[str, Callable[[Bundle, torch.device], Scored]] = {
    "signature_svm": _signatures,
    "rp_net": _rp_net,
    "multi_rec_net": _multi_rec_net,
    "dlrs_nomogram": _dlrs,
}
