"""A real Orthanc on loopback, with a folder of its own."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import URLError

from pydicom import Dataset, dcmread

from tests.conftest import missing
from tests.programs import program
from tests.running_node import free_port

TITLE = "ORTHANC"
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")  # where Debian's orthanc-dicomweb puts it


@dataclass(frozen=True)
class Orthanc:
    """Its DICOM port and its REST interface."""

    dicom_port: int
    http_port: int

    def get(self, path: str) -> Any:
        return json.loads(self._read(path))

    def datasets(self) -> list[Dataset]:
        """Every instance it holds."""
        return [dcmread(BytesIO(content)) for content in self.files()]

    def files(self) -> list[bytes]:
        """Every instance, as the file that it gives back."""
        return [self._read(f"/instances/{one}/file") for one in self.get("/instances")]

    def store(self, paths: Iterable[Path]) -> None:
        """Put files into it over its REST interface."""
        for path in paths:
            request = urllib.request.Request(f"{self.address}/instances", path.read_bytes(), method="POST")
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer)["Status"] == "Success", path

    def send(self, modality: str) -> int:
        """C-STORE everything it holds to a modality of its settings; how many failed."""
        job = {"Resources": self.get("/instances"), "Synchronous": True}
        target = f"{self.address}/modalities/{modality}/store"
        request = urllib.request.Request(target, json.dumps(job).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(json.load(answer)["FailedInstancesCount"])

    def forget(self, sop_uid: str) -> None:
        """Delete one object, as a person does who cleans up."""
        for one in self.get("/instances"):
            if self.get(f"/instances/{one}/simplified-tags")["SOPInstanceUID"] == sop_uid:
                self._delete(f"/instances/{one}")

    def know(self, ae_title: str, port: int) -> None:
        """Register an application entity of this machine, which Orthanc may then call."""
        body = json.dumps({"AET": ae_title, "Host": "127.0.0.1", "Port": port}).encode()
        request = urllib.request.Request(f"{self.address}/modalities/{ae_title.lower()}", body, method="PUT")
        with urllib.request.urlopen(request, timeout=30):
            pass

    def forget_modality(self, title: str) -> None:
        """Take back :meth:`know`."""
        if title.lower() in self.get("/modalities"):
            self._delete(f"/modalities/{title.lower()}")

    def clear(self) -> None:
        """Delete everything."""
        for one in self.get("/patients"):
            self._delete(f"/patients/{one}")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def wait_for(self, count: int, seconds: float) -> float:
        """How long it took until so many instances were there; fails after ``seconds``."""
        started = time.monotonic()
        while (found := self.get("/statistics")["CountInstances"]) < count:
            assert time.monotonic() - started < seconds, f"{found} of {count} instances after {seconds} s"
            time.sleep(0.5)
        return time.monotonic() - started

    def _delete(self, path: str) -> None:
        with urllib.request.urlopen(urllib.request.Request(f"{self.address}{path}", method="DELETE"), timeout=30):
            pass

    def _read(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def running_orthanc(
    folder: Path, *, dicomweb: bool = False, more: Mapping[str, Any] | None = None
) -> Iterator[Orthanc]:
    """Start Orthanc, with DICOMweb under /dicom-web/ or without; skip, or in CI fail, where it is not installed.

    ``more``: further settings.
    """
    executable = program("Orthanc", "orthanc")
    if dicomweb and not DICOMWEB.exists():
        missing(f"{DICOMWEB} is not installed (Debian package orthanc-dicomweb)")
    orthanc = Orthanc(free_port(), free_port())
    folder.mkdir(parents=True)
    settings = {
        "Name": "test archive",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": TITLE,
        "DicomPort": orthanc.dicom_port,
        "HttpPort": orthanc.http_port,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(DICOMWEB)] if dicomweb else [],
        **(more or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen([str(executable), str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        _wait_until_up(orthanc)
        yield orthanc
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_up(orthanc: Orthanc) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            orthanc.get("/system")
            return
        except (URLError, ConnectionError):
            assert time.monotonic() < deadline, "Orthanc did not start"
            time.sleep(0.2)
