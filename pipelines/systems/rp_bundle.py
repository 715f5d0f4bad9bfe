"""What a bundle of system 2 holds, read back: fold networks, final stages, and which columns each stage sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pipelines.bundle import Bundle
from pipelines.packing import unpacked
from pipelines.systems.logistic import LogisticModel
from pipelines.systems.networks.rp_net import RpNet, RpNetSize
from pipelines.systems.rp_cut import RpCut
from pipelines.systems.rp_models import RpModel
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.tumour_field import FieldRule

NETWORKS, STAGES = "networks", "stages"


@dataclass(frozen=True)
class RpStage:
    """A model with its final stage and its thresholds: ``youden``, and the limits ``low`` and ``high`` with their
    ``coverage``."""

    model: RpModel
    stage: LogisticModel
    thresholds: Mapping[str, float]


def read_stages(bundle: Bundle) -> tuple[RpStage, ...]:
    """The final stages of a bundle, in its order."""
    manifest, stored = bundle.manifest, bundle.arrays(STAGES)
    found = []
    for key, said in manifest.network["models"].items():
        model = RpModel.from_json(said)
        own = {name.removeprefix(f"{key}."): array for name, array in stored.items() if name.startswith(f"{key}.")}
        found.append(RpStage(model, LogisticModel.read(model.names, own), manifest.thresholds[key]))
    return tuple(found)


def learnt_of(bundle: Bundle) -> dict[Sequence, tuple[str, ...]]:
    """The measured features that each sequence's networks read, in their order; empty where they read none."""
    return {Sequence(name): tuple(features) for name, features in bundle.manifest.network["learnt"].items()}


def read_networks(bundle: Bundle, device: torch.device) -> dict[Sequence, tuple[RpNet, ...]]:
    """The fold networks of each sequence that has any, in evaluation mode."""
    described, stored = bundle.manifest.network, unpacked(bundle.weights(NETWORKS))
    found = {}
    for sequence in Sequence:
        members = []
        for fold in range(int(described["folds"])):
            prefix = f"{sequence}.{fold}."
            own = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
            if own:
                network = RpNet(RpNetSize.from_json(described["sizes"][sequence]))
                network.load_state_dict(own)
                members.append(network.to(device).eval())
        if members:
            found[sequence] = tuple(members)
    return found


def cut_of(bundle: Bundle, views: int = 1) -> RpCut:
    """How exams are cut for a bundle; more ``views`` than one measure in disturbed masks, too, as training does."""
    said = bundle.manifest.preprocessing
    return RpCut(FieldRule.from_json(said["field"]), views, bool(said["foreground"]))
