"""Resident memory of `restage serve` while it receives: flat, however many instances come.

Run: python -m tests.benchmarks.ingest_memory [--instances 20000] [--kb 64] [--associations 1 4] [--plain]; prints JSON
last. pynetdicom sends; each instance is a content of its own, spread over studies of 500. MB at 10 %, 50 % and 100 % of
the instances, and the highest there was. ``growth``: the last over the first.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import AE

from node.association import AS_SCU
from tests.dicom_files import BASELINE, t2_axial
from tests.faults.hostile import Holding
from tests.running_node import NODE_TITLE, SENDER_TITLE, RunningNode, running_node

OF_A_STUDY = 500
MARKS = (0.1, 0.5, 1.0)


@dataclass
class Watch:
    """Memory of a node after so many instances."""

    node: RunningNode
    instances: int
    sent: int = 0
    at: dict[str, float] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> None:
        with self._counting:
            self.sent += 1
            for mark in MARKS:
                if self.sent == int(self.instances * mark):
                    self.at[f"{mark:.0%}"] = round(Holding.of(self.node.process.pid).memory_mb, 1)

    def figures(self) -> dict[str, float]:
        status = Path(f"/proc/{self.node.process.pid}/status").read_text().splitlines()
        highest = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
        growth = self.at["100%"] / self.at["10%"]
        return {**self.at, "highest": round(highest, 1), "growth": round(growth, 3)}


def send(watch: Watch, count: int, kilobytes: int, seed: int) -> None:
    """C-STORE so many instances over one association."""
    ae = AE(SENDER_TITLE)
    ae.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", watch.node.port, ae_title=NODE_TITLE, evt_handlers=list(AS_SCU))
    assert association.is_established
    image, noise = blank(kilobytes), np.random.default_rng(seed)
    for number in range(count):
        if number % OF_A_STUDY == 0:
            image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.PixelData = noise.bytes(len(image.PixelData))
        assert association.send_c_store(image).Status == 0x0000
        watch.count()
    association.release()


def blank(kilobytes: int) -> Dataset:
    """An MR image of so many KB."""
    rows = int((kilobytes * 1024 / 2) ** 0.5)
    (image,) = t2_axial(BASELINE, 1, Rows=rows, Columns=rows)
    image.PixelData = bytes(rows * rows * 2)
    return image


def measured(folder: Path, told: argparse.Namespace, associations: int) -> dict[str, float]:
    path = f"fast_ingest = {str(not told.plain).lower()}"
    with running_node(folder, node=path, worker=False) as node:
        share = told.instances // associations
        watch = Watch(node, share * associations)
        senders = [
            threading.Thread(target=send, args=(watch, share, told.kb, number)) for number in range(associations)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert watch.sent == watch.instances, "an instance was not taken"
        return watch.figures()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=20_000)
    parser.add_argument("--kb", type=int, default=64)
    parser.add_argument("--associations", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--plain", action="store_true", help="all by pynetdicom")
    told = parser.parse_args(arguments)
    figures = {}
    for associations in told.associations:
        with tempfile.TemporaryDirectory() as name:
            figures[str(associations)] = measured(Path(name) / "node", told, associations)
        print(f"{associations} associations: {figures[str(associations)]}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
