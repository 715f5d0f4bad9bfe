"""System 1, response from paired exams (Zhang et al.): signatures of DenseNets, fused by a support vector machine.

One network per sequence and time point gives a signature, the probability of good response it reads from one slice;
the change (pre − post) of each joins them. Signatures are late-fused with features measured in the mask. A model
exists for each subset of sequences it was trained for; a missing sequence selects another model or refuses, it is
never replaced by an empty image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.contract import (
    Case,
    Code,
    Envelope,
    Exam,
    FloatArray,
    InputUnfit,
    Likelihood,
    MaskArray,
    ModelIdentity,
    ModelInputs,
    Score,
    TimePoint,
)
from pipelines.envelope import check_case, exam_facts
from pipelines.features import measured_features, pair_features
from pipelines.inputs.model_inputs import inputs_of
from pipelines.systems import signature_inputs
from pipelines.systems.final_stage import FittedStage
from pipelines.systems.signature_inputs import CHANNELS, CropRule, signature_input
from pipelines.systems.signature_network import SignatureSize, signature_network

INTERVAL = (0.05, 0.95)
SEQUENCE_WORDS = {
    signature_inputs.Sequence.T2: "axial T2",
    signature_inputs.Sequence.DWI: "diffusion-weighted images",
    signature_inputs.Sequence.CE_T1: "contrast-enhanced T1",
}


@dataclass(frozen=True)
class Variant:
    """One model of the bundle: its name, the sequences it needs at both time points, and its final stage's inputs."""

    name: str
    sequences: tuple[signature_inputs.Sequence, ...]
    features: tuple[str, ...]


@dataclass(frozen=True)
class ExamInputs:
    """What one exam contributes: a crop per sequence, features in its mask, facts for the envelope."""

    crops: Mapping[signature_inputs.Sequence, FloatArray]
    features: Mapping[str, float]
    facts: Mapping[str, float]


def signature_name(time_point: TimePoint, sequence: signature_inputs.Sequence) -> str:
    """``pre_t2``, ``post_dwi``, …, as the paper names them."""
    return f"{'pre' if time_point is TimePoint.BASELINE else 'post'}_{sequence}"


def with_changes(
    signatures: Mapping[str, NDArray[np.float64]], sequences: Sequence[signature_inputs.Sequence]
) -> dict[str, NDArray[np.float64]]:
    """Signatures of the sequences and their change, pre − post, by name."""
    chosen: dict[str, NDArray[np.float64]] = {}
    for sequence in sequences:
        pre, post = (signatures[signature_name(time_point, sequence)] for time_point in TimePoint)
        chosen |= {f"pre_{sequence}": pre, f"post_{sequence}": post, f"delta_{sequence}": pre - post}
    return chosen


class SignatureSvm:
    """Scores a pair of exams with masks with a trained bundle."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        m = bundle.manifest
        self._identity = bundle.identity
        self._outcome = m.outcome
        self._thresholds = m.thresholds
        self._envelope = m.envelope
        self._rule = CropRule.from_json(m.preprocessing["crop"])
        self._device = device
        self._variants = tuple(
            Variant(
                name, tuple(signature_inputs.Sequence(s) for s in described["sequences"]), tuple(described["features"])
            )
            for name, described in m.network["variants"].items()
        )
        self._stages = {
            variant.name: FittedStage.from_estimators(bundle.estimators(variant.name), {}) for variant in self._variants
        }
        self._networks = _networks(bundle, device)

    @property
    def model(self) -> ModelIdentity:
        return self._identity

    def score(self, case: Case) -> Score:
        """The probability of good response of a pair.

        Raises
        ------
        InputUnfit
            ``NO_BASELINE``, ``NO_RESTAGING``, ``NO_MASK``, ``NO_DIFFUSION`` or ``INPUTS_MISSING``, naming per exam
            what no model of the bundle can do without.
        """
        exams = _both(case)
        variant = self._variant(exams)
        inputs = {
            time_point: exam_inputs(inputs_of(exam), mask, variant.sequences, self._rule)
            for time_point, (exam, mask) in exams.items()
        }
        rows = self.final_inputs(variant, inputs)
        stage = self._stages[variant.name]
        probability = float(stage.stage.probability(rows).mean())
        refits = np.concatenate([refit.probability(rows) for refit in stage.refits])
        lower, upper = (float(value) for value in np.quantile(refits, INTERVAL))
        envelope = check_case(self._envelope, {time_point: given.facts for time_point, given in inputs.items()})
        limits = (min(lower, probability), max(upper, probability))
        return Score(
            model=replace(self._identity, name=f"{self._identity.name} {variant.name}"),
            outcome=self._outcome,
            probability=probability,
            lower=limits[0],
            upper=limits[1],
            interval=f"90 % of {len(refits)}: bootstrap refits of the final stage on each fold's networks",
            category=category(probability, limits, self._thresholds[variant.name], envelope),
            envelope=envelope,
            inputs=tuple(zip(variant.features, (float(value) for value in rows.mean(axis=0)), strict=True)),
        )

    def final_inputs(self, variant: Variant, inputs: Mapping[TimePoint, ExamInputs]) -> NDArray[np.float64]:
        """What the final stage sees, (folds, features): one row per set of fold networks."""
        signatures = {
            signature_name(time_point, sequence): self.signatures(
                signature_name(time_point, sequence), given.crops[sequence][None]
            )[:, 0]
            for time_point, given in inputs.items()
            for sequence in variant.sequences
        }
        measured = pair_features(inputs[TimePoint.BASELINE].features, inputs[TimePoint.RESTAGING].features)
        folds = len(next(iter(signatures.values())))
        named = {name: np.full(folds, value) for name, value in measured.items()}
        named |= with_changes(signatures, variant.sequences)
        missing = [name for name in variant.features if name not in named]
        if missing:
            reason = f"features {', '.join(missing)} cannot be measured: the b-values do not allow it"
            raise InputUnfit(Code.INPUTS_MISSING, reason)
        return np.stack([named[name] for name in variant.features], axis=1)

    def signatures(self, name: str, crops: FloatArray) -> NDArray[np.float64]:
        """Signatures (folds, cases) of crops (cases, channels, pixels, pixels), one row per fold's network."""
        batch = torch.from_numpy(np.ascontiguousarray(crops, dtype=np.float32)).to(self._device)
        with torch.inference_mode():
            rows = [torch.sigmoid(network(batch))[:, 0] for network in self._networks[name]]
        return torch.stack(rows).cpu().numpy().astype(np.float64)

    def _variant(self, exams: Mapping[TimePoint, tuple[Exam, MaskArray]]) -> Variant:
        """The first model, in the bundle's order, whose sequences both exams have."""
        lacking = {
            variant.name: [
                f"{time_point} exam: {SEQUENCE_WORDS[sequence]}"
                for time_point, (exam, _) in exams.items()
                for sequence in variant.sequences
                if not _has(exam, sequence)
            ]
            for variant in self._variants
        }
        for variant in self._variants:
            if not lacking[variant.name]:
                return variant
        words = "; ".join(f"model {name} lacks {', '.join(what)}" for name, what in lacking.items())
        raise InputUnfit(Code.INPUTS_MISSING, words)


