"""What scoring costs beside the bare forward passes of its networks: seconds per patient and peak memory.

Run: python -m tests.benchmarks.scoring [--bundles DIR] [--only SYSTEM ...] [--repeats N]; prints JSON last. Each of the
four systems as shipped and with networks of published size (randomly initialised, ``published_size.py``), tensors to
probability for one patient, on the CPU with one thread and, where there is one, on a GPU. Scoring and forward passes
take turns, so that a busy machine slows both: ``ratio`` and ``overhead_s`` are medians of paired runs. Scoring may take
20 % or 50 ms more than the forward passes (``met``). Explanations are timed apart, once. Memory: of the whole process,
at its highest during that part (Linux); on a GPU what torch held there.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from pipelines.bundle import load_bundle
from pipelines.models import PACKAGED
from tests.benchmarks.published_size import grown
from tests.benchmarks.scored import SUBJECTS, Scored, scored

MOST_SHARE, MOST_SECONDS = 0.20, 0.050
CPU, GPU = "cpu", "cuda"
SHIPPED, PUBLISHED = "as shipped", "published size"


@dataclass(frozen=True)
class Wanted:
    bundle: Path
    size: str
    device: str
    repeats: int


def measured(wanted: Wanted) -> dict[str, Any]:
    """The figures of one system, in a process of its own."""
    torch.set_num_threads(1)
    device = torch.device(wanted.device)
    with tempfile.TemporaryDirectory() as folder:
        bundle = load_bundle(wanted.bundle)
        if wanted.size == PUBLISHED:
            bundle = grown(bundle, Path(folder) / "bundle")
        subject = scored(bundle, device)
    with torch.inference_mode():
        figures = _paired(subject, wanted, device)
    figures["explanations_s"], figures["explanations_peak_mb"] = _once(subject.explain, device)
    figures["contributions_s"], _ = _once(subject.contribute, device)
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}


def _paired(subject: Scored, wanted: Wanted, device: torch.device) -> dict[str, Any]:
    _, forward_peak = _once(subject.forward, device)  # the first run warms up
    _, score_peak = _once(subject.score, device)
    forward, score = [], []
    for _ in range(wanted.repeats):
        forward.append(_seconds(subject.forward, device))
        score.append(_seconds(subject.score, device))
    pairs = list(zip(score, forward, strict=True))
    overhead = statistics.median(own - bare for own, bare in pairs)
    bare = statistics.median(forward)
    return {
        "networks": subject.networks,
        "forward_s": bare,
        "score_s": statistics.median(score),
        "ratio": statistics.median(own / plain for own, plain in pairs),
        "overhead_s": overhead,
        "met": overhead <= max(MOST_SHARE * bare, MOST_SECONDS),
        "forward_peak_mb": forward_peak,
        "score_peak_mb": score_peak,
    }


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == GPU:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _once(work: Callable[[], object], device: torch.device) -> tuple[float, float | None]:
    """Seconds, and MB at the highest; None where the system does not tell."""
    gc.collect()
    if device.type == GPU:
        torch.cuda.reset_peak_memory_stats()
        return _seconds(work, device), torch.cuda.max_memory_allocated() / 2**20
    own = Path("/proc/self")
    if not (own / "clear_refs").exists():
        return _seconds(work, device), None
    (own / "clear_refs").write_text("5")  # Linux forgets the highest so far
    taken = _seconds(work, device)
    lines = (own / "status").read_text().splitlines()
    return taken, next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=Path, default=PACKAGED)
    parser.add_argument("--only", nargs="*", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    for system in asked.only:
        if not (asked.bundles / system).is_dir():
            found[system] = "no bundle"
            continue
        for size in (SHIPPED, PUBLISHED):
            for device in (CPU, GPU) if torch.cuda.is_available() else (CPU,):
                wanted = Wanted(asked.bundles / system, size, device, asked.repeats)
                # spawn: memory that the one before held would count
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    figures = pool.submit(measured, wanted).result()
                found.setdefault(system, {}).setdefault(size, {})[device] = figures
                print(json.dumps({system: {size: {device: figures}}}), file=sys.stderr, flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
