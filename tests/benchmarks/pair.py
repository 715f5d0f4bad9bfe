"""From the last image of a synthetic pair to its last result at the destination, the worker's memory beside it.

Run: python -m tests.benchmarks.pair; prints JSON last. The quiet period (3 s here) is part of the figure.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from node.standin import Archive, send_files
from pipelines.phantom.cohort import write_patient
from tests.running_node import NODE_TITLE, SENDER_TITLE, Destination, RunningNode, running_node

PAIRS = 3
OBJECTS = 4


def peak_mb(pid: int) -> float:
    """Peak resident memory of a running process (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure(node: RunningNode, archive: Archive, folder: Path, index: int) -> float:
    row = write_patient(folder, 4711, index)
    for exam in (row.baseline, row.restaging):
        paths = sorted((folder / exam).glob("*.dcm"))
        send_files(paths, "127.0.0.1", node.port, called=NODE_TITLE, calling=SENDER_TITLE)
    started = time.monotonic()
    assert archive.wait_for(OBJECTS * (index + 1), 240)
    return time.monotonic() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = Archive(folder / "archive", "ARCHIVE")
        destination = Destination("archive", "ARCHIVE", archive.open())
        with running_node(folder / "node", [destination], "[results]\nphantom_scores = true") as node:
            seconds = [measure(node, archive, folder, index) for index in range(PAIRS)]
            memory = {"listener_peak_mb": peak_mb(node.process.pid), "worker_peak_mb": peak_mb(node.workers[0])}
        archive.close()
    first, *later = seconds
    figures = {"first_pair_s": first, "later_pairs_s": sum(later) / len(later), **memory}
    print(json.dumps({key: round(value, 1) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
