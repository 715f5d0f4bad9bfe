"""A bundle with networks of published size in place of its own, randomly initialised: as slow as trained ones would be.

Everything else (final stages, thresholds, envelope) is the given bundle's, and the way through ``save_bundle`` and
``load_bundle`` is that of every bundle. As in the papers there is one network where a small bundle has one per fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pipelines.bundle import Bundle, Weights, save_bundle
from pipelines.contract import TimePoint
from pipelines.systems.dlrs_inputs import PUBLISHED as PUBLISHED_BOX
from pipelines.systems.dlrs_inputs import Modality
from pipelines.systems.dlrs_network import DlrsSize, dlrs_network
from pipelines.systems.networks.densenet import PUBLISHED as DENSENET121
from pipelines.systems.networks.densenet import densenet
from pipelines.systems.networks.multi_rec_net import PUBLISHED as MULTI_REC_NET
from pipelines.systems.networks.multi_rec_net import MultiRecNet, MultiRecNetSize, Variant
from pipelines.systems.networks.resnet import PUBLISHED as RESNET18
from pipelines.systems.networks.rp_net import PUBLISHED as RP_NET
from pipelines.systems.networks.rp_net import RpNet
from pipelines.systems.signature_bundle import COLOURS
from pipelines.systems.signature_inputs import CropRule, Sequence
from pipelines.systems.signature_models import signature_name
from pipelines.systems.tumour_field import FieldRule
from pipelines.training.multi_rec_settings import PUBLISHED_FIELD

Changes = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, torch.nn.Module]]
"""Of the manifest's network and preprocessing, and the networks by the prefix of their tensors."""


def grown(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle of published size, written to ``folder``."""
    torch.manual_seed(0)
    manifest = bundle.manifest
    network, preprocessing, networks = GROW[manifest.system](bundle)
    weights = {
        f"{prefix}.0.{key}": value.half() if value.is_floating_point() else value
        for prefix, one in networks.items()
        for key, value in one.state_dict().items()
    }
    others = {name.removesuffix(".safetensors") for name in manifest.files} - {"networks"}
    kept: dict[str, Weights] = {
        name: {key: torch.from_numpy(array) for key, array in bundle.arrays(name).items()} for name in sorted(others)
    }
    changed = replace(
        manifest,
        network={**manifest.network, **network},
        preprocessing={**manifest.preprocessing, **preprocessing},
    )
    return save_bundle(folder, changed, {"networks": weights, **kept})


def _signatures(bundle: Bundle) -> Changes:
    """Six DenseNet121 on whole slices of 256×256."""
    names = [signature_name(when, sequence) for when in TimePoint for sequence in Sequence]
    networks = {name: densenet(DENSENET121, COLOURS) for name in names}
    crop = CropRule(pixels=256, whole=True)
    return {"size": DENSENET121.as_json(), "folds": 1}, {"crop": crop.as_json()}, networks


def _rp_net(bundle: Bundle) -> Changes:
    """One RP-Net per sequence on 16×64×64 voxels of the foreground, which reads the features that the stages see."""
    own = bundle.manifest.network["sizes"]
    sizes = {str(sequence): replace(RP_NET, reads=own[sequence]["reads"]) for sequence in Sequence}
    networks = {name: RpNet(size) for name, size in sizes.items()}
    rule = FieldRule(pixels=64)
    return (
        {"sizes": {name: size.as_json() for name, size in sizes.items()}, "folds": 1},
        {"field": rule.as_json(), "foreground": True},
        networks,
    )


def _multi_rec_net(bundle: Bundle) -> Changes:
    """The networks of ``All`` on 128×128×16 voxels, with the columns of the bundle's table."""
    described = bundle.manifest.network
    name = str(Variant.ALL)
    own = MultiRecNetSize.from_json(described["sizes"][name]).clinical
    assert own is not None  # All reads a table
    size = Variant.ALL.of(MULTI_REC_NET, own.columns)
    models = {key: said for key, said in described["models"].items() if said["variant"] == name}
    changes = {
        "sizes": {name: size.as_json()},
        "folds": 1,
        "scalers": described["scalers"][:1],
        "centres": {key: list(values)[:1] for key, values in described["centres"].items()},
        "models": models,
        "scoring": [key for key in described["scoring"] if key in models],
    }
    return changes, {"field": PUBLISHED_FIELD.as_json()}, {name: MultiRecNet(size)}


def _dlrs(bundle: Bundle) -> Changes:
    """A ResNet18 per modality on stacks of 20 slices of 112×112."""
    size = DlrsSize(RESNET18)
    networks = {str(modality): dlrs_network(size, PUBLISHED_BOX.slices, 1) for modality in Modality}
    sizes = {str(modality): size.as_json() for modality in Modality}
    return {"sizes": sizes, "folds": 1, "baselines": {}}, {"box": PUBLISHED_BOX.as_json()}, networks


GROW: Mapping[str, Callable[[Bundle], Changes]] = {
    "signature_svm": _signatures,
    "rp_net": _rp_net,
    "multi_rec_net": _multi_rec_net,
    "dlrs_nomogram": _dlrs,
}
