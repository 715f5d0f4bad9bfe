"""`restage demo`: a whole node on this machine, a synthetic patient, and this process as the PACS it works for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
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
from node.errors import RestageError
from node.standin import Archive, send_files
from pipelines.contract import TimePoint
from pipelines.phantom.cohort import PatientRow, write_patient

SEED = 424_242  # no shipped bundle was trained on this seed: its manifest names the cohort's
PATIENT = 0
RESULTS = 5  # a SEG per exam, the report, the summary page and its PDF
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
    """Run the demo; leaves ``results/*.dcm``, ``report.txt``, ``summary.png`` and ``.pdf`` in ``out``.

    Raises DemoFailed.
    """
    _make_anew(out)
    console.print(f"[bold]1[/] drawing synthetic patient {PATIENT} of seed {SEED}, which training never saw")
    truth = write_patient(out / "patient", SEED, PATIENT)
    archive = Archive(out / "results", PACS_TITLE)
    ports = Ports(node=_free_port(), pacs=archive.open())
    try:
        with _node(out, ports) as process:
            console.print(f"[bold]2[/] node {NODE_TITLE} listens on port {ports.node}")
            _wait_for_listener(process, ports.node)
            _send(out / "patient", truth, ports.node, console)
            console.print(f"[bold]4[/] waiting for {RESULTS} results to come back by C-STORE")
            started = time.monotonic()
            _wait_for_results(process, archive)
            console.print(f"  they came after {time.monotonic() - started:.0f} s")
    finally:
        archive.close()
    report = _report(archive.received, truth)
    (out / "report.txt").write_text(report, encoding="utf-8")
    _write_summary(archive.received, out)
    console.print(report, markup=False, highlight=False, soft_wrap=True)
    console.print(f"left in {out}: results/*.dcm, report.txt, summary.png, summary.pdf", markup=False)


def _make_anew(out: Path) -> None:
    """Empty the folders that an earlier run made, and nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("patient", "results", "node"):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("report.txt", "summary.png", "summary.pdf"):
        (out / name).unlink(missing_ok=True)


@contextmanager
def _node(out: Path, ports: Ports) -> Iterator[subprocess.Popen[bytes]]:
    """`restage serve` as a process of its own, its log in ``node/log.txt``."""
    folder = out / "node"
    folder.mkdir()
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(ports=ports, node=NODE_TITLE, pacs=PACS_TITLE), encoding="utf-8")
    with (folder / "log.txt").open("wb") as log:
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
        console.print(f"[bold]3[/] sent the {time_point} exam: {len(paths)} images by C-STORE")


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


def _wait_for_results(process: subprocess.Popen[bytes], archive: Archive) -> None:
    deadline = time.monotonic() + RESULT_SECONDS
    while not archive.wait_for(RESULTS, 1.0):
        if process.poll() is not None:
            raise DemoFailed("the node ended early; its log is in node/log.txt")
        if time.monotonic() > deadline:
            got = len(archive.received)
            raise DemoFailed(f"{got} of {RESULTS} results after {RESULT_SECONDS} s; the node's log is in node/log.txt")


def _report(received: list[Dataset], truth: PatientRow) -> str:
    structured = (ComprehensiveSRStorage, Comprehensive3DSRStorage)
    report = next(dataset for dataset in received if dataset.SOPClassUID in structured)
    outcome = "good response" if truth.good_response else "poor response"
    lines = (
        "THE TRUTH (known, because this patient is synthetic)",
        f"  outcome                  {outcome} ({truth.trg_ajcc})",
        f"  true probability of good response  {100 * truth.p_good_response:.0f} %",
        f"  tumour volume            {truth.mask_volume_baseline_cm3:.1f} cm³ before,"
        f" {truth.mask_volume_restaging_cm3:.1f} cm³ after",
        f"  mean ADC                 {1000 * truth.adc_b500up_baseline:.0f} before,"
        f" {1000 * truth.adc_b500up_restaging:.0f} after (10⁻⁶ mm²/s, noise-free fit over b ≥ 150)",
    )
    return report_text(report) + "\n\n" + "\n".join(lines) + "\n"


def _write_summary(received: list[Dataset], out: Path) -> None:
    """The page as a picture and as a PDF, for people without a viewer at hand."""
    by_class = {dataset.SOPClassUID: dataset for dataset in received}
    imsave(out / "summary.png", by_class[SecondaryCaptureImageStorage].pixel_array)
    (out / "summary.pdf").write_bytes(by_class[EncapsulatedPDFStorage].EncapsulatedDocument)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
