"""Programs by others read every object: dicom3tools' dciodvfy finds no error, DCMTK's dsrdump reads the report."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_templates.identity import Kind, ResultIdentity
from dicom_templates.results import build_results, write_part10
from pipelines.contract import Findings
from tests.conftest import missing

pytestmark = pytest.mark.peers
ObjectsOf = Callable[[str], dict[Kind, Dataset]]
STORIES = ("good response", "refused", "withheld", "out of envelope", "single exam")

#: What dciodvfy says of right objects, and why it is wrong. Nothing else may be an error.
KNOWN_FALSE_ERRORS: tuple[tuple[str, str], ...] = ()


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(program) is None:
        missing(f"{program} is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)


def written(objects: dict[Kind, Dataset], folder: Path) -> dict[Kind, Path]:
    paths = {}
    for kind, dataset in objects.items():
        paths[kind] = folder / f"{kind}.dcm"
        write_part10(dataset, paths[kind])
    return paths


def errors(path: Path) -> list[str]:
    lines = (run("dciodvfy", str(path)).stderr).splitlines()
    assert any(line.strip() in ("Segmentation", "Comprehensive3DSR", "SCImage") for line in lines), lines
    known = [text for text, _ in KNOWN_FALSE_ERRORS]
    return [line for line in lines if line.startswith("Error") and not any(text in line for text in known)]


@pytest.mark.parametrize("story", STORIES)
def test_dciodvfy_finds_no_error(objects_of: ObjectsOf, tmp_path: Path, story: str) -> None:
    for path in written(objects_of(story), tmp_path).values():
        assert errors(path) == []


def test_dciodvfy_finds_no_error_in_the_real_pair(
    real_findings: Findings, identity: ResultIdentity, tmp_path: Path
) -> None:
    objects = {result.kind: result.dataset for result in build_results(real_findings, identity)}
    for path in written(objects, tmp_path).values():
        assert errors(path) == []


def test_dciodvfy_would_have_found_one(objects_of: ObjectsOf, tmp_path: Path) -> None:
    page = objects_of("refused")[Kind.SUMMARY]
    del page.ConversionType
    write_part10(page, tmp_path / "broken.dcm")
    assert errors(tmp_path / "broken.dcm")


@pytest.mark.parametrize("story", STORIES)
def test_dsrdump_reads_the_report(objects_of: ObjectsOf, tmp_path: Path, story: str) -> None:
    path = written(objects_of(story), tmp_path)[Kind.REPORT]
    dump = run("dsrdump", str(path))
    assert dump.returncode == 0 and "RESEARCH USE ONLY" in dump.stdout
    assert not [line for line in dump.stderr.splitlines() if line.startswith("E:")]
