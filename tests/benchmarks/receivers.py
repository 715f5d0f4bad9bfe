"""C-STORE receivers to measure against each other, each a process of its own on a port and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.peers.orthanc import TITLE, running_orthanc
from tests.programs import program
from tests.running_node import NODE_TITLE, free_port, listens, running_node

PLAIN = """
import os, sys
from pathlib import Path
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pydicom.uid import ExplicitVRLittleEndian
_config.STORE_RECV_CHUNKED_DATASET = True
folder, port = Path(sys.argv[1]), int(sys.argv[2])
def store(event):
    os.replace(event.dataset_path, folder / f"{event.request.AffectedSOPInstanceUID}.dcm")
    return 0x0000
ae = AE("PLAIN")
for context in AllStoragePresentationContexts:
    ae.add_supported_context(context.abstract_syntax, ExplicitVRLittleEndian)
ae.maximum_pdu_size = 262144
ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])
"""
"""pynetdicom as its documentation has it for speed: chunk by chunk into a file, which is moved; nothing is flushed."""


# DCMTK answers in two writes, the second of which Nagle's algorithm would hold back for 40 ms: as at the sender.
os.environ["TCP_NODELAY"] = "1"


@contextmanager
def restage(folder: Path) -> Iterator[tuple[str, int]]:
    with running_node(folder, worker=False) as node:
        yield NODE_TITLE, node.port


@contextmanager
def restage_plain(folder: Path) -> Iterator[tuple[str, int]]:
    """With the transfer left to pynetdicom."""
    with running_node(folder, node="fast_ingest = false", worker=False) as node:
        yield NODE_TITLE, node.port


@contextmanager
def storescp(folder: Path) -> Iterator[tuple[str, int]]:
    folder.mkdir()
    port = free_port()
    command = [str(program("storescp", "dcmtk")), "--fork", "--output-directory", str(folder), str(port)]
    with _running(command, port):
        yield "STORESCP", port


@contextmanager
def orthanc(folder: Path) -> Iterator[tuple[str, int]]:
    with running_orthanc(folder) as archive:
        yield TITLE, archive.dicom_port


@contextmanager
def pynetdicom(folder: Path) -> Iterator[tuple[str, int]]:
    folder.mkdir()
    port = free_port()
    with _running([sys.executable, "-c", PLAIN, str(folder), str(port)], port):
        yield "PLAIN", port


RECEIVERS: Mapping[str, Callable[[Path], AbstractContextManager[tuple[str, int]]]] = {
    "restage": restage,
    "restage_plain": restage_plain,
    "storescp": storescp,
    "orthanc": orthanc,
    "pynetdicom": pynetdicom,
}


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not listens(port):
            assert process.poll() is None and time.monotonic() < deadline, f"{command[0]} did not start"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)
