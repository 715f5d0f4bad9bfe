"""Weights learnt on ImageNet, from a file on this machine in torchvision's naming.

Nothing is downloaded. torchvision publishes the first eight hexadecimal digits of a file's SHA-256 in its name
(``resnet18-f37072fd.pth``, ``densenet121-a639ec97.pth``); a file of another name is given with its digest. The last
layer, made for 1000 classes of photographs, is left out, and so stays as it was initialised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines.inputs.cache import file_digest

RANDOM = "random initialisation"
SHORTEST_DIGEST = 8
_IN_NAME = re.compile(r"-([0-9a-f]{8})\.pth$")
_HEAD = re.compile(r"(fc|class_layers)\.")
# DenseNet's files are older than the names of its layers: norm.1 became norm1.
_OLD_LAYER = re.compile(r"(\.denselayer\d+)\.(norm|conv)\.(\d)\.")
# The one error of pickle's that torch raises by that name; pickle itself is imported nowhere here.
_Unpickling: type[Exception] = torch.serialization.pickle.UnpicklingError  # type: ignore[attr-defined]  # torch's own


class ImageNetError(ValueError):
    """A checkpoint cannot be used. Names the file and what is wrong with it."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file}: {problem}")


@dataclass(frozen=True)
class Checkpoint:
    """A verified file. ``tensors`` by torchvision's present names."""

    file: Path
    digest: str
    tensors: Mapping[str, torch.Tensor]

    @property
    def words(self) -> str:
        """How a bundle records where its networks began."""
        return f"ImageNet {self.digest}"


def words_of(checkpoint: Checkpoint | None) -> str:
    """How a bundle records where its networks began, with a checkpoint or without."""
    return checkpoint.words if checkpoint is not None else RANDOM


def read_checkpoint(given: str) -> Checkpoint:
    """Read ``FILE``, whose name holds its digest as torchvision's do, or ``FILE:SHA256`` (eight digits or more).

    Raises
    ------
    ImageNetError
        Where the file is absent, its digest is not known or another one, or it holds anything but tensors.
    """
    file, expected = _file_and_digest(given)
    if not file.is_file():
        raise ImageNetError(file, "does not exist")
    found = file_digest(file)
    if not found.startswith(expected):
        raise ImageNetError(file, f"has SHA-256 {found[:12]}…, {expected}… was expected; get the file again")
    try:
        stored = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, LookupError, _Unpickling) as bad:
        raise ImageNetError(file, f"is no checkpoint of weights alone ({str(bad).splitlines()[0]})") from bad
    return Checkpoint(file, found, _tensors(file, stored))


def _file_and_digest(given: str) -> tuple[Path, str]:
    path, colon, digest = given.rpartition(":")
    if colon and re.fullmatch(f"[0-9a-fA-F]{{{SHORTEST_DIGEST},64}}", digest):
        return Path(path), digest.lower()
    if named := _IN_NAME.search(given):
        return Path(given), named[1]
    problem = (
        "its digest is not known; give FILE:SHA256, or keep the name that torchvision gives (resnet18-f37072fd.pth)"
    )
    raise ImageNetError(Path(given), problem)


def _tensors(file: Path, stored: Any) -> dict[str, torch.Tensor]:
    if not isinstance(stored, Mapping) or not all(isinstance(value, torch.Tensor) for value in stored.values()):
        raise ImageNetError(file, "does not hold named tensors alone")
    return {_OLD_LAYER.sub(r"\1.\2\3.", str(name)): value for name, value in stored.items()}


def load_imagenet(network: torch.nn.Module, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's weights into a ResNet18 or DenseNet121 of published size with three input channels.

    ``network``: of :mod:`pipelines.systems.networks`. The last layer stays as it was initialised.

    Raises
    ------
    ImageNetError
        Naming each weight that is missing, left over or of another shape.
    """
    own = {name: value for name, value in network.state_dict().items() if not _HEAD.match(name)}
    given = {_monai_name(name): value for name, value in checkpoint.tensors.items()}
    given = {name: value for name, value in given.items() if not _HEAD.match(name)}
    # Files of 2017 do not count batches, and the count decides nothing.
    counts = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    given = counts | given
    problems = [f"lacks {name}" for name in own if name not in given]
    problems += [f"has {name} too much" for name in given if name not in own]
    problems += [
        f"{name} is {list(given[name].shape)}, the network's {list(value.shape)}"
        for name, value in own.items()
        if name in given and given[name].shape != value.shape
    ]
    if problems:
        shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        hint = "ImageNet weights fit the published size with three input channels alone (--published)"
        raise ImageNetError(checkpoint.file, f"does not fit the network: {shown}. {hint}")
    network.load_state_dict(given, strict=False)


def _monai_name(name: str) -> str:
    """MONAI's name of a weight: DenseNet's layers lie one deeper, ResNet's are the same."""
    if name.startswith("classifier."):
        return name.replace("classifier.", "class_layers.out.")
    return re.sub(r"(\.denselayer\d+)\.", r"\1.layers.", name)
