"""A PACS stand-in for the demo and the tests: it sends folders by C-STORE, and keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt

from node.association import AS_SCU
from node.errors import SendError


def send_files(paths: Iterable[Path], host: str, port: int, called: str, calling: str) -> int:
    """C-STORE some files over one association, as a PACS that routes them; how many. Raises SendError."""
    datasets = [dcmread(path) for path in paths]
    ae = AE(ae_title=calling)
    for uid in sorted({str(dataset.SOPClassUID) for dataset in datasets}):
        ae.add_requested_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    try:
        association = ae.associate(host, port, ae_title=called, evt_handlers=list(AS_SCU))
    except OSError as error:
        raise SendError(f"no association with {called} at {host}:{port}: {error}", permanent=False) from error
    if not association.is_established:
        raise SendError(f"{called} at {host}:{port} does not accept an association from {calling}", permanent=False)
    try:
        for dataset in datasets:
            answer = association.send_c_store(dataset)
            if answer.get("Status") != 0x0000:
                raise SendError(f"{called} refused an object: {answer}", permanent=True)
    finally:
        association.release()
    return len(datasets)


@dataclass
class Archive:
    """A storage SCP that keeps each object as a file named by its SOP Instance UID.

    ``answer`` gives the C-STORE status, so that tests can have a destination that refuses.
    """

    folder: Path
    ae_title: str = "STANDIN"
    answer: Callable[[Dataset], int] = lambda _: 0x0000
    received: list[Dataset] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def open(self, port: int = 0, host: str = "127.0.0.1") -> int:
        """Listen; the port that it listens on."""
        ae = AE(ae_title=self.ae_title)
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(str(context.abstract_syntax), [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        ae.add_supported_context("1.2.840.10008.1.1")
        self.folder.mkdir(parents=True, exist_ok=True)
        server = ae.start_server((host, port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._keep)])
        if server is None or server.socket is None:
            raise RuntimeError("a server that does not block is always returned")
        self._entity = ae
        return int(server.socket.getsockname()[1])

    def close(self) -> None:
        self._entity.shutdown()

    def wait_for(self, count: int, seconds: float) -> bool:
        """Whether so many objects were kept within the time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.received) >= count, seconds)

    def _keep(self, event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        status = self.answer(dataset)
        if status == 0x0000:
            dataset.save_as(self.folder / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
            with self._arrived:
                self.received.append(dataset)
                self._arrived.notify_all()
        return status
