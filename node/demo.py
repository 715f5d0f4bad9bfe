"""`restage demo`: a whole node on this machine, synthetic patients, and this process as the PACS it works for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib.image import imsave
from pydicom import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
)
from rich.console import Console

from dicom_templates.text import report_text
from node.demo_patients import PATIENTS, SEED, DemoPatient, truth_lines, write_clinical_table
from node.errors import RestageError
from node.standin import Archive, send_files
from pipelines.contract import TimePoint
from pipelines.phantom.cohort import PatientRow, write_patient

RESULTS = 5  # of each patient: a SEG per exam, the report, the summary page and its PDF
PACS_TITLE = "DEMOPACS"
NODE_TITLE = "RESTAGE"
START_SECONDS = 30
RESULT_SECONDS = 240


class DemoFailed(RestageError):
    """The demo did not end as it should; the text says where to look."""


@dataclass(frozen=True)
class Ports:
    node: int
    pacs: int


def demo(out: Path, console: Console) -> None:
    """Run the demo; leaves ``results/*.dcm``, ``report.txt``, and each patient's page as PNG and PDF in ``out``.

    Raises DemoFailed.
    """
    _make_anew(out)
    console.print(f"[bold]1[/] drawing {len(PATIENTS)} synthetic patients of seed {SEED}, which training never saw")
    truths = {one: write_patient(out / "patients", SEED, one.index) for one in PATIENTS}
    write_clinical_table(out / "clinical.csv", list(truths.values()))
    archive = Archive(out / "results", PACS_TITLE)
    ports = Ports(node=_free_port(), pacs=archive.open())
    try:
        config = _configured(out, ports)
        _run("clinical", "import", str(out / "clinical.csv"), "--config", str(config))
        console.print("[bold]2[/] imported what the hospital knows of them: therapy, stages, markers (clinical.csv)")
        with _node(config) as process:
            console.print(f"[bold]3[/] node {NODE_TITLE} listens on port {ports.node}")
            _wait_for_listener(process, ports.node)
            for truth in truths.values():
                _send(out / "patients", truth, ports.node, console)
            wanted = RESULTS * len(truths)
            console.print(f"[bold]5[/] waiting for {wanted} results to come back by C-STORE")
            started = time.monotonic()
            _wait_for_results(process, archive, wanted)
            console.print(f"  they came after {time.monotonic() - started:.0f} s")
    finally:
        archive.close()
    _leave(out, archive.received, truths, console)


def _leave(out: Path, received: list[Dataset], truths: Mapping[DemoPatient, PatientRow], console: Console) -> None:
    """What a person reads without a viewer: all reports in one text, and each patient's page."""
    texts = []
    for shown, truth in truths.items():
        own = [dataset for dataset in received if truth.patient_id == dataset.PatientID]
        texts.append("\n".join([f"{shown.name}: {shown.shows}", _report(own), *truth_lines(truth), ""]))
        _write_summary(own, out / f"summary-{shown.name}")
    report = "\n\n".join(texts)
    (out / "report.txt").write_text(report, encoding="utf-8")
    console.print(report, markup=False, highlight=False, soft_wrap=True)
    pages = ", ".join(f"summary-{shown.name}.png and .pdf" for shown in truths)
    console.print(f"left in {out}: results/*.dcm, report.txt, {pages}", markup=False)


def _make_anew(out: Path) -> None:
    """Empty the folders that an earlier run made, and nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("patients", "results", "node"):
        shutil.rmtree(out / name, ignore_errors=True)
    for path in (out / "report.txt", out / "clinical.csv", *out.glob("summary-*.png"), *out.glob("summary-*.pdf")):
        path.unlink(missing_ok=True)


def _configured(out: Path, ports: Ports) -> Path:
    folder = out / "node"
    folder.mkdir()
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(ports=ports, node=NODE_TITLE, pacs=PACS_TITLE), encoding="utf-8")
    return config


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "node", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"restage {' '.join(arguments)} failed: {done.stdout}{done.stderr}")


@contextmanager
def _node(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`restage serve` as a process of its own, its log beside its configuration."""
    with (config.parent / "log.txt").open("wb") as log:
        command = [sys.executable, "-m", "node", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


_CONFIG = """\
[node]
ae_title = "{node}"
host = "127.0.0.1"
port = {ports.node}

[[peer]]
name = "demo PACS"
ae_title = "{pacs}"
host = "127.0.0.1"
port = {ports.pacs}
sends = true
receives = true
[peer.profile]
objects = ["report", "seg", "summary", "pdf"]

[settle]
quiet_seconds = 3

[results]
phantom_scores = true  # the patient is synthetic, and so is what the models were trained on
"""


def _send(folder: Path, truth: PatientRow, port: int, console: Console) -> None:
    for time_point, name in ((TimePoint.BASELINE, truth.baseline), (TimePoint.RESTAGING, truth.restaging)):
        paths = sorted((folder / name).glob("*.dcm"))
        send_files(paths, "127.0.0.1", port, called=NODE_TITLE, calling=PACS_TITLE)
        console.print(f"[bold]4[/] sent the {time_point} exam of {truth.name}: {len(paths)} images by C-STORE")


def _wait_for_listener(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise DemoFailed("the node did not start; its log is in node/log.txt")


def _wait_for_results(process: subprocess.Popen[bytes], archive: Archive, wanted: int) -> None:
    deadline = time.monotonic() + RESULT_SECONDS
    while not archive.wait_for(wanted, 1.0):
        if process.poll() is not None:
            raise DemoFailed("the node ended early; its log is in node/log.txt")
        if time.monotonic() > deadline:
            got = len(archive.received)
            raise DemoFailed(f"{got} of {wanted} results after {RESULT_SECONDS} s; the node's log is in node/log.txt")


def _report(received: list[Dataset]) -> str:
    structured = (ComprehensiveSRStorage, Comprehensive3DSRStorage)
    return report_text(next(dataset for dataset in received if dataset.SOPClassUID in structured))


def _write_summary(received: list[Dataset], path: Path) -> None:
    """The page as a picture and as a PDF, for people without a viewer at hand."""
    by_class = {dataset.SOPClassUID: dataset for dataset in received}
    imsave(path.with_suffix(".png"), by_class[SecondaryCaptureImageStorage].pixel_array)
    path.with_suffix(".pdf").write_bytes(by_class[EncapsulatedPDFStorage].EncapsulatedDocument)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
