"""What every training run is told, and the fixed random state it runs in.

What one system alone is told stands in that system's training module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

Progress = Callable[[str, int, int], None]
"""Called with what is going on (a few words), how much is done, and of how much."""


@dataclass(frozen=True)
class TrainingSettings:
    """What decides a bundle's content, besides the cohort and the system's own settings.

    ``workers`` prepare exams in parallel and change nothing in the result; ``threads`` may, so it is recorded.
    ``published``: networks of the paper's size in place of the small ones. ``paper_mode``: the paper's way of training
    where ours differs. ``imagenet``: a checkpoint to start from (:mod:`pipelines.training.imagenet`), for networks of
    published size; None: random initialisation.
    """

    seed: int = 1
    threads: int = 1
    workers: int = 1
    device: str = "cpu"
    paper_mode: bool = False
    imagenet: str | None = None
    published: bool = False
    version: str = "0.1.0"


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
