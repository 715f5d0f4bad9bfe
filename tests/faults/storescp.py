"""DCMTK's storescp, with TLS or without: an archive that is not ours."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.certificates import Pair
from tests.programs import program

TITLE = "ARCHIVE"


def trusting(own: Pair, authority: Path) -> list[str]:
    """Its options for TLS: what it presents, and whom it believes."""
    return ["+tls", str(own.key), str(own.certificate), "+cf", str(authority)]


@contextmanager
def storescp(port: int, options: Sequence[str], folder: Path) -> Iterator[Path]:
    """It listens when this returns; the folder is where it keeps what it is sent."""
    folder.mkdir(exist_ok=True)
    command = [str(program("storescp", "dcmtk")), *options, "-aet", TITLE, "-od", str(folder), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield folder
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("storescp did not start")
