"""What a training run is told, and the fixed random state it runs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from pipelines.segment import SegmenterSize
from pipelines.systems.signature_inputs import CropRule
from pipelines.systems.signature_network import SMALL, SignatureSize

Progress = Callable[[str, int, int], None]
"""Called with what is going on (a few words), how much is done, and of how much."""


@dataclass(frozen=True)
class SegmenterSettings:
    """``patch`` in voxels (slices, rows, columns); ``held_out``: one in so many patients measures, never trains."""

    size: SegmenterSize = field(default_factory=SegmenterSize)
    steps: int = 1000
    batch: int = 1
    patch: tuple[int, int, int] = (16, 96, 96)
    learning_rate: float = 3e-3
    held_out: int = 8


@dataclass(frozen=True)
class SignatureSettings:
    """``folds``: patient folds for out-of-fold signatures; ``refits``: bootstrap refits of the final stage.

    ``views``: through how many masks training sees each tumour, the one drawn and disturbed ones.
    """

    size: SignatureSize = SMALL
    rule: CropRule = field(default_factory=CropRule)
    folds: int = 5
    epochs: int = 32
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    refits: int = 16
    views: int = 3


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides a bundle's content, besides the cohort.

    ``workers`` prepare exams in parallel and change nothing in the result; ``threads`` may, so it is recorded.
    """

    seed: int = 1
    threads: int = 1
    workers: int = 1
    device: str = "cpu"
    version: str = "0.1.0"
    segmenter: SegmenterSettings = field(default_factory=SegmenterSettings)
    signature: SignatureSettings = field(default_factory=SignatureSettings)


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@contextmanager
def fixed_random_state(seed: int, threads: int) -> Iterator[None]:
    """Torch seeded and on a fixed number of threads; what was set before is put back afterwards."""
    before, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            torch.use_deterministic_algorithms(deterministic)
