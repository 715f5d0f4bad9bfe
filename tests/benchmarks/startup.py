"""How long `restage serve` takes until it answers C-ECHO. Run: python -m tests.benchmarks.startup; prints JSON last."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pynetdicom import AE

from node.association import AS_SCU
from tests.running_node import NODE_TITLE, SENDER_TITLE, free_port, write_config

RUNS = 5


def echo(port: int) -> bool:
    ae = AE(ae_title=SENDER_TITLE)
    ae.add_requested_context("1.2.840.10008.1.1")
    association = ae.associate("127.0.0.1", port, ae_title=NODE_TITLE, evt_handlers=list(AS_SCU))
    if not association.is_established:
        return False
    status = association.send_c_echo().get("Status")
    association.release()
    return bool(status == 0x0000)


def seconds_to_echo(folder: Path) -> float:
    port = free_port()
    write_config(folder, port)
    command = [sys.executable, "-m", "node", "serve", "--no-worker", "--config", str(folder / "config.toml")]
    started = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not echo(port):
            time.sleep(0.02)
        return time.monotonic() - started
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        times = [seconds_to_echo(Path(folder) / str(run)) for run in range(RUNS)]
    figures = {"runs": RUNS, "median_s": statistics.median(times), "min_s": min(times), "max_s": max(times)}
    print(json.dumps({key: round(value, 2) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
