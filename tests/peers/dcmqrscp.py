"""DCMTK's archive on loopback, with a folder of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.programs import program


@contextmanager
def running_dcmqrscp(
    folder: Path, port: int, *, get: bool = True, destinations: Mapping[str, int] | None = None
) -> Iterator[None]:
    """Start it; without C-GET where a test wants. ``destinations``: AE titles that it may send to, with their ports."""
    (folder / "archive").mkdir()
    hosts = "\n".join(f"{title} = ({title}, localhost, {at})" for title, at in (destinations or {}).items())
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\n{hosts}\nHostTable END\n"
        f"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\nDCMQRSCP {folder / 'archive'} RW (200, 1024mb) ANY\n"
        "AETable END\n"
    )
    command = [str(program("dcmqrscp", "dcmtk")), "-c", str(folder / "dcmqrscp.cfg")]
    process = subprocess.Popen([*command, *([] if get else ["--disable-get"])])
    try:
        _wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "dcmqrscp did not start"
            time.sleep(0.1)
