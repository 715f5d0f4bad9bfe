"""The main job on real input: two real pelvic studies in by storescu, results out to a real Orthanc."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, SegmentationStorage

from tests.peers.orthanc import TITLE, Orthanc, running_orthanc
from tests.peers.scored import ScoredPair
from tests.programs import program
from tests.real_pair import RealExam, RealPair, write_real_pair
from tests.running_node import NODE_TITLE, SENDER_TITLE, Destination, RunningNode, running_node

QUIET_SECONDS = 3
ALLOWED_SECONDS = QUIET_SECONDS + 120


@dataclass(frozen=True)
class Outcome:
    """What one run left in the archive, and how long after the last image it was there."""

    pair: RealPair
    scored: ScoredPair
    datasets: tuple[Dataset, ...]
    seconds: float
    count_by_orthanc: int

    def of(self, sop_class: str) -> list[Dataset]:
        return [dataset for dataset in self.datasets if dataset.SOPClassUID == sop_class]

    @property
    def report(self) -> Dataset:
        (report,) = self.of(Comprehensive3DSRStorage)
        return report

    def seg_of(self, exam: RealExam) -> Dataset:
        (seg,) = (seg for seg in self.of(SegmentationStorage) if seg.StudyInstanceUID == exam.study_uid)
        return seg


def run(folder: Path, shared_data: Path, extra: str, *, masks: bool) -> Outcome:
    """The job once, with the readers' masks or without; ``extra``: more lines of the node's configuration."""
    pair = write_real_pair(shared_data, folder / "studies")
    with running_orthanc(folder / "orthanc") as orthanc:
        archive = Destination("archive", TITLE, orthanc.dicom_port)
        with running_node(folder / "node", [archive], extra) as node:
            for exam in pair.exams:
                storescu(node, exam.folder, *([exam.seg] if masks else []))
            started = time.monotonic()
            node.wait_until(_everything_sent, ALLOWED_SECONDS)
            seconds = time.monotonic() - started
            results = _kept(orthanc, node, folder / "results")
            scored = ScoredPair(pair.baseline.folder, pair.restaging.folder, results)
            count = orthanc.get("/statistics")["CountInstances"]
            return Outcome(pair, scored, tuple(orthanc.datasets()), seconds, count)


def storescu(node: RunningNode, *paths: Path) -> None:
    executable = str(program("storescu", "dcmtk"))
    command = [executable, "-aet", SENDER_TITLE, "-aec", NODE_TITLE, "-R", "+sd", "+r", "127.0.0.1", str(node.port)]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _everything_sent(status: dict) -> bool:
    deliveries = [one for patient in status["patients"] for pair in patient["pairs"] for one in pair["deliveries"]]
    return bool(deliveries) and all(one["state"] == "SENT" for one in deliveries)


def _kept(orthanc: Orthanc, node: RunningNode, folder: Path) -> tuple[Path, ...]:
    """The archive's files as Orthanc gives them back, and beside them what the node had found."""
    folder.mkdir()
    (findings,) = (node.folder / "data" / "results").glob("*/findings.json")
    shutil.copy(findings, folder)
    for number, content in enumerate(orthanc.files()):
        (folder / f"{number}.dcm").write_bytes(content)
    return tuple(sorted(folder.glob("*.dcm")))
