"""A real node in processes of its own, for the tests that watch it from outside as a PACS and IT do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.app import opened
from node.config import load_config
from node.status import read_status

NODE_TITLE = "RESTAGE"
SENDER_TITLE = "SENDER"
QUICK_SCORING = '[scoring]\nbaseline_alone = false\nsystems = ["signature_svm", "dlrs_nomogram"]\n'
"""For what is not about scores: a system of response and one of prognosis, in a third of the time of all four."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether anybody does, on this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Destination:
    """A peer that receives results; ``more`` are further lines of its section."""

    name: str
    ae_title: str
    port: int
    more: str = ""


@dataclass
class RunningNode:
    """`restage serve` as a process, with its folder, port and log."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def restage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another verb of the command line against this node's configuration."""
        command = [sys.executable, "-m", "node", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def status(self) -> dict[str, Any]:
        done = self.restage("status", "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def wait_until(self, reached: Callable[[dict[str, Any]], object], seconds: float) -> dict[str, Any]:
        """The first status for which ``reached`` holds; fails with status and log where none comes in time.

        Read from the tables, as ``restage status`` does: a process for every look would take the node's time.
        """
        deadline = time.monotonic() + seconds
        with opened(load_config(self.config)) as (database, _):
            while True:
                status = dict(json.loads(json.dumps(read_status(database))))
                if reached(status):
                    return status
                if time.monotonic() > deadline:
                    said = json.dumps(status, indent=1)[-6000:]
                    raise AssertionError(f"not reached in {seconds} s:\n{said}\n{self.log[-4000:]}")
                time.sleep(0.25)

    @property
    def workers(self) -> list[int]:
        """The process IDs of its children. Each belongs to the thread that started it: the clock's, after the first."""
        lists = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for listed in lists for child in listed.read_text().split()]

    def kill(self) -> None:
        """It and its workers, as a power cut does to processes: no chance to say good-bye."""
        workers = self.workers
        self.process.kill()
        self.process.wait()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def images(status: Mapping[str, Any]) -> int:
    """How many images of all patients the settled series of a status have."""
    return sum(one["images"] for p in status["patients"] for e in p["exams"] for one in e["series"])


def write_config(
    folder: Path, port: int, destinations: Sequence[Destination] = (), extra: str = "", node: str = ""
) -> None:
    """A configuration with one sender, some receivers and a short quiet period; ``node``: more of its [node] section.

    A baseline that waits is not scored by itself, unless ``extra`` has a [scoring] of its own: most stories are pairs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    receivers = "\n".join(
        f'[[peer]]\nname = "{one.name}"\nae_title = "{one.ae_title}"\nhost = "127.0.0.1"\n'
        f"port = {one.port}\nreceives = true\n{one.more}\n"
        for one in destinations
    )
    scoring = "" if "[scoring]" in extra else "[scoring]\nbaseline_alone = false"
    text = f"""\
[node]
ae_title = "{NODE_TITLE}"
host = "127.0.0.1"
port = {port}
{node}
[[peer]]
name = "sender"
ae_title = "{SENDER_TITLE}"
host = "127.0.0.1"
port = 1
sends = true
{receivers}
[settle]
quiet_seconds = 3
{scoring}
{extra}
"""
    (folder / "config.toml").write_text(text)


@contextmanager
def running_node(
    folder: Path, destinations: Sequence[Destination] = (), extra: str = "", *, node: str = "", worker: bool = True
) -> Iterator[RunningNode]:
    """Configure and start a node; stop it, with its worker, at the end."""
    port = free_port()
    write_config(folder, port, destinations, extra, node)
    with started(folder, port, worker=worker) as running:
        yield running


@contextmanager
def started(folder: Path, port: int, *, worker: bool = True, under: Sequence[str] = ()) -> Iterator[RunningNode]:
    """Start a node on a folder that is configured already (again, after it was killed).

    ``under``: a command that runs it, and ends when it does.
    """
    command = [*under, sys.executable, "-m", "node", "serve", "--config", str(folder / "config.toml")]
    if not worker:
        command.append("--no-worker")
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    node = RunningNode(folder, port, process)
    try:
        _wait_for_port(node)
        yield node
    finally:
        if process.poll() is None:
            os.kill(_served_by(process.pid) if under else process.pid, signal.SIGTERM)
            process.wait(40)


def _served_by(pid: int) -> int:
    """The process that another one runs."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _wait_for_port(node: RunningNode) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and node.process.poll() is None:
        if listens(node.port):
            return
        time.sleep(0.05)
    raise AssertionError(f"the node did not start:\n{node.log[-4000:]}")