def exam_inputs(
    inputs: ModelInputs, mask: MaskArray, sequences: Sequence[signature_inputs.Sequence], rule: CropRule
) -> ExamInputs:
    """What one exam with a mask on its T2 grid contributes to a score; raises InputUnfit as its parts do."""
    features = measured_features(inputs, mask)
    return ExamInputs(
        crops={sequence: signature_input(inputs, sequence, mask, rule) for sequence in sequences},
        features=features,
        facts=exam_facts(inputs, features),
    )


def category(
    probability: float, limits: tuple[float, float], thresholds: Mapping[str, float], envelope: Envelope
) -> Likelihood:
    """High, moderate or low by the thresholds of the training cohort.

    Uncertain where the interval reaches from low to high, or the case lies outside the envelope.
    """
    if not envelope.inside or (limits[0] < thresholds["low"] and limits[1] >= thresholds["high"]):
        return Likelihood.UNCERTAIN
    if probability >= thresholds["high"]:
        return Likelihood.HIGH
    return Likelihood.LOW if probability < thresholds["low"] else Likelihood.MODERATE


def _both(case: Case) -> dict[TimePoint, tuple[Exam, MaskArray]]:
    """Both exams with their masks."""
    if case.baseline is None:
        raise InputUnfit(Code.NO_BASELINE, "response needs the exam before therapy as well")
    if case.restaging is None:
        raise InputUnfit(Code.NO_RESTAGING, "response needs the exam after therapy as well")
    found = {}
    for time_point, exam in ((TimePoint.BASELINE, case.baseline), (TimePoint.RESTAGING, case.restaging)):
        if exam.mask is None or not exam.mask.array.any():
            raise InputUnfit(Code.NO_MASK, f"the {time_point} exam has no tumour mask")
        found[time_point] = (exam, exam.mask.array)
    return found


def _has(exam: Exam, sequence: signature_inputs.Sequence) -> bool:
    if sequence is signature_inputs.Sequence.DWI:
        return bool(exam.dwi)
    return sequence is signature_inputs.Sequence.T2 or exam.ce_t1 is not None


def _networks(bundle: Bundle, device: torch.device) -> dict[str, tuple[torch.nn.Module, ...]]:
    """The fold networks of each signature, in evaluation mode."""
    size = SignatureSize.from_json(bundle.manifest.network["size"])
    folds = int(bundle.manifest.network["folds"])
    stored = bundle.weights("networks")
    networks = {}
    for time_point in TimePoint:
        for sequence in signature_inputs.Sequence:
            name = signature_name(time_point, sequence)
            if not any(key.startswith(f"{name}.0.") for key in stored):
                continue
            members = []
            for fold in range(folds):
                network = signature_network(size, len(CHANNELS[sequence]))
                prefix = f"{name}.{fold}."
                network.load_state_dict(
                    {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
                )
                members.append(network.to(device).eval())
            networks[name] = tuple(members)
    return networks
