"""Instances received a second, by this node and by others in turn, against what the machine allows.

Run: python -m tests.benchmarks.ingest [--instances 1000] [--kb 512] [--rounds 5] [--only NAME ...]; prints JSON last.
DCMTK's storescu sends (TCP_NODELAY=1: without it Nagle's algorithm costs 40 ms an instance) over one association and
over four. ``durable_files`` is the rate of written, flushed and named files of the same size in the same rounds, from
one thread. Durable before Success are restage and Orthanc. ``of_allowed``: restage on one association against
1 / (1 / storescp + 1 / durable_files); ``of_orthanc``: against Orthanc. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.uid import generate_uid

from node.durable import write_durably
from tests.benchmarks.receivers import RECEIVERS
from tests.dicom_files import BASELINE, t2_axial
from tests.programs import program
from tests.running_node import SENDER_TITLE

ASSOCIATIONS = (1, 4)
FILES = "durable_files"


def write_instances(folder: Path, count: int, kilobytes: int) -> list[Path]:
    """MR images of so many KB, each with a UID and pixels of its own."""
    folder.mkdir()
    rows = columns = int((kilobytes * 1024 / 2) ** 0.5)
    (image,) = t2_axial(BASELINE, 1, Rows=rows, Columns=columns)
    noise = np.random.default_rng(0)
    paths = []
    for number in range(count):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.InstanceNumber = number + 1
        image.PixelData = noise.integers(0, 4096, (rows, columns), dtype=np.uint16).tobytes()
        paths.append(folder / f"{number:05d}.dcm")
        image.save_as(paths[-1], enforce_file_format=True)
    return paths


def sent(paths: Sequence[Path], called: str, port: int, associations: int) -> float:
    """Instances a second, all of them answered with Success."""
    command = [str(program("storescu", "dcmtk")), "-aet", SENDER_TITLE, "-aec", called, "127.0.0.1", str(port)]
    shares = [[*command, *map(str, paths[share::associations])] for share in range(associations)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    started = time.monotonic()
    processes = [subprocess.Popen(one, env=environment, stdout=subprocess.DEVNULL) for one in shares]
    codes = [process.wait() for process in processes]
    seconds = time.monotonic() - started
    assert codes == [0] * associations, "an instance was not taken"
    return len(paths) / seconds


def flushed(paths: Sequence[Path], folder: Path) -> float:
    """Durable files a second: written, flushed, renamed, and their folder flushed."""
    folder.mkdir()
    contents = [path.read_bytes() for path in paths[:200]]
    started = time.monotonic()
    for number, content in enumerate(contents):
        write_durably(folder / f"{number}.dcm", content)
    return len(contents) / (time.monotonic() - started)


def rounds(paths: Sequence[Path], folder: Path, names: Sequence[str], count: int) -> dict[str, list[float]]:
    """Every receiver in turn, and the files, again and again: a busy machine slows all of them."""
    found: dict[str, list[float]] = {FILES: []}
    for number in range(count):
        found[FILES].append(flushed(paths, folder / f"{FILES}-{number}"))
        empty(folder / f"{FILES}-{number}")
        for name in names:
            for associations in ASSOCIATIONS:
                place = folder / f"{name}-{number}-{associations}"
                with RECEIVERS[name](place) as (called, port):
                    rate = sent(paths, called, port, associations)
                empty(place)
                found.setdefault(f"{name} {associations}", []).append(rate)
                print(f"{name} {associations}: {rate:.0f}/s", flush=True)
    return found


def empty(folder: Path) -> None:
    """Free the room of all files, and delete none: for minutes ext4 looks at each inode that was deleted before it
    makes a file, which would take as long as all else."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)


def judged(medians: dict[str, float]) -> dict[str, float]:
    """What this node reached of what the machine and Orthanc did."""
    figures = {}
    if {"restage 1", "storescp 1"} <= set(medians):
        allowed = 1.0 / (1.0 / medians["storescp 1"] + 1.0 / medians[FILES])
        figures["of_allowed"] = medians["restage 1"] / allowed
    for associations in ASSOCIATIONS:
        ours, theirs = f"restage {associations}", f"orthanc {associations}"
        if {ours, theirs} <= set(medians):
            figures[f"of_orthanc_{associations}"] = medians[ours] / medians[theirs]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--kb", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=list(RECEIVERS), default=list(RECEIVERS))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_instances(folder / "instances", told.instances, told.kb)
        found = rounds(paths, folder, told.only, told.rounds)
    medians = {key: statistics.median(values) for key, values in found.items()}
    figures = {**medians, **judged(medians)}
    print(json.dumps({key: round(value, 2) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
